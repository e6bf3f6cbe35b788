// Conditions: what they come to, what they lack, and what makes no sense.
#include <catch2/catch.hpp>

#include "shared/base/error.hpp"
#include "shared/spak/language/expression.hpp"

using namespace ladder;
using namespace ladder::spak;
using Catch::Matchers::Contains;

namespace {

const Json kValues = {{"heads", 12},    {"kv", 5},        {"rate", 0.5}, {"device", "H200"},
                      {"causal", true}, {"t.speed", 2.5}, {"tile-m", 1}, {"breite", 3}};

Outcome evaluated(const std::string& text) {
  return Expression::parse(text, "x").evaluate(
      {[](std::string_view name) {
         const Json* found = kValues.find(name);
         return found == nullptr ? missing(name) : known(*found);
       },
       [](std::string_view name, const std::vector<std::string>& arguments) {
         return name == "slow" && arguments == std::vector<std::string>{"t"} ? known(true) : missing(name);
       }});
}

std::string value(const std::string& text) {
  const Outcome outcome = evaluated(text);
  if (!outcome.error.empty()) return "error: " + outcome.error;
  if (outcome.value) return outcome.value->dump();
  std::string names;
  for (const std::string& name : outcome.missing) names += " " + name;
  return "missing" + names;
}

}  // namespace

TEST_CASE("operators bind as in C, and each does what it says") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"1 + 2 * 3", "7"},
      {"(1 + 2) * 3", "9"},
      {"7 - 2 - 1", "4"},
      {"8 / 2 / 2", "2"},
      {"1 / 4", "0.25"},
      {"heads % kv", "2"},
      {"heads % kv == 2", "true"},
      {"-heads % 5", "-2"},
      {"7.5 % 2", "1.5"},
      {"2 * -3", "-6"},
      {"--3", "3"},
      {"1e-4 * 1e4", "1"},
      {".5 + 1.", "1.5"},
      {"1 < 2", "true"},
      {"2 < 2", "false"},
      {"2 <= 2", "true"},
      {"3 > 2", "true"},
      {"2 > 2", "false"},
      {"2 >= 2", "true"},
      {"2 == 2.0", "true"},
      {"2 != 2.0", "false"},
      {"device == 'H200'", "true"},
      {"device != \"H100\"", "true"},
      {"causal == true", "true"},
      {"!causal", "false"},
      {"!(heads < 3) && causal", "true"},
      {"true || false && false", "true"},
      {"(true || false) && false", "false"},
      {"1 + 1 == 2 && 3 > 2", "true"},
      {"'a' + 'b'", "\"ab\""},
      {"t.speed * 2", "5"},
      {"5 if causal else 4", "5"},
      {"5 if !causal else 4 if heads > 20 else 3", "3"},
      {"min(3, heads, 7)", "3"},
      {"max(3, heads)", "12"},
      {"abs(-2.5)", "2.5"},
      {"floor(2.9) + ceil(2.1)", "5"},
      {"log2(1024)", "10"},
      {"slow(t) && heads == 12", "true"},
      {"breite // a comment\n == 3", "true"},
      {"heads > 3 &&\n  heads < 20", "true"},
  };
  for (const auto& [text, wanted] : cases) {
    CAPTURE(text);
    CHECK(value(text) == wanted);
  }
}

TEST_CASE("what is decided needs no more names; what is not says which") {
  CHECK(value("false && unknown") == "false");
  CHECK(value("unknown && false") == "false");
  CHECK(value("unknown || true") == "true");
  CHECK(value("true || unknown") == "true");
  CHECK(value("unknown && true") == "missing unknown");
  CHECK(value("false || unknown || false") == "missing unknown");
  CHECK(value("a < b && b < c") == "missing a b c");
  CHECK(value("a + heads") == "missing a");
  CHECK(value("a if causal else b") == "missing a");
  CHECK(value("1 if a else 2") == "missing a");
  CHECK(value("min(a, 3)") == "missing a");
  CHECK(value("fast(t)") == "missing fast");
}

TEST_CASE("what makes no sense is an error, never true or false") {
  CHECK_THAT(value("heads == 'twelve'"), Contains("the number 12 compared with the string 'twelve'"));
  CHECK_THAT(value("'a' < 'b'"), Contains("only numbers have an order"));
  CHECK_THAT(value("heads && true"), Contains("the number 12 as a condition"));
  CHECK_THAT(value("!device"), Contains("the string 'H200' as a condition"));
  CHECK_THAT(value("device * 2"), Contains("'*' between"));
  CHECK_THAT(value("heads / 0"), Contains("by 0"));
  CHECK_THAT(value("heads % 0"), Contains("by 0"));
  CHECK_THAT(value("1e308 * 10"), Contains("no finite number"));
  CHECK_THAT(value("log2(0)"), Contains("no finite number"));
  CHECK_THAT(value("min('a')"), Contains("min() of the string"));
  CHECK_THAT(value("-causal"), Contains("'-' between"));
  CHECK_THAT(value("1 if 2 else 3"), Contains("as a condition"));
}

TEST_CASE("prose is no expression, and its place is named") {
  for (const char* prose :
       {"", "is slow today", "using ct.load with shape", "a == ", "1 < 2 < 3", "(a", "a b", "min(1", "5 if a",
        "x = 3", "logits - max(logits) to prevent overflow", "a &", "a.b."})
    CHECK_FALSE(expression_in(prose).has_value());
  CHECK_THROWS_WITH(Expression::parse("a +\n  ", "rule"), Contains("rule:2:3: expected an operand"));
  CHECK(expression_in("is_slow").has_value());
  CHECK(Expression::parse("a < b && is_slow && t.x == a || max(c, 1) > 0 && true", "").names() ==
        std::vector<std::string>{"a", "b", "is_slow", "t.x", "c"});
}

TEST_CASE("recommendations: the assignments that a text begins with") {
  const auto written = [](const std::string& text) {
    std::string all;
    for (const Assignment& each : assignments_in(text)) all += each.axis + ":" + each.value.text() + ";";
    return all;
  };
  CHECK(written("tile_m = 64") == "tile_m:64;");
  CHECK(written("tile_m = 64, tile_n = 32 as a first guess") == "tile_m:64;tile_n:32;");
  CHECK(written("attention.engine = 'inline'") == "attention.engine:'inline';");
  CHECK(written("v = 5 if causal else 4") == "v:5 if causal else 4;");
  CHECK(written("use wide tiles") == "");
  CHECK(written("tile_m == 64") == "");
  CHECK(written("") == "");
}
