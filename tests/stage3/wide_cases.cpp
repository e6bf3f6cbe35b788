#include "tests/stage3/wide_cases.hpp"

#include <array>
#include <cstdlib>
#include <string_view>

#include "shared/check/naive_reference.hpp"

namespace ladder::testing {
namespace {

using namespace cases;  // NOLINT(google-build-using-namespace)

std::size_t cells(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

constexpr std::array kLengths = {0, 1, 13, 17, 64, 127, 256, 257, 1024};
constexpr std::array kWidths = {16, 33, 48, 384, 768};

struct Heads {
  int heads, kv_heads, head_dim;
  bool causal;
  double scale = 1.0;  ///< of queries and keys: 100 gives scores of some 1e4
  int width() const { return heads * head_dim; }
  std::size_t values() const {
    return cells(heads + kv_heads, head_dim);
  }  ///< where v begins in a packed row
  int packed() const { return (heads + 2 * kv_heads) * head_dim; }
};

template <class Args>
Args attention_args(const Heads& s, const Bound& t) {
  Args args{};
  args.batch = t.batch;
  args.heads = s.heads;
  args.kv_heads = s.kv_heads;
  args.head_dim = s.head_dim;
  args.causal = s.causal;
  args.row_stride = s.packed();
  const Act qkv = t.act("qkv");
  args.q = qkv;
  args.k = qkv.at(static_cast<std::size_t>(s.width()));
  args.v = qkv.at(s.values());
  args.out_nc = t.act("out");
  args.lse_hn = t.stat("lse");
  args.scratch = t.scratch;
  return args;
}

std::vector<double> packed_values(const std::string& name, int rows, const Heads& s) {
  std::vector<double> qkv = random_values(name, cells(rows, s.packed()));
  const std::size_t values = s.values();
  for (std::size_t i = 0; i < qkv.size(); ++i)
    if (i % static_cast<std::size_t>(s.packed()) < values) qkv[i] *= s.scale;
  return qkv;
}

/// The largest |score| between any two rows of a sequence.
double largest_score(const std::vector<double>& qkv, const Batch& batch, const Heads& s) {
  const naive::AttentionShape a{s.heads, s.kv_heads, s.head_dim, s.causal};
  double largest = 0.0;
  for (int n = 0; n < batch.rows(); ++n)
    for (int m = 0; m < batch.rows(); ++m)
      for (int h = 0;
           h < s.heads && batch.sequence_n[naive::at(n, 1, 0)] == batch.sequence_n[naive::at(m, 1, 0)]; ++h) {
        double score = 0.0;
        for (int d = 0; d < s.head_dim; ++d)
          score += qkv[naive::at(n, a.stride(), a.q(h) + d)] * qkv[naive::at(m, a.stride(), a.k(h) + d)];
        largest = std::max(largest, std::abs(score) / std::sqrt(s.head_dim));
      }
  return largest;
}

/// Forward and backward in one case: out, lse and the gradients of all inputs are compared.
OpCase attention(const std::vector<int>& lengths, int block_size, const Heads& s, Layout layout) {
  OpCase c;
  c.op = "attention";
  c.shape = fmt::format("B={} T={} H={} K={} D={}{}", lengths.size(), block_size, s.heads, s.kv_heads,
                        s.head_dim, s.causal ? " causal" : "") +
            (s.scale > 1.0 ? " sharp" : "");
  c.batch = random_batch(lengths, 27, block_size, layout);
  c.scratch_heads = s.heads;
  const int rows = c.batch->rows();
  add(c, Role::activation, Use::input, "qkv", packed_values("qkv" + c.shape, rows, s));
  if (s.scale > 1.0) c.max_logit = largest_score(c.values.at("qkv"), *c.batch, s);
  add(c, Role::activation, Use::input, "dout", random_values("dout" + c.shape, cells(rows, s.width())));
  add(c, Role::activation, Use::output, "out", std::vector<double>(cells(rows, s.width())));
  add(c, Role::statistic, Use::output, "lse", std::vector<double>(cells(rows, s.heads)));
  add(c, Role::activation, Use::output, "dqkv", std::vector<double>(cells(rows, s.packed())));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(attention_args<AttentionForward>(s, t));
    auto args = attention_args<AttentionBackward>(s, t);
    const Act dqkv = t.act("dqkv");
    args.dout_nc = t.act("dout");
    args.dq = dqkv;
    args.dk = dqkv.at(static_cast<std::size_t>(s.width()));
    args.dv = dqkv.at(s.values());
    ops.run(args);
  };
  c.with_terms = {"out", "dqkv"};
  c.rounded_terms = [s, batch = *c.batch](Values& t) {
    naive::attention_terms(batch, {s.heads, s.kv_heads, s.head_dim, s.causal}, t.at("qkv"), t.at("out"));
    naive::attention_backward_terms(batch, {s.heads, s.kv_heads, s.head_dim, s.causal}, t.at("qkv"),
                                    t.at("dout"), t.at("dqkv"));
  };
  return c;
}

struct Shape {
  int rows, in, out;
  std::string name() const { return fmt::format("N={} I={} O={}", rows, in, out); }
};

/// x, w and dy in, y and dx out: what every case of a linear layer has.
OpCase layer_case(const char* op, const Shape& s) {
  OpCase c;
  c.op = op;
  c.shape = s.name();
  add(c, Role::activation, Use::input, "x", random_values("x" + c.shape, cells(s.rows, s.in)));
  add(c, Role::parameter, Use::input, "w", random_values("w" + c.shape, cells(s.out, s.in)));
  add(c, Role::activation, Use::input, "dy", random_values("dy" + c.shape, cells(s.rows, s.out)));
  add(c, Role::activation, Use::output, "y", std::vector<double>(cells(s.rows, s.out)));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(cells(s.rows, s.in)));
  return c;
}

/// The three products of one linear layer.
OpCase linear(const Shape& s) {
  OpCase c = layer_case("linear", s);
  add(c, Role::gradient, Use::update, "dw", random_values("dw" + c.shape, cells(s.out, s.in)));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(LinearForward{s.rows, s.in, s.out, t.act("x"), t.param("w"), t.act("y")});
    ops.run(LinearBackwardInput{s.rows, s.in, s.out, t.act("dy"), t.param("w"), t.act("dx")});
    ops.run(LinearBackwardWeight{s.rows, s.in, s.out, t.act("dy"), t.act("x"), t.grad("dw")});
  };
  return c;
}

