// Rung 2 of RMSNorm: a row is read once. The whole row is one tile, which stays in registers between the sum
// and the division. The extent of a tile is a power of two, so 768 channels lie in a tile of 1024, and a
// quarter of it is nothing.
#pragma once

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::rmsnorm_ladder {

using namespace stage3;  // NOLINT(google-build-using-namespace): matrix(), vector(), Wide

// Computes: rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n
// Shapes:   x_nc [N, C], C <= 1024 -> y_nc [N, C], rstd_n [N]
// Map:      one block owns a row
// Traffic:  reads N C elements, writes N C + N
// FLOPs:    3 N C
// Bound:    memory
// Differs from the previous rung: no walk: one load holds the row
template <class T>
__tile_global__ void row_in_registers(int rows, int channels, const T* __restrict__ x_nc,
                                      T* __restrict__ y_nc, Wide<T>* __restrict__ rstd_n) {
  using W = Wide<T>;
  const int tile = ct::bid().x;
  const auto x = ct::element_cast<W>(matrix<1, 1024>(x_nc, rows, channels).load_masked(tile, 0));
  const auto mean = ct::sum<1>(x * x) / static_cast<W>(channels);
  const auto rstd =
      ct::ones<ct::tile<W, ct::shape<1, 1>>>() / ct::sqrt(mean + static_cast<W>(kRmsNormEpsilon));
  matrix<1, 1024>(y_nc, rows, channels).store_masked(ct::element_cast<T>(x * rstd), tile, 0);
  vector<1>(rstd_n, rows).store_masked(ct::reshape<ct::shape<1>>(rstd), tile);
}

}  // namespace ladder::LADDER_SIDE::rmsnorm_ladder
