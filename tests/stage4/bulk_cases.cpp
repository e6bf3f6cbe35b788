#include "tests/stage4/bulk_cases.hpp"

#include "shared/check/gpt2_reference.hpp"

namespace ladder::testing {
namespace {

using cases::add;
using cases::Bound;
using cases::OpCase;
using cases::random_values;
using cases::Role;
using cases::Use;
using cases::Values;

struct Linear {
  int rows, in, out;
  std::size_t x() const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(in); }
  std::size_t w() const { return static_cast<std::size_t>(in) * static_cast<std::size_t>(out); }
  std::size_t y() const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(out); }
};

/// Inputs on the scale of a trained layer's: sums of `in` terms stay near 1.
OpCase linear_case(const char* op, const Linear& s, const std::string& kind) {
  OpCase c;
  c.op = op;
  c.shape = fmt::format("N={} I={} O={} {}", s.rows, s.in, s.out, kind);
  add(c, Role::parameter, Use::input, "w", random_values("w" + c.shape, s.w(), 0.3));
  return c;
}

void add_forward_inputs(OpCase& c, const Linear& s, bool bias) {
  add(c, Role::activation, Use::input, "x", random_values("x" + c.shape, s.x()));
  if (bias)
    add(c, Role::parameter, Use::input, "bias",
        random_values("bias" + c.shape, static_cast<std::size_t>(s.out)));
}

void sums(const Linear& s, bool bias, Values& t, const char* to) {
  naive::linear(s.rows, s.in, s.out, t.at("x"), t.at("w"), t.at(to));
  if (bias) naive::add_bias(s.rows, s.out, t.at("bias"), t.at(to));
}

OpCase bias_forward(const Linear& s, bool bias) {
  OpCase c = linear_case("linear_bias_forward", s, bias ? "bias" : "");
  add_forward_inputs(c, s, bias);
  add(c, Role::activation, Use::output, "y", std::vector<double>(s.y()));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(LinearBiasForward{s.rows, s.in, s.out, t.act("x"), t.param("w"), bias ? t.param("bias") : Param{},
                              t.act("y")});
  };
  c.naive = [=](Values& t) { sums(s, bias, t, "y"); };
  return c;
}

OpCase gelu_forward(const Linear& s, Gelu form, bool bias) {
  OpCase c = linear_case("linear_gelu_forward", s, std::string(name_of(form)) + (bias ? " with bias" : ""));
  add_forward_inputs(c, s, bias);
  add(c, Role::activation, Use::output, "before", std::vector<double>(s.y()));
  add(c, Role::activation, Use::output, "y", std::vector<double>(s.y()));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(LinearGeluForward{s.rows, s.in, s.out, form, t.act("x"), t.param("w"),
                              bias ? t.param("bias") : Param{}, t.act("before"), t.act("y")});
  };
  c.naive = [=](Values& t) {
    sums(s, bias, t, "before");
    for (std::size_t i = 0; i < s.y(); ++i) t.at("y")[i] = naive::gelu(t.at("before")[i], form);
  };
  return c;
}

OpCase gelu_backward(const Linear& s, Gelu form) {
  OpCase c = linear_case("linear_backward_input_gelu", s, std::string(name_of(form)));
  add(c, Role::activation, Use::input, "dy", random_values("dy" + c.shape, s.y()));
  add(c, Role::activation, Use::input, "before", random_values("before" + c.shape, s.x(), 3.0));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(s.x()));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(LinearBackwardInputGelu{s.rows, s.in, s.out, form, t.act("dy"), t.param("w"), t.act("before"),
                                    t.act("dx")});
  };
  c.naive = [=](Values& t) {
    naive::linear_dx(s.rows, s.in, s.out, t.at("dy"), t.at("w"), t.at("dx"));
    for (std::size_t i = 0; i < s.x(); ++i) t.at("dx")[i] *= naive::gelu_slope(t.at("before")[i], form);
  };
  return c;
}

struct Attention {
  Batch batch;
  naive::AttentionShape a;
  Dropout dropout;
  StepConstants step;

  std::size_t packed() const {
    return static_cast<std::size_t>(batch.rows()) * static_cast<std::size_t>(a.stride());
  }
  std::size_t mixed() const { return heads() * static_cast<std::size_t>(a.head_dim); }
  std::size_t heads() const {
    return static_cast<std::size_t>(batch.rows()) * static_cast<std::size_t>(a.heads);
  }
  naive::Multiplier multiplier() const { return naive::attention_dropout(dropout, step); }
};

