// Cases of linear layers with bias and GELU.
#include "shared/check/cases.hpp"
#include "shared/check/gpt2_reference.hpp"

namespace ladder::cases {
namespace {

struct Shape {
  int rows, in, out;
  std::size_t x() const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(in); }
  std::size_t w() const { return static_cast<std::size_t>(out) * static_cast<std::size_t>(in); }
  std::size_t y() const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(out); }
  std::string name() const { return fmt::format("N={} I={} O={}", rows, in, out); }
};

void add_inputs(OpCase& c, const Shape& s, bool bias, double scale) {
  add(c, Role::activation, Use::input, "x", random_values("x" + c.shape, s.x(), scale));
  add(c, Role::parameter, Use::input, "w", random_values("w" + c.shape, s.w()));
  if (bias)
    add(c, Role::parameter, Use::input, "bias",
        random_values("bias" + c.shape, static_cast<std::size_t>(s.out), scale));
}

void naive_linear(const Shape& s, bool bias, Values& t, const std::string& y) {
  naive::linear(s.rows, s.in, s.out, t.at("x"), t.at("w"), t.at(y));
  if (bias) naive::add_bias(s.rows, s.out, t.at("bias"), t.at(y));
}

OpCase bias_forward(const Shape& s, bool bias) {
  OpCase c;
  c.op = "linear_bias_forward";
  c.shape = s.name() + (bias ? " bias" : "");
  add_inputs(c, s, bias, 1.0);
  add(c, Role::activation, Use::output, "y", std::vector<double>(s.y()));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(LinearBiasForward{s.rows, s.in, s.out, t.act("x"), t.param("w"), bias ? t.param("bias") : Param{},
                              t.act("y")});
  };
  c.naive = [=](Values& t) { naive_linear(s, bias, t, "y"); };
  return c;
}

OpCase bias_backward(const Shape& s) {
  OpCase c;
  c.op = "bias_backward";
  c.shape = fmt::format("N={} O={}", s.rows, s.out);
  add(c, Role::activation, Use::input, "dy", random_values("dy" + c.shape, s.y()));
  add(c, Role::gradient, Use::update, "dbias",
      random_values("dbias" + c.shape, static_cast<std::size_t>(s.out)));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(BiasBackward{s.rows, s.out, t.act("dy"), t.grad("dbias")});
  };
  c.naive = [s](Values& t) { naive::bias_backward(s.rows, s.out, t.at("dy"), t.at("dbias")); };
  c.forward = std::make_shared<OpCase>(bias_forward(s, true));
  c.output = "y";
  c.weights = "dy";
  c.derivatives = {{"bias", "dbias", ""}};
  return c;
}

OpCase gelu_forward(const Shape& s, Gelu form, bool bias, double scale = 1.0) {
  OpCase c;
  c.op = "linear_gelu_forward";
  c.shape = fmt::format("{} {}{}{}", s.name(), name_of(form), bias ? " bias" : "",
                        scale > 1 ? fmt::format(" scale={}", scale) : "");
  c.beyond_fp16 = scale > 1e3;
  add_inputs(c, s, bias, scale);
  add(c, Role::activation, Use::output, "before", std::vector<double>(s.y()));
  add(c, Role::activation, Use::output, "y", std::vector<double>(s.y()));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(LinearGeluForward{s.rows, s.in, s.out, form, t.act("x"), t.param("w"),
                              bias ? t.param("bias") : Param{}, t.act("before"), t.act("y")});
  };
  c.naive = [=](Values& t) {
    naive_linear(s, bias, t, "before");
    for (std::size_t i = 0; i < s.y(); ++i) t.at("y")[i] = naive::gelu(t.at("before")[i], form);
  };
  return c;
}

