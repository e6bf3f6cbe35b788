// How large work is cut into pieces for the cores. A cut depends on the shape alone, never on the number of threads: sums
// depend on where a piece begins, so the same pieces give the same bits.
#pragma once

#include <algorithm>

#include "shared/device/worker_pool.hpp"

namespace ladder::eigen {

/// Calls work(row, rows, column, columns) for blocks that cover the [rows, columns] result of a product of
/// `depth`. Eigen adds in an order that depends on where a block begins. Cuts run across the longer side,
/// whose operand each block then reads its own part of. A wake-up of the pool costs some 10 us, which is 1
/// MFLOP: smaller products stay whole.
template <class Work>
void for_each_block(WorkerPool& pool, int rows, int columns, int depth, const Work& work) {
  constexpr double kBlockFlops = 4e6;
  constexpr int kLeast = 48;  // rows of the register block of Eigen's kernel
  const double flops = 2.0 * rows * columns * depth;
  const int longer = std::max(rows, columns);
  const int wanted = std::clamp(static_cast<int>(flops / kBlockFlops), 1, std::max(1, longer / kLeast));
  const int size = (longer / wanted + kLeast - 1) / kLeast * kLeast;
  const int pieces = size == 0 ? 0 : (longer + size - 1) / size;
  pool.for_each(pieces, [&](int i) {
    const int begin = i * size, count = std::min(size, longer - begin);
    if (rows >= columns)
      work(begin, count, 0, columns);
    else
      work(0, rows, begin, count);
  });
}

/// Calls work(n) for every row, some 16,384 elements of `columns` a row to a piece.
template <class Work>
void for_each_row(WorkerPool& pool, int rows, int columns, const Work& work) {
  const int size = std::max(1, 16384 / std::max(columns, 1));
  pool.for_each((rows + size - 1) / size, [&](int i) {
    for (int n = i * size; n < std::min(rows, (i + 1) * size); ++n) work(n);
  });
}

}  // namespace ladder::eigen
