#include "shared/base/random.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

constexpr std::size_t kWords = 624;
constexpr std::size_t kShift = 397;

/// Mixes a neighbour into position i of the seeding recurrences (Matsumoto and Nishimura's init_by_array,
/// 2002).
std::uint32_t stirred(std::uint32_t previous, std::uint32_t factor) {
  return (previous ^ (previous >> 30)) * factor;
}

}  // namespace

Random::Random(const State& state) : next_gauss_(state.next_gauss) {
  require(state.words.size() == kWords + 1, "generator state has {} words: expected {}", state.words.size(),
          kWords + 1);
  require(state.words.back() <= kWords, "generator state has index {}: expected 0 to {}", state.words.back(),
          kWords);
  std::copy_n(state.words.begin(), kWords, words_.begin());
  index_ = state.words.back();
}

Random::State Random::state() const {
  State state{{words_.begin(), words_.end()}, next_gauss_};
  state.words.push_back(static_cast<std::uint32_t>(index_));
  return state;
}

void Random::seed(std::uint64_t seed) {
  // CPython seeds by the 32-bit words of the integer, least significant first; zero still has one word.
  const std::array<std::uint32_t, 2> key = {static_cast<std::uint32_t>(seed),
                                            static_cast<std::uint32_t>(seed >> 32)};
  seed_by_words(std::span(key).first(key[1] == 0 ? 1 : 2));
}

void Random::seed_by_words(std::span<const std::uint32_t> key) {
  require(!key.empty(), "a seed needs at least one word");
  next_gauss_.reset();
  words_[0] = 19650218u;
  for (std::size_t i = 1; i < kWords; ++i)
    words_[i] = stirred(words_[i - 1], 1812433253u) + static_cast<std::uint32_t>(i);

  std::size_t i = 1;
  const auto advance = [&] {
    if (++i == kWords) {
      words_[0] = words_[kWords - 1];
      i = 1;
    }
  };
  for (std::size_t k = 0; k < std::max(kWords, key.size()); ++k) {
    const std::size_t j = k % key.size();
    words_[i] = (words_[i] ^ stirred(words_[i - 1], 1664525u)) + key[j] + static_cast<std::uint32_t>(j);
    advance();
  }
  for (std::size_t k = 1; k < kWords; ++k) {
    words_[i] = (words_[i] ^ stirred(words_[i - 1], 1566083941u)) - static_cast<std::uint32_t>(i);
    advance();
  }
  words_[0] = 0x80000000u;
  index_ = kWords;
}

void Random::refill() {
  for (std::size_t i = 0; i < kWords; ++i) {
    const std::uint32_t joined = (words_[i] & 0x80000000u) | (words_[(i + 1) % kWords] & 0x7fffffffu);
    words_[i] = words_[(i + kShift) % kWords] ^ (joined >> 1) ^ ((joined & 1u) != 0 ? 0x9908b0dfu : 0u);
  }
  index_ = 0;
}

std::uint32_t Random::next_u32() {
  if (index_ >= kWords) refill();
  std::uint32_t y = words_[index_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

double Random::random() {
  const std::uint32_t a = next_u32() >> 5;
  const std::uint32_t b = next_u32() >> 6;
  return (a * 67108864.0 + b) * (1.0 / 9007199254740992.0);
}

std::uint32_t Random::getrandbits(int bits) {
  require(bits >= 1 && bits <= 32, "getrandbits({}): the number of bits must be from 1 to 32", bits);
  return next_u32() >> (32 - bits);
}

std::uint32_t Random::randbelow(std::uint32_t n) {
  require(n > 0, "randbelow(0): the range is empty");
  std::uint32_t draw = 0;
  do draw = getrandbits(std::bit_width(n));
  while (draw >= n);
  return draw;
}

double Random::gauss(double mu, double sigma) {
  double z = 0.0;
  if (next_gauss_) {
    z = *next_gauss_;
    next_gauss_.reset();
  } else {
    const double angle = random() * (2.0 * std::numbers::pi);
    const double radius = std::sqrt(-2.0 * std::log(1.0 - random()));
    z = std::cos(angle) * radius;
    next_gauss_ = std::sin(angle) * radius;
  }
  return mu + z * sigma;
}

std::size_t Random::choices(std::span<const double> weights) {
  require(!weights.empty(), "choices() needs at least one weight");
  std::vector<double> cumulative(weights.begin(), weights.end());
  for (std::size_t i = 1; i < cumulative.size(); ++i) cumulative[i] = cumulative[i - 1] + weights[i];
  const double total = cumulative.back() + 0.0;
  require(std::isfinite(total) && total > 0.0, "choices() needs weights with a finite, positive sum, not {}",
          total);
  // The last entry is left out of the search, as in CPython, so that the index stays in
  // range whatever the rounding.
  const auto found = std::upper_bound(cumulative.begin(), cumulative.end() - 1, random() * total);
  return static_cast<std::size_t>(found - cumulative.begin());
}

}  // namespace ladder