/// The products that read a second matrix as large as their result.
OpCase linear_beside(const Shape& s) {
  OpCase c = layer_case("linear_beside", s);
  add(c, Role::activation, Use::input, "residual", random_values("r" + c.shape, cells(s.rows, s.out)));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(
        LinearResidualForward{s.rows, s.in, s.out, t.act("x"), t.param("w"), t.act("residual"), t.act("y")});
    ops.run(LinearBackwardInputRelu{s.rows, s.in, s.out, t.act("dy"), t.param("w"), t.act("x"), t.act("dx")});
  };
  return c;
}

/// RMSNorm joined to a product, forward and backward.
OpCase norm_linear(const Shape& s) {
  OpCase c = layer_case("rmsnorm_linear", s);
  add(c, Role::activation, Use::input, "dresidual", random_values("dr" + c.shape, cells(s.rows, s.in)));
  add(c, Role::activation, Use::work, "normed", std::vector<double>(cells(s.rows, s.in)));
  add(c, Role::activation, Use::work, "dnormed", std::vector<double>(cells(s.rows, s.in)));
  add(c, Role::statistic, Use::output, "rstd", std::vector<double>(cells(s.rows, 1)));
  add(c, Role::gradient, Use::update, "dw", random_values("dw" + c.shape, cells(s.out, s.in)));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(RmsNormLinearForward{s.rows, s.in, s.out, true, t.act("x"), t.param("w"), t.act("normed"),
                                 t.stat("rstd"), t.act("y")});
    ops.run(RmsNormLinearBackward{s.rows, s.in, s.out, t.act("dy"), t.param("w"), t.act("x"), t.act("normed"),
                                  t.stat("rstd"), t.act("dresidual"), t.act("dnormed"), t.grad("dw"),
                                  t.act("dx")});
  };
  return c;
}

