#include "shared/data/tokenizer.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "shared/base/error.hpp"

namespace ladder {

Tokenizer::Tokenizer(std::u32string characters, bool with_bos)
    : characters_(std::move(characters)), with_bos_(with_bos) {
  require(!characters_.empty(), "a tokenizer needs at least one character");
  const auto descent = std::adjacent_find(characters_.begin(), characters_.end(), std::greater_equal<>());
  require(descent == characters_.end(), "the tokenizer's characters are not in order of code point");
}

Tokenizer Tokenizer::of(std::span<const std::u32string> texts, bool with_bos) {
  std::vector<bool> seen(0x110000);
  for (const std::u32string& text : texts)
    for (char32_t character : text) seen[character] = true;
  std::u32string all;
  for (char32_t character = 0; character < seen.size(); ++character)
    if (seen[character]) all.push_back(character);
  return {std::move(all), with_bos};
}

std::vector<std::int32_t> Tokenizer::encode(std::u32string_view text) const {
  std::vector<std::int32_t> tokens;
  tokens.reserve(text.size());
  for (char32_t character : text) {
    const auto found = std::lower_bound(characters_.begin(), characters_.end(), character);
    require(found != characters_.end() && *found == character,
            "the character '{}' (U+{:04X}) is not in the model's vocabulary: {}", encode_utf8(character),
            static_cast<std::uint32_t>(character), encode_utf8(characters_));
    tokens.push_back(static_cast<std::int32_t>(found - characters_.begin()));
  }
  return tokens;
}

std::string Tokenizer::decode(std::span<const std::int32_t> tokens) const {
  std::string text;
  for (std::int32_t token : tokens) {
    require(token >= 0 && token < vocab_size(), "token {} is not in the vocabulary of {}", token,
            vocab_size());
    text += token == bos() ? "<BOS>" : encode_utf8(characters_[static_cast<std::size_t>(token)]);
  }
  return text;
}

}  // namespace ladder
