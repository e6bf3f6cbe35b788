// Cases of the fused operations, each with the call of its default composition.
#include "shared/check/cases.hpp"
#include "shared/check/naive_reference.hpp"

namespace ladder::cases {
namespace {

struct Shape {
  int rows, in, out;
  std::size_t x() const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(in); }
  std::size_t w() const { return static_cast<std::size_t>(out) * static_cast<std::size_t>(in); }
  std::size_t y() const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(out); }
  std::string name() const { return fmt::format("N={} I={} O={}", rows, in, out); }
};

/// `make` builds the argument struct; the same struct goes to the stage's own version and
/// to the default composition.
template <class Make>
void set_calls(OpCase& c, const Make& make) {
  c.run = [make](Ops& ops, const Bound& t) { ops.run(make(t)); };
  c.run_composed = [make](Ops& ops, const Bound& t) { ops.Ops::run(make(t)); };
}

OpCase norm_linear_forward(const Shape& s, bool relu, double scale = 1.0) {
  OpCase c;
  c.op = "rmsnorm_linear_forward";
  c.shape = s.name() + (relu ? " relu" : "") + (scale > 1 ? fmt::format(" scale={}", scale) : "");
  c.beyond_fp16 = scale > 6e4;
  std::vector<double> x = random_values("x" + s.name(), s.x(), scale);
  if (s.rows > 1) std::fill_n(x.begin(), s.in, 0.0);  // a padding row
  add(c, Role::activation, Use::input, "x", x);
  add(c, Role::parameter, Use::input, "w", random_values("w" + s.name(), s.w()));
  add(c, Role::activation, Use::work, "normed", std::vector<double>(s.x()));
  add(c, Role::statistic, Use::output, "rstd", std::vector<double>(static_cast<std::size_t>(s.rows)));
  add(c, Role::activation, Use::output, "y", std::vector<double>(s.y()));
  set_calls(c, [=](const Bound& t) {
    return RmsNormLinearForward{s.rows,          s.in,           s.out,     relu, t.act("x"), t.param("w"),
                                t.act("normed"), t.stat("rstd"), t.act("y")};
  });
  c.naive = [=](Values& t) {
    naive::rmsnorm(s.rows, s.in, t.at("x"), t.at("normed"), t.at("rstd"));
    naive::linear(s.rows, s.in, s.out, t.at("normed"), t.at("w"), t.at("y"));
    for (double& value : t.at("y")) value = relu ? std::max(value, 0.0) : value;
  };
  return c;
}

/// Runs the forward pass first: whether `normed` is written is the stage's own business.
OpCase norm_linear_backward(const Shape& s) {
  OpCase c;
  c.op = "rmsnorm_linear_backward";
  c.shape = s.name();
  c.forward = std::make_shared<OpCase>(norm_linear_forward(s, false));
  // without the row of zeros: its slope is too steep
  c.forward->values.at("x") = random_values("x" + s.name(), s.x());
  add(c, Role::activation, Use::input, "dy", random_values("dy" + s.name(), s.y()));
  add(c, Role::parameter, Use::input, "w", c.forward->values.at("w"));
  add(c, Role::activation, Use::input, "x", c.forward->values.at("x"));
  add(c, Role::activation, Use::work, "normed", std::vector<double>(s.x()));
  add(c, Role::statistic, Use::work, "rstd", std::vector<double>(static_cast<std::size_t>(s.rows)));
  add(c, Role::activation, Use::work, "y", std::vector<double>(s.y()));
  add(c, Role::activation, Use::input, "dresidual", random_values("dr" + s.name(), s.x()));
  add(c, Role::activation, Use::work, "dnormed", std::vector<double>(s.x()));
  add(c, Role::gradient, Use::update, "dw", random_values("dw" + s.name(), s.w()));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(s.x()));
  const auto forward = [=](const Bound& t) {
    return RmsNormLinearForward{s.rows,          s.in,           s.out,     false, t.act("x"), t.param("w"),
                                t.act("normed"), t.stat("rstd"), t.act("y")};
  };
  const auto backward = [=](const Bound& t) {
    return RmsNormLinearBackward{s.rows,           s.in,           s.out,
                                 t.act("dy"),      t.param("w"),   t.act("x"),
                                 t.act("normed"),  t.stat("rstd"), t.act("dresidual"),
                                 t.act("dnormed"), t.grad("dw"),   t.act("dx")};
  };
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(forward(t));
    ops.run(backward(t));
  };
  c.run_composed = [=](Ops& ops, const Bound& t) {
    ops.Ops::run(forward(t));
    ops.Ops::run(backward(t));
  };
  c.naive = [=](Values& t) {
    naive::rmsnorm(s.rows, s.in, t.at("x"), t.at("normed"), t.at("rstd"));
    naive::linear_dw(s.rows, s.in, s.out, t.at("dy"), t.at("normed"), t.at("dw"));
    naive::linear_dx(s.rows, s.in, s.out, t.at("dy"), t.at("w"), t.at("dnormed"));
    naive::rmsnorm_dx(s.rows, s.in, t.at("dnormed"), t.at("x"), &t.at("dresidual"), t.at("rstd"), t.at("dx"));
  };
  c.output = "y";
  c.weights = "dy";
  c.derivatives = {{"x", "dx", "dresidual"}, {"w", "dw", ""}};
  return c;
}

