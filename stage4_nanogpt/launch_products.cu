// Compiles the products that have a bias and a GELU behind them.
#include "stage3_tiled_kernels/launchers.hpp"
#include "stage4_nanogpt/kernels/linear_gelu.cuh"
#include "stage4_nanogpt/launchers.hpp"

namespace ladder::LADDER_SIDE::stage4 {

void enqueue(const LinearBiasForward& a, Stream& stream) {
  if (a.bias_o)
    launch_linear_bias_forward(a, stream);
  else
    stage3::enqueue(LinearForward{a.rows, a.in, a.out, a.x_ni, a.w_oi, a.y_no}, stream);
}
void enqueue(const LinearGeluForward& args, Stream& stream) { launch_linear_gelu_forward(args, stream); }
void enqueue(const LinearBackwardInputGelu& args, Stream& stream) {
  launch_linear_backward_input_gelu(args, stream);
}

}  // namespace ladder::LADDER_SIDE::stage4
