// A text as token files of a byte-level vocabulary, without its tokens ever being all in memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "shared/base/mapped_file.hpp"
#include "shared/data/bpe.hpp"

namespace ladder {

/// A text in UTF-8 as bytes, with universal newlines as read_text() has them. The file is mapped; a copy is made only
/// where a "\r" must go.
class DividedText {
 public:
  /// Throws InputError naming the path when it is missing, empty, not UTF-8, or too short for two parts.
  explicit DividedText(const std::string& path);
  DividedText(const DividedText&) = delete;
  DividedText& operator=(const DividedText&) = delete;

  std::size_t characters() const { return characters_; }
  /// The first nine tenths of the characters and the rest, as nanoGPT divides a text before it encodes either.
  std::string_view training() const { return all_.substr(0, training_bytes_); }
  std::string_view held_out() const { return all_.substr(training_bytes_); }

 private:
  std::unique_ptr<const MappedFile> mapped_;
  std::string copy_;
  std::string_view all_;
  std::size_t characters_ = 0, training_bytes_ = 0;
};

/// Throws InputError when two bytes cannot number all tokens.
void require_token_files(const BpeTokenizer& tokenizer, const std::string& name);

struct TokenCounts {
  std::size_t training, held_out;
};

/// Writes train.bin, val.bin and meta.json (token_files.hpp) into `folder`, which exists; each appears once it is
/// complete, and none before all are written.
TokenCounts write_token_files(const std::filesystem::path& folder, const DividedText& text,
                              const BpeTokenizer& tokenizer);

}  // namespace ladder
