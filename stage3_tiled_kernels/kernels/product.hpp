// What the three products of a linear layer share: the order of their blocks.
#pragma once

#include "stage3_tiled_kernels/kernels/split_product.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// What a product does besides. Known: exactly this, compiled in or out; else the launch's flags decide.
struct Extras {
  bool known = false, scaled = false, relu = false, residual = false;
  bool operator==(const Extras&) const = default;
};

/// A tile of a result: its row and column, in tiles.
struct BlockPlace {
  int row, column;
};

/// The tile of the result that block `number` owns. Blocks that run at the same time have neighbouring
/// numbers; in plain row order they would share one tile of rows of the left factor and read all of the right
/// one. Here they go down Group rows of tiles before they move to the next column, so that both factors are
/// reused out of the L2 cache.
template <int Group>
__tile__ BlockPlace grouped_block(int number, int tile_rows, int tile_columns) {
  const int blocks_in_group = Group * tile_columns;
  const int group = number / blocks_in_group;
  const int first_row = group * Group;
  const int left = tile_rows - first_row;
  const int height = left < Group ? left : Group;
  const int inside = number - group * blocks_in_group;
  return {first_row + inside % height, inside / height};
}

/// Tile (n, o) of x_ni W_oi^T, whose factors both lie in rows along the inner dimension, and tile (n, i) of dy_no W_oi.
/// The views are those of the factors, in the tiles of S. The second walks from the end of the inner dimension: in the
/// gradient of a head, that is the vocabulary, whose frequent entries come first. Their sum is large, and what thousands of
/// unlikely ones add to it, step by step, is less than half of its last digit; added before, it counts.
template <class E, table::ProductTiles S, class X, class W>
__tile__ auto product_of_rows(X x, W w, int inner, int n, int o) {
  auto y = ct::zeros<ct::tile<Wide<E>, ct::shape<S.rows, S.columns>>>();
  for (int i : ct::irange(0, tiles_for(inner, S.inner)))
    y = add_product<S.products>(ct::element_cast<Operand<E>>(x.load_masked(n, i)),
                                ct::transpose(ct::element_cast<Operand<E>>(w.load_masked(o, i))), y);
  return y;
}
template <class E, table::ProductTiles S, class X, class W>
__tile__ auto product_as_it_lies(X dy, W w, int inner, int n, int i) {
  auto dx = ct::zeros<ct::tile<Wide<E>, ct::shape<S.rows, S.columns>>>();
  const int steps = tiles_for(inner, S.inner);
  for (int step : ct::irange(0, steps)) {
    const int o = steps - 1 - step;
    dx = add_product<S.products>(ct::element_cast<Operand<E>>(dy.load_masked(n, o)),
                                 ct::element_cast<Operand<E>>(w.load_masked(o, i)), dx);
  }
  return dx;
}

/// Columns of a tile that are stored at once. A result leaves through shared memory: the smaller the piece, the
/// more of it is left for the factors on their way in.
template <table::ProductTiles S>
inline constexpr int kPieceOf = S.piece > 0 ? S.piece : S.columns;

/// Stores the tile `y` at (row, column) of a matrix, piece by piece from piece number First on.
template <table::ProductTiles S, int Divisor, int First = 0, class E, class Tile>
__tile__ void store_result(E* data, int rows, int columns, Tile y, int row, int column) {
  constexpr int kPiece = kPieceOf<S>, kPieces = S.columns / kPiece;
  const auto view = matrix<S.rows, kPiece>(promised<Divisor>(data), rows, columns);
  const auto part = ct::element_cast<E>(ct::extract(y, ct::shape<S.rows, kPiece>{}, 0, First));
  [[using cutile: hint(0, allow_tma = S.bulk_store)]] view.store_masked(part, row, column * kPieces + First);
  if constexpr (First + 1 < kPieces) store_result<S, Divisor, First + 1>(data, rows, columns, y, row, column);
}

/// The same for matrix number `index` of `depth`.
template <table::ProductTiles S, int Divisor, int First = 0, class E, class Tile>
__tile__ void store_result(E* data, int depth, int rows, int columns, Tile y, int index, int row,
                           int column) {
  constexpr int kPiece = kPieceOf<S>, kPieces = S.columns / kPiece;
  const auto view = matrices<S.rows, kPiece>(promised<Divisor>(data), depth, rows, columns);
  const auto part =
      ct::reshape<ct::shape<1, S.rows, kPiece>>(ct::extract(y, ct::shape<S.rows, kPiece>{}, 0, First));
  [[using cutile: hint(0, allow_tma = S.bulk_store)]] view.store_masked(part, index, row,
                                                                        column * kPieces + First);
  if constexpr (First + 1 < kPieces)
    store_result<S, Divisor, First + 1>(data, depth, rows, columns, y, index, row, column);
}

