// Compiles attention whose weights are dropped: stage 3's kernels with a Keep of this stage.
#include "shared/model/gpt2_ops.hpp"
#include "stage3_tiled_kernels/kernels/attention.cuh"
#include "stage4_nanogpt/exact_attention.hpp"
#include "stage4_nanogpt/kernels/attention_dropout.hpp"
#include "stage4_nanogpt/launchers.hpp"

namespace ladder::LADDER_SIDE::stage4 {

void enqueue(const DropoutAttentionForward& args, Stream& stream) {
  launch_attention_forward(ladder::stage4::exact_attention(args.plain), stream,
                           DropWeights{args.dropout, args.plain.batch.step});
}
void enqueue(const DropoutAttentionBackward& args, Stream& stream) {
  launch_attention_backward(ladder::stage4::exact_attention(args.plain), stream,
                            DropWeights{args.dropout, args.plain.batch.step});
}

}  // namespace ladder::LADDER_SIDE::stage4
