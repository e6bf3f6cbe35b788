// Cases of the three products of a linear layer.
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

OpCase forward(const Shape& s) {
  OpCase c;
  c.op = "linear_forward";
  c.shape = s.name();
  add(c, Role::activation, Use::input, "x", random_values("x" + s.name(), s.x()));
  add(c, Role::parameter, Use::input, "w", random_values("w" + s.name(), s.w()));
  add(c, Role::activation, Use::output, "y", std::vector<double>(s.y()));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(LinearForward{s.rows, s.in, s.out, t.act("x"), t.param("w"), t.act("y")});
  };
  c.naive = [s](Values& t) { naive::linear(s.rows, s.in, s.out, t.at("x"), t.at("w"), t.at("y")); };
  return c;
}

OpCase backward_input(const Shape& s) {
  OpCase c;
  c.op = "linear_backward_input";
  c.shape = s.name();
  add(c, Role::activation, Use::input, "dy", random_values("dy" + s.name(), s.y()));
  add(c, Role::parameter, Use::input, "w", random_values("w" + s.name(), s.w()));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(s.x()));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(LinearBackwardInput{s.rows, s.in, s.out, t.act("dy"), t.param("w"), t.act("dx")});
  };
  c.naive = [s](Values& t) { naive::linear_dx(s.rows, s.in, s.out, t.at("dy"), t.at("w"), t.at("dx")); };
  c.forward = std::make_shared<OpCase>(forward(s));
  c.output = "y";
  c.weights = "dy";
  c.derivatives = {{"x", "dx", ""}};
  return c;
}

OpCase backward_weight(const Shape& s) {
  OpCase c;
  c.op = "linear_backward_weight";
  c.shape = s.name();
  add(c, Role::activation, Use::input, "dy", random_values("dy" + s.name(), s.y()));
  add(c, Role::activation, Use::input, "x", random_values("x" + s.name(), s.x()));
  add(c, Role::gradient, Use::update, "dw", random_values("dw" + s.name(), s.w()));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(LinearBackwardWeight{s.rows, s.in, s.out, t.act("dy"), t.act("x"), t.grad("dw")});
  };
  c.naive = [s](Values& t) { naive::linear_dw(s.rows, s.in, s.out, t.at("dy"), t.at("x"), t.at("dw")); };
  c.forward = std::make_shared<OpCase>(forward(s));
  c.output = "y";
  c.weights = "dy";
  c.derivatives = {{"w", "dw", ""}};
  return c;
}

}  // namespace

std::vector<OpCase> linear_cases() {
  std::vector<OpCase> cases;
  for (const Shape& s : {Shape{1, 1, 1}, Shape{17, 33, 27}, Shape{7, 16, 48}, Shape{115, 16, 27},
                         Shape{19, 64, 16}, Shape{5, 27, 33}, Shape{130, 48, 70}, Shape{2, 100, 3},
                         // so many rows that a weight gradient is cut into stretches, the last one shorter
                         Shape{1100, 16, 16}})
    for (const auto make : {forward, backward_input, backward_weight}) cases.push_back(make(s));
  return cases;
}

}  // namespace ladder::cases
