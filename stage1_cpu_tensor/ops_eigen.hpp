// Stage 1: the Ops contract on Eigen, in float or double, on one or more cores.
#pragma once

#include <memory>

#include "shared/model/ops.hpp"

namespace ladder {

/// `threads`: 0 for all cores, 1 for none but the caller's. The result's bits do not depend on it.
/// Throws InputError when dtype is neither fp32 nor fp64.
std::unique_ptr<Ops> make_eigen_ops(Dtype dtype, int threads = 0);

}  // namespace ladder