/// y = gelu(before) w^T by operations that have a forward pass: `before` goes through a linear layer of weight 1.
OpCase gelu_then_linear(const Shape& s, Gelu form, const Values& values) {
  OpCase c;
  c.op = "linear_gelu_forward and linear_forward";
  c.shape = s.name();
  const auto I = static_cast<std::size_t>(s.in);
  std::vector<double> one(I * I, 0.0);
  for (std::size_t i = 0; i < I; ++i) one[i * I + i] = 1.0;
  add(c, Role::activation, Use::input, "x", values.at("before"));
  add(c, Role::parameter, Use::input, "one", one);
  add(c, Role::parameter, Use::input, "w", values.at("w"));
  add(c, Role::activation, Use::work, "before", std::vector<double>(s.x()));
  add(c, Role::activation, Use::work, "hidden", std::vector<double>(s.x()));
  add(c, Role::activation, Use::output, "y", std::vector<double>(s.y()));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(LinearGeluForward{
        s.rows, s.in, s.in, form, t.act("x"), t.param("one"), {}, t.act("before"), t.act("hidden")});
    ops.run(LinearForward{s.rows, s.in, s.out, t.act("hidden"), t.param("w"), t.act("y")});
  };
  return c;
}

OpCase gelu_backward(const Shape& s, Gelu form, double scale = 3.0) {
  OpCase c;
  c.op = "linear_backward_input_gelu";
  c.shape = fmt::format("{} {} before to {}", s.name(), name_of(form), scale);
  c.beyond_fp16 = scale > 6e4;
  add(c, Role::activation, Use::input, "dy", random_values("dy" + c.shape, s.y()));
  add(c, Role::parameter, Use::input, "w", random_values("w" + c.shape, s.w()));
  add(c, Role::activation, Use::input, "before", random_values("before" + c.shape, s.x(), scale));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(s.x()));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(LinearBackwardInputGelu{s.rows, s.in, s.out, form, t.act("dy"), t.param("w"), t.act("before"),
                                    t.act("dx")});
  };
  c.naive = [=](Values& t) {
    naive::linear_dx(s.rows, s.in, s.out, t.at("dy"), t.at("w"), t.at("dx"));
    for (std::size_t i = 0; i < s.x(); ++i) t.at("dx")[i] *= naive::gelu_slope(t.at("before")[i], form);
  };
  if (scale > 10) return c;  // straight lines
  c.forward = std::make_shared<OpCase>(gelu_then_linear(s, form, c.values));
  c.output = "y";
  c.weights = "dy";
  c.derivatives = {{"x", "dx", ""}};
  return c;
}

void add_all(std::vector<OpCase>& cases, const Shape& s) {
  for (const bool bias : {true, false}) {
    cases.push_back(bias_forward(s, bias));
    for (const Gelu form : {Gelu::tanh, Gelu::erf}) cases.push_back(gelu_forward(s, form, bias));
  }
  for (const Gelu form : {Gelu::tanh, Gelu::erf}) cases.push_back(gelu_backward(s, form));
  cases.push_back(bias_backward(s));
}

}  // namespace

std::vector<OpCase> gpt2_linear_cases() {
  std::vector<OpCase> cases;
  for (const Shape& s : {Shape{1, 1, 1}, Shape{17, 33, 27}, Shape{7, 16, 48}, Shape{115, 16, 27},
                         Shape{64, 48, 33}, Shape{13, 33, 130}, Shape{2, 100, 3}})
    add_all(cases, s);
  // far out, where a GELU is a straight line and the cube in the tanh form is large
  for (const Gelu form : {Gelu::tanh, Gelu::erf}) {
    cases.push_back(gelu_forward({17, 33, 27}, form, true, 1e4));
    cases.push_back(gelu_backward({17, 33, 27}, form, 30));
    cases.push_back(gelu_backward({17, 33, 27}, form, 1e25));
  }
  cases.push_back(bias_backward({257, 1, 48}));
  return cases;
}

std::vector<OpCase> wide_gpt2_linear_cases() {
  std::vector<OpCase> cases;
  for (const Shape& s : {Shape{127, 384, 256}, Shape{257, 64, 768}, Shape{256, 48, 192}, Shape{1024, 64, 33}})
    add_all(cases, s);
  cases.push_back(bias_backward({16384, 1, 70}));
  return cases;
}

}  // namespace ladder::cases
