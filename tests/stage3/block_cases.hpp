// L2: one half block of the model as a chain of operations, from given weights and a given stream: what comes out of
// every operation on the way, and every gradient.
#pragma once

#include <vector>

#include "shared/check/cases.hpp"

namespace ladder::testing {

/// Attention block, MLP block forward and MLP block backward, on awkward shapes. The MLP's backward pass gets the
/// hidden activations as an input: where one is nearly 0, rounding may switch its ReLU, and two correct stages
/// would differ there by whole gradients.
std::vector<cases::OpCase> block_cases(Layout layout);

}  // namespace ladder::testing
