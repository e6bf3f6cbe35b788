#include "shared/model/optimizer.hpp"

#include <algorithm>
#include <cmath>

namespace ladder {

StepConstants step_constants(const TrainConfig& config, std::int64_t s) {
  const double done = static_cast<double>(s) / static_cast<double>(config.decay_steps());
  const double count = static_cast<double>(s + 1);
  StepConstants step{};
  step.learning_rate = config.learning_rate * (1.0 - done);
  step.beta1 = config.beta1;
  step.beta2 = config.beta2;
  step.eps = config.eps;
  step.correction1 = 1.0 - std::pow(config.beta1, count);
  step.correction2 = 1.0 - std::pow(config.beta2, count);
  step.weight_decay = config.weight_decay;
  step.clip = config.clip;
  step.step = s;
  step.seed = config.seed;
  return step;
}

double clip_factor(double clip, double squares) {
  return clip > 0.0 ? std::min(1.0, clip / (std::sqrt(squares) + 1e-6)) : 1.0;
}

double gradient_factor(const StepConstants& step, double squares) {
  return clip_factor(step.clip, squares / (step.loss_scale * step.loss_scale)) / step.loss_scale;
}

}  // namespace ladder
