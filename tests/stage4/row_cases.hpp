// Cases of the row kernels that the common lists have not: runs of tokens of every kind for the embedding's gradient,
// and rows whose mean is much larger than what they vary by.
#pragma once

#include <vector>

#include "shared/check/cases.hpp"

namespace ladder::testing {

/// One token in all rows, another in each, runs that end with a stretch of sorted rows, begin with one, reach over many;
/// a large vocabulary and few rows; sequences that leave padding.
std::vector<cases::OpCase> sorted_embedding_cases(Layout layout);

/// LayerNorm of rows around 1000: the squares' mean less the mean's square would be nothing but rounding.
std::vector<cases::OpCase> far_mean_cases();

/// Sums over so many rows that blocks share them, and none.
std::vector<cases::OpCase> long_bias_cases();

}  // namespace ladder::testing
