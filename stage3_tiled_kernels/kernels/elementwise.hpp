// What the element-wise kernels share: a line of elements cut into tiles.
#pragma once

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// A line of `count` elements, in tiles of table::kLine.
template <class T>
__tile__ auto line(T* data, std::int64_t count) {
  return ct::partition_view{ct::tensor_span{data, ct::extents{count}}, ct::shape<table::kLine>{}};
}

inline tile::Grid line_grid(std::size_t count) {
  return {static_cast<unsigned>((count + table::kLine - 1) / table::kLine)};
}

}  // namespace ladder::LADDER_SIDE::stage3
