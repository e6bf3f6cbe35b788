// Dropout masks as tiles: Philox4x32-10 on words, drawn as model/dropout.hpp says.
#pragma once

#include "shared/model/dropout.hpp"
#include "stage3_tiled_kernels/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage4 {

using namespace stage3;

using Word = std::uint32_t;

// StepConstants as kernels read it: 64-bit integers in order, since a tile program takes numbers and pointers only.
static_assert(offsetof(StepConstants, step) == 9 * sizeof(std::int64_t) &&
              offsetof(StepConstants, first_sequence) == 11 * sizeof(std::int64_t) &&
              offsetof(StepConstants, seed) == 12 * sizeof(std::int64_t));

/// What all draws of a launch have in common, as arguments of a kernel.
struct DropoutLaunch {
  const std::int64_t* step;  ///< StepConstants, from its first number on; null: no dropout
  Word place, threshold;
  float factor;
};

inline DropoutLaunch launch_of(const Dropout& dropout, const StepConstants* step) {
  if (!dropout) return {nullptr, 0, 0, 1.0F};
  return {reinterpret_cast<const std::int64_t*>(step), dropout.place(), dropout.threshold(),
          static_cast<float>(dropout.keep_factor())};
}

/// The key of a step's draws, and the number of its micro-batch's first sequence.
struct StepKeyWords {
  Word seed, step, first_sequence;
};

__tile__ inline StepKeyWords key_words(const std::int64_t* step) {
  return {static_cast<Word>(step[12]), static_cast<Word>(step[9]), static_cast<Word>(step[11])};
}

/// Four tiles of words.
template <class Words>
struct FourWords {
  Words a, b, c, d;
};

/// One round on every element.
template <class Words>
__tile__ FourWords<Words> philox_round(FourWords<Words> x, Word key_0, Word key_1) {
  const auto low = x.a * Word{0xD2511F53U}, low_upper = ct::mulhi(x.a, Word{0xD2511F53U});
  const auto high = x.c * Word{0xCD9E8D57U}, high_upper = ct::mulhi(x.c, Word{0xCD9E8D57U});
  return {high_upper ^ x.b ^ key_0, high, low_upper ^ x.d ^ key_1, low};
}

/// Ten rounds: four random words for every counter.
template <int Rounds = 10, class Words>
__tile__ FourWords<Words> philox(FourWords<Words> counter, Word key_0, Word key_1) {
  const auto next = philox_round(counter, key_0, key_1);
  if constexpr (Rounds == 1)
    return next;
  else
    return philox<Rounds - 1>(next, key_0 + Word{0x9E3779B9U}, key_1 + Word{0xBB67AE85U});
}

}  // namespace ladder::LADDER_SIDE::stage4
