// A sweep that compiles on one machine and measures on another: the plan that stage3_tiled_kernels/sweep takes.
#pragma once

#include <string>

#include "shared/spak/tune.hpp"

namespace ladder::spak {

/// {"operation", "arch", "works", "configurations": [{...axes, "why"}]} of the loop's entries `operation`, `arch` and `works` and
/// of the points of this share that no rule forbids and `known` does not hold; `work` (of --set) instead of all works. Throws
/// InputError naming the loop's place where one of the entries is missing or of another kind, or no point is left.
Json sweep_plan(const System& system, const EngineeringLoop& loop, const Plan& plan, const Shard& shard,
                const std::map<std::uint64_t, std::optional<double>>& known, const Json& set,
                const std::string& why);

}  // namespace ladder::spak
