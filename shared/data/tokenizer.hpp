// Characters to token numbers and back.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/utf8.hpp"

namespace ladder {

/// The tokens are the distinct characters (Unicode code points) of the training text, numbered 0 .. n-1 in order of
/// code point. Document models have one more, BOS = n, which stands before and after every document.
class Tokenizer {
 public:
  Tokenizer() = default;
  /// Throws InputError unless `characters` is non-empty and strictly ascending.
  Tokenizer(std::u32string characters, bool with_bos);
  /// The distinct characters of all texts, sorted.
  static Tokenizer of(std::span<const std::u32string> texts, bool with_bos);

  int vocab_size() const { return static_cast<int>(characters_.size()) + (with_bos_ ? 1 : 0); }
  bool has_bos() const { return with_bos_; }
  /// BOS, or -1 where there is none.
  int bos() const { return with_bos_ ? static_cast<int>(characters_.size()) : -1; }
  const std::u32string& characters() const { return characters_; }

  /// Throws InputError naming the first character that is not in the vocabulary.
  std::vector<std::int32_t> encode(std::u32string_view text) const;
  /// UTF-8. BOS becomes "<BOS>", which no character of a document can be confused with in a model's output, because
  /// sampling stops there. Throws InputError for a number that is no token.
  std::string decode(std::span<const std::int32_t> tokens) const;

  bool operator==(const Tokenizer&) const = default;

 private:
  std::u32string characters_;
  bool with_bos_ = true;
};

}  // namespace ladder
