// Rung 4 of RMSNorm: 768 = 3 * 256. Three tiles hold the row with nothing left over, so no thread works for a column
// that is not there. They are squared and added element by element, and reduced once. A step back for now: 256 columns
// leave each of 128 threads two channels, so it moves 4 bytes at a time again. The next rung makes up for it.
#pragma once

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::rmsnorm_ladder {

using namespace stage3;  // NOLINT(google-build-using-namespace): matrix(), vector(), Wide

// Computes: rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n
// Shapes:   x_nc [N, C], C <= 768 and a multiple of 16 bytes -> y_nc [N, C], rstd_n [N]
// Map:      one block owns a row
// Traffic:  reads N C elements, writes N C + N
// FLOPs:    3 N C
// Bound:    memory
// Differs from the previous rung: three tiles instead of a masked one
template <class T>
__tile_global__ void three_parts(int rows, int channels_, const T* __restrict__ x_, T* __restrict__ y_,
                                 Wide<T>* __restrict__ rstd_n) {
  using W = Wide<T>;
  const int channels = ct::assume_divisible<16 / sizeof(T)>(channels_);
  const auto x_nc = ct::assume_aligned<16>(x_);
  const auto y_nc = ct::assume_aligned<16>(y_);
  const int tile = ct::bid().x;
  const auto x = matrix<1, 256>(x_nc, rows, channels);
  const auto y = matrix<1, 256>(y_nc, rows, channels);
  ct::tile<T, ct::shape<1, 256>> a_t, b_t, c_t;
  [[using cutile: hint(0, allow_tma = false)]] a_t = x.load_masked(tile, 0);
  [[using cutile: hint(0, allow_tma = false)]] b_t = x.load_masked(tile, 1);
  [[using cutile: hint(0, allow_tma = false)]] c_t = x.load_masked(tile, 2);
  const auto a = ct::element_cast<W>(a_t);
  const auto b = ct::element_cast<W>(b_t);
  const auto c = ct::element_cast<W>(c_t);
  const auto mean = ct::sum<1>(a * a + b * b + c * c) / static_cast<W>(channels);
  const auto rstd =
      ct::ones<ct::tile<W, ct::shape<1, 1>>>() / ct::sqrt(mean + static_cast<W>(kRmsNormEpsilon));
  [[using cutile: hint(0, allow_tma = false)]] y.store_masked(ct::element_cast<T>(a * rstd), tile, 0);
  [[using cutile: hint(0, allow_tma = false)]] y.store_masked(ct::element_cast<T>(b * rstd), tile, 1);
  [[using cutile: hint(0, allow_tma = false)]] y.store_masked(ct::element_cast<T>(c * rstd), tile, 2);
  vector<1>(rstd_n, rows).store_masked(ct::reshape<ct::shape<1>>(rstd), tile);
}

}  // namespace ladder::LADDER_SIDE::rmsnorm_ladder
