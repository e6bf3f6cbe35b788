// Cases of LayerNorm, with and without the residual sum and its dropout.
#include "shared/check/cases.hpp"
#include "shared/check/gpt2_reference.hpp"

namespace ladder::cases {
namespace {

std::size_t cells(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

struct Shape {
  int rows, channels;
  bool bias;
  double scale = 1.0;

  std::size_t size() const { return cells(rows, channels); }
  std::size_t width() const { return cells(1, channels); }
  std::size_t height() const { return cells(rows, 1); }
  std::string name() const {
    return fmt::format("N={} C={}{}{}", rows, channels, bias ? " bias" : "",
                       scale != 1.0 ? fmt::format(" scale={}", scale) : "");
  }
};

/// Weights around 1, so that none is nearly zero in all rows.
std::vector<double> norm_weights(const std::string& name, std::size_t count) {
  std::vector<double> weights = random_values("weight" + name, count, 0.75);
  for (double& weight : weights) weight += 1.0;
  return weights;
}

OpCase forward(const Shape& s) {
  OpCase c;
  c.op = "layer_norm_forward";
  c.shape = s.name();
  c.beyond_fp16 = s.scale > 6e4;
  std::vector<double> x = random_values("x" + c.shape, s.size(), s.scale);
  if (s.rows > 1) std::fill_n(x.begin(), s.channels, 0.0);  // a padding row
  add(c, Role::activation, Use::input, "x", x);
  add(c, Role::parameter, Use::input, "weight", norm_weights(c.shape, s.width()));
  if (s.bias) add(c, Role::parameter, Use::input, "bias", random_values("bias" + c.shape, s.width()));
  add(c, Role::activation, Use::output, "y", std::vector<double>(s.size()));
  add(c, Role::statistic, Use::output, "mean", std::vector<double>(s.height()));
  add(c, Role::statistic, Use::output, "rstd", std::vector<double>(s.height()));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(LayerNormForward{s.rows, s.channels, t.act("x"), t.param("weight"),
                             s.bias ? t.param("bias") : Param{}, t.act("y"), t.stat("mean"), t.stat("rstd")});
  };
  c.naive = [s](Values& t) {
    naive::layer_norm(s.rows, s.channels, t.at("x"), t.at("weight"), s.bias ? &t.at("bias") : nullptr,
                      t.at("y"), t.at("mean"), t.at("rstd"));
  };
  return c;
}

/// The tensors of a backward case after its forward case, whose x has no row of zeros: its slope is too steep.
void add_backward_tensors(OpCase& c, const Shape& s, bool residual) {
  c.forward = std::make_shared<OpCase>(forward(s));
  Values& values = c.forward->values;
  values.at("x") = random_values("x" + c.shape, s.size(), s.scale);
  c.forward->naive(values);
  add(c, Role::activation, Use::input, "dy", random_values("dy" + c.shape, s.size()));
  add(c, Role::activation, Use::input, "x", values.at("x"));
  add(c, Role::parameter, Use::input, "weight", values.at("weight"));
  add(c, Role::statistic, Use::input, "mean", values.at("mean"));
  add(c, Role::statistic, Use::input, "rstd", values.at("rstd"));
  if (residual) add(c, Role::activation, Use::input, "dresidual", random_values("dr" + c.shape, s.size()));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(s.size()));
  add(c, Role::gradient, Use::update, "dweight", random_values("dweight" + c.shape, s.width()));
  if (s.bias) add(c, Role::gradient, Use::update, "dbias", random_values("dbias" + c.shape, s.width()));
}

void naive_backward(const Shape& s, bool residual, Values& t) {
  naive::layer_norm_backward(s.rows, s.channels, t.at("dy"), t.at("x"), t.at("weight"), t.at("mean"),
                             t.at("rstd"), residual ? &t.at("dresidual") : nullptr, t.at("dx"),
                             t.at("dweight"), s.bias ? &t.at("dbias") : nullptr);
}

OpCase backward(const Shape& s, bool residual) {
  OpCase c;
  c.op = "layer_norm_backward";
  c.shape = s.name() + (residual ? " with residual" : "");
  c.beyond_fp16 = s.scale > 6e4;
  add_backward_tensors(c, s, residual);
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(LayerNormBackward{s.rows, s.channels, t.act("dy"), t.act("x"), t.param("weight"), t.stat("mean"),
                              t.stat("rstd"), residual ? t.act("dresidual") : Act{}, t.act("dx"),
                              t.grad("dweight"), s.bias ? t.grad("dbias") : Grad{}});
  };
  c.naive = [=](Values& t) { naive_backward(s, residual, t); };
  c.output = "y";
  c.weights = "dy";
  c.derivatives = {{"x", "dx", residual ? "dresidual" : ""}, {"weight", "dweight", ""}};
  if (s.bias) c.derivatives.push_back({"bias", "dbias", ""});
  if (s.scale > 1) c.forward = nullptr;  // no differences between numbers of this size
  return c;
}

