// Linear layers with what GPT-2 has behind them, a bias and a GELU: stage 3's products (product.hpp) with other ends.
#pragma once

#include "shared/model/gpt2_ops.hpp"
#include "stage3_tiled_kernels/kernels/product.hpp"
#include "stage4_nanogpt/kernels/gelu.hpp"

namespace ladder::LADDER_SIDE::stage4 {

/// Which GELU a kernel has: one that is compiled in, or that which the launch's flag asks for. Products with bulk copies
/// are compiled for each, as stage 3's are for its extras.
enum class Form { asked, tanh, erf };

/// The GELU of a tile; `erf` counts where X leaves it to the launch.
template <Form X, class Tile>
__tile__ Tile gelu_as(Tile u, bool erf) {
  auto y = u;
  if (X == Form::asked ? erf : X == Form::erf)
    y = gelu<Gelu::erf>(u);
  else
    y = gelu<Gelu::tanh>(u);
  return y;
}
template <Form X, class Tile>
__tile__ Tile gelu_slope_as(Tile u, bool erf) {
  auto slope = u;
  if (X == Form::asked ? erf : X == Form::erf)
    slope = gelu_slope<Gelu::erf>(u);
  else
    slope = gelu_slope<Gelu::tanh>(u);
  return slope;
}

/// Columns of tile o of the bias, as a row. A layer without one has a bias of 0 elements: they are read as zeros.
template <class W, int TN, class E>
__tile__ auto bias_row(const E* __restrict__ bias_o, int biases, int o) {
  return ct::reshape<ct::shape<1, TN>>(ct::element_cast<W>(vector<TN>(bias_o, biases).load_masked(o)));
}

// Computes: y_no = x_ni W_oi^T + bias_o
// Shapes:   x_ni [N, I], w_oi [O, I], bias_o [O] -> y_no [N, O]
// Map:      one block owns TM x TN tiles of y_no, in grouped order
// Traffic:  reads N I O (1/TM + 1/TN) elements, writes N O
// FLOPs:    2 N I O (split fp32: three times that on the tensor cores)
// Bound:    the tensor cores when large; the launch when small
// Differs from the previous rung: stage 3's forward product has no bias
template <class E, table::ProductTiles S, int Divisor>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
linear_bias_forward_kernel(int rows, int in_channels, int out_channels, const Stored<E>* __restrict__ x_ni,
                           const Stored<E>* __restrict__ w_oi, const Stored<E>* __restrict__ bias_o,
                           Stored<E>* __restrict__ y_no) {
  constexpr int TM = S.rows, TN = S.columns, TK = S.inner;
  const int in = ct::assume_divisible<Divisor>(in_channels);
  const int out = ct::assume_divisible<Divisor>(out_channels);
  const auto x = matrix<TM, TK>(promised<Divisor>(x_ni), rows, in);
  const auto w = matrix<TN, TK>(promised<Divisor>(w_oi), out, in);
  const int tile_rows = tiles_for(rows, TM), tile_columns = tiles_for(out, TN);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tile_rows * tile_columns, blocks)) {
    const auto [n, o] = grouped_block<S.group>(tile, tile_rows, tile_columns);
    const auto y = product_of_rows<E, S>(x, w, in, n, o) + bias_row<Wide<E>, TN>(bias_o, out, o);
    store_result<S, Divisor>(y_no, rows, out, y, n, o);
  }
}

