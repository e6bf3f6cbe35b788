// Draws blocks of tile kernels as SVG. What is drawn comes from a block's steps alone; few digits and few colours, so
// that every compiler draws the same bytes.
#pragma once

#include <string>

#include "shared/tile/pictures/logged_block.hpp"

namespace ladder {

/// A product: for each turn of its loop the two factors beside the result, the tiles that it loads, and the sum.
std::string product_picture(const LoggedBlock& logged);

/// Attention: the matrix of scores with the tiles of keys that the block visits, and maximum and sum after each.
std::string attention_picture(const LoggedBlock& logged);

/// Any kernel: every step of the block as a small map of its values.
std::string steps_picture(const LoggedBlock& logged);

/// The one of these that suits the kernel.
std::string picture_of(const LoggedBlock& logged);

}  // namespace ladder
