// Cases large and even enough for the kernels that bulk copies feed, which the awkward shapes of shared/check never reach.
#pragma once

#include <vector>

#include "shared/check/cases.hpp"

namespace ladder::testing {

/// Linear layers with bias, with GELU, and the gradient behind one: full tiles, and tiles with tails.
std::vector<cases::OpCase> bulk_linear_cases();

/// Attention with dropout, forward and backward, over full sequences and over uneven ones; heads of `head_dim`.
std::vector<cases::OpCase> bulk_dropout_attention_cases(int head_dim, Layout layout);

}  // namespace ladder::testing
