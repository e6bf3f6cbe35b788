// Compiles the products and what they join: RMSNorm's scale, ReLU, residual.
#include "stage3_tiled_kernels/kernels/linear.cuh"
#include "stage3_tiled_kernels/kernels/rmsnorm.cuh"
#include "stage3_tiled_kernels/launchers.hpp"

namespace ladder::LADDER_SIDE::stage3 {

void enqueue(const LinearForward& args, Stream& stream) { launch_linear_forward(args, stream); }
void enqueue(const LinearBackwardInput& args, Stream& stream) { launch_linear_backward_input(args, stream); }
void enqueue(const LinearBackwardWeight& args, Stream& stream) {
  launch_linear_backward_weight(args, stream);
}
void enqueue(const RmsNormForward& args, Stream& stream) { launch_rmsnorm_forward(args, stream); }
void enqueue(const RmsNormBackward& args, Stream& stream) { launch_rmsnorm_backward(args, stream); }

/// rmsnorm(x) is never in memory: one small pass finds each row's scale, the product applies it.
void enqueue(const RmsNormLinearForward& a, Stream& stream) {
  launch_rmsnorm_scale({a.rows, a.in, a.x_ni, {}, a.rstd_n}, stream);
  launch_linear_forward({a.rows, a.in, a.out, a.x_ni, a.w_oi, a.y_no}, {a.rstd_n, a.relu, {}}, stream);
}

void enqueue(const RmsNormLinearBackward& a, Stream& stream) {
  launch_linear_scale_rows(a.rows, a.in, a.x_ni, a.rstd_n, a.normed_ni, stream);
  launch_linear_backward_weight({a.rows, a.in, a.out, a.dy_no, a.normed_ni, a.dw_oi}, stream);
  launch_linear_backward_input({a.rows, a.in, a.out, a.dy_no, a.w_oi, a.dnormed_ni}, stream);
  launch_rmsnorm_backward({a.rows, a.in, a.dnormed_ni, a.x_ni, a.dresidual_ni, a.rstd_n, a.dx_ni}, stream);
}

void enqueue(const LinearResidualForward& a, Stream& stream) {
  launch_linear_forward({a.rows, a.in, a.out, a.x_ni, a.w_oi, a.y_no}, {{}, false, a.residual_no}, stream);
}

void enqueue(const LinearBackwardInputRelu& a, Stream& stream) {
  launch_linear_backward_input({a.rows, a.in, a.out, a.dy_no, a.w_oi, a.dx_ni}, a.relu_ni, stream);
}

TableRow table_row() { return {table::nearest(card(), kBuilt), card()}; }

}  // namespace ladder::LADDER_SIDE::stage3
