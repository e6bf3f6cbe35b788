// Grid and Launch: how many blocks, under which name, with which hints. The same on both sides.
#pragma once

#include <concepts>
#include <cstddef>

#include "shared/device/hints.hpp"

namespace ladder::tile {

/// Blocks of a launch; sizes that are left out are 1.
struct Grid {
  unsigned x = 1, y = 1, z = 1;
  constexpr Grid() = default;
  constexpr Grid(std::integral auto size_x)
      : x(static_cast<unsigned>(size_x)) {}  // NOLINT: a number is a grid
  constexpr Grid(std::integral auto size_x, std::integral auto size_y)
      : x(static_cast<unsigned>(size_x)), y(static_cast<unsigned>(size_y)) {}
  constexpr Grid(std::integral auto size_x, std::integral auto size_y, std::integral auto size_z)
      : x(static_cast<unsigned>(size_x)),
        y(static_cast<unsigned>(size_y)),
        z(static_cast<unsigned>(size_z)) {}
  constexpr std::size_t count() const { return static_cast<std::size_t>(x) * y * z; }
};

/// A kernel's name, for lists and messages, its grid, and the hints that the kernel gives the compiler, for the record:
/// {"matmul", {tiles_n, tiles_m}} or {"matmul", {tiles_n, tiles_m}, {.worker_warps = 8}}.
struct Launch {
  const char* name;  ///< a string literal
  Grid grid;
  Hints hints = {};
};

}  // namespace ladder::tile
