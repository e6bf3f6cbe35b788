// Where a model's matrices lie in memory: for the kernels, and for the host that fills it in (one_launch.cpp).
//
// Every matrix is padded with zeros to the tile's extents, so that a load or a store is one whole tile without
// a mask. Padding stays zero: its gradient is zero, and Adam moves nothing that never had a gradient.
#pragma once

namespace ladder {

/// Offsets, in elements, of a model whose block, width and vocabulary are padded to T, C and V.
template <int T, int C, int V>
struct Padded {
  static constexpr int kWte = 0, kWpe = V * C, kLmHead = kWpe + T * C, kLayers = kLmHead + V * C;
};

/// The same inside a layer of padded width C.
template <int C>
struct PaddedLayer {
  static constexpr int kQ = 0, kK = C * C, kV = 2 * C * C, kO = 3 * C * C, kFc1 = 4 * C * C, kFc2 = 8 * C * C;
  static constexpr int kSize = 12 * C * C;
};

}  // namespace ladder
