// Text to token numbers and back: what every tokenizer can do, and the two simple ones; bpe.hpp has GPT-2's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/json.hpp"
#include "shared/base/utf8.hpp"

namespace ladder {

/// Immutable. Whoever keeps one holds a std::shared_ptr<const Tokenizer>: a data source, a checkpoint and a saved model
/// share theirs.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual int vocab_size() const = 0;
  /// The token that stands before and after every document, or -1 where there is none.
  virtual int bos() const = 0;
  bool has_bos() const { return bos() >= 0; }
  /// The token at which a generated text is complete, or -1 where there is none.
  virtual int end() const { return bos(); }
  /// What a text that has no prompt starts from: BOS; without one the end of the text before it, a line break, or else
  /// the first token.
  virtual std::int32_t start_token() const = 0;

  /// Throws InputError naming the first part of the text that no token stands for.
  virtual std::vector<std::int32_t> encode(std::u32string_view text) const = 0;
  /// UTF-8, but for a tokenizer of bytes: there a token may end in the middle of a character, and a model may never end
  /// it, so what people are to read goes through readable_utf8() when all tokens are decoded. Throws InputError for a
  /// number that is no token.
  virtual std::string decode(std::span<const std::int32_t> tokens) const = 0;

  /// All there is to know about it: what files keep, and what tokenizer_from_json reads.
  virtual Json to_json() const = 0;

  /// Equal are two that give the same tokens to the same text.
  friend bool operator==(const Tokenizer& a, const Tokenizer& b) {
    return a.vocab_size() == b.vocab_size() && a.to_json() == b.to_json();
  }

 protected:
  Tokenizer() = default;
  Tokenizer(const Tokenizer&) = default;
  Tokenizer& operator=(const Tokenizer&) = default;
  /// Throws InputError unless `token` is one.
  void require_token(std::int32_t token) const;
};

/// The tokenizer that to_json() described. Throws InputError naming `source` when it describes none.
std::shared_ptr<const Tokenizer> tokenizer_from_json(const Json& json, const std::string& source);

/// The tokens are the distinct characters (Unicode code points) of the training text, numbered 0 .. n-1 in order of
/// code point. Document models have one more, BOS = n, which stands before and after every document.
class CharacterTokenizer final : public Tokenizer {
 public:
  /// Throws InputError unless `characters` is non-empty and strictly ascending.
  CharacterTokenizer(std::u32string characters, bool with_bos);
  /// The distinct characters of all texts, sorted.
  static CharacterTokenizer of(std::span<const std::u32string> texts, bool with_bos);

  int vocab_size() const override { return static_cast<int>(characters_.size()) + (with_bos_ ? 1 : 0); }
  int bos() const override { return with_bos_ ? static_cast<int>(characters_.size()) : -1; }
  std::int32_t start_token() const override;
  const std::u32string& characters() const { return characters_; }

  std::vector<std::int32_t> encode(std::u32string_view text) const override;
  /// BOS becomes "<BOS>", which no character of a document can be confused with in a model's output, because sampling
  /// stops there.
  std::string decode(std::span<const std::int32_t> tokens) const override;
  Json to_json() const override;

 private:
  std::string unknown(char32_t character) const;  ///< the message about it

  std::u32string characters_;
  bool with_bos_;
};

/// Tokens whose text is not known: they are written as their numbers, and no text stands for them.
class NumberTokenizer final : public Tokenizer {
 public:
  /// Throws InputError unless vocab_size is 1 or more.
  explicit NumberTokenizer(int vocab_size);

  int vocab_size() const override { return vocab_size_; }
  int bos() const override { return -1; }
  std::int32_t start_token() const override { return 0; }
  /// Throws InputError unless the text is empty.
  std::vector<std::int32_t> encode(std::u32string_view text) const override;
  /// Each number with a blank behind it: "12 5 7 ".
  std::string decode(std::span<const std::int32_t> tokens) const override;
  Json to_json() const override;

 private:
  int vocab_size_;
};

}  // namespace ladder
