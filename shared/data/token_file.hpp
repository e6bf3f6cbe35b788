// One file of tokens, in either form: raw, or with the header that llm.c writes before them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "shared/base/files.hpp"
#include "shared/base/mapped_file.hpp"
#include "shared/data/token_view.hpp"

namespace ladder {

/// GPT-2's, of which a token file with a header is by definition.
constexpr int kGpt2Vocabulary = 50257;
/// What two bytes can number.
constexpr int kMostTokens = 0x10000;

/// A file's tokens, where they lie in it.
struct TokenFile {
  std::string name;
  std::shared_ptr<const MappedFile> bytes;  ///< what the tokens are a view of
  TokenView tokens;
  bool has_header = false;
};

/// Maps the file: nothing but its header is read, so that the largest costs no more than the smallest. Raw: uint16,
/// little-endian, two bytes a token. With a header: 256 int32 (20240520, version 1, the number of tokens, the others
/// unused), then the same. Throws InputError naming the file when it is empty, not of whole tokens, of another version,
/// or announces another number of tokens than it has.
TokenFile map_token_file(const std::filesystem::path& path);

/// Writes raw tokens, some at a time; they appear as a file when the AtomicFile is committed.
class TokenWriter {
 public:
  explicit TokenWriter(AtomicFile& file) : file_(file) {}
  /// Each from 0 to kMostTokens - 1.
  void append(std::int32_t token);
  /// Hands over what is left; to be called before the file is committed.
  void flush();
  std::size_t count() const { return count_; }

 private:
  AtomicFile& file_;
  std::string bytes_;
  std::size_t count_ = 0;
};

}  // namespace ladder
