// Block: which block of which launch this thread is running, and who is watching it.
#pragma once

#include <cstdint>

#include "shared/tile/grid.hpp"

namespace ladder::tile {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

class BlockLog;

struct Block {
  const char* kernel = "(no kernel)";
  Index id;
  Grid grid;
  std::uint32_t number = 0;  ///< id as one number, x fastest
  bool checked = false;      ///< every access is compared with the registered buffers
  BlockLog* log = nullptr;   ///< where each operation's result is written down, or null
};

/// The block that this thread is running. A breakpoint in a kernel shows it as ladder::tile::this_block.
inline thread_local constinit Block this_block{};

}  // namespace ladder::tile
