// A system's knowledge as a graph for Graphviz.
#pragma once

#include <string>
#include <vector>

#include "shared/spak/system.hpp"

namespace ladder::spak {

/// One cluster a system of the lineage: its axes, facts, rules and invariants; what they stand on (sources, traces and
/// evidence) outside. Arrows go from a statement to what it speaks of: the axes that it names, the predicates that it asks,
/// its evidence, and the fact or system that it was inherited from.
std::string dot_of(const std::vector<System>& lineage);

}  // namespace ladder::spak
