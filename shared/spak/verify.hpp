// Whether crystallized facts and rules still hold.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/spak/crystallize.hpp"
#include "shared/spak/expiry.hpp"

namespace ladder::spak {

enum class Holding : std::uint8_t {
  holds,
  refuted,
  expired,  ///< not measured again, and what it was measured with has changed
  open,     ///< not measured again
};
const char* name_of(Holding holding);

struct Verified {
  const Statement* statement = nullptr;
  Holding holding = Holding::open;
  std::string reason;
  Proposal record;  ///< of what was measured: date, toolkit, driver, sources, evidence
};

/// The statements of the system that crystallize wrote for the loop, about `device` or about none; about whichever for "".
std::vector<const Statement*> crystallized(const System& system, const EngineeringLoop& loop,
                                           const std::string& device);

/// What the evidence says of each:
///   - best: holds where its configuration is still among those that cannot be told from the best; at least one other
///     must have been measured beside it;
///   - cliff: holds where its value fails, or costs 1.5 times what its best neighbour does, in 9 of 10 pairs;
///   - dead, matters: is refuted by the opposite finding; holds where pairs were measured;
///   - crossover: holds where its value is among the best in each situation that its condition takes.
/// Measured values without repeated samples decide nothing, as there is no telling what is noise. Of several situations that
/// the condition takes, the last counts (crossover: each).
std::vector<Verified> verify(const std::vector<System>& lineage,
                             const std::vector<const Statement*>& statements, const EvidenceWanted& wanted,
                             const Evidence& evidence, const Surroundings& now,
                             const std::filesystem::path& folder);

/// Points that decide a statement: a best configuration and its neighbours (one axis, one value further or back); of an axis,
/// the statement's configuration, or the first allowed point, with each of the axis's values. Only what rules other than the
/// statement itself allow is measured, and only where a situation is known: with the settings that the statement lists.
std::vector<std::uint64_t> deciding_points(const std::vector<System>& lineage, const EngineeringLoop& loop,
                                           const Space& space, const Statement& statement, const Json& set);

/// The system's text with `verified` or `refuted` entries for what was decided, and half of its confidence for what was
/// refuted. What is recorded with the same evidence is not recorded again.
std::string with_records(const System& system, const std::vector<Verified>& verified);

}  // namespace ladder::spak
