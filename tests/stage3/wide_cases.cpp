#include "tests/stage3/wide_cases.hpp"

#include <algorithm>

namespace ladder::testing {
namespace {

using namespace cases;  // NOLINT(google-build-using-namespace)

std::size_t cells(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

struct Heads {
  int heads, kv_heads, head_dim;
  bool causal;
  int width() const { return heads * head_dim; }
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
  args.v = qkv.at(static_cast<std::size_t>(s.width() + s.kv_heads * s.head_dim));
  args.out_nc = t.act("out");
  args.lse_hn = t.stat("lse");
  args.scratch = t.scratch;
  return args;
}

/// Forward and backward in one case: out, lse and the gradients of all inputs are compared.
OpCase attention(const std::vector<int>& lengths, int block_size, const Heads& s, Layout layout) {
  OpCase c;
  c.op = "attention";
  c.shape = fmt::format("B={} T={} H={} K={} D={}{}", lengths.size(), block_size, s.heads, s.kv_heads,
                        s.head_dim, s.causal ? " causal" : "");
  c.batch = random_batch(lengths, 27, block_size, layout);
  c.scratch_heads = s.heads;
  const int rows = c.batch->rows();
  add(c, Role::activation, Use::input, "qkv", random_values("qkv" + c.shape, cells(rows, s.packed())));
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
    args.dv = dqkv.at(static_cast<std::size_t>(s.width() + s.kv_heads * s.head_dim));
    ops.run(args);
  };
  return c;
}

struct Shape {
  int rows, in, out;
  std::string name() const { return fmt::format("N={} I={} O={}", rows, in, out); }
};

/// The three products of one linear layer.
OpCase linear(const Shape& s) {
  OpCase c;
  c.op = "linear";
  c.shape = s.name();
  add(c, Role::activation, Use::input, "x", random_values("x" + c.shape, cells(s.rows, s.in)));
  add(c, Role::parameter, Use::input, "w", random_values("w" + c.shape, cells(s.out, s.in)));
  add(c, Role::activation, Use::input, "dy", random_values("dy" + c.shape, cells(s.rows, s.out)));
  add(c, Role::activation, Use::output, "y", std::vector<double>(cells(s.rows, s.out)));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(cells(s.rows, s.in)));
  add(c, Role::gradient, Use::update, "dw", random_values("dw" + c.shape, cells(s.out, s.in)));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(LinearForward{s.rows, s.in, s.out, t.act("x"), t.param("w"), t.act("y")});
    ops.run(LinearBackwardInput{s.rows, s.in, s.out, t.act("dy"), t.param("w"), t.act("dx")});
    ops.run(LinearBackwardWeight{s.rows, s.in, s.out, t.act("dy"), t.act("x"), t.grad("dw")});
  };
  return c;
}

/// RMSNorm joined to a product, forward and backward.
OpCase norm_linear(const Shape& s) {
  OpCase c;
  c.op = "rmsnorm_linear";
  c.shape = s.name();
  add(c, Role::activation, Use::input, "x", random_values("x" + c.shape, cells(s.rows, s.in)));
  add(c, Role::parameter, Use::input, "w", random_values("w" + c.shape, cells(s.out, s.in)));
  add(c, Role::activation, Use::input, "dy", random_values("dy" + c.shape, cells(s.rows, s.out)));
  add(c, Role::activation, Use::input, "dresidual", random_values("dr" + c.shape, cells(s.rows, s.in)));
  add(c, Role::activation, Use::work, "normed", std::vector<double>(cells(s.rows, s.in)));
  add(c, Role::activation, Use::work, "dnormed", std::vector<double>(cells(s.rows, s.in)));
  add(c, Role::statistic, Use::output, "rstd", std::vector<double>(cells(s.rows, 1)));
  add(c, Role::activation, Use::output, "y", std::vector<double>(cells(s.rows, s.out)));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(cells(s.rows, s.in)));
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
OpCase norm(int rows, int channels) {
  OpCase c;
  c.op = "rmsnorm";
  c.shape = fmt::format("N={} C={}", rows, channels);
  add(c, Role::activation, Use::input, "x", random_values("x" + c.shape, cells(rows, channels)));
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

OpCase loss(const std::vector<int>& lengths, int block_size, int vocabulary, double scale, Layout layout) {
  OpCase c;
  c.op = "cross_entropy";
  c.shape = fmt::format("T={} V={} logits to {}", block_size, vocabulary, scale);
  c.batch = random_batch(lengths, vocabulary, block_size, layout);
  c.max_logit = scale;
  const int rows = c.batch->rows();
  add(c, Role::activation, Use::update, "logits",
      random_values("logits" + c.shape, cells(rows, vocabulary), scale));
  add(c, Role::statistic, Use::output, "loss_n", std::vector<double>(cells(rows, 1)));
  add(c, Role::statistic, Use::update, "loss", {0.25});
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(CrossEntropy{t.batch, vocabulary, 0.5, true, t.act("logits"), t.stat("loss_n"), t.stat("loss")});
  };
  return c;
}

}  // namespace

std::vector<OpCase> wide_attention_cases(Layout layout, int most) {
  std::vector<OpCase> all;
  const auto one = [&](const std::vector<int>& lengths, int T, const Heads& heads) {
    if (heads.head_dim <= most) all.push_back(attention(lengths, T, heads, layout));
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
  return all;
}

std::vector<OpCase> wide_row_cases() {
  std::vector<OpCase> all;
  all.push_back(linear({64, 384, 768}));
  all.push_back(linear({300, 48, 33}));
  all.push_back(linear({1024, 16, 48}));
  all.push_back(linear({1024, 16, 16}));
  all.push_back(linear({130, 136, 264}));
  all.push_back(norm_linear({130, 384, 136}));
  all.push_back(norm_linear({257, 33, 48}));
  for (const int channels : {16, 33, 48, 384, 768}) {
    all.push_back(norm(13, channels));
    all.push_back(norm(301, channels));
  }
  return all;
}

std::vector<OpCase> wide_loss_cases(Layout layout) {
  std::vector<OpCase> all;
  all.push_back(loss({17, 0, 3}, 17, 27, 1e4, layout));
  all.push_back(loss({13, 9}, 16, 1000, 10, layout));
  return all;
}

}  // namespace ladder::testing
