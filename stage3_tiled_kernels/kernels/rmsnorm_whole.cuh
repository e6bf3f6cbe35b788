// RMSNorm of rows that fit into registers: each is read once, and written once.
//
// For the widths that the table of configurations has parts for; rmsnorm.cuh has the kernels for all others, and
// the choice.
#pragma once

#include "stage3_tiled_kernels/kernels/row_parts.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// (mean x^2 + 1e-5)^-1/2 of rows from the sums of their squares, as columns.
template <class Column>
__tile__ Column rstd_of(Column squares, int channels) {
  using W = ct::tile_element_t<Column>;
  return ct::ones<Column>() / ct::sqrt(squares / static_cast<W>(channels) + static_cast<W>(kRmsNormEpsilon));
}

/// Whether a row's sum of squares is beyond its type, although the root of its mean need not be.
template <class W, std::size_t Rows>
__tile__ bool overflowed(ct::tile<W, ct::shape<Rows, 1>> squares) {
  return static_cast<W>(ct::reduce_max<0>(ct::reshape<ct::shape<Rows>>(squares))) == -kBelowAll<W>;
}

/// rstd with the rows replaced whose squares overflowed: from `again`, the sums of the squares of x * kRmsNormRescue.
template <class Column>
__tile__ Column rescued(Column rstd, Column squares, Column again, int channels) {
  using W = ct::tile_element_t<Column>;
  const auto lost = squares == ct::full<Column>(-kBelowAll<W>);
  const auto found =
      ct::full<Column>(static_cast<W>(kRmsNormRescue)) / ct::sqrt(again / static_cast<W>(channels));
  return ct::select(lost, found, rstd);
}

/// From the parts of TR rows in registers to the same parts of y.
template <class T, table::NormTiles S, int... I, class... X>
__tile__ void normalize_parts(std::integer_sequence<int, I...> /*parts*/, int rows, int channels, int tile,
                              T* y_nc, Wide<T>* rstd_n, X... x) {
  using W = Wide<T>;
  const auto squares = sum_of_parts((ct::element_cast<W>(x) * ct::element_cast<W>(x))...);
  auto rstd = rstd_of(squares, channels);
  if (overflowed(squares)) {
    const W rescue = static_cast<W>(kRmsNormRescue);
    rstd = rescued(rstd, squares,
                   sum_of_parts((ct::element_cast<W>(x) * rescue) * (ct::element_cast<W>(x) * rescue)...),
                   channels);
  }
  (store_part<S.row, S.rows, I, S.bulk_store>(y_nc, rows, channels, tile,
                                              ct::element_cast<T>(ct::element_cast<W>(x) * rstd)),
   ...);
  vector<S.rows>(rstd_n, rows).store_masked(ct::reshape<ct::shape<S.rows>>(rstd), tile);
}

template <class T, table::NormTiles S, int... I>
__tile__ void normalize_whole_rows(std::integer_sequence<int, I...> parts, int rows, int channels, int tile,
                                   const T* x_nc, T* y_nc, Wide<T>* rstd_n) {
  normalize_parts<T, S>(parts, rows, channels, tile, y_nc, rstd_n,
                        load_part<S.row, S.rows, I, S.bulk_load>(x_nc, rows, channels, tile)...);
}

// Computes: rstd_n = (mean_c x^2 + 1e-5)^-1/2;  y_nc = x_nc * rstd_n
// Shapes:   x_nc [N, C] -> y_nc [N, C], rstd_n [N]; C ends in the last of the row's parts and is a multiple of
//           16 bytes
// Map:      one block owns every num_blocks-th group of S.rows rows
// Traffic:  reads N C elements, writes N C + N
// FLOPs:    3 N C
// Bound:    memory
// Differs from the previous rung: a row stays in registers between its two uses, and arrives by the bulk copy
//           engine, which fetches the next rows meanwhile
template <class T, table::NormTiles S>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
rmsnorm_forward_whole_kernel(int rows, int channels_, const T* __restrict__ x_, T* __restrict__ y_,
                             Wide<T>* __restrict__ rstd_n) {
  const int channels = ct::assume_divisible<16 / sizeof(T)>(channels_);
  const auto x_nc = ct::assume_aligned<16>(x_);
  const auto y_nc = ct::assume_aligned<16>(y_);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tiles_for(rows, S.rows), blocks))
    normalize_whole_rows<T, S>(Parts<S.row>{}, rows, channels, tile, x_nc, y_nc, rstd_n);
}

