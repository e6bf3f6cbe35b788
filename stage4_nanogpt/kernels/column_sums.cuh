// Sums over rows, in two stages: blocks leave partial sums, a second kernel adds them in the order of the blocks.
#pragma once

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
template <class T, int TR, int TC>
__tile_global__ void column_sums_kernel(int rows, int columns, const T* __restrict__ x_nc,
                                        Wide<T>* __restrict__ partial_pc) {
  using W = Wide<T>;
  const int part = ct::bid().x, first = ct::bid().y, blocks = ct::num_blocks().y;
  const auto x = matrix<TR, TC>(x_nc, rows, columns);
  auto sum = ct::zeros<ct::tile<W, ct::shape<TR, TC>>>();
  for (int tile : ct::irange(first, tiles_for(rows, TR), blocks))
    sum = sum + ct::element_cast<W>(x.load_masked(tile, part));
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

/// The second stage: adds `parts` partial sums of each of `columns` columns to `gradient_c`.
template <class W>
void launch_column_totals(Stream& stream, int parts, int columns, const W* partial_pc, W* gradient_c) {
  constexpr int TP = table::kSumParts, TC = table::kSumColumns;
  launch(stream, column_totals_kernel<W, TP, TC>, {"column_totals", {blocks_for(columns, TC)}}, parts,
         columns, partial_pc, gradient_c);
}

/// Blocks that share the rows of each tile of columns: so many that they fill the card once.
inline unsigned sum_parts(int rows, int columns) {
  const unsigned groups = blocks_for(rows, table::kSumRows);
  const unsigned most =
      static_cast<unsigned>(table::kSumOccupancy * sm_count()) / blocks_for(columns, table::kSumColumns);
  return groups < most ? groups : most > 0 ? most : 1;
}

inline void launch_bias_backward(const BiasBackward& args, Stream& stream) {
  require_pointers("bias_backward", {pointer("dy_no", args.dy_no), pointer("dbias_o", args.dbias_o)});
  constexpr int TR = table::kSumRows, TC = table::kSumColumns;
  with_stored_type(args.dy_no.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using W = Wide<T>;
    const unsigned parts = sum_parts(args.rows, args.out);
    W* partial_po = static_cast<W*>(stream.workspace(parts * static_cast<std::size_t>(args.out) * sizeof(W)));
    launch(stream, column_sums_kernel<T, TR, TC>, {"column_sums", {blocks_for(args.out, TC), parts}},
           args.rows, args.out, args.dy_no.as<T>(), partial_po);
    launch_column_totals<W>(stream, static_cast<int>(parts), args.out, partial_po, args.dbias_o.as<W>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage4
