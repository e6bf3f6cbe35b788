// RMSNorm: every row divided by its root mean square.
//
// A block works on TR rows at once, TC channels at a time: once to sum the squares, once to write. What the
// second walk reads again was read a moment ago and is still in the cache. The static kernel has a block for
// every TR rows; the persistent one has as many blocks as the card runs at once, each of which goes on to the
// next TR rows that no other block takes. That pays when there are many more rows than multiprocessors:
// launching a block costs more than a loop.
#pragma once

#include "stage3_tiled_kernels/kernels/rmsnorm_whole.cuh"

namespace ladder::LADDER_SIDE::stage3 {

/// Sum of the squares of `factor` times TR rows, as a column.
template <int TR, int TC, class T>
__tile__ auto squares_of_rows(const T* x_nc, int rows, int channels, int tile, Wide<T> factor) {
  using W = Wide<T>;
  const auto x = matrix<TR, TC>(x_nc, rows, channels);
  auto squares = ct::zeros<ct::tile<W, ct::shape<TR, TC>>>();
  for (int j : ct::irange(0, tiles_for(channels, TC))) {
    const auto part = ct::element_cast<W>(x.load_masked(tile, j)) * factor;
    squares = squares + part * part;
  }
  return ct::sum<1>(squares);
}

/// rstd of TR rows, as a column.
template <int TR, int TC, class T>
__tile__ auto rstd_of_rows(const T* x_nc, int rows, int channels, int tile) {
  using W = Wide<T>;
  const auto squares = squares_of_rows<TR, TC>(x_nc, rows, channels, tile, W(1));
  auto rstd = rstd_of(squares, channels);
  if (overflowed(squares))
    rstd = rescued(rstd, squares,
                   squares_of_rows<TR, TC>(x_nc, rows, channels, tile, static_cast<W>(kRmsNormRescue)),
                   channels);
  return rstd;
}

/// The work of one block on TR rows.
template <int TR, int TC, class T>
__tile__ void normalize_rows(const T* x_nc, int rows, int channels, int tile, T* y_nc, Wide<T>* rstd_n) {
  const auto rstd = rstd_of_rows<TR, TC>(x_nc, rows, channels, tile);
  const auto x = matrix<TR, TC>(x_nc, rows, channels);
  const auto y = matrix<TR, TC>(y_nc, rows, channels);
  for (int j : ct::irange(0, tiles_for(channels, TC)))
    y.store_masked(ct::element_cast<T>(ct::element_cast<Wide<T>>(x.load_masked(tile, j)) * rstd), tile, j);
  vector<TR>(rstd_n, rows).store_masked(ct::reshape<ct::shape<TR>>(rstd), tile);
}

// Computes: rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n
// Shapes:   x_nc [N, C] -> y_nc [N, C], rstd_n [N]
// Map:      one block owns TR rows
// Traffic:  reads 2 N C elements, half of them from the cache, writes N C + N
// FLOPs:    3 N C
// Bound:    memory
// Differs from the previous rung: a block reads rows side by side instead of one thread down each
template <class T, int TR, int TC>
__tile_global__ void rmsnorm_forward_kernel(int rows, int channels, const T* __restrict__ x_nc,
                                            T* __restrict__ y_nc, Wide<T>* __restrict__ rstd_n) {
  normalize_rows<TR, TC>(x_nc, rows, channels, ct::bid().x, y_nc, rstd_n);
}

// Computes: rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n
// Shapes:   x_nc [N, C] -> y_nc [N, C], rstd_n [N]
// Map:      one block owns every num_blocks-th group of TR rows
// Traffic:  reads 2 N C elements, half of them from the cache, writes N C + N
// FLOPs:    3 N C
// Bound:    memory
// Differs from the previous rung: beside the static kernel, a loop over rows inside the block
template <class T, int TR, int TC>
__tile_global__ void rmsnorm_forward_persistent_kernel(int rows, int channels, const T* __restrict__ x_nc,
                                                       T* __restrict__ y_nc, Wide<T>* __restrict__ rstd_n) {
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tiles_for(rows, TR), blocks))
    normalize_rows<TR, TC>(x_nc, rows, channels, tile, y_nc, rstd_n);
}