/// RMSNorm alone, forward and backward.
OpCase norm(int rows, int channels, double scale = 1.0) {
  OpCase c;
  c.op = "rmsnorm";
  c.shape = fmt::format("N={} C={}{}", rows, channels, scale > 1 ? fmt::format(" scale={}", scale) : "");
  c.beyond_fp16 = scale > 6e4;
  add(c, Role::activation, Use::input, "x", random_values("x" + c.shape, cells(rows, channels), scale));
  add(c, Role::activation, Use::input, "dy", random_values("dy" + c.shape, cells(rows, channels)));
  add(c, Role::activation, Use::output, "y", std::vector<double>(cells(rows, channels)));
  add(c, Role::statistic, Use::output, "rstd", std::vector<double>(cells(rows, 1)));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(cells(rows, channels)));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(RmsNormForward{rows, channels, t.act("x"), t.act("y"), t.stat("rstd")});
    ops.run(RmsNormBackward{rows, channels, t.act("dy"), t.act("x"), {}, t.stat("rstd"), t.act("dx")});
  };
  return c;
}

OpCase loss(const std::vector<int>& lengths, int block_size, int vocabulary, int columns, double scale,
            Layout layout, bool with_gradient = true) {
  OpCase c;
  c.op = "cross_entropy";
  c.shape = fmt::format("T={} V={} of {} columns, logits to {}", block_size, vocabulary, columns, scale);
  c.batch = random_batch(lengths, vocabulary, block_size, layout);
  c.max_logit = scale;
  const int rows = c.batch->rows();
  add(c, Role::activation, with_gradient ? Use::update : Use::input, "logits",
      random_values("logits" + c.shape, cells(rows, columns), scale));
  add(c, Role::statistic, Use::output, "loss_n", std::vector<double>(cells(rows, 1)));
  add(c, Role::statistic, Use::update, "loss", {0.25});
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(CrossEntropy{t.batch, vocabulary, columns, 0.5, with_gradient, t.act("logits"), t.stat("loss_n"),
                         t.stat("loss")});
  };
  return c;
}

/// Entries of the vocabulary that are all far below -1e20, two of which win every row, and 0 in the columns behind. Of the
/// loss alone: a whole row's gradient is one power of two, exact to 2^-24 of the largest logit.
OpCase low_loss(const std::vector<int>& lengths, int block_size, int vocabulary, int columns, Layout layout) {
  OpCase c = loss(lengths, block_size, vocabulary, columns, 1, layout, /*with_gradient=*/false);
  c.shape += " far below 0";
  c.beyond_fp16 = true;
  std::vector<double>& logits = c.values.at("logits");
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const int v = static_cast<int>(i % static_cast<std::size_t>(columns));
    const int target = std::max(c.batch->targets_n[i / static_cast<std::size_t>(columns)], 0);
    const bool wins = v == target || v == (target + 1) % vocabulary;
    logits[i] = v >= vocabulary ? 0.0 : wins ? -0x1p70 : -0x1p72;
  }
  return c;
}

}  // namespace

Lists wanted_lists() {
  const char* wish = std::getenv("LADDER_FULL");
  const std::string_view text = wish == nullptr ? "0" : wish;
  require(text == "0" || text == "1", "LADDER_FULL is '{}': valid are 0 and 1", text);
  return text == "1" ? Lists::full : Lists::thinned;
}

