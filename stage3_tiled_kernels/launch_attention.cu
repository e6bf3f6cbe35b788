// Compiles attention, both directions: nvcc makes code for every kernel that a header mentions, so one file
// it is.
#include "stage3_tiled_kernels/kernels/attention.cuh"
#include "stage3_tiled_kernels/launchers.hpp"

namespace ladder::LADDER_SIDE::stage3 {

void enqueue(const AttentionForward& args, Stream& stream) { launch_attention_forward(args, stream); }
void enqueue(const AttentionBackward& args, Stream& stream) { launch_attention_backward(args, stream); }

}  // namespace ladder::LADDER_SIDE::stage3
