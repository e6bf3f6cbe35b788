// LayerNorm of rows of any width, forward and backward, alone and behind a residual addition.
//
// A block works on TR rows, TC channels at a time, and walks along them as often as the formula needs: for the mean,
// for the variance around it, for the result. What a walk reads again is still in the cache. The mean of x^2 minus the
// mean's square would spare a walk and lose every digit of a row whose mean is large.
#pragma once

#include "stage3_tiled_kernels/kernels/rmsnorm_whole.cuh"
#include "stage4_nanogpt/kernels/row_draws.hpp"

namespace ladder::LADDER_SIDE::stage4 {

// rstd_of, overflowed and rescued are RMSNorm's, with the squares of x - mean for those of x.
static_assert(kLayerNormEpsilon == kRmsNormEpsilon);

/// x - mean for the columns from `first` on that lie inside the row, 0 behind it.
template <int TR, int TC, class W>
__tile__ ct::tile<W, ct::shape<TR, TC>> centred(ct::tile<W, ct::shape<TR, TC>> x,
                                                ct::tile<W, ct::shape<TR, 1>> mean, int first, int channels) {
  return ct::select(row_of_indices<TC>(first) < channels, x - mean,
                    ct::zeros<ct::tile<W, ct::shape<TR, TC>>>());
}

/// Part `j` of a vector as a row: 0 where there is no vector.
template <int TC, class T>
__tile__ ct::tile<Wide<T>, ct::shape<1, TC>> row_part(const T* data_c, bool given, int channels, int j) {
  auto row = ct::zeros<ct::tile<T, ct::shape<1, TC>>>();
  if (given) row = matrix<1, TC>(data_c, 1, channels).load_masked(0, j);
  return ct::element_cast<Wide<T>>(row);
}

/// A number for each of TR rows, as a column.
template <int TR, class W>
__tile__ ct::tile<W, ct::shape<TR, 1>> load_column(const W* data_n, int rows, int tile) {
  return ct::reshape<ct::shape<TR, 1>>(vector<TR>(data_n, rows).load_masked(tile));
}
template <int TR, class W>
__tile__ void store_column(W* data_n, int rows, int tile, ct::tile<W, ct::shape<TR, 1>> column) {
  vector<TR>(data_n, rows).store_masked(ct::reshape<ct::shape<TR>>(column), tile);
}

/// Sum of the squares of `factor` times (x - mean) of TR rows, as a column.
template <int TR, int TC, class T>
__tile__ auto centred_squares(const T* x_nc, int rows, int channels, int tile,
                              ct::tile<Wide<T>, ct::shape<TR, 1>> mean, Wide<T> factor) {
  using W = Wide<T>;
  const auto x = matrix<TR, TC>(x_nc, rows, channels);
  auto squares = ct::zeros<ct::tile<W, ct::shape<TR, TC>>>();
  for (int j : ct::irange(0, tiles_for(channels, TC))) {
    const auto part = ct::element_cast<W>(x.load_masked(tile, j));
    const auto d = centred<TR, TC, W>(part, mean, j * TC, channels) * factor;
    squares = squares + d * d;
  }
  return ct::sum<1>(squares);
}

/// The work of one block on TR rows.
template <class T, int TR, int TC>
__tile__ void normalize_rows(const T* x_nc, int rows, int channels, int tile, const T* weight_c,
                             const T* bias_c, bool biased, T* y_nc, Wide<T>* mean_n, Wide<T>* rstd_n) {
  using W = Wide<T>;
  const auto x = matrix<TR, TC>(x_nc, rows, channels);
  const auto y = matrix<TR, TC>(y_nc, rows, channels);
  const int parts = tiles_for(channels, TC);
  auto sum = ct::zeros<ct::tile<W, ct::shape<TR, TC>>>();
  for (int j : ct::irange(0, parts)) sum = sum + ct::element_cast<W>(x.load_masked(tile, j));
  const auto mean = ct::sum<1>(sum) / static_cast<W>(channels);
  const auto squares = centred_squares<TR, TC>(x_nc, rows, channels, tile, mean, W(1));
  auto rstd = rstd_of(squares, channels);
  if (overflowed(squares))
    rstd = rescued(rstd, squares,
                   centred_squares<TR, TC>(x_nc, rows, channels, tile, mean, static_cast<W>(kRmsNormRescue)),
                   channels);
  for (int j : ct::irange(0, parts)) {
    const auto normed = (ct::element_cast<W>(x.load_masked(tile, j)) - mean) * rstd;
    const auto scaled = normed * row_part<TC>(weight_c, true, channels, j);
    y.store_masked(ct::element_cast<T>(scaled + row_part<TC>(bias_c, biased, channels, j)), tile, j);
  }
  store_column<TR>(mean_n, rows, tile, mean);
  store_column<TR>(rstd_n, rows, tile, rstd);
}

// Computes: mean_n = mean_c x;  rstd_n = (mean_c (x - mean)^2 + 1e-5)^-1/2;
//           y_nc = (x_nc - mean_n) rstd_n weight_c + bias_c
// Shapes:   x_nc [N, C], weight_c, bias_c (or none) [C] -> y_nc [N, C], mean_n, rstd_n [N]
// Map:      one block owns every num_blocks-th group of TR rows: static when there are as many blocks as groups
// Traffic:  reads 3 N C elements, two thirds of them from the cache, writes N C + 2 N
// FLOPs:    8 N C
// Bound:    memory
// Differs from the previous rung: RMSNorm with a mean, and so with a third walk
template <class T, int TR, int TC>
__tile_global__ void layer_norm_forward_kernel(int rows, int channels, const T* __restrict__ x_nc,
                                               const T* __restrict__ weight_c, const T* __restrict__ bias_c,
                                               bool biased, T* __restrict__ y_nc,
                                               Wide<T>* __restrict__ mean_n, Wide<T>* __restrict__ rstd_n) {
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tiles_for(rows, TR), blocks))
    normalize_rows<T, TR, TC>(x_nc, rows, channels, tile, weight_c, bias_c, biased, y_nc, mean_n, rstd_n);
}