// Computes: rstd_n alone, for a product that takes the scale in (linear_forward)
// Shapes:   x_nc [N, C] -> rstd_n [N]
// Map:      one block owns TR rows
// Traffic:  reads N C elements, writes N
// FLOPs:    2 N C
// Bound:    memory
// Differs from the previous rung: it is new: y is neither written nor read again
template <class T, int TR, int TC>
__tile_global__ void rmsnorm_scale_kernel(int rows, int channels, const T* __restrict__ x_nc,
                                          Wide<T>* __restrict__ rstd_n) {
  const int tile = ct::bid().x;
  const auto rstd = rstd_of_rows<TR, TC>(x_nc, rows, channels, tile);
  vector<TR>(rstd_n, rows).store_masked(ct::reshape<ct::shape<TR>>(rstd), tile);
}

// Computes: dx_nc = dresidual_nc + rstd_n * (dy_nc - x_nc * rstd_n^2 * mean_c(dy * x))
//           With r = rstd: y_i = x_i r and dr/dx_j = -r^3 x_j / C, so dx_j = r dy_j - r^3 x_j sum_i(dy_i x_i)
//           / C.
// Shapes:   dy_nc, x_nc, dresidual_nc (or none) [N, C], rstd_n [N] -> dx_nc [N, C]
// Map:      one block owns every num_blocks-th group of TR rows: static when there
//           are as many blocks as groups
// Traffic:  reads 4 N C elements, half of them from the cache, N C more with a residual, writes N C
// FLOPs:    5 N C, 6 N C with a residual
// Bound:    memory
// Differs from the previous rung: a block reads rows side by side instead of one thread down each
template <class T, int TR, int TC>
__tile_global__ void rmsnorm_backward_kernel(int rows, int channels, const T* __restrict__ dy_nc,
                                             const T* __restrict__ x_nc, const T* __restrict__ dresidual_nc,
                                             bool residual, const Wide<T>* __restrict__ rstd_n,
                                             T* __restrict__ dx_nc) {
  using W = Wide<T>;
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  const auto dy = matrix<TR, TC>(dy_nc, rows, channels);
  const auto x = matrix<TR, TC>(x_nc, rows, channels);
  const auto dresidual = matrix<TR, TC>(dresidual_nc, rows, channels);
  const auto dx = matrix<TR, TC>(dx_nc, rows, channels);
  for (int tile : ct::irange(first, tiles_for(rows, TR), blocks)) {
    auto products = ct::zeros<ct::tile<W, ct::shape<TR, TC>>>();
    for (int j : ct::irange(0, tiles_for(channels, TC)))
      products = products +
                 ct::element_cast<W>(dy.load_masked(tile, j)) * ct::element_cast<W>(x.load_masked(tile, j));
    const auto rstd = ct::reshape<ct::shape<TR, 1>>(vector<TR>(rstd_n, rows).load_masked(tile));
    // rstd^2 alone may be too small a number
    const auto pull = rstd * (rstd * ct::sum<1>(products) / static_cast<W>(channels));
    for (int j : ct::irange(0, tiles_for(channels, TC))) {
      const auto dy_part = ct::element_cast<W>(dy.load_masked(tile, j));
      auto dx_part = rstd * (dy_part - ct::element_cast<W>(x.load_masked(tile, j)) * pull);
      if (residual) dx_part = dx_part + ct::element_cast<W>(dresidual.load_masked(tile, j));
      dx.store_masked(ct::element_cast<T>(dx_part), tile, j);
    }
  }
}

// ---- launchers --------------------------------------------------------------------------------------------

/// The rule for persistent grids: more rows than twice the multiprocessors.
inline bool persistent(int rows) { return rows > 2 * sm_count(); }

/// Blocks of a persistent grid: a few for each multiprocessor, never more than there are groups of rows.
inline unsigned persistent_blocks(int rows) {
  constexpr unsigned kBlocksOfAMultiprocessor = 4;
  const unsigned most = kBlocksOfAMultiprocessor * static_cast<unsigned>(sm_count());
  const unsigned groups = blocks_for(rows, table::kNormRows);
  return groups < most ? groups : most;
}

