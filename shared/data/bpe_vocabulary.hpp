// The vocabulary of a byte-level BPE tokenizer: which bytes each token stands for, and which pairs merge, in what order.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/json.hpp"

namespace ladder {

struct BpeVocabulary {
  /// Tokens `left` and `right`, one behind the other, become `whole`.
  struct Merge {
    std::int32_t left, right, whole;
  };
  std::vector<std::string> tokens;  ///< the bytes of each, by number; no two are the same
  std::vector<Merge> merges;        ///< the first is made first
};

/// The names of a vocabulary's files: of tokens and of merges, in either pair.
inline constexpr std::array kVocabularyFiles = {"vocab.json", "merges.txt", "encoder.json", "vocab.bpe"};

/// The vocabulary's two files in `folder`: vocab.json with merges.txt, as Hugging Face calls them, or else encoder.json
/// with vocab.bpe, as GPT-2's first release did. Throws InputError naming what is missing where neither pair is whole.
std::vector<std::filesystem::path> bpe_files(const std::filesystem::path& folder);

/// Reads these files; throws what bpe_files and parse_bpe_vocabulary throw.
BpeVocabulary read_bpe_vocabulary(const std::filesystem::path& folder);

/// `tokens` is a JSON object, {"TOKEN": NUMBER, ...}; `merges` has a merge a line, "LEFT RIGHT", the first to be made
/// first, behind an optional line "#version: ...". Both write a byte as one printable character. Throws InputError naming
/// the file, and the token or line, unless the numbers are 0 to n-1, each once, all 256 bytes are tokens, every merge is
/// of two tokens and makes a third, and every token of several bytes, but special ones such as <|endoftext|>, is made.
BpeVocabulary parse_bpe_vocabulary(std::string_view tokens, const std::string& tokens_name,
                                   std::string_view merges, const std::string& merges_name);

/// {"tokens": [TOKEN, ...], "merges": ["LEFT RIGHT", ...]}, written as in the files: all of it, so that what keeps this
/// needs no file beside it.
Json to_json(const BpeVocabulary& vocabulary);
/// Throws InputError naming `source` for what to_json did not write.
BpeVocabulary bpe_vocabulary_from_json(const Json& json, const std::string& source);

}  // namespace ladder