// Computes: before_no = x_ni W_oi^T + bias_o, y_no = gelu(the sum before it is rounded)
// Shapes:   x_ni [N, I], w_oi [O, I], bias_o [O] or nothing -> before_no, y_no [N, O]
// Map:      one block owns TM x TN tiles of both results, in grouped order
// Traffic:  reads N I O (1/TM + 1/TN) elements, writes 2 N O
// FLOPs:    2 N I O (split fp32: three times that on the tensor cores), and some 20 for each GELU
// Bound:    the tensor cores when large; the launch when small
// Differs from the previous rung: bias and GELU are made of sums that are still in registers
template <class E, table::ProductTiles S, int Divisor, Form X>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
linear_gelu_forward_kernel(int rows, int in_channels, int out_channels, const Stored<E>* __restrict__ x_ni,
                           const Stored<E>* __restrict__ w_oi, const Stored<E>* __restrict__ bias_o,
                           int biases, bool erf, Stored<E>* __restrict__ before_no,
                           Stored<E>* __restrict__ y_no) {
  constexpr int TM = S.rows, TN = S.columns, TK = S.inner;
  const int in = ct::assume_divisible<Divisor>(in_channels);
  const int out = ct::assume_divisible<Divisor>(out_channels);
  const auto x = matrix<TM, TK>(promised<Divisor>(x_ni), rows, in);
  const auto w = matrix<TN, TK>(promised<Divisor>(w_oi), out, in);
  const int tile_rows = tiles_for(rows, TM), tile_columns = tiles_for(out, TN);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tile_rows * tile_columns, blocks)) {
    const auto [n, o] = grouped_block<S.group>(tile, tile_rows, tile_columns);
    const auto before = product_of_rows<E, S>(x, w, in, n, o) + bias_row<Wide<E>, TN>(bias_o, biases, o);
    store_result<S, Divisor>(before_no, rows, out, before, n, o);
    store_result<S, Divisor>(y_no, rows, out, gelu_as<X>(before, erf), n, o);
  }
}

// Computes: dx_ni = (dy_no W_oi) gelu'(before_ni), before_ni being the sums that the layer's input is the GELU of
// Shapes:   dy_no [N, O], w_oi [O, I], before_ni [N, I] -> dx_ni [N, I]
// Map:      one block owns TM x TN tiles of dx_ni, in grouped order
// Traffic:  reads N I O (1/TM + 1/TN) + N I elements, writes N I
// FLOPs:    2 N I O (split fp32: three times that on the tensor cores), and some 25 for each derivative
// Bound:    the tensor cores when large; the launch when small
// Differs from the previous rung: GELU's derivative where stage 3 asks whether ReLU let the input through
template <class E, table::ProductTiles S, int Divisor, Form X>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
linear_backward_input_gelu_kernel(int rows, int in_channels, int out_channels,
                                  const Stored<E>* __restrict__ dy_no, const Stored<E>* __restrict__ w_oi,
                                  const Stored<E>* __restrict__ before_ni, bool erf,
                                  Stored<E>* __restrict__ dx_ni) {
  constexpr int TM = S.rows, TN = S.columns, TK = S.inner;
  const int in = ct::assume_divisible<Divisor>(in_channels);
  const int out = ct::assume_divisible<Divisor>(out_channels);
  const auto dy = matrix<TM, TK>(promised<Divisor>(dy_no), rows, out);
  const auto w = matrix<TK, TN>(promised<Divisor>(w_oi), out, in);
  const auto before = matrix<TM, TN>(promised<Divisor>(before_ni), rows, in);
  const int tile_rows = tiles_for(rows, TM), tile_columns = tiles_for(in, TN);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tile_rows * tile_columns, blocks)) {
    const auto [n, i] = grouped_block<S.group>(tile, tile_rows, tile_columns);
    const auto dx = product_as_it_lies<E, S>(dy, w, out, n, i);
    const auto u = ct::element_cast<Wide<E>>(before.load_masked(n, i));
    store_result<S, Divisor>(dx_ni, rows, in, dx * gelu_slope_as<X>(u, erf), n, i);
  }
}

// ---- launchers --------------------------------------------------------------------------------------------

/// Calls body.operator()<X>() with the form that a kernel with these tiles has for this GELU.
template <int Divisor, class Body>
void with_form(Gelu gelu, Body&& body) {
  if constexpr (Divisor == 1)
    body.template operator()<Form::asked>();
  else
    gelu == Gelu::erf ? body.template operator()<Form::erf>() : body.template operator()<Form::tanh>();
}