// Computes: sum_nc = residual_nc + dropout(branch_nc);  y_nc, mean_n, rstd_n = LayerNorm of sum_nc
// Shapes:   residual_nc, branch_nc [N, C], sequence_n [N], starts_b [B], weight_c, bias_c (or none) [C] -> sum_nc, y_nc
//           [N, C], mean_n, rstd_n [N]
// Map:      one block owns every num_blocks-th group of TR rows, whose sums it reads again
// Traffic:  reads 5 N C elements, 3 of them from the cache, writes 2 N C + 2 N
// FLOPs:    10 N C, and with dropout some 20 integer operations an element
// Bound:    memory
// Differs from the previous rung: the residual's sum is normalized where it was made
template <class T, int TR, int TC>
__tile_global__ void residual_layer_norm_forward_kernel(
    int rows, int channels, const T* __restrict__ residual_nc, const T* __restrict__ branch_nc,
    const std::int32_t* __restrict__ sequence_n, const std::int32_t* __restrict__ starts_b,
    const std::int64_t* __restrict__ step, bool drops, Word place, Word threshold, Wide<T> factor,
    const T* __restrict__ weight_c, const T* __restrict__ bias_c, bool biased, T* sum_nc,
    T* __restrict__ y_nc, Wide<T>* __restrict__ mean_n, Wide<T>* __restrict__ rstd_n) {
  using W = Wide<T>;
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  const auto residual = matrix<TR, TC>(residual_nc, rows, channels);
  const auto branch = matrix<TR, TC>(branch_nc, rows, channels);
  const auto sum = matrix<TR, TC>(sum_nc, rows, channels);
  for (int tile : ct::irange(first, tiles_for(rows, TR), blocks)) {
    for (int j : ct::irange(0, tiles_for(channels, TC))) {
      auto added = ct::element_cast<W>(branch.load_masked(tile, j));
      if (drops)
        added = dropped<TR, TC>(added, row_draws<TR>(rows, tile, sequence_n, starts_b, step), j * TC, place,
                                threshold, factor);
      sum.store_masked(ct::element_cast<T>(ct::element_cast<W>(residual.load_masked(tile, j)) + added), tile,
                       j);
    }
    normalize_rows<T, TR, TC>(sum_nc, rows, channels, tile, weight_c, bias_c, biased, y_nc, mean_n, rstd_n);
  }
}

/// What the backward pass subtracts from each row of g = dy weight: mean_c g, and mean_c (g xhat) for each xhat.
template <class Column>
struct NormPulls {
  Column plain, along;
};

template <class T, int TR, int TC, class Column>
__tile__ NormPulls<Column> norm_pulls(const T* dy_nc, const T* x_nc, const T* weight_c, int rows,
                                      int channels, int tile, Column mean, Column rstd) {
  using W = Wide<T>;
  const auto dy = matrix<TR, TC>(dy_nc, rows, channels);
  const auto x = matrix<TR, TC>(x_nc, rows, channels);
  auto sum = ct::zeros<ct::tile<W, ct::shape<TR, TC>>>(), products = sum;
  for (int j : ct::irange(0, tiles_for(channels, TC))) {
    const auto g = ct::element_cast<W>(dy.load_masked(tile, j)) * row_part<TC>(weight_c, true, channels, j);
    sum = sum + g;
    products = products + g * ((ct::element_cast<W>(x.load_masked(tile, j)) - mean) * rstd);
  }
  return {ct::sum<1>(sum) / static_cast<W>(channels), ct::sum<1>(products) / static_cast<W>(channels)};
}

