// The three products of a linear layer: Eigen's own, cut into pieces for the cores where they are large.
#include "stage1_cpu_tensor/blocks.hpp"
#include "stage1_cpu_tensor/kernels.hpp"
#include "stage1_cpu_tensor/maps.hpp"

namespace ladder::eigen {

template <class T>
void linear_forward(const LinearForward& a, WorkerPool& pool) {
  const auto x_ni = matrix<T>(a.x_ni, a.rows, a.in), w_oi = matrix<T>(a.w_oi, a.out, a.in);
  auto y_no = matrix<T>(a.y_no, a.rows, a.out);
  for_each_block(pool, a.rows, a.out, a.in, [&](int n, int rows, int o, int columns) {
    y_no.block(n, o, rows, columns).noalias() =
        x_ni.middleRows(n, rows) * w_oi.middleRows(o, columns).transpose();
  });
}

// y_no = sum_i x_ni w_oi, so dL/dx_ni = sum_o dL/dy_no dy_no/dx_ni = sum_o dy_no w_oi: the
// product without a transpose.
template <class T>
void linear_backward_input(const LinearBackwardInput& a, WorkerPool& pool) {
  const auto dy_no = matrix<T>(a.dy_no, a.rows, a.out), w_oi = matrix<T>(a.w_oi, a.out, a.in);
  auto dx_ni = matrix<T>(a.dx_ni, a.rows, a.in);
  for_each_block(pool, a.rows, a.in, a.out, [&](int n, int rows, int i, int columns) {
    dx_ni.block(n, i, rows, columns).noalias() = dy_no.middleRows(n, rows) * w_oi.middleCols(i, columns);
  });
}

// w_oi takes part in every row's y_no, each time with factor x_ni, so dL/dw_oi = sum_n dy_no x_ni: rows are
// summed over.
template <class T>
void linear_backward_weight(const LinearBackwardWeight& a, WorkerPool& pool) {
  const auto dy_no = matrix<T>(a.dy_no, a.rows, a.out), x_ni = matrix<T>(a.x_ni, a.rows, a.in);
  auto dw_oi = matrix<T>(a.dw_oi, a.out, a.in);
  for_each_block(pool, a.out, a.in, a.rows, [&](int o, int rows, int i, int columns) {
    dw_oi.block(o, i, rows, columns).noalias() +=
        dy_no.middleCols(o, rows).transpose() * x_ni.middleCols(i, columns);
  });
}

#define LADDER_INSTANTIATE(T)                                                      \
  template void linear_forward<T>(const LinearForward&, WorkerPool&);              \
  template void linear_backward_input<T>(const LinearBackwardInput&, WorkerPool&); \
  template void linear_backward_weight<T>(const LinearBackwardWeight&, WorkerPool&);
LADDER_INSTANTIATE(float)
LADDER_INSTANTIATE(double)

}  // namespace ladder::eigen
