// Compiles attention's backward pass.
#include "stage3_tiled_kernels/kernels/attention.cuh"
#include "stage3_tiled_kernels/launchers.hpp"

namespace ladder::LADDER_SIDE::stage3 {

void enqueue(const AttentionBackward& args, Stream& stream) { launch_attention_backward(args, stream); }

}  // namespace ladder::LADDER_SIDE::stage3