/// Adds the column sums of a tile to those that the block has left in its row of `partial_pc`, or begins them.
template <int TC, class W, class Part>
__tile__ void add_to_partial(W* partial_pc, int blocks, int channels, int block, int j, bool begins,
                             Part part) {
  const auto partial = matrix<1, TC>(partial_pc, blocks, channels);
  auto sum = ct::sum<0>(part);
  if (!begins) sum = sum + partial.load_masked(block, j);
  partial.store_masked(sum, block, j);
}

// Computes: dx_nc = dresidual_nc + rstd_n (g - mean_c(g) - xhat mean_c(g xhat)), g = dy weight, xhat = (x - mean) rstd;
//           dbranch_nc = dropout(dx_nc);  dweight_pc[p], dbias_pc[p] = the sums of dy xhat and of dy over the rows of
//           block p
//           With y = xhat weight: dxhat_j/dx_i = rstd ([i = j] - 1/C - xhat_i xhat_j / C), times g_j and summed.
// Shapes:   dy_nc, x_nc, dresidual_nc (or none) [N, C], weight_c [C], mean_n, rstd_n [N], sequence_n [N], starts_b [B]
//           -> dx_nc, dbranch_nc (with dropout) [N, C], dweight_pc, dbias_pc (or none) [P, C]
// Map:      one block owns every num_blocks-th group of TR rows, and row p of the partial sums
// Traffic:  reads 4 N C elements, half of them from the cache, N C more with a residual, writes N C, N C more with
//           dropout; reads and writes 2 C partial sums for every TR rows, in the cache
// FLOPs:    14 N C
// Bound:    memory
// Differs from the previous rung: it is new: RMSNorm has no weights
template <class T, int TR, int TC>
__tile_global__ void layer_norm_backward_kernel(
    int rows, int channels, const T* __restrict__ dy_nc, const T* __restrict__ x_nc,
    const T* __restrict__ weight_c, const Wide<T>* __restrict__ mean_n, const Wide<T>* __restrict__ rstd_n,
    const T* __restrict__ dresidual_nc, bool residual, const std::int32_t* __restrict__ sequence_n,
    const std::int32_t* __restrict__ starts_b, const std::int64_t* __restrict__ step, bool drops, Word place,
    Word threshold, Wide<T> factor, T* __restrict__ dx_nc, T* __restrict__ dbranch_nc, Wide<T>* dweight_pc,
    Wide<T>* dbias_pc, bool biased) {
  using W = Wide<T>;
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  const auto dy = matrix<TR, TC>(dy_nc, rows, channels);
  const auto x = matrix<TR, TC>(x_nc, rows, channels);
  const auto dresidual = matrix<TR, TC>(dresidual_nc, rows, channels);
  const auto dx = matrix<TR, TC>(dx_nc, rows, channels);
  const auto dbranch = matrix<TR, TC>(dbranch_nc, rows, channels);
  for (int tile : ct::irange(first, tiles_for(rows, TR), blocks)) {
    const auto mean = load_column<TR>(mean_n, rows, tile), rstd = load_column<TR>(rstd_n, rows, tile);
    const auto pull = norm_pulls<T, TR, TC>(dy_nc, x_nc, weight_c, rows, channels, tile, mean, rstd);
    for (int j : ct::irange(0, tiles_for(channels, TC))) {
      const auto dy_part = ct::element_cast<W>(dy.load_masked(tile, j));
      const auto xhat = (ct::element_cast<W>(x.load_masked(tile, j)) - mean) * rstd;
      const auto g = dy_part * row_part<TC>(weight_c, true, channels, j);
      auto dx_part = rstd * (g - pull.plain - xhat * pull.along);
      if (residual) dx_part = dx_part + ct::element_cast<W>(dresidual.load_masked(tile, j));
      dx.store_masked(ct::element_cast<T>(dx_part), tile, j);
      if (drops) {
        const auto draws = row_draws<TR>(rows, tile, sequence_n, starts_b, step);
        dbranch.store_masked(
            ct::element_cast<T>(dropped<TR, TC>(dx_part, draws, j * TC, place, threshold, factor)), tile, j);
      }
      add_to_partial<TC>(dweight_pc, blocks, channels, first, j, tile == first, dy_part * xhat);
      if (biased) add_to_partial<TC>(dbias_pc, blocks, channels, first, j, tile == first, dy_part);
    }
  }
}

}  // namespace ladder::LADDER_SIDE::stage4