template <class Args>
Args shared_arguments(const Attention& s, const Bound& t) {
  Args args{};
  args.batch = t.batch;
  args.heads = s.a.heads;
  args.kv_heads = s.a.kv_heads;
  args.head_dim = s.a.head_dim;
  args.causal = s.a.causal;
  args.row_stride = s.a.stride();
  args.q = t.act("qkv");
  args.k = t.act("qkv").at(static_cast<std::size_t>(s.a.k(0)));
  args.v = t.act("qkv").at(static_cast<std::size_t>(s.a.v(0)));
  args.out_nc = t.act("out");
  args.lse_hn = t.stat("lse");
  return args;
}

/// The forward pass, then the backward pass from what it left.
OpCase dropout_attention(const Attention& s) {
  OpCase c;
  c.op = "dropout_attention";
  c.shape =
      fmt::format("B={} T={} H={} K={} D={}{} dropout {}", s.batch.batch(), s.batch.max_length, s.a.heads,
                  s.a.kv_heads, s.a.head_dim, s.a.causal ? " causal" : "", s.dropout.probability);
  c.batch = s.batch;
  c.step_constants = s.step;
  add(c, Role::activation, Use::input, "qkv", random_values("qkv" + c.shape, s.packed(), 1.7));
  add(c, Role::activation, Use::input, "dout", random_values("dout" + c.shape, s.mixed()));
  add(c, Role::activation, Use::output, "out", std::vector<double>(s.mixed()));
  add(c, Role::statistic, Use::output, "lse", std::vector<double>(s.heads()));
  add(c, Role::activation, Use::output, "dqkv", std::vector<double>(s.packed()));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(DropoutAttentionForward{shared_arguments<AttentionForward>(s, t), s.dropout});
    auto args = shared_arguments<AttentionBackward>(s, t);
    args.dout_nc = t.act("dout");
    args.dq = t.act("dqkv");
    args.dk = t.act("dqkv").at(static_cast<std::size_t>(s.a.k(0)));
    args.dv = t.act("dqkv").at(static_cast<std::size_t>(s.a.v(0)));
    ops.run(DropoutAttentionBackward{args, s.dropout});
  };
  c.naive = [=](Values& t) {
    naive::attention(s.batch, s.a, t.at("qkv"), t.at("out"), t.at("lse"), s.multiplier());
    naive::attention_backward(s.batch, s.a, t.at("qkv"), t.at("dout"), t.at("dqkv"), s.multiplier());
  };
  c.with_terms = {"out", "dqkv"};
  c.rounded_terms = [=](Values& t) {
    naive::attention_terms(s.batch, s.a, t.at("qkv"), t.at("out"), s.multiplier());
    naive::attention_backward_terms(s.batch, s.a, t.at("qkv"), t.at("dout"), t.at("dqkv"), s.multiplier());
  };
  return c;
}

}  // namespace

std::vector<OpCase> bulk_linear_cases() {
  std::vector<OpCase> all;
  for (const Linear& s : {Linear{256, 256, 256}, Linear{131, 264, 328}}) {
    all.push_back(bias_forward(s, true));
    for (const Gelu form : {Gelu::tanh, Gelu::erf}) {
      for (const bool bias : {true, false}) all.push_back(gelu_forward(s, form, bias));
      all.push_back(gelu_backward(s, form));
    }
  }
  all.push_back(bias_forward({256, 64, 256}, false));
  return all;
}

std::vector<OpCase> bulk_dropout_attention_cases(int head_dim, Layout layout) {
  const StepConstants step = cases::dropout_step(70000, 4294967295, 1000001);
  const auto batch = [&](const std::vector<int>& lengths) {
    return cases::random_batch(lengths, 27, lengths[0], layout);
  };
  const auto attention = [&](const std::vector<int>& lengths, const naive::AttentionShape& shape,
                             double probability, int layer) {
    return dropout_attention({batch(lengths), shape, {probability, layer, DropoutSite::attention}, step});
  };
  return {
      attention({256, 256}, {2, 2, head_dim, true}, 0.2, 3), attention({128}, {4, 2, head_dim, true}, 0.5, 0),
      attention({128}, {2, 1, head_dim, false}, 0.2, 1),
      attention({130, 61}, {2, 1, head_dim, true}, 0.2, 2)};  // uneven: the general kernels of this head size
}

}  // namespace ladder::testing
