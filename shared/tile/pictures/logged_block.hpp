// A block's log when it is done: what pictures are drawn from.
#pragma once

#include <string>
#include <vector>

#include "shared/tile/block_log.hpp"

namespace ladder {

/// What one block of a launch did.
struct LoggedBlock {
  std::string kernel;
  tile::Index block;
  tile::Grid grid;
  std::vector<tile::BlockLog::Step> steps;
  std::string json;
};

}  // namespace ladder
