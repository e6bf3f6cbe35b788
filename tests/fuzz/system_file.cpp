#include "shared/spak/lint.hpp"
#include "shared/spak/situation.hpp"
#include "shared/spak/system.hpp"
#include "shared/spak/tune.hpp"
#include "tests/fuzz/support.hpp"
#include "tests/fuzz/targets.hpp"

namespace ladder::fuzz {
namespace {

/// Every condition of the system, asked with nothing known.
void ask_everything(const std::vector<spak::System>& lineage) {
  const Json nothing = Json::object();
  const spak::Situation situation(lineage, nothing);
  for (const spak::Fact& fact : lineage.front().facts)
    if (fact.is_predicate()) situation.holds(fact);
  for (const spak::Rule& rule : lineage.front().rules)
    if (rule.when) situation.evaluate(*rule.when);
  for (const spak::EngineeringLoop& loop : lineage.front().loops) {
    const spak::Plan plan(lineage, loop, nothing);
    for (std::uint64_t point = 0; point < std::min<std::uint64_t>(plan.space().size(), 20); ++point)
      plan.allowed(point);
  }
}

void read(std::string_view bytes) {
  may_refuse([=] {
    spak::Document document = spak::Document::parse(std::string(bytes), "fuzzed");
    expect(document.written() == bytes, "a file that is written otherwise than it was read");
    std::vector<spak::System> lineage;
    lineage.push_back(spak::System::of(std::move(document)));
    spak::lints_of(lineage, folder());
    ask_everything(lineage);
  });
}

std::vector<std::string> seeds() {
  const auto system = [](const std::string& body) { return "system S { " + body + " }"; };
  const auto loop = [&](const std::string& body) { return system("engineering_loop L { " + body + " }"); };
  return {
      "---\ntitle: \"a\"\ntags: [b, c]\n---\n// d\nsystem S { inherits: \"p.spak\" }",
      system("baseline { a: \"b\" m { c: 1.5 } } design_space { a: [x, 'y'] b: { c: true } }"),
      system("tuning_space { t: [32, 64] w: 4 } model { type T matches { n: int } state s: \"a\" | \"b\" }"),
      system("knowledge { fact f(t: T.P) { return t.x < 0.5 && !(t.y % 2 == 0) || g(t) } }"),
      system("knowledge { fact f(t: T.P) { return f * f > f } fact g { confidence: 1.5 } }"),
      system("knowledge { rule \"R\" { when: \"a == 1\" forbid: \"t > 32\" step 1: \"x\" } }"),
      system("knowledge { rule \"R\" { recommend: \"t = 64 if a else 32, b = 3 and so on\" } }"),
      system("tuning_space { t: [1, 2] } knowledge { invariant I { assert: \"t < 2\" } }"),
      system("trace_schema { variant V { case C { a: \"x\" | \"y\" } } }"),
      loop("parameter t: [1, 2] measure { cmd: \"k {{t}}\" metric: \"us\" objective: \"minimize\" }"),
      loop("parameter t: [1, 2] constraint { assert: \"t != 1\" } operation: \"gemm\" works: [\"a\"]"),
      system("agent_loop A { step \"s\" { llm.query { input: file(\"x)\") prompt: \"\"\"\n  a\n b\n\"\"\" } "
             "} }"),
      system("agent_loop A { step \"s\" { emit X if (a > (1)) { } else { for each p in [1] { } } } }"),
      system("build { artifact \"a\" { content: b + c } artifact \"d\" } odd thing { x: -1e20, y; z }"),
      "\xef\xbb\xbfsystem \"\xc3\xbc\" {\r\n a: Tensor[B, T]\r\n}\r\n"};
}

}  // namespace

const Target system_file = {"system_file", read, seeds};

}  // namespace ladder::fuzz
