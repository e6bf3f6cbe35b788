#include "shared/train/engine.hpp"

namespace ladder {

Probe Engine::probe_along(const Batch& batch, const TensorList& /*hidden*/) { return probe(batch); }

}  // namespace ladder