/// Calls body.operator()<S>() with the table's tiles for whole rows of T of this width and these pointers, those of
/// the forward or the backward kernel; false where there are none.
template <class T, bool Forward, class Body>
bool with_whole_rows(int channels, std::initializer_list<const void*> pointers, Body&& body) {
  bool found = false;
  with_architecture([&]<int A>() {
    const auto attempt = [&]<std::size_t I>() {
      if constexpr (table::kNorms[I].architecture == A && table::kNorms[I].dtype == dtype_of<T>) {
        constexpr table::NormTiles S = Forward ? table::kNorms[I].forward : table::kNorms[I].backward;
        if (found || !whole_row_fits<T>(S.row, channels, pointers)) return;
        found = true;
        body.template operator()<S>();
      }
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) { (attempt.template operator()<I>(), ...); }
    (std::make_index_sequence<table::kNorms.size()>{});
  });
  return found;
}

/// A block for every group of rows, or as many as a card runs at once.
template <table::NormTiles S>
unsigned whole_row_blocks(int rows) {
  const unsigned groups = blocks_for(rows, S.rows);
  const auto most = static_cast<unsigned>(S.occupancy * sm_count());
  return S.persistent && persistent(rows) && groups > most ? most : groups;
}

inline void launch_rmsnorm_forward(const RmsNormForward& args, Stream& stream) {
  require_pointers("rmsnorm_forward",
                   {pointer("x_nc", args.x_nc), pointer("y_nc", args.y_nc), pointer("rstd_n", args.rstd_n)});
  constexpr int TR = table::kNormRows, TC = table::kNormChannels;
  with_stored_type(args.x_nc.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto go = [&](const tile::Launch& where, auto kernel) {
      launch(stream, kernel, where, args.rows, args.channels, args.x_nc.as<T>(), args.y_nc.as<T>(),
             args.rstd_n.as<Wide<T>>());
    };
    const bool whole =
        with_whole_rows<T, true>(args.channels, {args.x_nc.data, args.y_nc.data}, [&]<table::NormTiles S>() {
          go({"rmsnorm_forward_whole", whole_row_blocks<S>(args.rows)}, rmsnorm_forward_whole_kernel<T, S>);
        });
    if (whole) return;
    if (persistent(args.rows))
      go({"rmsnorm_forward_persistent", persistent_blocks(args.rows)},
         rmsnorm_forward_persistent_kernel<T, TR, TC>);
    else
      go({"rmsnorm_forward", blocks_for(args.rows, TR)}, rmsnorm_forward_kernel<T, TR, TC>);
  });
}

/// rstd_n of x_nc without y_nc, which may be empty.
inline void launch_rmsnorm_scale(const RmsNormForward& args, Stream& stream) {
  require_pointers("rmsnorm_scale", {pointer("x_nc", args.x_nc), pointer("rstd_n", args.rstd_n)});
  constexpr int TR = table::kNormRows, TC = table::kNormChannels;
  with_stored_type(args.x_nc.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, rmsnorm_scale_kernel<T, TR, TC>, {"rmsnorm_scale", blocks_for(args.rows, TR)}, args.rows,
           args.channels, args.x_nc.as<T>(), args.rstd_n.as<Wide<T>>());
  });
}

inline void launch_rmsnorm_backward(const RmsNormBackward& args, Stream& stream) {
  require_pointers("rmsnorm_backward", {pointer("dy_nc", args.dy_nc), pointer("x_nc", args.x_nc),
                                        pointer("rstd_n", args.rstd_n), pointer("dx_nc", args.dx_nc)});
  constexpr int TR = table::kNormRows, TC = table::kNormChannels;
  with_stored_type(args.x_nc.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto go = [&](const tile::Launch& where, auto kernel) {
      launch(stream, kernel, where, args.rows, args.channels, args.dy_nc.as<T>(), args.x_nc.as<T>(),
             args.dresidual_nc.as<T>(), static_cast<bool>(args.dresidual_nc), args.rstd_n.as<Wide<T>>(),
             args.dx_nc.as<T>());
    };
    const bool whole = with_whole_rows<T, false>(
        args.channels, {args.dy_nc.data, args.x_nc.data, args.dresidual_nc.data, args.dx_nc.data},
        [&]<table::NormTiles S>() {
          go({"rmsnorm_backward_whole", whole_row_blocks<S>(args.rows)}, rmsnorm_backward_whole_kernel<T, S>);
        });
    if (whole) return;
    const unsigned blocks = persistent(args.rows) ? persistent_blocks(args.rows) : blocks_for(args.rows, TR);
    go({"rmsnorm_backward", blocks}, rmsnorm_backward_kernel<T, TR, TC>);
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
