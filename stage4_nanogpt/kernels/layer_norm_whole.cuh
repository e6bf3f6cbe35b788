// LayerNorm of rows that fit into registers: each is read once, and written once.
//
// For the widths that the table of configurations has parts for; layer_norm_any.cuh has the kernels for all others,
// layer_norm.cuh the choice. How a row lies in parts is stage 3's (row_parts.hpp).
#pragma once

#include "stage3_tiled_kernels/kernels/row_parts.hpp"
#include "stage4_nanogpt/kernels/layer_norm_any.cuh"

namespace ladder::LADDER_SIDE::stage4 {

/// The tile of part I.
template <class T, table::NormTiles S, int I>
using PartTile = ct::tile<T, ct::shape<S.rows, kPartWidth<S.row, I>>>;

/// Part I of a vector as a row: 0 where there is no vector.
template <table::NormTiles S, int I, class T>
__tile__ auto vector_part(const T* data_c, bool given, int channels) {
  return row_part<kPartWidth<S.row, I>>(data_c, given, channels, kPartIndex<S.row, I>);
}

/// The squares of `factor` times (x - mean) of part I; only the last part hangs over the row.
template <table::NormTiles S, int I, class Part, class Column, class W>
__tile__ Part squares_of_part(Part x, Column mean, W factor, int channels) {
  if constexpr (kPartLast<S.row, I>) {
    const auto d = centred<S.rows, kPartWidth<S.row, I>>(x, mean, kPartBegin<S.row, I>, channels) * factor;
    return d * d;
  } else {
    const auto d = (x - mean) * factor;
    return d * d;
  }
}

/// One part of y from the part of x.
template <class T, table::NormTiles S, int I, class Part, class Column>
__tile__ void store_normed_part(Part x, Column mean, Column rstd, const T* weight_c, const T* bias_c,
                                bool biased, int rows, int channels, int tile, T* y_nc) {
  const auto scaled =
      (ct::element_cast<Wide<T>>(x) - mean) * rstd * vector_part<S, I>(weight_c, true, channels);
  store_part<S.row, S.rows, I, S.bulk_store>(
      y_nc, rows, channels, tile, ct::element_cast<T>(scaled + vector_part<S, I>(bias_c, biased, channels)));
}

/// From the parts of S.rows rows in registers to those of y.
template <class T, table::NormTiles S, int... I, class... X>
__tile__ void normalize_parts(std::integer_sequence<int, I...> /*parts*/, int rows, int channels, int tile,
                              const T* weight_c, const T* bias_c, bool biased, T* y_nc, Wide<T>* mean_n,
                              Wide<T>* rstd_n, X... x) {
  using W = Wide<T>;
  const auto mean = sum_of_parts(ct::element_cast<W>(x)...) / static_cast<W>(channels);
  const auto squares = sum_of_parts(squares_of_part<S, I>(ct::element_cast<W>(x), mean, W(1), channels)...);
  auto rstd = rstd_of(squares, channels);
  if (overflowed(squares))
    rstd = rescued(rstd, squares,
                   sum_of_parts(squares_of_part<S, I>(ct::element_cast<W>(x), mean,
                                                      static_cast<W>(kRmsNormRescue), channels)...),
                   channels);
  (store_normed_part<T, S, I>(x, mean, rstd, weight_c, bias_c, biased, rows, channels, tile, y_nc), ...);
  store_column<S.rows>(mean_n, rows, tile, mean);
  store_column<S.rows>(rstd_n, rows, tile, rstd);
}

template <class T, table::NormTiles S, int... I>
__tile__ void normalize_whole_rows(std::integer_sequence<int, I...> parts, int rows, int channels, int tile,
                                   const T* x_nc, const T* weight_c, const T* bias_c, bool biased, T* y_nc,
                                   Wide<T>* mean_n, Wide<T>* rstd_n) {
  normalize_parts<T, S>(parts, rows, channels, tile, weight_c, bias_c, biased, y_nc, mean_n, rstd_n,
                        load_part<S.row, S.rows, I, S.bulk_load>(x_nc, rows, channels, tile)...);
}

// Computes: mean_n, rstd_n, y_nc as layer_norm_forward_kernel
// Shapes:   x_nc [N, C], weight_c, bias_c (or none) [C] -> y_nc [N, C], mean_n, rstd_n [N]; C ends in the last of the
//           row's parts and is a multiple of 16 bytes
// Map:      one block owns every num_blocks-th group of S.rows rows
// Traffic:  reads N C elements, writes N C + 2 N
// FLOPs:    8 N C
// Bound:    memory
// Differs from the previous rung: a row stays in registers between its three uses, so that the variance around the mean
//           costs no more memory than the mean of the squares
template <class T, table::NormTiles S>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
layer_norm_forward_whole_kernel(int rows, int channels_, const T* __restrict__ x_,
                                const T* __restrict__ weight_c, const T* __restrict__ bias_c, bool biased,
                                T* __restrict__ y_, Wide<T>* __restrict__ mean_n,
                                Wide<T>* __restrict__ rstd_n) {
  const int channels = ct::assume_divisible<16 / sizeof(T)>(channels_);
  const auto x_nc = ct::assume_aligned<16>(x_);
  const auto y_nc = ct::assume_aligned<16>(y_);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tiles_for(rows, S.rows), blocks))
    normalize_whole_rows<T, S>(Parts<S.row>{}, rows, channels, tile, x_nc, weight_c, bias_c, biased, y_nc,
                               mean_n, rstd_n);
}

