// A byte-level vocabulary that a test makes itself: the bytes, numbered by value, then what the merges make.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "shared/base/json.hpp"
#include "shared/base/utf8.hpp"
#include "shared/data/bpe.hpp"
#include "tests/support/run_program.hpp"

namespace ladder::test {

using BytePairs = std::vector<std::pair<std::string, std::string>>;

/// As a vocabulary's files write bytes: those that cannot be seen, in order, from U+0100 on.
inline std::string written(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    char32_t unseen = 0x100;
    for (int other = 0; other < value; ++other)
      unseen += other <= 32 || (other >= 127 && other <= 160) || other == 173 ? 1U : 0U;
    const bool seen = (value > 32 && value < 127) || (value > 160 && value != 173);
    text += encode_utf8(seen ? char32_t{value} : unseen);
  }
  return text;
}

struct BpeTexts {
  std::string tokens, merges;

  BpeVocabulary parsed() const { return parse_bpe_vocabulary(tokens, "v.json", merges, "m.txt"); }
  /// Under the names that Hugging Face gives them.
  void write(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    write_text(folder / "vocab.json", tokens);
    write_text(folder / "merges.txt", merges);
  }
};

/// Token 256 + i is what merge i makes; the last is the end of the text.
inline BpeTexts bpe_texts(const BytePairs& merges) {
  Json::Members tokens;
  for (int byte = 0; byte < 256; ++byte)
    tokens.push_back({written(std::string(1, static_cast<char>(byte))), byte});
  std::string lines = "#version: 0.2\n";
  for (const auto& [left, right] : merges) {
    tokens.push_back({written(left + right), tokens.size()});
    lines += written(left) + " " + written(right) + "\n";
  }
  tokens.push_back({"<|endoftext|>", tokens.size()});
  return {Json::object(std::move(tokens)).dump(), lines};
}

/// Some merges of letters, blanks and the bytes of accented letters.
inline BytePairs some_merges() {
  return {{"t", "h"},  {" ", "th"},      {"th", "e"},       {" ", "t"}, {" th", "e"},
          {"a", "a"},  {"aa", "aa"},     {"a", "b"},        {"b", "a"}, {"ab", "ab"},
          {" ", "a"},  {"\xC3", "\xA9"}, {"e", "\xC3\xA9"}, {" ", " "}, {"b", "c"},
          {"aa", "b"}, {"1", "2"},       {"\n", "\n"},      {"!", "!"}};
}

}  // namespace ladder::test
