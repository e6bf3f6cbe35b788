#include "shared/data/tokenizer.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"
#include "shared/data/bpe.hpp"

namespace ladder {

void Tokenizer::require_token(std::int32_t token) const {
  require(token >= 0 && token < vocab_size(), "token {} is not in the vocabulary of {}", token, vocab_size());
}

std::shared_ptr<const Tokenizer> tokenizer_from_json(const Json& json, const std::string& source) {
  if (json.contains("numbers")) {
    const int vocab_size = member_of<int>(json, "numbers", source);
    return naming_source(source, [&] { return std::make_shared<NumberTokenizer>(vocab_size); });
  }
  if (json.contains("merges")) return std::make_shared<BpeTokenizer>(bpe_vocabulary_from_json(json, source));
  const std::u32string characters = decode_utf8(member_of<std::string>(json, "characters", source), source);
  const bool bos = member_of<bool>(json, "bos", source);
  return naming_source(source, [&] { return std::make_shared<CharacterTokenizer>(characters, bos); });
}

CharacterTokenizer::CharacterTokenizer(std::u32string characters, bool with_bos)
    : characters_(std::move(characters)), with_bos_(with_bos) {
  require(!characters_.empty(), "a tokenizer needs at least one character");
  const auto descent = std::adjacent_find(characters_.begin(), characters_.end(), std::greater_equal<>());
  require(descent == characters_.end(), "the tokenizer's characters are not in order of code point");
}

CharacterTokenizer CharacterTokenizer::of(std::span<const std::u32string> texts, bool with_bos) {
  std::vector<bool> seen(0x110000);
  for (const std::u32string& text : texts)
    for (char32_t character : text) seen[character] = true;
  std::u32string all;
  for (char32_t character = 0; character < seen.size(); ++character)
    if (seen[character]) all.push_back(character);
  return {std::move(all), with_bos};
}

std::int32_t CharacterTokenizer::start_token() const {
  if (has_bos()) return bos();
  const std::size_t line_break = characters_.find(U'\n');
  return line_break == std::u32string::npos ? 0 : static_cast<std::int32_t>(line_break);
}

std::vector<std::int32_t> CharacterTokenizer::encode(std::u32string_view text) const {
  std::vector<std::int32_t> tokens;
  tokens.reserve(text.size());
  for (char32_t character : text) {
    const auto found = std::lower_bound(characters_.begin(), characters_.end(), character);
    // not require(): it would write the vocabulary for its message at every character
    if (found == characters_.end() || *found != character) throw InputError(unknown(character));
    tokens.push_back(static_cast<std::int32_t>(found - characters_.begin()));
  }
  return tokens;
}

std::string CharacterTokenizer::unknown(char32_t character) const {
  return fmt::format("the character '{}' (U+{:04X}) is not in the model's vocabulary: {}",
                     shown(encode_utf8(character)), static_cast<std::uint32_t>(character),
                     shown(encode_utf8(characters_)));
}

std::string CharacterTokenizer::decode(std::span<const std::int32_t> tokens) const {
  std::string text;
  for (std::int32_t token : tokens) {
    require_token(token);
    text += token == bos() ? "<BOS>" : encode_utf8(characters_[static_cast<std::size_t>(token)]);
  }
  return text;
}

Json CharacterTokenizer::to_json() const {
  return sorted({{"characters", encode_utf8(characters_)}, {"bos", with_bos_}});
}

NumberTokenizer::NumberTokenizer(int vocab_size) : vocab_size_(vocab_size) {
  require(vocab_size > 0, "a tokenizer needs at least one token, not {}", vocab_size);
}

std::vector<std::int32_t> NumberTokenizer::encode(std::u32string_view text) const {
  require(text.empty(), "the model's tokens have no text, so '{}' cannot be read: give their numbers",
          shown(encode_utf8(std::u32string(text))));
  return {};
}

std::string NumberTokenizer::decode(std::span<const std::int32_t> tokens) const {
  std::string text;
  for (std::int32_t token : tokens) {
    require_token(token);
    text += std::to_string(token) + " ";
  }
  return text;
}

Json NumberTokenizer::to_json() const { return {{"numbers", vocab_size_}}; }

}  // namespace ladder
