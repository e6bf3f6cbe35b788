#include "shared/model/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ladder {

double learning_rate_at(const TrainConfig& config, std::int64_t s) {
  const std::int64_t warmup = config.warmup_steps, length = config.decay_steps() - warmup;
  const double peak = config.learning_rate, end = config.min_learning_rate;
  if (s < warmup) return peak * static_cast<double>(s + 1) / static_cast<double>(warmup + 1);
  if (config.schedule == Schedule::constant) return peak;
  const double done =
      s - warmup < length ? static_cast<double>(s - warmup) / static_cast<double>(length) : 1.0;
  const double left =
      config.schedule == Schedule::cosine ? (1.0 + std::cos(std::numbers::pi * done)) / 2.0 : 1.0 - done;
  return end + left * (peak - end);
}

StepConstants step_constants(const TrainConfig& config, std::int64_t s, std::int64_t left_out) {
  const double count = static_cast<double>(s + 1 - left_out);
  StepConstants step{};
  step.learning_rate = learning_rate_at(config, s);
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
