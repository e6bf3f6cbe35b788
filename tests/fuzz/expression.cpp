#include "stage0_scalar_autograd/expression.hpp"

#include <cmath>

#include "stage0_scalar_autograd/graph.hpp"
#include "tests/fuzz/support.hpp"
#include "tests/fuzz/targets.hpp"

namespace ladder::fuzz {
namespace {

/// Before the first newline an expression, behind it the values of its names.
void read(std::string_view bytes) {
  const std::size_t line = bytes.find('\n');
  const std::string_view text = bytes.substr(0, line);
  const std::string_view values =
      line == std::string_view::npos ? std::string_view() : bytes.substr(line + 1);
  may_refuse([=] {
    stage0::Tape tape(stage0::Sums::fused);
    const stage0::Expression parsed = stage0::parse_expression(tape, text, stage0::parse_values(values));
    expect(std::isfinite(parsed.root.data()), "a result that is no number");
    parsed.root.backward();
    stage0::Names names;
    for (const auto& [name, value] : parsed.variables) names[value.id()] = name;
    expect(stage0::to_dot(tape, names).starts_with("digraph"), "a graph that is none");
  });
}

std::vector<std::string> seeds() {
  return {"relu(a*b + c)\na=2,b=-1,c=0.5",
          "-a\na=1",
          "a^2 - b**-0.5\na=1,b=4",
          "exp(log(pow(a, 3)))/(2+a)\na=1e3",
          "x^0\nx=0",
          "((((1))))",
          "1e308*10",
          "a \u2212 b\na=1,b=2",
          "log(0)",
          "- - -1"};
}

}  // namespace

const Target expression = {"expression", read, seeds};

}  // namespace ladder::fuzz