/// Part I of the residual's sum, which it stores.
template <class T, table::NormTiles S, int I>
__tile__ PartTile<T, S, I> add_part(const T* residual_nc, const T* branch_nc, RowDraws<S.rows> draws,
                                    bool drops, Word place, Word threshold, Wide<T> factor, int rows,
                                    int channels, int tile, T* sum_nc) {
  using W = Wide<T>;
  const auto residual = load_part<S.row, S.rows, I, S.bulk_load>(residual_nc, rows, channels, tile);
  auto added = ct::element_cast<W>(load_part<S.row, S.rows, I, S.bulk_load>(branch_nc, rows, channels, tile));
  if (drops)
    added =
        dropped<S.rows, kPartWidth<S.row, I>>(added, draws, kPartBegin<S.row, I>, place, threshold, factor);
  const auto sum = ct::element_cast<T>(ct::element_cast<W>(residual) + added);
  store_part<S.row, S.rows, I, S.bulk_store>(sum_nc, rows, channels, tile, sum);
  return sum;
}

/// row_draws() where something is dropped, otherwise nothing that anybody reads.
template <int TR>
__tile__ RowDraws<TR> row_draws_if(bool drops, int rows, int tile, const std::int32_t* sequence_n,
                                   const std::int32_t* starts_b, const std::int64_t* step) {
  const auto none = ct::zeros<ct::tile<Word, ct::shape<TR, 1>>>();
  RowDraws<TR> draws{none != none, none, none, 0, 0};
  if (drops) draws = row_draws<TR>(rows, tile, sequence_n, starts_b, step);
  return draws;
}

template <class T, table::NormTiles S, int... I>
__tile__ void normalize_whole_sums(std::integer_sequence<int, I...> parts, int rows, int channels, int tile,
                                   const T* residual_nc, const T* branch_nc, RowDraws<S.rows> draws,
                                   bool drops, Word place, Word threshold, Wide<T> factor, const T* weight_c,
                                   const T* bias_c, bool biased, T* sum_nc, T* y_nc, Wide<T>* mean_n,
                                   Wide<T>* rstd_n) {
  normalize_parts<T, S>(parts, rows, channels, tile, weight_c, bias_c, biased, y_nc, mean_n, rstd_n,
                        add_part<T, S, I>(residual_nc, branch_nc, draws, drops, place, threshold, factor,
                                          rows, channels, tile, sum_nc)...);
}

// Computes: sum_nc, y_nc, mean_n, rstd_n as residual_layer_norm_forward_kernel
// Shapes:   residual_nc, branch_nc [N, C], sequence_n [N], starts_b [B], weight_c, bias_c (or none) [C] -> sum_nc, y_nc
//           [N, C], mean_n, rstd_n [N]; C as in layer_norm_forward_whole_kernel
// Map:      one block owns every num_blocks-th group of S.rows rows
// Traffic:  reads 2 N C elements, writes 2 N C + 2 N
// FLOPs:    10 N C, and with dropout some 20 integer operations an element
// Bound:    memory
// Differs from the previous rung: the sum is stored and goes on in registers
template <class T, table::NormTiles S>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
residual_layer_norm_forward_whole_kernel(
    int rows, int channels_, const T* __restrict__ residual_, const T* __restrict__ branch_,
    const std::int32_t* __restrict__ sequence_n, const std::int32_t* __restrict__ starts_b,
    const std::int64_t* __restrict__ step, bool drops, Word place, Word threshold, Wide<T> factor,
    const T* __restrict__ weight_c, const T* __restrict__ bias_c, bool biased, T* __restrict__ sum_,
    T* __restrict__ y_, Wide<T>* __restrict__ mean_n, Wide<T>* __restrict__ rstd_n) {
  const int channels = ct::assume_divisible<16 / sizeof(T)>(channels_);
  const auto residual_nc = ct::assume_aligned<16>(residual_), branch_nc = ct::assume_aligned<16>(branch_);
  const auto sum_nc = ct::assume_aligned<16>(sum_), y_nc = ct::assume_aligned<16>(y_);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tiles_for(rows, S.rows), blocks))
    normalize_whole_sums<T, S>(Parts<S.row>{}, rows, channels, tile, residual_nc, branch_nc,
                               row_draws_if<S.rows>(drops, rows, tile, sequence_n, starts_b, step), drops,
                               place, threshold, factor, weight_c, bias_c, biased, sum_nc, y_nc, mean_n,
                               rstd_n);
}

}  // namespace ladder::LADDER_SIDE::stage4
