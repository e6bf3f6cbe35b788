// Sums over rows, in two stages: blocks leave partial sums, a second kernel adds them in the order of the blocks.
#pragma once

#include "stage3_tiled_kernels/kernels/product.hpp"
#include "stage4_nanogpt/configs.hpp"
#include "stage4_nanogpt/kernels/row_draws.hpp"

namespace ladder::LADDER_SIDE::stage4 {

// Computes: partial_pc[p] = sum of x_nc over the rows of block p: groups p, p + P, p + 2 P, ... of TR rows
// Shapes:   x_nc [N, C] -> partial_pc [P, C]
// Map:      one block owns TC columns and every P-th group of TR rows; it adds groups element by element, and the rows
//           of the sum once at the end
// Traffic:  reads N C elements, writes P C
// FLOPs:    N C
// Bound:    memory
// Differs from the previous rung: it is new: one block for each column would leave most of the card idle
template <class T, table::SumTiles S, int Divisor>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
column_sums_kernel(int rows, int columns_, const T* __restrict__ x_nc, Wide<T>* __restrict__ partial_pc) {
  using W = Wide<T>;
  constexpr int TR = S.rows, TC = S.columns;
  const int part = ct::bid().x, first = ct::bid().y, blocks = ct::num_blocks().y;
  const int columns = ct::assume_divisible<Divisor>(columns_);
  const auto x = matrix<TR, TC>(promised<Divisor>(x_nc), rows, columns);
  auto sum = ct::zeros<ct::tile<W, ct::shape<TR, TC>>>();
  for (int tile : ct::irange(first, tiles_for(rows, TR), blocks)) {
    ct::tile<T, ct::shape<TR, TC>> group;
    [[using cutile: hint(0, allow_tma = S.bulk_load)]] group = x.load_masked(tile, part);
    sum = sum + ct::element_cast<W>(group);
  }
  matrix<1, TC>(partial_pc, blocks, columns).store_masked(ct::sum<0>(sum), first, part);
}

// Computes: gradient_c += sum_p partial_pc
// Shapes:   partial_pc [P, C] -> gradient_c [C]
// Map:      one block owns TC columns and takes TP partial sums at a time, in order
// Traffic:  reads P C elements, reads and writes C
// FLOPs:    P C
// Bound:    latency
// Differs from the previous rung: it is new: the second of two stages, without atomics
template <class W, int TP, int TC>
__tile_global__ void column_totals_kernel(int parts, int columns, const W* __restrict__ partial_pc,
                                          W* __restrict__ gradient_c) {
  const int part = ct::bid().x;
  const auto partial = matrix<TP, TC>(partial_pc, parts, columns);
  const auto gradient = matrix<1, TC>(gradient_c, 1, columns);
  auto sum = ct::zeros<ct::tile<W, ct::shape<TP, TC>>>();
  for (int tile : ct::irange(0, tiles_for(parts, TP))) sum = sum + partial.load_masked(tile, part);
  gradient.store_masked(gradient.load_masked(0, part) + ct::sum<0>(sum), 0, part);
}

// ---- launchers --------------------------------------------------------------------------------------------

/// The second stage: adds `parts` partial sums of each of `columns` columns to `gradient_c`.
template <class W>
void launch_column_totals(Stream& stream, int parts, int columns, const W* partial_pc, W* gradient_c) {
  constexpr int TP = table::kTotalParts, TC = table::kTotalColumns;
  launch(stream, column_totals_kernel<W, TP, TC>, {"column_totals", {blocks_for(columns, TC)}}, parts,
         columns, partial_pc, gradient_c);
}

/// Blocks that share the rows of each tile of columns: so many that they fill the card once.
inline unsigned sum_parts(const table::SumTiles& tiles, int rows, int columns) {
  const unsigned groups = blocks_for(rows, tiles.rows);
  const unsigned most =
      static_cast<unsigned>(tiles.occupancy * sm_count()) / blocks_for(columns, tiles.columns);
  return groups < most ? groups : most > 0 ? most : 1;
}

/// Calls body.operator()<S, Divisor>() with the tiles for a matrix of T, large ones where the bulk copy engine may
/// fetch them.
template <class T, class Body>
void with_sum_tiles(const void* x_nc, int columns, Body&& body) {
  if constexpr (sizeof(T) <= 4) {
    if (bulk_copies({x_nc}, {columns}, dtype_of<T>))
      return body.template operator()<table::kBulkSums, 16 / static_cast<int>(sizeof(T))>();
  }
  body.template operator()<table::kSums, 1>();
}

inline void launch_bias_backward(const BiasBackward& args, Stream& stream) {
  require_pointers("bias_backward", {pointer("dy_no", args.dy_no), pointer("dbias_o", args.dbias_o)});
  with_stored_type(args.dy_no.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using W = Wide<T>;
    with_sum_tiles<T>(args.dy_no.data, args.out, [&]<table::SumTiles S, int Divisor>() {
      const unsigned parts = sum_parts(S, args.rows, args.out);
      W* partial_po =
          static_cast<W*>(stream.workspace(parts * static_cast<std::size_t>(args.out) * sizeof(W)));
      launch(stream, column_sums_kernel<T, S, Divisor>,
             {"column_sums", {blocks_for(args.out, S.columns), parts}, {S.warps, S.occupancy}}, args.rows,
             args.out, args.dy_no.as<T>(), partial_po);
      launch_column_totals<W>(stream, static_cast<int>(parts), args.out, partial_po, args.dbias_o.as<W>());
    });
  });
}

}  // namespace ladder::LADDER_SIDE::stage4
