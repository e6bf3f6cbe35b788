// Compiles attention's forward pass. The backward pass is a file of its own because each takes a minute.
#include "stage3_tiled_kernels/kernels/attention.cuh"
#include "stage3_tiled_kernels/launchers.hpp"

namespace ladder::LADDER_SIDE::stage3 {

void enqueue(const AttentionForward& args, Stream& stream) { launch_attention_forward(args, stream); }

}  // namespace ladder::LADDER_SIDE::stage3
