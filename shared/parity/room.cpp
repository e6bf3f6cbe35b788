#include "shared/parity/room.hpp"

#include <optional>
#include <vector>

#include "shared/base/checked_size.hpp"
#include "shared/base/error.hpp"
#include "shared/train/engine_memory.hpp"

namespace ladder {
namespace {

/// Nothing where the side cannot run this, or nobody knows what it takes.
std::optional<EngineNeeds> needs_of(const Side& side, const Run& run) {
  if (!side.needs) return {};
  try {
    return side.needs(run.model, run.train.batch_size);
  } catch (const InputError&) {
    return {};
  }
}

/// Of the weights that are drawn for all sides, in double.
std::size_t drawn_bytes(const Run& run) {
  return checked_product({parameter_count(run.model), sizeof(double)}, "the initial weights");
}

}  // namespace

void require_room_for_all(const Run& run, std::span<const Side> sides) {
  std::vector<EngineNeeds> engines;
  for (const Side& side : sides)
    if (const std::optional<EngineNeeds> needs = needs_of(side, run)) engines.push_back(*needs);
  require_room(engines, drawn_bytes(run), sides.size() == 1 ? sides.front().name : "this comparison");
}

void require_room_for_one(const Run& run, std::span<const Rung> rungs) {
  std::optional<MachineError> first;
  for (const Rung& rung : rungs) {
    try {
      if (rung.side.needs && !needs_of(rung.side, run)) continue;
      return require_room_for_all(run, std::span(&rung.side, 1));
    } catch (const MachineError& error) {
      if (!first) first = error;
    }
  }
  if (first) throw MachineError(*first);
}

}  // namespace ladder