void for_each_wide_attention(Layout layout, int most, Lists lists, const CaseSink& sink) {
  const auto one = [&](const std::vector<int>& lengths, int T, const Heads& heads) {
    if (heads.head_dim <= most) sink(attention(lengths, T, heads, layout));
  };
  one({64, 0, 13, 1}, 64, {4, 4, 16, true});
  one({127, 17}, 127, {4, 2, 32, true});
  one({256}, 256, {2, 1, 64, true});
  one({257}, 257, {2, 1, 16, true});
  one({256}, 256, {1, 1, 64, false});
  one({64, 127}, 130, {2, 1, 64, false});
  one({70, 33}, 70, {3, 1, 11, false});
  one({65, 64}, 65, {2, 1, 128, true});
  one({13, 130}, 130, {1, 1, 128, false});
  one({1024}, 1024, {1, 1, 16, true});
  one({0, 0}, 16, {2, 1, 16, true});
  // Slots that are full and multiples of every tile: what bulk copies want in bf16, and the same
  // slots when one is not full.
  for (const bool causal : {true, false}) {
    one({128, 128}, 128, {6, 2, 64, causal});
    one({128, 127}, 128, {2, 2, 64, causal});
    one({128, 128}, 128, {2, 1, 128, causal});
  }
  one({128, 128}, 256, {2, 2, 64, true});  // alike and long enough, but their slots are not full
  for (const bool causal : {true, false}) {
    one({40, 17}, 40, {4, 2, 16, causal, 100.0});
    one({70, 1}, 70, {2, 2, 64, causal, 100.0});
  }
  if (lists == Lists::thinned) return;
  for (const int length : kLengths)
    for (const int head_dim : {16, 32, 64, 128})
      for (const auto& [heads, kv_heads] : {std::pair{2, 2}, {4, 2}, {3, 1}})
        for (const bool causal : {true, false})
          for (const int second : {std::min(length, 13), length})
            one({length, second}, std::max(length, 1), {heads, kv_heads, head_dim, causal});
}

void for_each_wide_row_case(int persistent_rows, Lists lists, const CaseSink& sink) {
  for (const Shape& s : {Shape{64, 384, 768}, Shape{300, 48, 33}, Shape{1024, 16, 48}, Shape{1024, 16, 16},
                         Shape{130, 136, 264}, Shape{1, 768, 33}, Shape{0, 16, 48}})
    sink(linear(s));
  // Larger than the largest tile, with a tail on every side.
  const Shape tails{257, 264, 392};
  sink(linear(tails));
  for (const Shape& s : {Shape{130, 136, 136}, tails, Shape{17, 33, 48}}) sink(linear_beside(s));
  for (const Shape& s :
       {Shape{130, 384, 136}, tails, Shape{257, 33, 48}, Shape{17, 768, 16}, Shape{256, 16, 384}})
    sink(norm_linear(s));
  for (const int channels : kWidths)
    for (const int rows : {13, 127, persistent_rows}) sink(norm(rows, channels));
  for (const int channels : {384, 768}) sink(norm(13, channels, 1e25));  // the squares overflow
  if (lists == Lists::thinned) return;
  for (const int rows : kLengths)
    for (const int in : kWidths) {
      sink(norm(rows, in));
      for (const int out : kWidths) {
        sink(linear({rows, in, out}));
        sink(linear_beside({rows, in, out}));
        sink(norm_linear({rows, in, out}));
      }
    }
}

void for_each_wide_loss(Layout layout, Lists lists, const CaseSink& sink) {
  sink(loss({17, 0, 3}, 17, 27, 27, 1e4, layout));
  sink(loss({13, 9}, 16, 1000, 1024, 10, layout));
  sink(loss({2, 0, 1}, 2, 50304, 50304, 10, layout));  // a whole row in registers, where the table has parts
  sink(loss({2, 0, 1}, 2, 50257, 50304, 10, layout));  // the same with a padded head
  sink(low_loss({2, 0, 1}, 2, 50257, 50304, layout));
  // as long, but its rows do not start at multiples of 16 bytes
  sink(loss({1}, 1, 50257, 50257, 10, layout));
  if (lists == Lists::thinned) return;
  for (const int length : kLengths)
    for (const int vocabulary : {16, 27, 33, 384, 50304})
      for (const double scale : {3.0, 1e4})
        if (length <= 257 || vocabulary <= 384)
          sink(loss({length, std::min(length, 13)}, std::max(length, 1), vocabulary, vocabulary, scale,
                    layout));
}

}  // namespace ladder::testing
