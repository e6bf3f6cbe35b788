// What an operation costs by its definition: bytes that must move and floating-point operations that must be done.
//
// Bytes: each input is read once and each output written once ("+=" reads and writes), at the size of its
// type; integers of the batch and per-row statistics included. FLOPs: an addition, multiplication, division,
// comparison, square root or exponential counts as one, a multiply-add as two. No stage can move less; how
// much more it moves is its own matter.
//
// Sizes count padding rows. The cost of attention depends on the sequences' lengths, which lie in the stage's
// memory: it assumes rows / batch positions for each, at most max_length, exact when all are equally long.
#pragma once

#include "shared/model/ops.hpp"

namespace ladder {

struct Cost {
  double bytes = 0.0;
  double flops = 0.0;

  Cost& operator+=(const Cost& other) {
    bytes += other.bytes;
    flops += other.flops;
    return *this;
  }
};

/// N, C rows and channels: 1 addition each.
Cost cost(const EmbeddingForward& a);
/// 2 additions for each element of dx; every touched table row is counted as often as it is touched.
Cost cost(const EmbeddingBackward& a);
/// 3 per element (square, sum, scale) and 3 per row (mean, epsilon, inverse root).
Cost cost(const RmsNormForward& a);
/// 7 per element (dot 2, projection 2, scale 1, subtract 1, residual 1) and 3 per row.
Cost cost(const RmsNormBackward& a);
/// 2 N I O for each of the three products.
Cost cost(const LinearForward& a);
Cost cost(const LinearBackwardInput& a);
Cost cost(const LinearBackwardWeight& a);
/// With S pairs of positions that see each other: S H (2D scores + 4 softmax + 2D mix).
Cost cost(const AttentionForward& a);
/// S H (2D each for the scores again, dP, dV, dQ, dK + 6 for the softmax's derivative).
Cost cost(const AttentionBackward& a);
/// 1 per element.
Cost cost(const ReluForward& a);
Cost cost(const ReluBackward& a);
Cost cost(const ResidualForward& a);
/// 4 per logit (maximum, subtract, exp, sum), 2 more with the gradient.
Cost cost(const CrossEntropy& a);
/// 2 per gradient.
Cost cost(const GradientSquares& a);
/// 14 per parameter, 1 more each where it decays and where gradients are clipped.
Cost cost(const Adam& a);
/// Fused: the FLOPs of the parts; bytes without the intermediate result, except what the backward pass needs.
Cost cost(const RmsNormLinearForward& a);
Cost cost(const RmsNormLinearBackward& a);
Cost cost(const LinearResidualForward& a);
Cost cost(const LinearBackwardInputRelu& a);
/// 8 per element (mean 1, variance 3, scale 2, weight and bias 2) and 4 per row.
Cost cost(const LayerNormForward& a);
/// 14 per element (xhat 2, dy weight 1, two means 3, dx 4, dweight 2, dbias 1, residual 1) and 4 per row.
Cost cost(const LayerNormBackward& a);
/// 2 N I O, and 1 per output for the bias; 10 per output for a GELU or its derivative.
Cost cost(const LinearBiasForward& a);
Cost cost(const LinearGeluForward& a);
Cost cost(const LinearBackwardInputGelu& a);
/// 1 per element.
Cost cost(const BiasBackward& a);
/// 1 per element; the draws, which are integers, are not counted.
Cost cost(const ApplyDropout& a);
/// As without dropout, and 1 per pair of positions and head.
Cost cost(const DropoutAttentionForward& a);
Cost cost(const DropoutAttentionBackward& a);
Cost cost(const ResidualLayerNormForward& a);
Cost cost(const ResidualLayerNormBackward& a);

}  // namespace ladder
