// Adam, as the original computes it: one parameter after the other, powers by libm's pow.
#pragma once

#include <cmath>
#include <span>

#include "shared/model/optimizer.hpp"

namespace ladder::stage0 {

/// One step over all parameters. All spans have one length.
inline void adam_update(const StepConstants& step, std::span<double> parameters,
                        std::span<const double> gradients, std::span<double> m, std::span<double> v) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    m[i] = step.beta1 * m[i] + (1.0 - step.beta1) * gradients[i];
    v[i] = step.beta2 * v[i] + (1.0 - step.beta2) * std::pow(gradients[i], 2.0);
    const double m_hat = m[i] / step.correction1;
    const double v_hat = v[i] / step.correction2;
    parameters[i] -= step.learning_rate * m_hat / (std::pow(v_hat, 0.5) + step.eps);
  }
}

}  // namespace ladder::stage0
