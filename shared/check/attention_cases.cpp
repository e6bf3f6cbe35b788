// Cases of attention: grouped heads, causal or not, lengths 0 and 1, sharp scores, dropout.
#include <algorithm>

#include "shared/check/cases.hpp"
#include "shared/check/gpt2_reference.hpp"

namespace ladder::cases {
namespace {

struct Shape {
  Batch batch;
  naive::AttentionShape a;
  std::string name;
  double scale;   ///< of queries and keys: 100 gives scores of 1e4
  int first = 0;  ///< rows of earlier positions in front of the batch's, for keys and values
  Dropout dropout = {};
  StepConstants step = {};

  std::size_t packed() const { return cells(a.stride()) + static_cast<std::size_t>(first * a.stride()); }
  std::size_t mixed() const { return cells(a.heads * a.head_dim); }
  std::size_t cells(int columns) const {
    return static_cast<std::size_t>(batch.rows()) * static_cast<std::size_t>(columns);
  }
};

template <class Args>
Args common(const Shape& s, const Bound& t) {
  Args args{};
  args.batch = t.batch;
  args.heads = s.a.heads;
  args.kv_heads = s.a.kv_heads;
  args.head_dim = s.a.head_dim;
  args.causal = s.a.causal;
  args.row_stride = s.a.stride();
  const Act qkv = t.act("qkv");
  args.q = qkv.at(static_cast<std::size_t>(s.first) * s.a.stride() + s.a.q(0));
  args.k = qkv.at(static_cast<std::size_t>(s.a.k(0)));
  args.v = qkv.at(static_cast<std::size_t>(s.a.v(0)));
  args.out_nc = t.act("out");
  args.lse_hn = t.stat("lse");
  args.scratch = t.scratch;
  return args;
}

void run_forward(const Shape& s, Ops& ops, const Bound& t) {
  const auto plain = common<AttentionForward>(s, t);
  s.dropout ? ops.run(DropoutAttentionForward{plain, s.dropout}) : ops.run(plain);
}

naive::Multiplier multiplier_of(const Shape& s) {
  return s.dropout ? naive::attention_dropout(s.dropout, s.step) : naive::Multiplier{};
}

std::vector<double> packed_values(const Shape& s) {
  std::vector<double> qkv = random_values("qkv" + s.name, s.packed());
  for (std::size_t i = 0; i < qkv.size(); ++i)
    if (static_cast<int>(i) % s.a.stride() < s.a.v(0)) qkv[i] *= s.scale;
  return qkv;
}

OpCase forward(const Shape& s) {
  OpCase c;
  c.op = s.dropout ? "dropout_attention_forward" : "attention_forward";
  if (s.dropout) c.step_constants = s.step;
  c.shape = s.name;
  c.batch = s.batch;
  c.first = s.first;
  c.scratch_heads = s.a.heads;
  c.max_logit = s.scale * s.scale;
  add(c, Role::activation, Use::input, "qkv", packed_values(s));
  add(c, Role::activation, Use::output, "out", std::vector<double>(s.mixed()));
  add(c, Role::statistic, Use::output, "lse", std::vector<double>(s.cells(s.a.heads)));
  c.run = [s](Ops& ops, const Bound& t) { run_forward(s, ops, t); };
  c.with_terms = {"out"};
  c.rounded_terms = [s](Values& t) {
    naive::attention_terms(s.batch, s.a, t.at("qkv"), t.at("out"), multiplier_of(s));
  };
  c.naive = [s](Values& t) {
    naive::attention(s.batch, s.a, t.at("qkv"), t.at("out"), t.at("lse"), multiplier_of(s));
  };
  return c;
}

/// A sequence of which `first` positions were there before: its last rows, as text is generated.
OpCase continued(int rows, int first, const naive::AttentionShape& a) {
  const Shape s{random_batch({rows}, 27, rows, Layout::packed), a,
                fmt::format("N={} after {} H={} K={} D={}{}", rows, first, a.heads, a.kv_heads, a.head_dim,
                            a.causal ? " causal" : ""),
                1, first};
  OpCase c = forward(s);
  c.with_terms.clear();
  c.rounded_terms = nullptr;
  c.naive = [=](Values& t) {  // the whole sequence, of which the last rows are kept
    const Batch whole = random_batch({first + rows}, 27, first + rows, Layout::packed);
    const std::size_t width = s.mixed() / static_cast<std::size_t>(rows);
    naive::Tensor out(static_cast<std::size_t>(first + rows) * width);
    naive::Tensor lse(static_cast<std::size_t>((first + rows) * a.heads));
    naive::attention(whole, a, t.at("qkv"), out, lse);
    std::copy(out.end() - static_cast<std::ptrdiff_t>(s.mixed()), out.end(), t.at("out").begin());
    for (int h = 0; h < a.heads; ++h)
      std::copy_n(lse.begin() + h * (first + rows) + first, rows, t.at("lse").begin() + h * rows);
  };
  return c;
}

/// Scores that are all far below -1e20, of which every query's even keys win by as much: exact in every type but fp16.
OpCase low_scores(const std::vector<int>& lengths, const naive::AttentionShape& a, Layout layout) {
  const Shape s{random_batch(lengths, 27, 17, layout), a, "", 1};
  OpCase c = forward(s);
  c.shape = fmt::format("B={} T=17 H={} K={} D={}{} scores far below 0", lengths.size(), a.heads, a.kv_heads,
                        a.head_dim, a.causal ? " causal" : "");
  c.beyond_fp16 = true;
  std::vector<double>& qkv = c.values.at("qkv");
  const auto stride = static_cast<std::size_t>(a.stride());
  for (std::size_t n = 0; n < qkv.size() / stride; ++n)
    for (int p = 0; p < a.v(0); ++p)
      qkv[n * stride + static_cast<std::size_t>(p)] = p < a.k(0) ? 0x1p40
                                                      : (static_cast<int>(n) - s.batch.starts_b[0]) % 2 == 0
                                                          ? -0x1p40
                                                          : -0x1p42;
  return c;
}

/// Runs the forward pass first: what it leaves in `out`, `lse` and scratch is the stage's own business.
OpCase backward(const Shape& s) {
  OpCase c;
  c.op = s.dropout ? "dropout_attention_backward" : "attention_backward";
  if (s.dropout) c.step_constants = s.step;
  c.shape = s.name;
  c.batch = s.batch;
  c.scratch_heads = s.a.heads;
  c.max_logit = s.scale * s.scale;
  add(c, Role::activation, Use::input, "qkv", packed_values(s));
  add(c, Role::activation, Use::input, "dout", random_values("dout" + s.name, s.mixed()));
  add(c, Role::activation, Use::work, "out", std::vector<double>(s.mixed()));
  add(c, Role::statistic, Use::work, "lse", std::vector<double>(s.cells(s.a.heads)));
  add(c, Role::activation, Use::output, "dqkv", std::vector<double>(s.packed()));
  c.run = [s](Ops& ops, const Bound& t) {
    run_forward(s, ops, t);
    auto args = common<AttentionBackward>(s, t);
    args.dout_nc = t.act("dout");
    args.dq = t.act("dqkv").at(static_cast<std::size_t>(s.a.q(0)));
    args.dk = t.act("dqkv").at(static_cast<std::size_t>(s.a.k(0)));
    args.dv = t.act("dqkv").at(static_cast<std::size_t>(s.a.v(0)));
    s.dropout ? ops.run(DropoutAttentionBackward{args, s.dropout}) : ops.run(args);
  };
  c.naive = [s](Values& t) {
    naive::attention_backward(s.batch, s.a, t.at("qkv"), t.at("dout"), t.at("dqkv"), multiplier_of(s));
  };
  c.with_terms = {"dqkv"};
  c.rounded_terms = [s](Values& t) {
    naive::attention_backward_terms(s.batch, s.a, t.at("qkv"), t.at("dout"), t.at("dqkv"), multiplier_of(s));
  };
  if (s.scale > 1) return c;  // a softmax this sharp has no usable differences
  c.forward = std::make_shared<OpCase>(forward(s));
  c.output = "out";
  c.weights = "dout";
  c.derivatives = {{"qkv", "dqkv", ""}};
  return c;
}

}  // namespace

std::vector<OpCase> attention_cases(Layout layout) {
  std::vector<OpCase> cases;
  const auto both = [&](const std::vector<int>& lengths, int T, int H, int K, int D, bool causal,
                        double scale) {
    const std::string name = fmt::format("B={} T={} H={} K={} D={}{}{}", lengths.size(), T, H, K, D,
                                         causal ? " causal" : "", scale > 1 ? " sharp" : "");
    const Shape s{random_batch(lengths, 27, T, layout), {H, K, D, causal}, name, scale};
    cases.push_back(forward(s));
    cases.push_back(backward(s));
  };
  for (const bool causal : {true, false}) {
    both({7, 0, 1, 16}, 16, 4, 4, 4, causal, 1);
    both({17, 3}, 17, 3, 1, 11, causal, 1);  // C = 33, one key/value head for three
    both({1}, 1, 1, 1, 1, causal, 1);
    both({5, 17, 0, 2}, 17, 4, 2, 8, causal, 1);
    both({9, 4}, 16, 2, 2, 16, causal, 100);
    both({40, 33}, 40, 2, 1, 8, causal, 1);
    cases.push_back(continued(1, 16, {4, 4, 4, causal}));
    cases.push_back(continued(1, 40, {3, 1, 11, causal}));
    cases.push_back(continued(5, 12, {4, 2, 8, causal}));
    cases.push_back(continued(20, 70, {2, 2, 16, causal}));
    cases.push_back(low_scores({7, 0, 1, 17}, {4, 4, 4, causal}, layout));
    cases.push_back(low_scores({17, 3}, {4, 2, 16, causal}, layout));
  }
  return cases;
}

namespace {

/// Forward and backward with dropout in layer `layer`. Heads all have their own keys and values, or share them.
void add_with_dropout(std::vector<OpCase>& cases, const Batch& batch, const naive::AttentionShape& a,
                      double probability, int layer, const StepConstants& step, double scale = 1) {
  const std::string name =
      fmt::format("B={} T={} H={} K={} D={}{}{} dropout {} layer {} {}", batch.batch(), batch.max_length,
                  a.heads, a.kv_heads, a.head_dim, a.causal ? " causal" : "", scale > 1 ? " sharp" : "",
                  probability, layer, step_name(step));
  const Shape s{batch, a, name, scale, 0, {probability, layer, DropoutSite::attention}, step};
  cases.push_back(forward(s));
  cases.push_back(backward(s));
}

}  // namespace

std::vector<OpCase> dropout_attention_cases(Layout layout) {
  std::vector<OpCase> cases;
  const auto both = [&](const std::vector<int>& lengths, int T, const naive::AttentionShape& a, double p,
                        int layer, const StepConstants& step, double scale = 1) {
    add_with_dropout(cases, random_batch(lengths, 27, T, layout), a, p, layer, step, scale);
  };
  both({7, 0, 1, 16}, 16, {4, 4, 4, true}, 0.2, 0, dropout_step(0, 42, 0));
  both({17, 3}, 17, {3, 1, 11, true}, 0.5, 3, dropout_step(1, 42, 6));
  both({1}, 1, {1, 1, 1, true}, 0.5, 0, dropout_step(2, 42, 0));
  both({5, 17, 0, 2}, 17, {4, 2, 8, false}, 0.2, 11, dropout_step(70000, 4294967295, 4));
  both({9, 4}, 16, {2, 2, 16, true}, 0.2, 1, dropout_step(3, 7, 0), 100);
  both({40, 33}, 40, {2, 1, 8, true}, 0.2, 2, dropout_step(4, 1, 1000000));
  both({70, 13, 64}, 70, {2, 2, 16, true}, 0.2, 1, dropout_step(5, 1, 3));
  return cases;
}

std::vector<OpCase> wide_dropout_attention_cases(Layout layout) {
  std::vector<OpCase> cases;
  int layer = 0;
  for (const auto& [lengths, T] :
       {std::pair{std::vector<int>{127, 64}, 127}, {{256, 0, 13}, 256}, {{257, 1}, 257}, {{1024}, 1024}})
    for (const auto& [heads, kv_heads] : {std::pair{2, 2}, {4, 2}, {3, 1}})
      for (const int head_dim : {16, 64})
        if (T < 1024 || (heads == 2 && head_dim == 16))
          add_with_dropout(cases, random_batch(lengths, 27, T, layout), {heads, kv_heads, head_dim, true},
                           heads == 2 ? 0.2 : 0.5, layer++, dropout_step(17, 42, 12));
  return cases;
}

}  // namespace ladder::cases
