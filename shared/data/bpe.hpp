// GPT-2's tokenizer: byte-level BPE. A text is cut into pieces (gpt2_pattern.hpp); a piece's bytes are merged in pairs,
// always the pair that the vocabulary lists first, until none is listed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/data/bpe_vocabulary.hpp"
#include "shared/data/merge_table.hpp"
#include "shared/data/tokenizer.hpp"

namespace ladder {

/// Encodes any bytes, UTF-8 or not, and decodes to the same bytes. Texts never become the token "<|endoftext|>", whatever
/// they hold: it stands between texts, is what a generated one starts from, and ends it.
class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(BpeVocabulary vocabulary);

  int vocab_size() const override { return static_cast<int>(vocabulary_.tokens.size()); }
  int bos() const override { return -1; }
  int end() const override { return end_of_text_; }
  std::int32_t start_token() const override { return start_token_; }

  std::vector<std::int32_t> encode(std::u32string_view text) const override;
  std::vector<std::int32_t> encode_bytes(std::string_view bytes) const;
  /// The same in parts: take(ids) is called for some at a time, in order, so that a long text's are never all in memory.
  void encode_bytes(std::string_view bytes,
                    const std::function<void(std::span<const std::int32_t>)>& take) const;
  /// The bytes, which need not be UTF-8.
  std::string decode(std::span<const std::int32_t> tokens) const override;
  Json to_json() const override { return ladder::to_json(vocabulary_); }

  static constexpr std::string_view kEndOfText = "<|endoftext|>";

 private:
  BpeVocabulary vocabulary_;
  MergeTable table_;
  std::int32_t end_of_text_ = -1, start_token_ = 0;
};

}  // namespace ladder
