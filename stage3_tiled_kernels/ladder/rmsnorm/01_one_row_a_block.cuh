// Rung 1 of RMSNorm: the formula, tile by tile. A block has one row and walks along it twice, 128 channels at a time:
// once to sum the squares, once to write. What the second walk reads was read a moment ago and is still in the cache.
#pragma once

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::rmsnorm_ladder {

using namespace stage3;  // NOLINT(google-build-using-namespace): matrix(), vector(), Wide

// Computes: rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n
// Shapes:   x_nc [N, C] -> y_nc [N, C], rstd_n [N]
// Map:      one block owns a row
// Traffic:  reads 2 N C elements, half of them from the cache, writes N C + N
// FLOPs:    3 N C
// Bound:    memory
// Differs from the previous rung: there is none below it
template <class T>
__tile_global__ void one_row_a_block(int rows, int channels, const T* __restrict__ x_nc, T* __restrict__ y_nc,
                                     Wide<T>* __restrict__ rstd_n) {
  using W = Wide<T>;
  const int tile = ct::bid().x, tiles = tiles_for(channels, 128);
  const auto x = matrix<1, 128>(x_nc, rows, channels);
  const auto y = matrix<1, 128>(y_nc, rows, channels);
  auto squares = ct::zeros<ct::tile<W, ct::shape<1, 128>>>();
  for (int j : ct::irange(0, tiles)) {
    const auto part = ct::element_cast<W>(x.load_masked(tile, j));
    squares = squares + part * part;
  }
  const auto mean = ct::sum<1>(squares) / static_cast<W>(channels);
  const auto rstd =
      ct::ones<ct::tile<W, ct::shape<1, 1>>>() / ct::sqrt(mean + static_cast<W>(kRmsNormEpsilon));
  for (int j : ct::irange(0, tiles))
    y.store_masked(ct::element_cast<T>(ct::element_cast<W>(x.load_masked(tile, j)) * rstd), tile, j);
  vector<1>(rstd_n, rows).store_masked(ct::reshape<ct::shape<1>>(rstd), tile);
}

}  // namespace ladder::LADDER_SIDE::rmsnorm_ladder
