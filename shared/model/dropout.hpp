// Dropout: which elements are zeroed, and by which draw.
//
// An element is dropped by its place in the model and in the step, never by where it lies in memory: its sequence's
// number in the whole batch, its position, its channel (of a weight of attention: its key), the layer, the site, the
// step and the seed. So the CPU and every kernel draw the same masks, forward and backward, however a batch is split
// into micro-batches and ranks.
//
// Philox4x32-10 gives four words for a counter. An element at index i (channel or key) uses word (i % 64) / 16 of the
// counter with i / 64 * 16 + i % 16 in front: within 64 neighbours, lanes 16 apart share a counter, so that a tile is
// four tiles of words side by side and nothing has to be interleaved.
//   counter = {i / 64 * 16 + i % 16, position, sequence, ((layer * 4 + site) << 15) + head}   key = {seed, step}
#pragma once

#include <cmath>
#include <cstdint>

#include "shared/base/random.hpp"
#include "shared/model/optimizer.hpp"

namespace ladder {

/// Where in a layer dropout takes place. The embedding is in layer 0.
enum class DropoutSite : std::uint32_t { embedding, attention, attention_output, mlp_output };

/// Zeroes elements with this probability and multiplies the others by keep_factor(); probability 0: none at all.
struct Dropout {
  double probability = 0.0;
  int layer = 0;
  DropoutSite site = DropoutSite::embedding;

  explicit operator bool() const { return probability > 0.0; }
  /// What survives is multiplied by: 1 / (1 - probability).
  double keep_factor() const { return 1.0 / (1.0 - probability); }
  /// An element survives where its word is not below this. Below 2^32 for every probability below 1 - 2^-33.
  std::uint32_t threshold() const { return static_cast<std::uint32_t>(std::llround(probability * 0x1p32)); }
  /// The last word of the counter for elements of no head.
  constexpr std::uint32_t place() const {
    return (static_cast<std::uint32_t>(layer) * 4U + static_cast<std::uint32_t>(site)) << 15U;
  }
};

/// The largest number of layers whose places differ.
inline constexpr int kMostDropoutLayers = 1 << 15;

/// The word that decides element `index` of (sequence, position, head) in the step; the formula for host code, which
/// kernels repeat on tiles.
constexpr std::uint32_t dropout_word(const Dropout& dropout, std::uint32_t seed, std::uint32_t step,
                                     std::uint32_t sequence, std::uint32_t position, std::uint32_t head,
                                     std::uint32_t index) {
  return philox4x32({index / 64U * 16U + index % 16U, position, sequence, dropout.place() + head},
                    {seed, step})[index % 64U / 16U];
}

/// Whether element `index` of position `position` in sequence `b` of the micro-batch survives.
inline bool survives(const Dropout& dropout, const StepConstants& step, int b, int position, int head,
                     int index) {
  const auto word = [](std::int64_t value) { return static_cast<std::uint32_t>(value); };
  return dropout_word(dropout, word(step.seed), word(step.step), word(step.first_sequence + b),
                      word(position), word(head), word(index)) >= dropout.threshold();
}

}  // namespace ladder
