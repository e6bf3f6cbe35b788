// A system's knowledge asked about a context and about what was measured: what holds, what does not, what is open.
#pragma once

#include <string>
#include <vector>

#include "shared/spak/system.hpp"
#include "shared/spak/trace.hpp"

namespace ladder::spak {

enum class Finding : std::uint8_t {
  holds,
  fails,    ///< a condition that is false; of an invariant, a contradiction
  open,     ///< names without a value
  prose,    ///< no expression: for people
  no_item,  ///< a predicate, and no item of its type
  error,    ///< an expression that makes no sense, such as a number compared with a string
};
const char* name_of(Finding finding);

/// What became of one predicate, rule or invariant.
struct Verdict {
  const char* kind = "";         ///< "predicate", "rule", "invariant"
  std::string name, place = {};  ///< FILE:LINE:COLUMN
  std::string condition = {};    ///< as written; "" where there is none
  Finding finding = Finding::prose;
  std::size_t holding = 0, items = 0;      ///< of the items that it was asked about, where it asks for items
  std::vector<std::string> evidence = {};  ///< links to the first items for which it holds
  std::vector<std::string> missing = {};   ///< names without a value
  std::string error = {};
  std::vector<std::string> consequences =
      {};  ///< of a rule that holds: what it recommends and applies, values put in
};

/// Predicates, rules and invariants of the lineage, the child's first; a name that the child has hides its parents'.
/// A rule that is decided without an item is asked once, any other about each item of the traces.
std::vector<Verdict> check(const std::vector<System>& lineage, const Json& set,
                           const std::vector<Trace>& traces);

Json json_of(const std::vector<Verdict>& verdicts);

}  // namespace ladder::spak
