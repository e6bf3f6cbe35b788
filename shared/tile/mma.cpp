#include "shared/tile/mma.hpp"

namespace ladder::tile {
namespace {

template <class T>
inline T multiply_add_one(T a, T b, T c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fma(a, b, c);
#else
  return a * b + c;  // std::fma would be a slow library call here
#endif
}
inline float multiply_add_one(float a, float b, float c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

/// Rows x Columns elements of the result are held in registers while k runs through. Rows * Columns is
/// chosen so that they fit.
template <std::size_t Rows, std::size_t Columns, class T>
void block_of(const T* __restrict__ a, const T* __restrict__ b, const T* __restrict__ acc,
              T* __restrict__ out, std::size_t n, std::size_t k) {
  T sums[Rows][Columns];
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t j = 0; j < Columns; ++j) sums[i][j] = acc[i * n + j];
  for (std::size_t p = 0; p < k; ++p)
    for (std::size_t i = 0; i < Rows; ++i)
#pragma GCC unroll 1  // unrolled first, g++ makes shuffles of it instead of vectors: half the speed
      for (std::size_t j = 0; j < Columns; ++j)
        sums[i][j] = multiply_add_one(a[i * k + p], b[p * n + j], sums[i][j]);
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t j = 0; j < Columns; ++j) out[i * n + j] = sums[i][j];
}

template <std::size_t Columns, class T>
void columns_of(const T* a, const T* b, const T* acc, T* out, std::size_t m, std::size_t n, std::size_t k) {
  std::size_t i = 0;
  for (; i + 4 <= m; i += 4) block_of<4, Columns>(a + i * k, b, acc + i * n, out + i * n, n, k);
  for (; i < m; ++i) block_of<1, Columns>(a + i * k, b, acc + i * n, out + i * n, n, k);
}

template <std::size_t Wide, class T>
void product(const T* a, const T* b, const T* acc, T* out, std::size_t m, std::size_t n, std::size_t k) {
  std::size_t j = 0;
  for (; j + Wide <= n; j += Wide) columns_of<Wide>(a, b + j, acc + j, out + j, m, n, k);
  for (; j + 16 <= n; j += 16) columns_of<16>(a, b + j, acc + j, out + j, m, n, k);
  for (; j + 8 <= n; j += 8) columns_of<8>(a, b + j, acc + j, out + j, m, n, k);
  for (; j < n; ++j) columns_of<1>(a, b + j, acc + j, out + j, m, n, k);
}

}  // namespace

void multiply_add(const float* a_mk, const float* b_kn, const float* acc_mn, float* out_mn, std::size_t m,
                  std::size_t n, std::size_t k) {
  product<32>(a_mk, b_kn, acc_mn, out_mn, m, n, k);
}
void multiply_add(const double* a_mk, const double* b_kn, const double* acc_mn, double* out_mn, std::size_t m,
                  std::size_t n, std::size_t k) {
  product<16>(a_mk, b_kn, acc_mn, out_mn, m, n, k);
}

}  // namespace ladder::tile
