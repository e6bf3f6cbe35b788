// AdamW's numbers for one step.
#pragma once

#include <cstdint>

#include "shared/model/config.hpp"

namespace ladder {

/// What one optimizer step needs besides parameters, gradients and moments; computed once in double for every stage,
/// and kept in the stage's memory, where a captured graph finds each step's values.
/// The parameter update is p -= learning_rate * (m / correction1) / (sqrt(v / correction2) + eps), after
/// p *= 1 - learning_rate * weight_decay for parameters that decay.
struct StepConstants {
  double learning_rate, beta1, beta2, eps;
  double correction1, correction2;  ///< 1 - beta1^(s+1), 1 - beta2^(s+1)
  double weight_decay = 0.0;
  double clip = 0.0;  ///< largest norm of all gradients together; 0: they are taken as they are
  /// Loss and gradients come multiplied by it, since fp16 holds no small ones; the update divides.
  double loss_scale = 1.0;
  std::int64_t step = 0;  ///< s
  /// Of the step: each micro-batch has its own copy of these numbers, in front of its integers.
  std::int64_t micro_batch = 0;
  std::int64_t first_sequence = 0;  ///< its first sequence's number in the whole batch, over all ranks
  std::int64_t seed = 0;            ///< of the run: dropout draws from it (model/dropout.hpp)
};

/// Step s counts from 0. In the warm-up of W steps lr (s + 1) / (W + 1); then, with r = (s - W) / (D - W), at most 1, of
/// a schedule of D steps: linear min + (1 - r) (lr - min), cosine min + (1 + cos(pi r)) / 2 (lr - min), constant lr.
double learning_rate_at(const TrainConfig& config, std::int64_t s);

/// Of step s, of which `left_out` earlier ones changed nothing: Adam's corrections count the others.
StepConstants step_constants(const TrainConfig& config, std::int64_t s, std::int64_t left_out = 0);

/// What gradients are multiplied by when the sum of all their squares is `squares`: min(1, clip / (norm + 1e-6)), as
/// PyTorch's clip_grad_norm_ has it; 1 where clip is 0. The formula for host code; kernels repeat it.
double clip_factor(double clip, double squares);

/// What the update multiplies gradients by that come multiplied by step.loss_scale and whose squares add up to
/// `squares`: clip_factor() of what they are without it, over loss_scale.
double gradient_factor(const StepConstants& step, double squares);

}  // namespace ladder
