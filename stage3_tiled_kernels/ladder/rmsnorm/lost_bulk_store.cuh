// Tried after rung 8 of RMSNorm, and lost: the results leave by the bulk copy engine too. It takes its tiles from
// shared memory, to which a result in registers must first be copied.
#pragma once

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::rmsnorm_ladder {

using namespace stage3;  // NOLINT(google-build-using-namespace): matrix(), vector(), Wide

// Computes: rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n
// Shapes:   x_nc [N, C], C <= 768 and a multiple of 16 bytes -> y_nc [N, C], rstd_n [N]
// Map:      one block owns every num_blocks-th group of 8 rows
// Traffic:  reads N C elements, writes N C + N
// FLOPs:    3 N C
// Bound:    memory
// Differs from the previous rung: the stores may use the engine
template <class T>
[[using cutile: hint(0, num_worker_warps_per_cta = 8, occupancy = 3)]] __tile_global__ void bulk_store(
    int rows, int channels_, const T* __restrict__ x_, T* __restrict__ y_, Wide<T>* __restrict__ rstd_n) {
  using W = Wide<T>;
  const int channels = ct::assume_divisible<16 / sizeof(T)>(channels_);
  const auto x_nc = ct::assume_aligned<16>(x_);
  const auto y_nc = ct::assume_aligned<16>(y_);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  const auto x = matrix<8, 256>(x_nc, rows, channels);
  const auto y = matrix<8, 256>(y_nc, rows, channels);
  for (int tile : ct::irange(first, tiles_for(rows, 8), blocks)) {
    const auto a = ct::element_cast<W>(x.load_masked(tile, 0));
    const auto b = ct::element_cast<W>(x.load_masked(tile, 1));
    const auto c = ct::element_cast<W>(x.load_masked(tile, 2));
    const auto mean = ct::sum<1>(a * a + b * b + c * c) / static_cast<W>(channels);
    const auto rstd =
        ct::ones<ct::tile<W, ct::shape<8, 1>>>() / ct::sqrt(mean + static_cast<W>(kRmsNormEpsilon));
    y.store_masked(ct::element_cast<T>(a * rstd), tile, 0);
    y.store_masked(ct::element_cast<T>(b * rstd), tile, 1);
    y.store_masked(ct::element_cast<T>(c * rstd), tile, 2);
    vector<8>(rstd_n, rows).store_masked(ct::reshape<ct::shape<8>>(rstd), tile);
  }
}

}  // namespace ladder::LADDER_SIDE::rmsnorm_ladder
