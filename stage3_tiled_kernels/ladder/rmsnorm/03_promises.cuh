// Rung 3 of RMSNorm: promises. The compiler knows neither where x starts nor how long a row is, so it loads element by
// element. Told that both are multiples of 16 bytes, it moves 16 bytes at a time. The launcher checks what is promised
// here; the CPU model reports a promise that is false. The bulk copy engine, which the promises allow as well, stays
// out of it: one row a block gives it nothing to fetch ahead, and with it this rung lost to the first
// (`knowledge/items/rmsnorm_ladder_drafts.jsonl`).
#pragma once

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::rmsnorm_ladder {

using namespace stage3;  // NOLINT(google-build-using-namespace): matrix(), vector(), Wide

// Computes: rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n
// Shapes:   x_nc [N, C], C <= 1024 and a multiple of 16 bytes -> y_nc [N, C], rstd_n [N]
// Map:      one block owns a row
// Traffic:  reads N C elements, writes N C + N
// FLOPs:    3 N C
// Bound:    memory
// Differs from the previous rung: assume_aligned and assume_divisible
template <class T>
__tile_global__ void promises(int rows, int channels_, const T* __restrict__ x_, T* __restrict__ y_,
                              Wide<T>* __restrict__ rstd_n) {
  using W = Wide<T>;
  const int channels = ct::assume_divisible<16 / sizeof(T)>(channels_);
  const auto x_nc = ct::assume_aligned<16>(x_);
  const auto y_nc = ct::assume_aligned<16>(y_);
  const int tile = ct::bid().x;
  ct::tile<T, ct::shape<1, 1024>> loaded;
  [[using cutile: hint(0, allow_tma = false)]] loaded =
      matrix<1, 1024>(x_nc, rows, channels).load_masked(tile, 0);
  const auto x = ct::element_cast<W>(loaded);
  const auto mean = ct::sum<1>(x * x) / static_cast<W>(channels);
  const auto rstd =
      ct::ones<ct::tile<W, ct::shape<1, 1>>>() / ct::sqrt(mean + static_cast<W>(kRmsNormEpsilon));
  const auto y = matrix<1, 1024>(y_nc, rows, channels);
  [[using cutile: hint(0, allow_tma = false)]] y.store_masked(ct::element_cast<T>(x * rstd), tile, 0);
  vector<1>(rstd_n, rows).store_masked(ct::reshape<ct::shape<1>>(rstd), tile);
}

}  // namespace ladder::LADDER_SIDE::rmsnorm_ladder