/// One part of what the backward pass reads.
template <class Part>
struct NormPart {
  Part dy, x;
};

template <class T, table::NormTiles S, int I>
__tile__ auto load_norm_part(const T* dy_nc, const T* x_nc, int rows, int channels, int tile) {
  const auto dy = load_part<S.row, S.rows, I, S.bulk_load>(dy_nc, rows, channels, tile);
  const auto x = load_part<S.row, S.rows, I, S.bulk_load>(x_nc, rows, channels, tile);
  return NormPart<ct::tile<T, ct::shape<S.rows, kPartWidth<S.row, I>>>>{dy, x};
}

/// One part of dx, from what is in registers and the residual's gradient, which is loaded where there is one.
template <class T, table::NormTiles S, int I, class Part, class Column>
__tile__ void store_dx_part(Part part, Column rstd, Column pull, const T* dresidual_nc, bool residual,
                            int rows, int channels, int tile, T* dx_nc) {
  using W = Wide<T>;
  auto dx = rstd * (ct::element_cast<W>(part.dy) - ct::element_cast<W>(part.x) * pull);
  if (residual)
    dx = dx +
         ct::element_cast<W>(load_part<S.row, S.rows, I, S.bulk_load>(dresidual_nc, rows, channels, tile));
  store_part<S.row, S.rows, I, S.bulk_store>(dx_nc, rows, channels, tile, ct::element_cast<T>(dx));
}

template <class T, table::NormTiles S, int... I, class... P>
__tile__ void pull_back_parts(std::integer_sequence<int, I...> /*parts*/, int rows, int channels, int tile,
                              const T* dresidual_nc, bool residual, const Wide<T>* rstd_n, T* dx_nc,
                              P... part) {
  using W = Wide<T>;
  const auto products = sum_of_parts((ct::element_cast<W>(part.dy) * ct::element_cast<W>(part.x))...);
  const auto rstd = ct::reshape<ct::shape<S.rows, 1>>(vector<S.rows>(rstd_n, rows).load_masked(tile));
  const auto pull = rstd * (rstd * products / static_cast<W>(channels));
  (store_dx_part<T, S, I>(part, rstd, pull, dresidual_nc, residual, rows, channels, tile, dx_nc), ...);
}

template <class T, table::NormTiles S, int... I>
__tile__ void pull_back_whole_rows(std::integer_sequence<int, I...> parts, int rows, int channels, int tile,
                                   const T* dy_nc, const T* x_nc, const T* dresidual_nc, bool residual,
                                   const Wide<T>* rstd_n, T* dx_nc) {
  pull_back_parts<T, S>(parts, rows, channels, tile, dresidual_nc, residual, rstd_n, dx_nc,
                        load_norm_part<T, S, I>(dy_nc, x_nc, rows, channels, tile)...);
}

// Computes: dx_nc as rmsnorm_backward_kernel
// Shapes:   dy_nc, x_nc, dresidual_nc (or none) [N, C], rstd_n [N] -> dx_nc [N, C]; C as in the forward kernel
// Map:      one block owns every num_blocks-th group of S.rows rows
// Traffic:  reads 2 N C elements, N C more with a residual, writes N C
// FLOPs:    5 N C, 6 N C with a residual
// Bound:    memory
// Differs from the previous rung: rows stay in registers, as in the forward kernel
template <class T, table::NormTiles S>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
rmsnorm_backward_whole_kernel(int rows, int channels_, const T* __restrict__ dy_, const T* __restrict__ x_,
                              const T* __restrict__ dresidual_, bool residual,
                              const Wide<T>* __restrict__ rstd_n, T* __restrict__ dx_) {
  const int channels = ct::assume_divisible<16 / sizeof(T)>(channels_);
  const auto dy_nc = ct::assume_aligned<16>(dy_);
  const auto x_nc = ct::assume_aligned<16>(x_);
  const auto dresidual_nc = ct::assume_aligned<16>(dresidual_);
  const auto dx_nc = ct::assume_aligned<16>(dx_);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tiles_for(rows, S.rows), blocks))
    pull_back_whole_rows<T, S>(Parts<S.row>{}, rows, channels, tile, dy_nc, x_nc, dresidual_nc, residual,
                               rstd_n, dx_nc);
}

}  // namespace ladder::LADDER_SIDE::stage3
