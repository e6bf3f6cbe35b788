// What a training run has been through: what its checkpoint keeps, and a resumed run goes on from.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/train/loss_scale.hpp"

namespace ladder {

/// Mean losses without dropout after `step` steps, of sequences that are trained on and of such that are held out.
struct Evaluation {
  std::int64_t step;
  double training, held_out;
  bool operator==(const Evaluation&) const = default;
};

struct TrainHistory {
  std::vector<double> loss;  ///< one per step done
  std::vector<Evaluation> evaluations;
  LossScale scale;  ///< of fp16; other types leave it as it is

  std::int64_t steps_done() const { return static_cast<std::int64_t>(loss.size()); }
  /// The evaluation with the lowest held-out loss, the first of equals; null before the first.
  const Evaluation* best() const {
    const Evaluation* best = nullptr;
    for (const Evaluation& one : evaluations)
      if (best == nullptr || one.held_out < best->held_out) best = &one;
    return best;
  }
};

}  // namespace ladder
