// How much of a card's arithmetic a training run uses: the model's FLOPs over the card's peak.
#pragma once

#include <optional>
#include <string_view>

#include "shared/base/dtype.hpp"
#include "shared/model/config.hpp"

namespace ladder {

/// FLOPs of a training step for each position: 6 N + 6 L C T with N parameters, L layers, width C and T positions. Every
/// parameter is multiplied and added once forward and twice backward; scores and weighted values are products of T x C
/// a layer and position, of which causal attention needs half. As in the paper of PaLM, but for that half.
double flops_per_token(const GptConfig& config);

/// FLOP/s of matrix products in `dtype` by the data sheet of a card, as CUDA calls it, without sparsity; nothing where
/// the table does not know the card. fp32 is without tensor cores, fp64 with them.
std::optional<double> peak_flops(std::string_view card, Dtype dtype);

}  // namespace ladder
