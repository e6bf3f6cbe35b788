// The backward pass of LayerNorm with whole rows in registers, and with the sums over rows beside them.
#pragma once

#include "stage4_nanogpt/kernels/layer_norm_whole.cuh"

namespace ladder::LADDER_SIDE::stage4 {

/// Sums of one part: for each row of a group apart, since the rows are added once, at the end.
template <class T, table::NormTiles S, int I>
using PartSum = ct::tile<Wide<T>, ct::shape<S.rows, kPartWidth<S.row, I>>>;

/// The arguments of the backward pass that every part needs.
template <class T>
struct BackwardRows {
  int rows, channels;
  const T* weight_c;
  const T* dresidual_nc;
  bool residual;
  T* dx_nc;
  T* dbranch_nc;
  bool drops;
  Word place, threshold;
  Wide<T> factor;
};

/// g = dy weight of one part.
template <class T, table::NormTiles S, int I, class Part>
__tile__ auto scaled_part(Part dy, const T* weight_c, int channels) {
  return ct::element_cast<Wide<T>>(dy) * vector_part<S, I>(weight_c, true, channels);
}

/// xhat of one part. Behind the row it is not 0, but dy is.
template <class T, class Part, class Column>
__tile__ auto normed_part(Part x, Column mean, Column rstd) {
  return (ct::element_cast<Wide<T>>(x) - mean) * rstd;
}

/// Stores one part of dx and of dbranch, and adds to the sums.
template <class T, table::NormTiles S, int I, class Part, class Column>
__tile__ void finish_part(Part dy_part, Part x_part, PartSum<T, S, I>& dweight, PartSum<T, S, I>& dbias,
                          Column mean, Column rstd, Column plain, Column along, RowDraws<S.rows> draws,
                          BackwardRows<T> a, int tile) {
  using W = Wide<T>;
  const auto dy = ct::element_cast<W>(dy_part);
  const auto xhat = normed_part<T>(x_part, mean, rstd);
  dweight = dweight + dy * xhat;
  dbias = dbias + dy;
  auto dx = rstd * (scaled_part<T, S, I>(dy_part, a.weight_c, a.channels) - plain - xhat * along);
  if (a.residual)
    dx = dx + ct::element_cast<W>(
                  load_part<S.row, S.rows, I, S.bulk_load>(a.dresidual_nc, a.rows, a.channels, tile));
  store_part<S.row, S.rows, I, S.bulk_store>(a.dx_nc, a.rows, a.channels, tile, ct::element_cast<T>(dx));
  if (a.drops) {
    const auto passed = dropped<S.rows, kPartWidth<S.row, I>>(dx, draws, kPartBegin<S.row, I>, a.place,
                                                              a.threshold, a.factor);
    store_part<S.row, S.rows, I, S.bulk_store>(a.dbranch_nc, a.rows, a.channels, tile,
                                               ct::element_cast<T>(passed));
  }
}

/// Adds the rows of one part's sum, into row `block` of the partial sums.
template <table::NormTiles S, int I, class W, class Sum>
__tile__ void store_sum(Sum sum, W* partial_pc, int blocks, int channels, int block) {
  matrix<1, kPartWidth<S.row, I>>(partial_pc, blocks, channels)
      .store_masked(ct::sum<0>(sum), block, kPartIndex<S.row, I>);
}

/// Functions of several packs of parts: members, since a function's own parameters deduce one pack only.
template <class T, table::NormTiles S, class AllParts>
struct BackwardParts;
template <class T, table::NormTiles S, int... I>
struct BackwardParts<T, S, std::integer_sequence<int, I...>> {
  using W = Wide<T>;

  /// One group of rows, whose parts are in registers.
  static __tile__ void pull_back(const W* mean_n, const W* rstd_n, RowDraws<S.rows> draws, BackwardRows<T> a,
                                 int tile, PartTile<T, S, I>... dy, PartTile<T, S, I>... x,
                                 PartSum<T, S, I>&... dweight, PartSum<T, S, I>&... dbias) {
    const auto mean = load_column<S.rows>(mean_n, a.rows, tile),
               rstd = load_column<S.rows>(rstd_n, a.rows, tile);
    const W count = static_cast<W>(a.channels);
    const auto plain = sum_of_parts(scaled_part<T, S, I>(dy, a.weight_c, a.channels)...) / count;
    const auto along =
        sum_of_parts((scaled_part<T, S, I>(dy, a.weight_c, a.channels) * normed_part<T>(x, mean, rstd))...) /
        count;
    (finish_part<T, S, I>(dy, x, dweight, dbias, mean, rstd, plain, along, draws, a, tile), ...);
  }

