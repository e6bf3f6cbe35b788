// A trace when it is done: what pictures are drawn from.
#pragma once

#include <string>
#include <vector>

#include "shared/tile/trace.hpp"

namespace ladder {

/// What one block of a launch did.
struct TileTrace {
  std::string kernel;
  tile::Index block;
  tile::Grid grid;
  std::vector<tile::Trace::Step> steps;
  std::string json;
};

}  // namespace ladder
