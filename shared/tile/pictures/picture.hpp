// Draws traces of tile kernels as SVG. What is drawn comes from the trace's steps alone; few digits and few colours, so
// that every compiler draws the same bytes.
#pragma once

#include <string>

#include "shared/tile/pictures/traced_block.hpp"

namespace ladder {

/// A product: for each turn of its loop the two factors beside the result, the tiles that it loads, and the sum.
std::string product_picture(const TileTrace& trace);

/// Attention: the matrix of scores with the tiles of keys that the block visits, and maximum and sum after each.
std::string attention_picture(const TileTrace& trace);

/// Any kernel: every step of the block as a small map of its values.
std::string steps_picture(const TileTrace& trace);

/// The one of these that suits the kernel.
std::string picture_of(const TileTrace& trace);

}  // namespace ladder