  /// The whole work of a block; the sums of the parts begin at 0.
  static __tile__ void walk(const T* dy_nc, const T* x_nc, const W* mean_n, const W* rstd_n,
                            BackwardRows<T> a, const std::int32_t* sequence_n, const std::int32_t* starts_b,
                            const std::int64_t* step, W* dweight_pc, W* dbias_pc, bool biased,
                            PartSum<T, S, I>... dweight, PartSum<T, S, I>... dbias) {
    const int first = ct::bid().x, blocks = ct::num_blocks().x;
    for (int tile : ct::irange(first, tiles_for(a.rows, S.rows), blocks))
      pull_back(mean_n, rstd_n, row_draws_if<S.rows>(a.drops, a.rows, tile, sequence_n, starts_b, step), a,
                tile, load_part<S.row, S.rows, I, S.bulk_load>(dy_nc, a.rows, a.channels, tile)...,
                load_part<S.row, S.rows, I, S.bulk_load>(x_nc, a.rows, a.channels, tile)..., dweight...,
                dbias...);
    (store_sum<S, I>(dweight, dweight_pc, blocks, a.channels, first), ...);
    if (biased) (store_sum<S, I>(dbias, dbias_pc, blocks, a.channels, first), ...);
  }

  static __tile__ void run(const T* dy_nc, const T* x_nc, const W* mean_n, const W* rstd_n, BackwardRows<T> a,
                           const std::int32_t* sequence_n, const std::int32_t* starts_b,
                           const std::int64_t* step, W* dweight_pc, W* dbias_pc, bool biased) {
    walk(dy_nc, x_nc, mean_n, rstd_n, a, sequence_n, starts_b, step, dweight_pc, dbias_pc, biased,
         ct::zeros<PartSum<T, S, I>>()..., ct::zeros<PartSum<T, S, I>>()...);
  }
};

// Computes: dx_nc, dbranch_nc, dweight_pc, dbias_pc as layer_norm_backward_kernel
// Shapes:   as there; C as in layer_norm_forward_whole_kernel
// Map:      one block owns every num_blocks-th group of S.rows rows, and row p of the partial sums
// Traffic:  reads 2 N C elements, N C more with a residual, writes N C, N C more with dropout, and 2 P C partial sums
// FLOPs:    14 N C, and with dropout some 20 integer operations an element
// Bound:    memory
// Differs from the previous rung: rows stay in registers, and the sums over rows too
template <class T, table::NormTiles S>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
layer_norm_backward_whole_kernel(int rows, int channels_, const T* __restrict__ dy_, const T* __restrict__ x_,
                                 const T* __restrict__ weight_c, const Wide<T>* __restrict__ mean_n,
                                 const Wide<T>* __restrict__ rstd_n, const T* __restrict__ dresidual_,
                                 bool residual, const std::int32_t* __restrict__ sequence_n,
                                 const std::int32_t* __restrict__ starts_b,
                                 const std::int64_t* __restrict__ step, bool drops, Word place,
                                 Word threshold, Wide<T> factor, T* __restrict__ dx_,
                                 T* __restrict__ dbranch_, Wide<T>* __restrict__ dweight_pc,
                                 Wide<T>* __restrict__ dbias_pc, bool biased) {
  const int channels = ct::assume_divisible<16 / sizeof(T)>(channels_);
  const auto dy_nc = ct::assume_aligned<16>(dy_), x_nc = ct::assume_aligned<16>(x_);
  const BackwardRows<T> a{rows,
                          channels,
                          weight_c,
                          ct::assume_aligned<16>(dresidual_),
                          residual,
                          ct::assume_aligned<16>(dx_),
                          ct::assume_aligned<16>(dbranch_),
                          drops,
                          place,
                          threshold,
                          factor};
  BackwardParts<T, S, Parts<S.row>>::run(dy_nc, x_nc, mean_n, rstd_n, a, sequence_n, starts_b, step,
                                         dweight_pc, dbias_pc, biased);
}

}  // namespace ladder::LADDER_SIDE::stage4
