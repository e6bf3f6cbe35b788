// Which items of knowledge the stages' tables of configurations rest on.
#pragma once

#include <set>
#include <string>

namespace ladder {

/// What the rows of stage3_tiled_kernels/configs.hpp name as their evidence: ids of items and, where there is none, the
/// reason, which is no item's id.
std::set<std::string> evidence_of_configurations();

}  // namespace ladder
