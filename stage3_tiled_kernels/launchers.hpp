// The launchers of this stage, apart from the kernels: what ops_tile.cu calls, so that each file of kernels
// is compiled once, beside the others instead of after them.
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

namespace ladder::LADDER_SIDE::stage3 {

void enqueue(const EmbeddingForward& args, Stream& stream);
void enqueue(const EmbeddingBackward& args, Stream& stream);
void enqueue(const RmsNormForward& args, Stream& stream);
void enqueue(const RmsNormBackward& args, Stream& stream);
void enqueue(const LinearForward& args, Stream& stream);
void enqueue(const LinearBackwardInput& args, Stream& stream);
void enqueue(const LinearBackwardWeight& args, Stream& stream);
void enqueue(const AttentionForward& args, Stream& stream);
void enqueue(const AttentionBackward& args, Stream& stream);
void enqueue(const ReluForward& args, Stream& stream);
void enqueue(const ReluBackward& args, Stream& stream);
void enqueue(const ResidualForward& args, Stream& stream);
void enqueue(const CrossEntropy& args, Stream& stream);
void enqueue(const GradientSquares& args, Stream& stream);
void enqueue(const Adam& args, Stream& stream);

void enqueue(const RmsNormLinearForward& args, Stream& stream);
void enqueue(const RmsNormLinearBackward& args, Stream& stream);
void enqueue(const LinearResidualForward& args, Stream& stream);
void enqueue(const LinearBackwardInputRelu& args, Stream& stream);

/// The row of the table that launches use on this device, and the device's own
/// number: equal when it has a row.
struct TableRow {
  int architecture, card;
};
TableRow table_row();

}  // namespace ladder::LADDER_SIDE::stage3
