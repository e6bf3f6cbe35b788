// Windows: random pieces of a token stream, each drawn from numbers alone.
#pragma once

#include <cstdint>
#include <string>

#include "shared/data/token_view.hpp"

namespace ladder {

/// What windows are drawn for: with the same seed, each use draws its own. `evaluation`: of the part that is trained on,
/// to stand beside those held out.
enum class WindowsFor : std::uint32_t { training = 0, held_out = 1, evaluation = 2 };

/// A window is block_size tokens and the token that follows each. Its start is drawn by Philox4x32-10 from (seed, step,
/// index, purpose) and from nothing else, so any thread, stage or rank can draw any window, and a resumed run needs no
/// position. Every start is equally likely as far as 64 random bits allow.
class Windows {
 public:
  /// `tokens` must outlive this. Throws InputError naming `source` when they are fewer than block_size + 1.
  Windows(TokenView tokens, int block_size, std::uint64_t seed, WindowsFor purpose, std::string source,
          int vocab_size);

  /// Throws InputError naming `source` and the place of a token that is not below `vocab_size`: large files are not
  /// looked through before.
  Sequence draw(std::int64_t step, int index) const;

 private:
  TokenView tokens_;
  std::size_t block_size_;
  std::uint64_t seed_;
  WindowsFor purpose_;
  std::string source_;
  int vocab_size_;
};

}  // namespace ladder
