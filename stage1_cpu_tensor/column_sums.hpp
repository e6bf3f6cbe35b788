// Sums over the rows of a matrix, column by column, for the gradients of vectors.
#pragma once

#include <algorithm>
#include <array>

#include "stage1_cpu_tensor/blocks.hpp"
#include "stage1_cpu_tensor/lanes.hpp"

namespace ladder::eigen {

/// sums[k][c] += sum_n terms(n, c0, count)[k] over `columns` channels, 16 at a time: terms() gives Sums lanes for the
/// channels c0 .. c0 + count - 1. Added in double: a float sum over 16,384 rows would lose three digits. Where sums[k]
/// is null, its terms are dropped.
template <int Sums, class T, class Terms>
void add_column_sums(WorkerPool& pool, int rows, int columns, const std::array<T*, Sums>& sums,
                     const Terms& terms) {
  const int pieces = (columns + kLanes - 1) / kLanes;
  const auto piece = [&](int i) {
    const int c0 = i * kLanes, count = std::min(kLanes, columns - c0);
    std::array<Lane<double>, Sums> totals;
    totals.fill(Lane<double>::Zero());
    for (int n = 0; n < rows; ++n) {
      const std::array<Lane<T>, Sums> term = terms(n, c0, count);
      for (std::size_t k = 0; k < Sums; ++k) totals[k] += term[k].template cast<double>();
    }
    for (std::size_t k = 0; k < Sums; ++k)
      for (int c = 0; sums[k] != nullptr && c < count; ++c)
        sums[k][c0 + c] = static_cast<T>(sums[k][c0 + c] + totals[k][c]);
  };
  if (static_cast<double>(rows) * columns < 1e5)  // less than a wake-up of the pool
    for (int i = 0; i < pieces; ++i) piece(i);
  else
    pool.for_each(pieces, piece);
}

}  // namespace ladder::eigen
