// The one table of configurations: which tiles each architecture uses. Nothing else in this stage holds a
// tile size.
//
// A row is for one architecture; a launcher takes the row of the card it runs on, or the nearest when there
// is none (nearest(), which the stage's Ops reports). A tile that several rows share is one instantiation,
// since kernels are templates over the numbers and not over the row.
#pragma once

#include <array>
#include <cstddef>

#include "stage3_tiled_kernels/configs/attention.hpp"
#include "stage3_tiled_kernels/configs/products.hpp"
#include "stage3_tiled_kernels/configs/rows.hpp"

namespace ladder::table {

/// Architectures with rows in the table. The CPU model counts as the middle one.
inline constexpr std::array kArchitectures = {80, 90, 100, 120};
inline constexpr int kModelArchitecture = 90;

/// The architecture among `rows` (ascending) to use on a card of compute capability `card` (90 for 9.0): the
/// newest that is not newer than the card, since tiles that fit an older card fit; the oldest for a card
/// older than all.
template <std::size_t N>
constexpr int nearest(int card, const std::array<int, N>& rows) {
  int found = rows.front();
  for (int architecture : rows)
    if (architecture <= card) found = architecture;
  return found;
}

}  // namespace ladder::table
