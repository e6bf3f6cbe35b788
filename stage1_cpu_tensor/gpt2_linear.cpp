// Linear layers with bias and GELU. Both are done block by block of the product, while the block is in the cache.
#include <cmath>
#include <numbers>

#include "stage1_cpu_tensor/blocks.hpp"
#include "stage1_cpu_tensor/column_sums.hpp"
#include "stage1_cpu_tensor/kernels.hpp"
#include "stage1_cpu_tensor/maps.hpp"

namespace ladder::eigen {
namespace {

// (1 + tanh z) / 2 = 1 / (1 + exp(-2 z)), so GELU's tanh form is u s with s = 1 / (1 + exp(-2 z)), z = a (u + b u^3):
// exp is what Eigen has in vector instructions for both types.
template <class T>
inline constexpr T kSlope = static_cast<T>(2.0 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi);  // 2 a
template <class T>
inline constexpr T kCube = static_cast<T>(0.044715);  // b

/// Exponents stay above -kFar: what is smaller changes nothing, and numbers below the smallest normal one cost a hundred
/// cycles each.
template <class T>
inline constexpr T kFar = sizeof(T) == 4 ? T(60) : T(600);

/// s of `u`; beyond +-20 it is 0 or 1 in every type, and u^3 might be infinite.
template <class T>
Lane<T> gelu_gate(const Lane<T>& u) {
  const Lane<T> near = u.max(T(-20)).min(T(20));
  const Lane<T> exponent = -kSlope<T> * near * (T(1) + kCube<T> * near.square());
  return T(1) / (T(1) + exponent.min(kFar<T>).exp());
}

/// Phi(x), of which the far end is cut off too.
template <class T>
T normal_integral(T x) {
  constexpr T root_half = static_cast<T>(1.0 / std::numbers::sqrt2),
              least = sizeof(T) == 4 ? T(1e-26) : T(1e-260);
  return std::max(T(0.5) * std::erfc(-x * root_half), least);
}

template <class T>
Lane<T> gelu_of(const Lane<T>& u, Gelu form) {
  const Lane<T> factor = u.max(T(-20));  // times what is cut off, further out would not be 0
  if (form == Gelu::tanh) return factor * gelu_gate<T>(u);
  return factor * u.unaryExpr([](T x) { return normal_integral(x); });
}

// With s as above, ds/du = 2 z' s (1 - s) and 2 z' = 2 a (1 + 3 b u^2), so d(u s)/du = s + u 2 z' s (1 - s).
// The exact form is u Phi(u), and Phi' is the normal density: d(u Phi)/du = Phi + u exp(-u^2 / 2) / sqrt(2 pi).
template <class T>
Lane<T> gelu_slope(const Lane<T>& u, Gelu form) {
  if (form == Gelu::tanh) {
    const Lane<T> gate = gelu_gate<T>(u), near = u.max(T(-20)).min(T(20));
    return gate + near * kSlope<T> * (T(1) + 3 * kCube<T> * near.square()) * gate * (T(1) - gate);
  }
  constexpr T density = static_cast<T>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
  return u.unaryExpr([](T x) {
    const T near = std::min(std::max(x, T(-20)), T(20));  // keeps a NaN
    return normal_integral(x) + near * density * std::exp(std::max(T(-0.5) * near * near, -kFar<T>));
  });
}

/// Calls change(p, count) for each run of up to 16 elements in block (n, column, rows, columns) of rows of `width`, p
/// counting from the matrix's first element.
template <class Change>
void for_each_lane(int n, int rows, int column, int columns, int width, const Change& change) {
  for (int row = n; row < n + rows; ++row)
    for (int c = 0; c < columns; c += kLanes)
      change(static_cast<std::ptrdiff_t>(row) * width + column + c, std::min(kLanes, columns - c));
}

/// The product, and then then(n, rows, o, columns) for each block of it.
template <class T, class Then>
void product_with_bias(const LinearBiasForward& a, WorkerPool& pool, const Then& then) {
  const auto x_ni = matrix<T>(a.x_ni, a.rows, a.in), w_oi = matrix<T>(a.w_oi, a.out, a.in);
  auto y_no = matrix<T>(a.y_no, a.rows, a.out);
  for_each_block(pool, a.rows, a.out, a.in, [&](int n, int rows, int o, int columns) {
    auto y = y_no.block(n, o, rows, columns);
    y.noalias() = x_ni.middleRows(n, rows) * w_oi.middleRows(o, columns).transpose();
    if (a.bias_o) y.rowwise() += matrix<T>(a.bias_o, 1, a.out).row(0).segment(o, columns);
    then(n, rows, o, columns);
  });
}

}  // namespace

template <class T>
void linear_bias_forward(const LinearBiasForward& a, WorkerPool& pool) {
  product_with_bias<T>(a, pool, [](int, int, int, int) {});
}

template <class T>
void linear_gelu_forward(const LinearGeluForward& a, WorkerPool& pool) {
  const LinearBiasForward linear{a.rows, a.in, a.out, a.x_ni, a.w_oi, a.bias_o, a.before_no};
  product_with_bias<T>(linear, pool, [&](int n, int rows, int o, int columns) {
    for_each_lane(n, rows, o, columns, a.out, [&](std::ptrdiff_t p, int count) {
      const Lane<T> u = load_lane(a.before_no.as<T>() + p, count);
      store_lane<T>(gelu_of<T>(u, a.gelu), count, a.y_no.as<T>() + p);
    });
  });
}

// y = gelu(before), so the gradient by `before` is that by y times gelu'(before): dy_no W_oi is the gradient by the
// GELU's result, as in linear_backward_input.
template <class T>
void linear_backward_input_gelu(const LinearBackwardInputGelu& a, WorkerPool& pool) {
  const auto dy_no = matrix<T>(a.dy_no, a.rows, a.out), w_oi = matrix<T>(a.w_oi, a.out, a.in);
  auto dx_ni = matrix<T>(a.dx_ni, a.rows, a.in);
  for_each_block(pool, a.rows, a.in, a.out, [&](int n, int rows, int i, int columns) {
    dx_ni.block(n, i, rows, columns).noalias() = dy_no.middleRows(n, rows) * w_oi.middleCols(i, columns);
    for_each_lane(n, rows, i, columns, a.in, [&](std::ptrdiff_t p, int count) {
      const Lane<T> u = load_lane(a.before_ni.as<T>() + p, count);
      const Lane<T> dx = load_lane(a.dx_ni.as<T>() + p, count);
      store_lane<T>(dx * gelu_slope<T>(u, a.gelu), count, a.dx_ni.as<T>() + p);
    });
  });
}

// bias_o is added in every row: dL/dbias_o = sum_n dy_no.
template <class T>
void bias_backward(const BiasBackward& a, WorkerPool& pool) {
  add_column_sums<1, T>(pool, a.rows, a.out, {a.dbias_o.as<T>()}, [&](int n, int c0, int count) {
    const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(n) * a.out + c0;
    return std::array<Lane<T>, 1>{load_lane(a.dy_no.as<T>() + begin, count)};
  });
}

#define LADDER_INSTANTIATE(T)                                                               \
  template void linear_bias_forward<T>(const LinearBiasForward&, WorkerPool&);              \
  template void linear_gelu_forward<T>(const LinearGeluForward&, WorkerPool&);              \
  template void linear_backward_input_gelu<T>(const LinearBackwardInputGelu&, WorkerPool&); \
  template void bias_backward<T>(const BiasBackward&, WorkerPool&);
LADDER_INSTANTIATE(float)
LADDER_INSTANTIATE(double)

}  // namespace ladder::eigen
