// Adam's numbers for one step.
#pragma once

#include <cstdint>

#include "shared/model/config.hpp"

namespace ladder {

/// What one Adam step needs besides parameters, gradients and moments; computed once in double for every stage.
/// The parameter update is p -= learning_rate * (m / correction1) / (sqrt(v / correction2) + eps).
struct AdamStep {
  double learning_rate, beta1, beta2, eps;
  double correction1, correction2;  ///< 1 - beta1^(s+1), 1 - beta2^(s+1)
};

/// Step s counts from 0; the learning rate decays linearly to 0 over config.decay_steps().
AdamStep adam_step(const TrainConfig& config, std::int64_t s);

}  // namespace ladder
