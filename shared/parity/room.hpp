// Whether there is room in memory for the engines of a comparison, told before weights are drawn for them.
#pragma once

#include <span>

#include "shared/parity/parity.hpp"

namespace ladder {

/// Throws MachineError where the host has no memory for the run's weights, as they are drawn, and the engines of these
/// sides at once, or a GPU has none for its engine. A side that cannot run this is left to say so itself.
void require_room_for_all(const Run& run, std::span<const Side> sides);

/// The same where there is room for none of the rungs: comparisons that leave out what does not fit.
void require_room_for_one(const Run& run, std::span<const Rung> rungs);

}  // namespace ladder
