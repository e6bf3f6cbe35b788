#include "shared/model/optimizer.hpp"

#include <cmath>

namespace ladder {

AdamStep adam_step(const TrainConfig& config, std::int64_t s) {
  const double done = static_cast<double>(s) / static_cast<double>(config.decay_steps());
  const double count = static_cast<double>(s + 1);
  return {config.learning_rate * (1.0 - done),
          config.beta1,
          config.beta2,
          config.eps,
          1.0 - std::pow(config.beta1, count),
          1.0 - std::pow(config.beta2, count)};
}

}  // namespace ladder
