// ladder graph's parts: expressions, and the picture of the tape.
#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "shared/base/error.hpp"
#include "stage0_scalar_autograd/expression.hpp"
#include "stage0_scalar_autograd/graph.hpp"

using namespace ladder;
using namespace ladder::stage0;

namespace {

double evaluate(const std::string& text, const std::string& values = "") {
  Tape tape;
  return parse_expression(tape, text, parse_values(values)).root.data();
}

std::string error_of(const std::string& text, const std::string& values = "") {
  try {
    evaluate(text, values);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("precedence and association", "[graph]") {
  CHECK(evaluate("1 + 2*3") == 7.0);
  CHECK(evaluate("(1 + 2)*3") == 9.0);
  CHECK(evaluate("2 - 3 - 4") == -5.0);
  CHECK(evaluate("8 / 4 / 2") == 1.0);
  CHECK(evaluate("2^3^2") == 512.0);
  CHECK(evaluate("2**-1") == 0.5);
  CHECK(evaluate("-2^2") == -4.0);
  CHECK(evaluate("--2") == 2.0);
  CHECK(evaluate("3*-2") == -6.0);
  CHECK(evaluate("1e-3 + .5") == 0.501);
  CHECK(evaluate("pow(2, 1+2) + exp(0) + log(1) + relu(-1) + relu(2)") == 11.0);
}

TEST_CASE("names, data and gradients", "[graph]") {
  Tape tape;
  const auto [root, variables] = parse_expression(tape, "relu(a*b + c)", parse_values("a=2, b = 3,c=-1"));
  root.backward();
  CHECK(root.data() == 5.0);
  CHECK(variables.at("a").grad() == 3.0);
  CHECK(variables.at("b").grad() == 2.0);
  CHECK(variables.at("c").grad() == 1.0);

  Tape other;
  const auto mixed = parse_expression(other, "(1 - x)/x + 2/x - x^2", parse_values("x=0.5"));
  mixed.root.backward();
  CHECK(mixed.root.data() == Approx(1.0 + 4.0 - 0.25));
  CHECK(mixed.variables.at("x").grad() == Approx(-3.0 / 0.25 - 1.0));
}

TEST_CASE("errors name the position and what would be valid", "[graph]") {
  CHECK(error_of("") == "position 1: the expression ends where a number, a name or '(' is expected");
  CHECK(error_of("a + ", "a=1") ==
        "position 5: the expression ends where a number, a name or '(' is expected");
  CHECK(error_of("(1 + 2") == "position 7: the expression ends where ')' is expected");
  CHECK(error_of("1 2") == "position 3: '2' is not expected here: an operator (+ - * / ^) or the end is");
  CHECK(error_of("1 + $") == "position 5: '$' found where a number, a name or '(' is expected");
  CHECK(error_of("a + b", "a=1") == "position 5: 'b' has no value: add --values b=NUMBER");
  CHECK(error_of("sin(1)") == "position 1: there is no function 'sin': valid are exp, log, relu, pow");
  CHECK(error_of("2^x", "x=1") == "position 3: an exponent must be a plain number, without names");
  CHECK(error_of("1 + log(0)") == "position 5: the result of 'log' is -inf, not a finite number");
  CHECK(error_of("1e200*1e200") == "position 6: the result of '*' is inf, not a finite number");
  CHECK(error_of("1e308 + 1e308") == "position 7: the result of '+' is inf, not a finite number");
  CHECK(error_of("a/b", "a=1,b=0") == "position 2: the result of '/' is inf, not a finite number");
  CHECK(error_of("a", "a=1,b=2") == "a value is given for 'b', which the expression does not use");
  CHECK(error_of(std::string(500, '(')).find("nested more than 200 deep") != std::string::npos);
  CHECK(error_of("a", "a") == "--values: 'a' is not NAME=NUMBER");
  CHECK(error_of("a", "a=x") == "--values: 'x' is not a finite number (value of 'a')");
  CHECK(error_of("a", "a=nan") == "--values: 'nan' is not a finite number (value of 'a')");
  CHECK(error_of("a", "a=1,a=2") == "--values: 'a' is given twice");
  CHECK(error_of("a", "1a=1").find("'1a' is not a name") != std::string::npos);
}

TEST_CASE("errors count and show whole characters, and nothing that a terminal obeys", "[graph]") {
  CHECK(error_of("a − b", "a=1,b=1") ==
        "position 3: '−' is not expected here: an operator (+ - * / ^) or the end is");
  CHECK(error_of("(−1)") == "position 2: '−' found where a number, a name or '(' is expected");
  CHECK(error_of("− − $") == "position 1: '−' found where a number, a name or '(' is expected");
  CHECK(error_of("1 + é") == "position 5: 'é' found where a number, a name or '(' is expected");
  CHECK(error_of("(1 字") == "position 4: '字' found where ')' is expected");
  CHECK(error_of("1 \x1b") ==
        "position 3: '\\x1b' is not expected here: an operator (+ - * / ^) or the end is");
  CHECK(error_of("1 \xE2\x88") ==
        "position 3: '\\xe2' is not expected here: an operator (+ - * / ^) or the end is");
  CHECK(error_of(std::string(100'000, 'x')).size() < 400);
  CHECK(error_of("a", "a=" + std::string(100'000, 'y')).size() < 400);
}

TEST_CASE("the picture has every node once, with data and gradient, and every edge", "[graph]") {
  Tape tape;
  const auto [root, variables] = parse_expression(tape, "relu(a*b + c) * 2", parse_values("a=2,b=3,c=-1"));
  root.backward();
  Names names;
  for (const auto& [name, value] : variables) names[value.id()] = name;
  const std::string dot = to_dot(tape, names);
  CHECK(dot.substr(0, 17) == "digraph autograd ");
  CHECK(count(dot, "[label=") == 7);
  CHECK(count(dot, " -> ") == 6);
  CHECK(count(dot, "{a|data 2|grad 6}") == 1);
  CHECK(count(dot, "{b|data 3|grad 4}") == 1);
  CHECK(count(dot, "{c|data -1|grad 2}") == 1);
  CHECK(count(dot, "{* 2|data 10|grad 1}") == 1);
}

TEST_CASE("one attention head: two weights that sum to one, gradients in queries and keys", "[graph]") {
  for (Sums sums : {Sums::fused, Sums::spelled_out}) {
    Tape tape(sums);
    const AttentionExample example = attention_example(tape);
    const std::string dot = to_dot(tape, example.names);
    for (const char* name : {"{wq[0][0]|", "{wk[1][1]|", "{wv[0][1]|", "{x[1]|", "{before[0]|",
                             "{q[0] = ", "{k0[1] = ", "{v1[1] = ", "{out[1] = ", "{root = "})
      CHECK(count(dot, name) == 1);
    CHECK(count(dot, "{exp|") == 2);
    CHECK(count(dot, "{leaf|") == 0);
    int with_gradient = 0;
    for (const auto& [id, name] : example.names) with_gradient += tape.grad(id) != 0.0 ? 1 : 0;
    CHECK(with_gradient == static_cast<int>(example.names.size()));
  }
}

TEST_CASE("a dot product has an edge from each element of both rows", "[graph]") {
  Tape tape(Sums::fused);
  const Id start = tape.size();
  for (int i = 0; i < 6; ++i) tape.leaf(1.0 + i);
  const Value product = dot(Row(tape, {start, 3, false}), Row(tape, {start + 3, 3, false}));
  product.backward();
  const std::string picture = to_dot(tape, {});
  CHECK(count(picture, " -> ") == 6);
  for (Id leaf = start; leaf < start + 6; ++leaf)
    CHECK(count(picture, "  n" + std::to_string(leaf) + " -> n" + std::to_string(product.id()) + ";") == 1);
}

TEST_CASE("what DOT reads as the border of a field is escaped in a name", "[graph]") {
  Tape tape;
  const Value leaf = Value::leaf(tape, 1.0);
  const Value root = leaf * 2.0;
  root.backward();
  for (const char* special : {"{", "}", "|", "<", ">", "\\", "\""}) {
    CAPTURE(special);
    const std::string name = std::string("a") + special + "b";
    const std::string escaped = std::string("a\\") + special + "b";
    CHECK(count(to_dot(tape, {{leaf.id(), name}}), escaped) == 1);
    CHECK(count(to_dot(tape, {{root.id(), name}}), escaped) == 1);
  }
}

TEST_CASE("expressions at the edges of their grammar", "[graph]") {
  CHECK(evaluate("2 - 3 + 4") == 3.0);
  CHECK(evaluate("8 / 4 * 2") == 4.0);
  CHECK(evaluate("-2 - -3") == 1.0);
  CHECK(evaluate("2 ^ -1 ^ 2") == 0.5);  // -(1^2)
  CHECK(evaluate("a_1 * _b", "a_1=2,_b=-3") == -6.0);
  CHECK(evaluate("pow(a, 2) - a**3", "a=2") == -4.0);
  CHECK(evaluate("exp + log(exp)", "exp=1") == 1.0);  // a name where no bracket follows
  const std::string brackets(150, '(');
  CHECK(evaluate(brackets + "7" + std::string(150, ')')) == 7.0);
  CHECK(evaluate("a", " a = 1e2 ") == 100.0);
  CHECK(parse_values("").empty());
  CHECK(parse_values("a=-1,b=2.5") == std::map<std::string, double>{{"a", -1.0}, {"b", 2.5}});
  CHECK(error_of("pow(2)") == "position 6: ')' found where ',' is expected");
  CHECK(error_of("pow(2, a)", "a=1") == "position 8: an exponent must be a plain number, without names");
  CHECK(error_of("log 2").starts_with("position 1: 'log' has no value"));
  CHECK(error_of("1 + relu(1e308*10)") == "position 15: the result of '*' is inf, not a finite number");
  CHECK(error_of("2 * 0^-1") == "position 6: the result of '^' is inf, not a finite number");
  CHECK(error_of("a", "a=1 2").find("'1 2' is not a finite number") != std::string::npos);
  CHECK(error_of("a", ",a=1") == "--values: '' is not NAME=NUMBER");
}

TEST_CASE("a name that comes twice is one leaf, whose gradient has both parts", "[graph]") {
  Tape tape;
  const auto [root, variables] = parse_expression(tape, "a*a + 3*a - 1", parse_values("a=5"));
  root.backward();
  CHECK(variables.size() == 1);
  CHECK(root.data() == 39.0);
  CHECK(variables.at("a").grad() == 13.0);
  Names names{{variables.at("a").id(), "a"}};
  const std::string dot = to_dot(tape, names);
  CHECK(count(dot, "{a|data 5|grad 13}\", fillcolor=\"#e8f0fe\"") == 1);  // leaves in another colour
  CHECK(count(dot, "#e8f0fe") == 1);
  CHECK(count(dot, "#fff8e1") == count(dot, "[label=") - 1);
}
