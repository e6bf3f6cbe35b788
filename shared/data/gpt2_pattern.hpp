// How GPT-2 cuts a text before it merges: into words with the blank before them, numbers, signs and white space.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "shared/base/utf8.hpp"

namespace ladder {

/// Finds the pieces of a text by GPT-2's published pattern. PCRE2 is behind it, in gpt2_pattern.cpp alone. One thread
/// may use one at a time: it keeps what the last match found.
class Gpt2Pattern {
 public:
  Gpt2Pattern();
  Gpt2Pattern(const Gpt2Pattern&) = delete;
  Gpt2Pattern& operator=(const Gpt2Pattern&) = delete;
  ~Gpt2Pattern();

  /// Calls body(piece) for the pieces of `bytes` in order; together they are all of it, and none is empty. The pattern
  /// speaks of characters: bytes that are not UTF-8 stand between two texts, those without a character between them as
  /// one piece.
  template <class Body>
  void for_each_piece(std::string_view bytes, Body&& body) {
    while (!bytes.empty()) {
      const std::string_view text = bytes.substr(0, valid_utf8_length(bytes));
      for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = piece_end(text, begin);
        body(text.substr(begin, end - begin));
        begin = end;
      }
      bytes.remove_prefix(text.size());
      const std::size_t others = invalid_length(bytes);
      if (others > 0) body(bytes.substr(0, others));
      bytes.remove_prefix(others);
    }
  }

 private:
  /// Where the piece ends that begins at `begin` of `text`, which is UTF-8.
  std::size_t piece_end(std::string_view text, std::size_t begin);
  /// How many bytes pass until a character begins.
  static std::size_t invalid_length(std::string_view bytes);

  struct Match;
  std::unique_ptr<Match> match_;
};

}  // namespace ladder
