// What names mean: a system's knowledge asked about one situation, given by hand or by an item of a trace.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "shared/base/json.hpp"
#include "shared/spak/system.hpp"

namespace ladder::spak {

/// Where names get their values. What stands first in this list counts:
///   1. what the caller sets (--set num_heads=12),
///   2. the item's fields, then those of its "configuration",
///   3. axes with one fixed value, and states with one, of the system and of those that it inherits from,
///   4. predicates, asked about the item: `is_slow`, `is_slow(t)`.
class Situation {
 public:
  /// `lineage`: the system, then its parents. It, `set` and `item` must outlive this.
  Situation(const std::vector<System>& lineage, const Json& set, const Json* item = nullptr)
      : lineage_(lineage), set_(set), item_(item) {}

  Outcome value_of(std::string_view name) const;
  Outcome evaluate(const Expression& expression) const;
  /// The predicate about this situation's item; missing where it asks for a type of item that this is not.
  Outcome holds(const Fact& predicate) const;

 private:
  const std::vector<System>& lineage_;
  const Json& set_;
  const Json* item_;
  mutable std::map<const Fact*, Outcome>
      predicates_;  ///< what was asked; until it is known, that it asks for itself
};

/// The item's field, or that of its configuration; nullptr where it has none of that name.
const Json* field_of(const Json& item, std::string_view name);

/// "k=v" as a member: numbers, true and false as such, anything else as text. Throws InputError without a name or "=".
void add_setting(Json& set, const std::string& written);

}  // namespace ladder::spak
