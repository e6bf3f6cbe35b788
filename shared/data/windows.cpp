#include "shared/data/windows.hpp"

#include <array>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/random.hpp"

namespace ladder {

Windows::Windows(TokenView tokens, int block_size, std::uint64_t seed, WindowsFor purpose, std::string source,
                 int vocab_size)
    : tokens_(tokens),
      block_size_(static_cast<std::size_t>(block_size)),
      seed_(seed),
      purpose_(purpose),
      source_(std::move(source)),
      vocab_size_(vocab_size) {
  require(tokens.size() > block_size_,
          "{}: {} tokens are too few for --block-size {}: one window is {} tokens", source_, tokens.size(),
          block_size, block_size_ + 1);
}

Sequence Windows::draw(std::int64_t step, int index) const {
  const auto s = static_cast<std::uint64_t>(step);
  const std::array<std::uint32_t, 4> words =
      philox4x32({static_cast<std::uint32_t>(s), static_cast<std::uint32_t>(s >> 32),
                  static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(purpose_)},
                 {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
  const std::uint64_t draw = (std::uint64_t{words[1]} << 32) | words[0];
  const std::size_t starts = tokens_.size() - block_size_;
  const std::size_t start = draw % starts;
  for (std::size_t i = start; i <= start + block_size_; ++i)
    require(tokens_[i] < vocab_size_,
            "{}: token {} at position {} of what is {} is not in the vocabulary, 0 to {}", source_,
            tokens_[i], i, purpose_ == WindowsFor::held_out ? "held out" : "trained on", vocab_size_ - 1);
  return tokens_.sequence(start, block_size_);
}

}  // namespace ladder