/// Of a residual sum: `dropout` may be none.
struct SumShape {
  Batch batch;
  Shape norm;
  Dropout dropout;
  StepConstants step;
  std::string name() const {
    return norm.name() + (dropout
                              ? fmt::format(" dropout {} layer {} site {} {}", dropout.probability,
                                            dropout.layer, static_cast<int>(dropout.site), step_name(step))
                              : "");
  }
};

/// `make` builds the argument struct; the same struct goes to the stage's own version and to the default composition.
template <class Make>
void set_calls(OpCase& c, const Make& make) {
  c.run = [make](Ops& ops, const Bound& t) { ops.run(make(t)); };
  c.run_composed = [make](Ops& ops, const Bound& t) { ops.Ops::run(make(t)); };
}

OpCase sum_forward(const SumShape& shape) {
  const Shape s = shape.norm;
  OpCase c;
  c.op = "residual_layer_norm_forward";
  c.shape = shape.name();
  c.batch = shape.batch;
  c.step_constants = shape.step;
  add(c, Role::activation, Use::input, "residual", random_values("residual" + c.shape, s.size()));
  add(c, Role::activation, Use::input, "branch", random_values("branch" + c.shape, s.size()));
  add(c, Role::parameter, Use::input, "weight", norm_weights(c.shape, s.width()));
  if (s.bias) add(c, Role::parameter, Use::input, "bias", random_values("bias" + c.shape, s.width()));
  add(c, Role::activation, Use::output, "sum", std::vector<double>(s.size()));
  add(c, Role::activation, Use::output, "y", std::vector<double>(s.size()));
  add(c, Role::statistic, Use::output, "mean", std::vector<double>(s.height()));
  add(c, Role::statistic, Use::output, "rstd", std::vector<double>(s.height()));
  set_calls(c, [=](const Bound& t) {
    return ResidualLayerNormForward{t.batch,
                                    s.channels,
                                    shape.dropout,
                                    t.act("residual"),
                                    t.act("branch"),
                                    t.param("weight"),
                                    s.bias ? t.param("bias") : Param{},
                                    t.act("sum"),
                                    t.act("y"),
                                    t.stat("mean"),
                                    t.stat("rstd")};
  });
  c.naive = [=](Values& t) {
    naive::Tensor branch = t.at("branch");
    if (shape.dropout)
      naive::dropout(shape.batch, s.channels, shape.dropout, shape.step, t.at("branch"), branch);
    for (std::size_t i = 0; i < s.size(); ++i) t.at("sum")[i] = t.at("residual")[i] + branch[i];
    naive::layer_norm(s.rows, s.channels, t.at("sum"), t.at("weight"), s.bias ? &t.at("bias") : nullptr,
                      t.at("y"), t.at("mean"), t.at("rstd"));
  };
  return c;
}