/// With a bias; without one it is stage 3's forward product.
inline void launch_linear_bias_forward(const LinearBiasForward& args, Stream& stream) {
  require_pointers("linear_bias_forward", {pointer("x_ni", args.x_ni), pointer("w_oi", args.w_oi),
                                           pointer("bias_o", args.bias_o), pointer("y_no", args.y_no)});
  const int rows = args.rows, in = args.in, out = args.out;
  const bool bulk = bulk_copies({args.x_ni.data, args.w_oi.data, args.y_no.data}, {in, out}, args.y_no.dtype);
  with_product_tiles<&table::ProductRow::forward>(
      args.y_no.dtype, {rows, out}, bulk, [&]<class E, table::ProductTiles S, int Divisor>() {
        using T = Stored<E>;
        launch(stream, linear_bias_forward_kernel<E, S, Divisor>,
               {"linear_bias_forward", grid_for(S, result_tiles(S, {rows, out})), hints_of(S)}, rows, in, out,
               args.x_ni.as<T>(), args.w_oi.as<T>(), args.bias_o.as<T>(), args.y_no.as<T>());
      });
}

inline void launch_linear_gelu_forward(const LinearGeluForward& args, Stream& stream) {
  require_pointers("linear_gelu_forward", {pointer("x_ni", args.x_ni), pointer("w_oi", args.w_oi),
                                           pointer("before_no", args.before_no), pointer("y_no", args.y_no)});
  const int rows = args.rows, in = args.in, out = args.out;
  const bool bulk = bulk_copies({args.x_ni.data, args.w_oi.data, args.before_no.data, args.y_no.data},
                                {in, out}, args.y_no.dtype);
  with_product_tiles<&table::ProductRow::beside>(
      args.y_no.dtype, {rows, out}, bulk, [&]<class E, table::ProductTiles S, int Divisor>() {
        using T = Stored<E>;
        with_form<Divisor>(args.gelu, [&]<Form X>() {
          launch(stream, linear_gelu_forward_kernel<E, S, Divisor, X>,
                 {"linear_gelu_forward", grid_for(S, result_tiles(S, {rows, out})), hints_of(S)}, rows, in,
                 out, args.x_ni.as<T>(), args.w_oi.as<T>(), args.bias_o.as<T>(), args.bias_o ? out : 0,
                 args.gelu == Gelu::erf, args.before_no.as<T>(), args.y_no.as<T>());
        });
      });
}

inline void launch_linear_backward_input_gelu(const LinearBackwardInputGelu& args, Stream& stream) {
  require_pointers("linear_backward_input_gelu",
                   {pointer("dy_no", args.dy_no), pointer("w_oi", args.w_oi),
                    pointer("before_ni", args.before_ni), pointer("dx_ni", args.dx_ni)});
  const int rows = args.rows, in = args.in, out = args.out;
  const bool bulk = bulk_copies({args.dy_no.data, args.w_oi.data, args.before_ni.data, args.dx_ni.data},
                                {in, out}, args.dx_ni.dtype);
  with_product_tiles<&table::ProductRow::beside>(
      args.dx_ni.dtype, {rows, in}, bulk, [&]<class E, table::ProductTiles S, int Divisor>() {
        using T = Stored<E>;
        with_form<Divisor>(args.gelu, [&]<Form X>() {
          launch(stream, linear_backward_input_gelu_kernel<E, S, Divisor, X>,
                 {"linear_backward_input_gelu", grid_for(S, result_tiles(S, {rows, in})), hints_of(S)}, rows,
                 in, out, args.dy_no.as<T>(), args.w_oi.as<T>(), args.before_ni.as<T>(),
                 args.gelu == Gelu::erf, args.dx_ni.as<T>());
        });
      });
}

}  // namespace ladder::LADDER_SIDE::stage4
