// The launchers of this stage, apart from the kernels: what ops_nano.cu calls. An operation that is not here is stage 3's.
#pragma once

#include "shared/device/stream.hpp"
#include "shared/model/ops.hpp"

#ifndef LADDER_SIDE
#ifdef __CUDACC__
#define LADDER_SIDE on_gpu
#else
#define LADDER_SIDE on_cpu
#endif
#endif

namespace ladder::LADDER_SIDE::stage4 {

// launch_rows.cu
void enqueue(const LayerNormForward& args, Stream& stream);
void enqueue(const LayerNormBackward& args, Stream& stream);
void enqueue(const ResidualLayerNormForward& args, Stream& stream);
void enqueue(const ResidualLayerNormBackward& args, Stream& stream);
void enqueue(const ApplyDropout& args, Stream& stream);
void enqueue(const BiasBackward& args, Stream& stream);
void enqueue(const EmbeddingBackward& args, Stream& stream);

// launch_products.cu
void enqueue(const LinearBiasForward& args, Stream& stream);
void enqueue(const LinearGeluForward& args, Stream& stream);
void enqueue(const LinearBackwardInputGelu& args, Stream& stream);

// launch_attention.cu
void enqueue(const DropoutAttentionForward& args, Stream& stream);
void enqueue(const DropoutAttentionBackward& args, Stream& stream);

}  // namespace ladder::LADDER_SIDE::stage4
