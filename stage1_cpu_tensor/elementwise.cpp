#include <cmath>

#include "stage1_cpu_tensor/kernels.hpp"
#include "stage1_cpu_tensor/maps.hpp"

namespace ladder::eigen {
namespace {

/// The position of row n in its sequence, or -1 for padding.
int position_of(const BatchView& batch, int n) {
  const int b = batch.sequence_n[n];
  return b < 0 ? -1 : batch.first + n - batch.starts_b[b];
}

}  // namespace

template <class T>
void embedding_forward(const EmbeddingForward& a) {
  const std::ptrdiff_t C = a.channels;
  for (int n = 0; n < a.batch.rows; ++n) {
    const int t = position_of(a.batch, n);
    T* x_c = a.x_nc.as<T>() + n * C;
    if (t < 0) {
      std::fill_n(x_c, C, T(0));
      continue;
    }
    const T* wte_c = a.wte_vc.as<T>() + a.batch.tokens_n[n] * C;
    const T* wpe_c = a.wpe_tc.as<T>() + t * C;
    for (std::ptrdiff_t c = 0; c < C; ++c) x_c[c] = wte_c[c] + wpe_c[c];
  }
}

// x_nc = wte[token(n)] + wpe[position(n)]: each row's gradient goes, with factor 1, to the two table rows it
// was made of; a table row used by several rows gets their sum (added in the order of rows, so the bits are
// the same every time).
template <class T>
void embedding_backward(const EmbeddingBackward& a) {
  const std::ptrdiff_t C = a.channels;
  for (int n = 0; n < a.batch.rows; ++n) {
    const int t = position_of(a.batch, n);
    if (t < 0) continue;
    const T* dx_c = a.dx_nc.as<T>() + n * C;
    T* dwte_c = a.dwte_vc.as<T>() + a.batch.tokens_n[n] * C;
    T* dwpe_c = a.dwpe_tc.as<T>() + t * C;
    for (std::ptrdiff_t c = 0; c < C; ++c) {
      dwte_c[c] += dx_c[c];
      dwpe_c[c] += dx_c[c];
    }
  }
}

template <class T>
void rmsnorm_forward(const RmsNormForward& a) {
  const auto x_nc = matrix<T>(a.x_nc, a.rows, a.channels);
  auto y_nc = matrix<T>(a.y_nc, a.rows, a.channels);
  T* rstd_n = a.rstd_n.as<T>();
  for (int n = 0; n < a.rows; ++n) {
    const T squares = x_nc.row(n).squaredNorm();
    rstd_n[n] = T(1) / std::sqrt(squares / static_cast<T>(a.channels) + static_cast<T>(kRmsNormEpsilon));
    if (std::isinf(squares)) {
      const T rescue = static_cast<T>(kRmsNormRescue);
      rstd_n[n] = rescue / std::sqrt((x_nc.row(n) * rescue).squaredNorm() / static_cast<T>(a.channels));
    }
    y_nc.row(n) = x_nc.row(n) * rstd_n[n];
  }
}

// y_c = x_c r with r = (mean x^2 + eps)^-1/2, so dr/dx_c = -r^3 x_c / C. Then dL/dx_c = dy_c r + sum_k dy_k
// x_k dr/dx_c = r (dy_c - x_c r^2 mean_k(dy_k x_k)).
template <class T>
void rmsnorm_backward(const RmsNormBackward& a) {
  const auto dy_nc = matrix<T>(a.dy_nc, a.rows, a.channels);
  const auto x_nc = matrix<T>(a.x_nc, a.rows, a.channels);
  auto dx_nc = matrix<T>(a.dx_nc, a.rows, a.channels);
  const T* rstd_n = a.rstd_n.as<T>();
  for (int n = 0; n < a.rows; ++n) {
    const T r = rstd_n[n];
    const T projection = dy_nc.row(n).dot(x_nc.row(n)) / static_cast<T>(a.channels) * r * r;
    dx_nc.row(n) = (dy_nc.row(n) - x_nc.row(n) * projection) * r;
    if (a.dresidual_nc) dx_nc.row(n) += matrix<T>(a.dresidual_nc, a.rows, a.channels).row(n);
  }
}

template <class T>
void relu_forward(const ReluForward& a) {
  const T* x = a.x.as<T>();
  T* y = a.y.as<T>();
  for (std::size_t i = 0; i < a.count; ++i) y[i] = x[i] < T(0) ? T(0) : x[i];  // this way round NaN stays NaN
}

// y = max(x, 0) has slope 1 where x > 0, which is where y > 0, and slope 0 elsewhere (at 0 by convention).
template <class T>
void relu_backward(const ReluBackward& a) {
  const T* dy = a.dy.as<T>();
  const T* y = a.y.as<T>();
  T* dx = a.dx.as<T>();
  for (std::size_t i = 0; i < a.count; ++i) dx[i] = y[i] > T(0) ? dy[i] : T(0);
}

template <class T>
void residual_forward(const ResidualForward& a) {
  array<T>(a.y, a.count) = array<T>(a.a, a.count) + array<T>(a.b, a.count);
}

#define LADDER_INSTANTIATE(T)                                    \
  template void embedding_forward<T>(const EmbeddingForward&);   \
  template void embedding_backward<T>(const EmbeddingBackward&); \
  template void rmsnorm_forward<T>(const RmsNormForward&);       \
  template void rmsnorm_backward<T>(const RmsNormBackward&);     \
  template void relu_forward<T>(const ReluForward&);             \
  template void relu_backward<T>(const ReluBackward&);           \
  template void residual_forward<T>(const ResidualForward&);
LADDER_INSTANTIATE(float)
LADDER_INSTANTIATE(double)

}  // namespace ladder::eigen