OpCase sum_backward(const SumShape& shape, bool residual) {
  const Shape s = shape.norm;
  OpCase c;
  c.op = "residual_layer_norm_backward";
  c.shape = shape.name() + (residual ? " with residual" : "");
  c.batch = shape.batch;
  c.step_constants = shape.step;
  add_backward_tensors(c, s, residual);
  c.forward = nullptr;  // dx is that of LayerNorm, whose differences are checked; dbranch is dropout of it
  // not written without dropout
  add(c, Role::activation, shape.dropout ? Use::output : Use::input, "dbranch",
      std::vector<double>(s.size()));
  set_calls(c, [=](const Bound& t) {
    return ResidualLayerNormBackward{t.batch,
                                     s.channels,
                                     shape.dropout,
                                     t.act("dy"),
                                     t.act("x"),
                                     t.param("weight"),
                                     t.stat("mean"),
                                     t.stat("rstd"),
                                     residual ? t.act("dresidual") : Act{},
                                     t.act("dx"),
                                     t.act("dbranch"),
                                     t.grad("dweight"),
                                     s.bias ? t.grad("dbias") : Grad{}};
  });
  c.naive = [=](Values& t) {
    naive_backward(s, residual, t);
    if (shape.dropout)
      naive::dropout(shape.batch, s.channels, shape.dropout, shape.step, t.at("dx"), t.at("dbranch"));
  };
  return c;
}

void add_sums(std::vector<OpCase>& cases, const std::vector<int>& lengths, int T, int C, Layout layout,
              const Dropout& dropout, const StepConstants& step, bool bias) {
  const Batch batch = random_batch(lengths, 27, T, layout);
  const SumShape shape{batch, {batch.rows(), C, bias}, dropout, step};
  cases.push_back(sum_forward(shape));
  cases.push_back(sum_backward(shape, true));
  cases.push_back(sum_backward(shape, false));
}

void add_norms(std::vector<OpCase>& cases, int N, int C, bool bias) {
  cases.push_back(forward({N, C, bias}));
  cases.push_back(backward({N, C, bias}, true));
  cases.push_back(backward({N, C, bias}, false));
}

}  // namespace

std::vector<OpCase> gpt2_norm_cases(Layout layout) {
  std::vector<OpCase> cases;
  for (const auto& [N, C] : {std::pair{1, 3}, {17, 33}, {13, 48}, {64, 64}, {127, 33}, {5, 384}, {3, 768}}) {
    for (const bool bias : {true, false}) add_norms(cases, N, C, bias);
    for (const double scale : {1e-3, 1e4, 1e25}) cases.push_back(forward({N, C, true, scale}));
    cases.push_back(backward({N, C, true, 1e25}, false));
  }
  add_sums(cases, {7, 0, 1, 17}, 17, 33, layout, {}, {}, true);
  add_sums(cases, {7, 0, 1, 17}, 17, 33, layout, {0.2, 0, DropoutSite::attention_output},
           dropout_step(0, 42, 0), true);
  add_sums(cases, {13, 5}, 16, 64, layout, {0.5, 11, DropoutSite::mlp_output}, dropout_step(9, 7, 6), false);
  add_sums(cases, {3, 2}, 3, 384, layout, {0.2, 5, DropoutSite::mlp_output}, dropout_step(9, 7, 1), true);
  return cases;
}

std::vector<OpCase> wide_gpt2_norm_cases(Layout layout) {
  std::vector<OpCase> cases;
  for (const auto& [N, C] : {std::pair{1, 768}, {127, 384}, {256, 768}, {257, 48}, {257, 1600}, {1024, 64}})
    for (const bool bias : {true, false}) add_norms(cases, N, C, bias);
  add_sums(cases, {127, 0, 64, 256}, 256, 384, layout, {0.2, 3, DropoutSite::attention_output},
           dropout_step(1000, 42, 64), true);
  add_sums(cases, {257}, 257, 768, layout, {}, {}, true);
  return cases;
}

}  // namespace ladder::cases