// ---- around launches --------------------------------------------------------------------------------------

/// Whether all of these rows may be promised to the bulk copy engine: pointers (null ones do not count) that
/// are multiples of 16 bytes, and row widths that are.
inline bool bulk_copies(std::initializer_list<const void*> pointers, std::initializer_list<int> widths,
                        Dtype dtype) {
  for (const void* data : pointers)
    if (reinterpret_cast<std::uintptr_t>(data) % 16 != 0) return false;
  for (int width : widths)
    if (static_cast<std::size_t>(width) * size_of(dtype) % 16 != 0) return false;
  return true;
}

/// Blocks of a launch over `units` pieces of work: one for each, or as many as a persistent grid holds.
inline unsigned grid_for(const table::ProductTiles& tiles, int units) {
  const int held = tiles.persistent * sm_count();
  return static_cast<unsigned>(held > 0 && held < units ? held : units);
}

/// How many stretches the inner dimension of a weight gradient is cut into, none shorter than four tiles. A number
/// is as good as the steps that a multiprocessor then takes: its units, rounded up, times the tiles of a stretch and
/// what it costs to write a part and read it again, which is as long as some 20 tiles.
inline int choose_splits(int tiles, int inner_tiles) {
  constexpr int kShortest = 4, kPart = 20, kMost = 32;
  int best = 1;
  long best_steps = 0;
  for (int splits = 1; splits <= kMost && (splits == 1 || inner_tiles / splits >= kShortest); ++splits) {
    const auto units = blocks_for(tiles * splits, sm_count());
    const auto stretch = blocks_for(inner_tiles, splits) + (splits == 1 ? 0 : kPart);
    const long steps = static_cast<long>(units) * static_cast<long>(stretch);
    if (splits == 1 || steps < best_steps) {
      best = splits;
      best_steps = steps;
    }
  }
  return best;
}

/// Rows and columns of a result.
struct ResultShape {
  int rows, columns;
};

inline int result_tiles(const table::ProductTiles& tiles, ResultShape result) {
  return static_cast<int>(blocks_for(result.rows, tiles.rows) * blocks_for(result.columns, tiles.columns));
}

/// Calls body.operator()<X>(). With bulk copies (Divisor > 1) X is the one of Compiled that is wanted, which must
/// be one of them: a load behind a flag of the launch is what nvcc 13.5 gets wrong there. Else X is unknown, and
/// the kernel asks the flags.
template <int Divisor, Extras... Compiled, class Body>
void with_extras(Extras wanted, Body&& body) {
  if constexpr (Divisor > 1) {
    const auto matches = [&]<Extras X>() {
      if (X != wanted) return false;
      body.template operator()<X>();
      return true;
    };
    require((matches.template operator()<Compiled>() || ...),
            "linear: no kernel does all that is asked at once");
  } else {
    body.template operator()<Extras{}>();
  }
}

/// The hints of a tile, for records of a launch.
constexpr Hints hints_of(const table::ProductTiles& tiles) { return {tiles.warps, tiles.occupancy}; }

/// Calls body.operator()<E, Tiles, Divisor>() with the element type and the tiles of the table: `Use` says which
/// of a row's fast tiles, which are for results that fill at least one of them.
template <table::ProductTiles table::ProductRow::*Use, class Body>
void with_product_tiles(Dtype dtype, ResultShape result, bool bulk, Body&& body) {
  with_element_type(dtype, [&](auto type) {
    using E = typename decltype(type)::type;
    with_architecture([&]<int Architecture>() {
      constexpr table::ProductRow row = table::product_tiles(Architecture, dtype_of<E>);
      constexpr table::ProductTiles fast = row.*Use, any = row.masked;
      // Plain fp32 is promised nothing: it waits for arithmetic, not for copies, and with bulk copies nvcc 13.5 makes a
      // weight gradient that, on an H200, writes outside its memory (compute-sanitizer: an atomic of its copying warp).
      constexpr bool plain_fp32 = std::is_same_v<E, float> && fast.products == Products::plain;
      constexpr int in_16_bytes = plain_fp32 ? 1 : 16 / static_cast<int>(sizeof(Stored<E>));
      if constexpr (fast != any) {
        if (bulk && result.rows >= fast.rows && result.columns >= fast.columns)
          return body.template operator()<E, fast, in_16_bytes>();
      }
      body.template operator()<E, any, 1>();
    });
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
