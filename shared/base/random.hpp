// Random numbers: CPython's generator, so that stage 0 draws what the original program
// draws, and Philox for GPUs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace ladder {

/// The `random` module of CPython 3: MT19937 with the same seeding, conversions and rejection rules. Given
/// the same seed and the same calls it returns the same doubles (gauss() as far as libm's log, sin and cos
/// are the same).
class Random {
 public:
  /// Everything the next draws depend on: 624 words of the twister, its index, and gauss()'s second value if
  /// one is waiting. The words are CPython's random.getstate()[1].
  struct State {
    std::vector<std::uint32_t> words;
    std::optional<double> next_gauss;
    bool operator==(const State&) const = default;
  };

  /// Same as random.seed(seed).
  explicit Random(std::uint64_t seed) { this->seed(seed); }
  /// Continues from an exported state; InputError when it is not one.
  explicit Random(const State& state);

  void seed(std::uint64_t seed);
  /// Same as random.seed of the integer with these 32-bit words, least significant first; at least one.
  void seed_by_words(std::span<const std::uint32_t> key);
  State state() const;

  std::uint32_t next_u32();
  /// Uniform in [0, 1) with 53 bits.
  double random();
  /// `bits` random bits, 1 <= bits <= 32.
  std::uint32_t getrandbits(int bits);
  /// Uniform in 0 .. n-1, for n >= 1.
  std::uint32_t randbelow(std::uint32_t n);
  /// Normal with mean `mu` and standard deviation `sigma`; two values are made at a time, the second is kept.
  double gauss(double mu, double sigma);
  /// One draw of random.choices(range(n), weights): the index. The weights must be
  /// finite with a positive sum.
  std::size_t choices(std::span<const double> weights);

  /// Fisher-Yates from the end, as random.shuffle.
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i-- > 1;)
      std::swap(items[i], items[randbelow(static_cast<std::uint32_t>(i + 1))]);
  }

 private:
  void refill();

  std::array<std::uint32_t, 624> words_{};
  std::size_t index_ = 0;
  std::optional<double> next_gauss_;
};

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3; SC 2011): four
/// random words from a 128-bit counter and a 64-bit key. Without state, so any thread can compute any draw.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t low = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t high = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(high >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(high),
               static_cast<std::uint32_t>(low >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(low)};
    key[0] += 0x9E3779B9u;  // the golden ratio
    key[1] += 0xBB67AE85u;  // sqrt(3) - 1
  }
  return counter;
}

/// The top 24 bits of `word` as a float in [0, 1).
constexpr float uniform_float(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

}  // namespace ladder