OpCase linear_residual_forward(const Shape& s) {
  OpCase c;
  c.op = "linear_residual_forward";
  c.shape = s.name();
  add(c, Role::activation, Use::input, "x", random_values("x" + s.name(), s.x()));
  add(c, Role::parameter, Use::input, "w", random_values("w" + s.name(), s.w()));
  add(c, Role::activation, Use::input, "residual", random_values("r" + s.name(), s.y()));
  add(c, Role::activation, Use::output, "y", std::vector<double>(s.y()));
  set_calls(c, [=](const Bound& t) {
    return LinearResidualForward{s.rows,    s.in, s.out, t.act("x"), t.param("w"), t.act("residual"),
                                 t.act("y")};
  });
  c.naive = [=](Values& t) {
    naive::linear(s.rows, s.in, s.out, t.at("x"), t.at("w"), t.at("y"));
    for (std::size_t i = 0; i < s.y(); ++i) t.at("y")[i] += t.at("residual")[i];
  };
  return c;
}

OpCase linear_backward_input_relu(const Shape& s) {
  OpCase c;
  c.op = "linear_backward_input_relu";
  c.shape = s.name();
  std::vector<double> relu = random_values("relu" + s.name(), s.x());
  for (double& value : relu) value = std::max(value, 0.0);
  add(c, Role::activation, Use::input, "dy", random_values("dy" + s.name(), s.y()));
  add(c, Role::parameter, Use::input, "w", random_values("w" + s.name(), s.w()));
  add(c, Role::activation, Use::input, "relu", relu);
  add(c, Role::activation, Use::output, "dx", std::vector<double>(s.x()));
  set_calls(c, [=](const Bound& t) {
    return LinearBackwardInputRelu{s.rows,       s.in,          s.out,      t.act("dy"),
                                   t.param("w"), t.act("relu"), t.act("dx")};
  });
  c.naive = [=](Values& t) {
    naive::linear_dx(s.rows, s.in, s.out, t.at("dy"), t.at("w"), t.at("dx"));
    for (std::size_t i = 0; i < s.x(); ++i)
      if (!(t.at("relu")[i] > 0)) t.at("dx")[i] = 0.0;
  };
  return c;
}

}  // namespace

std::vector<OpCase> fused_cases() {
  std::vector<OpCase> cases;
  for (const Shape& s :
       {Shape{1, 3, 1}, Shape{17, 33, 27}, Shape{7, 16, 48}, Shape{115, 16, 64}, Shape{5, 64, 16}}) {
    cases.push_back(norm_linear_forward(s, false));
    cases.push_back(norm_linear_forward(s, true));
    cases.push_back(norm_linear_forward(s, false, 1e25));
    cases.push_back(norm_linear_backward(s));
    cases.push_back(linear_residual_forward(s));
    cases.push_back(linear_backward_input_relu(s));
  }
  return cases;
}

}  // namespace ladder::cases
