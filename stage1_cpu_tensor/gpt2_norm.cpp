// LayerNorm, and the residual sum in front of it.
#include <cmath>

#include "stage1_cpu_tensor/column_sums.hpp"
#include "stage1_cpu_tensor/dropout_mask.hpp"
#include "stage1_cpu_tensor/kernels.hpp"
#include "stage1_cpu_tensor/maps.hpp"

namespace ladder::eigen {
namespace {

template <class T>
using RowMap = Eigen::Map<Eigen::Array<T, 1, Eigen::Dynamic>>;

template <class T, class Reference>
RowMap<T> row_of(const Reference& reference, int n, int columns) {
  return {reference.template as<T>() + static_cast<std::ptrdiff_t>(n) * columns, columns};
}

/// Row n of LayerNormForward. The squares are of what is left without the mean: mean(x^2) - mean(x)^2 would be nothing
/// but rounding where the mean is large.
template <class T>
void norm_row(const LayerNormForward& a, int n) {
  const auto x_c = row_of<T>(a.x_nc, n, a.channels);
  auto y_c = row_of<T>(a.y_nc, n, a.channels);
  const T count = static_cast<T>(a.channels);
  const T mean = x_c.sum() / count;
  const T squares = (x_c - mean).square().sum();
  T rstd = T(1) / std::sqrt(squares / count + static_cast<T>(kLayerNormEpsilon));
  if (std::isinf(squares)) {
    const T rescue = static_cast<T>(kRmsNormRescue);
    rstd = rescue / std::sqrt(((x_c - mean) * rescue).square().sum() / count);
  }
  a.mean_n.as<T>()[n] = mean;
  a.rstd_n.as<T>()[n] = rstd;
  y_c = (x_c - mean) * rstd * row_of<T>(a.weight_c, 0, a.channels);
  if (a.bias_c) y_c += row_of<T>(a.bias_c, 0, a.channels);
}

/// Row n of sum = residual + dropout(branch).
template <class T>
void sum_row(const ResidualLayerNormForward& a, int n) {
  const auto residual_c = row_of<T>(a.residual_nc, n, a.channels),
             branch_c = row_of<T>(a.branch_nc, n, a.channels);
  auto sum_c = row_of<T>(a.sum_nc, n, a.channels);
  if (!a.dropout) {
    sum_c = residual_c + branch_c;
    return;
  }
  const int b = a.batch.sequence_n[n];
  if (b < 0) {
    sum_c = residual_c;
    return;
  }
  const DropoutMask mask(a.dropout, *a.batch.step);
  const T kept = static_cast<T>(a.dropout.keep_factor());
  T multipliers[kMaskGroup];
  for (int c0 = 0; c0 < a.channels; c0 += kMaskGroup) {
    mask.channels(b, n - a.batch.starts_b[b], c0, kept, multipliers);
    const int count = std::min(kMaskGroup, a.channels - c0);
    sum_c.segment(c0, count) =
        residual_c.segment(c0, count) + branch_c.segment(c0, count) * RowMap<T>(multipliers, count);
  }
}

}  // namespace

template <class T>
void layer_norm_forward(const LayerNormForward& a, WorkerPool& pool) {
  for_each_row(pool, a.rows, a.channels, [&](int n) { norm_row<T>(a, n); });
}

template <class T>
void residual_layer_norm_forward(const ResidualLayerNormForward& a, WorkerPool& pool) {
  const LayerNormForward norm{a.batch.rows, a.channels, a.sum_nc, a.weight_c,
                              a.bias_c,     a.y_nc,     a.mean_n, a.rstd_n};
  for_each_row(pool, a.batch.rows, a.channels, [&](int n) {
    sum_row<T>(a, n);
    norm_row<T>(norm, n);  // while the row is still in the cache
  });
}

// xhat_k = (x_k - mean) r with r = (mean_c (x - mean)^2 + eps)^-1/2, so dxhat_k/dx_c = r ([k = c] - 1/C - xhat_k xhat_c /
// C): the mean takes a C-th of every x_c, and dr/dx_c = -r^2 xhat_c / C. With g = dy weight, dL/dx_c = sum_k g_k
// dxhat_k/dx_c = r (g_c - mean(g) - xhat_c mean(g xhat)). Weight and bias take part in every row: sums over the rows.
template <class T>
void layer_norm_backward(const LayerNormBackward& a, WorkerPool& pool) {
  const int C = a.channels;
  const auto weight_c = row_of<T>(a.weight_c, 0, C);
  const T *mean_n = a.mean_n.as<T>(), *rstd_n = a.rstd_n.as<T>();
  for_each_row(pool, a.rows, C, [&](int n) {
    const auto g_c = row_of<T>(a.dy_nc, n, C) * weight_c;
    const auto xhat_c = (row_of<T>(a.x_nc, n, C) - mean_n[n]) * rstd_n[n];
    const T mean = g_c.sum() / static_cast<T>(C), projection = (g_c * xhat_c).sum() / static_cast<T>(C);
    auto dx_c = row_of<T>(a.dx_nc, n, C);
    dx_c = (g_c - mean - xhat_c * projection) * rstd_n[n];
    if (a.dresidual_nc) dx_c += row_of<T>(a.dresidual_nc, n, C);
  });
  add_column_sums<2, T>(pool, a.rows, C, {a.dweight_c.as<T>(), a.dbias_c.as<T>()},
                        [&](int n, int c0, int count) {
                          const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(n) * C + c0;
                          const Lane<T> dy = load_lane(a.dy_nc.as<T>() + begin, count);
                          const Lane<T> x = load_lane(a.x_nc.as<T>() + begin, count);
                          return std::array<Lane<T>, 2>{Lane<T>(dy * ((x - mean_n[n]) * rstd_n[n])), dy};
                        });
}

#define LADDER_INSTANTIATE(T)                                                                 \
  template void layer_norm_forward<T>(const LayerNormForward&, WorkerPool&);                  \
  template void residual_layer_norm_forward<T>(const ResidualLayerNormForward&, WorkerPool&); \
  template void layer_norm_backward<T>(const LayerNormBackward&, WorkerPool&);
LADDER_INSTANTIATE(float)
LADDER_INSTANTIATE(double)

}  // namespace ladder::eigen
