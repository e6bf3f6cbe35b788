// The loss scale of fp16, whose smallest gradients are lost: the loss is multiplied by a number that training finds.
#pragma once

#include <cstdint>

namespace ladder {

/// It halves after a step whose gradients overflowed, which changed nothing, and doubles after kPatience steps without
/// one. The numbers are those of PyTorch's GradScaler (its documentation, version 2.11).
struct LossScale {
  static constexpr std::int64_t kPatience = 2000;

  double value = 65536.0;
  std::int64_t good = 0;      ///< steps since it last changed
  std::int64_t left_out = 0;  ///< steps that overflowed, over the whole run

  /// After a step. Returns false where no scale is left to try: gradients overflow even at 2.
  bool take(bool finite) {
    if (finite) {
      if (++good < kPatience) return true;
      value *= 2.0;
    } else {
      ++left_out;
      value /= 2.0;
    }
    good = 0;
    return value > 1.0;
  }

  bool operator==(const LossScale&) const = default;
};

}  // namespace ladder
