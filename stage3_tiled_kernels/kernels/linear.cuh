// Linear layers y = x W^T: the product and its two gradients, as tiles.
//
// The three kernels are one loop: a block owns a tile of the result, walks along the inner dimension, loads a
// tile of each factor and multiplies them. They differ in which factor lies transposed in memory:
//   forward          y_no  = x_ni W_oi^T     NT: both rows run along the inner dimension i
//   backward input   dx_ni = dy_no W_oi      NN: W's rows run along the result
//   backward weight  dW_oi = dy_no^T x_ni    TN: both rows run along the result; n, the inner one, is long
#pragma once

#include "stage3_tiled_kernels/kernels/product.hpp"

namespace ladder::LADDER_SIDE::stage3 {

// Each block goes through the tiles number b, b + blocks, b + 2 blocks, ...: all of its own with a block for each
// tile, several on a persistent grid, where the loads of the next tile overlap the stores of the last.
//
// What a product may do besides (scale, ReLU, residual) is known when it is compiled (Extras) where bulk copies feed
// it: a flag of the launch costs registers even where it is false.

// Computes: y_no = residual_no + relu(rstd_n * x_ni W_oi^T); each of the three extras may be left out
//           rmsnorm(x) W^T = (rstd x) W^T = rstd (x W^T): the norm's scale belongs to a row, so it can wait
//           until the sum is complete and the loads stay plain copies
// Shapes:   x_ni [N, I], w_oi [O, I], rstd_n [N], residual_no [N, O] -> y_no [N, O]
// Map:      one block owns TM x TN tiles of y_no; blocks go through the matrix in groups (grouped_block)
// Traffic:  reads N I O (1/TM + 1/TN) elements, writes N O
// FLOPs:    2 N I O (split fp32: three times that on the tensor cores)
// Bound:    the tensor cores when large; the launch when small
// Differs from the previous rung: a tile of y instead of an element: what is loaded serves TM or TN products
template <class E, table::ProductTiles S, int Divisor, Extras X>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
linear_forward_kernel(int rows, int in_channels, int out_channels, const Stored<E>* __restrict__ x_ni,
                      const Stored<E>* __restrict__ w_oi, const Wide<E>* __restrict__ rstd_n,
                      const Stored<E>* __restrict__ residual_no, bool scaled, bool relu, bool residual,
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
    auto y = product_of_rows<E, S>(x, w, in, n, o);
    if (X.known ? X.scaled : scaled)
      y = y * ct::reshape<ct::shape<TM, 1>>(vector<TM>(rstd_n, rows).load_masked(n));
    if (X.known ? X.relu : relu)
      y = ct::max(y, ct::zeros<ct::tile<Wide<E>, ct::shape<TM, TN>>>(), ct::propagate_nan_t{});
    if (X.known ? X.residual : residual) {
      const auto added = matrix<TM, TN>(promised<Divisor>(residual_no), rows, out);
      y = y + ct::element_cast<Wide<E>>(added.load_masked(n, o));
    }
    store_result<S, Divisor>(y_no, rows, out, y, n, o);
  }
}

// Computes: dx_ni = dy_no W_oi; with relu: 0 where relu_ni, the layer's input, is not positive
// Shapes:   dy_no [N, O], w_oi [O, I], relu_ni [N, I] -> dx_ni [N, I]
// Map:      one block owns TM x TN tiles of dx_ni, in grouped order
// Traffic:  reads N I O (1/TM + 1/TN) elements (N I more with relu), writes N I
// FLOPs:    2 N I O (split fp32: three times that on the tensor cores)
// Bound:    the tensor cores when large; the launch when small
// Differs from the previous rung: tiles; beside the forward kernel, W is loaded as it lies
template <class E, table::ProductTiles S, int Divisor, Extras X>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
linear_backward_input_kernel(int rows, int in_channels, int out_channels, const Stored<E>* __restrict__ dy_no,
                             const Stored<E>* __restrict__ w_oi, const Stored<E>* __restrict__ relu_ni,
                             bool relu, Stored<E>* __restrict__ dx_ni) {
  constexpr int TM = S.rows, TN = S.columns, TK = S.inner;
  const int in = ct::assume_divisible<Divisor>(in_channels);
  const int out = ct::assume_divisible<Divisor>(out_channels);
  const auto dy = matrix<TM, TK>(promised<Divisor>(dy_no), rows, out);
  const auto w = matrix<TK, TN>(promised<Divisor>(w_oi), out, in);
  const int tile_rows = tiles_for(rows, TM), tile_columns = tiles_for(in, TN);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int tile : ct::irange(first, tile_rows * tile_columns, blocks)) {
    const auto [n, i] = grouped_block<S.group>(tile, tile_rows, tile_columns);
    auto dx = product_as_it_lies<E, S>(dy, w, out, n, i);
    if (X.known ? X.relu : relu) {
      const auto input = matrix<TM, TN>(promised<Divisor>(relu_ni), rows, in).load_masked(n, i);
      dx = ct::select(ct::element_cast<Wide<E>>(input) > Wide<E>(0), dx,
                      ct::zeros<ct::tile<Wide<E>, ct::shape<TM, TN>>>());
    }
    store_result<S, Divisor>(dx_ni, rows, in, dx, n, i);
  }
}

// Computes: sums_soi[s] = (old sums_soi[s] if add, which only tiles without bulk copies can) + the share of split s in
//           dy_no^T x_ni
// Shapes:   dy_no [N, O], x_ni [N, I] -> sums_soi [S, O, I]
// Map:      one block owns TM x TN tiles of dW for one of S stretches of the rows (split-K): a small W has
//           few tiles, and the rows are many. With add (S = 1) sums_soi is dW itself, else
//           linear_weight_sum adds the S parts up. All tiles of a stretch come before the next: they read the same rows
// Traffic:  reads N I O (1/TM + 1/TN) elements, writes S I O
// FLOPs:    2 N I O (split fp32: three times that on the tensor cores)
// Bound:    the tensor cores when large; the launch when small
// Differs from the previous rung: tiles, and as many blocks as the card holds, not one for each element
template <class E, table::ProductTiles S, int Divisor>
[[using cutile: hint(0, num_worker_warps_per_cta = S.warps, occupancy = S.occupancy)]] __tile_global__ void
linear_backward_weight_kernel(int rows, int in_channels, int out_channels, int splits,
                              const Stored<E>* __restrict__ dy_no, const Stored<E>* __restrict__ x_ni,
                              bool add, Wide<E>* __restrict__ sums_soi) {
  constexpr int TM = S.rows, TN = S.columns, TK = S.inner;
  const int in = ct::assume_divisible<Divisor>(in_channels);
  const int out = ct::assume_divisible<Divisor>(out_channels);
  const auto dy = matrix<TK, TM>(promised<Divisor>(dy_no), rows, out);
  const auto x = matrix<TK, TN>(promised<Divisor>(x_ni), rows, in);
  const int tile_rows = tiles_for(out, TM), tile_columns = tiles_for(in, TN);
  const int tiles = tile_rows * tile_columns, all = tiles_for(rows, TK), share = tiles_for(all, splits);
  const int first = ct::bid().x, blocks = ct::num_blocks().x;
  for (int unit : ct::irange(first, tiles * splits, blocks)) {
    const int s = unit / tiles;
    const auto [o, i] = grouped_block<S.group>(unit - s * tiles, tile_rows, tile_columns);
    const int end = (s + 1) * share < all ? (s + 1) * share : all;
    auto dw = ct::zeros<ct::tile<Wide<E>, ct::shape<TM, TN>>>();
    if constexpr (Divisor ==
                  1) {  // with bulk copies, what nvcc 13.5 makes of this load writes outside its memory
      if (add) {
        const auto old = matrices<TM, TN>(sums_soi, splits, out, in);
        dw = ct::reshape<ct::shape<TM, TN>>(old.load_masked(s, o, i));
      }
    }
    for (int n : ct::irange(s * share, end))
      dw = add_product<S.products>(ct::transpose(ct::element_cast<Operand<E>>(dy.load_masked(n, o))),
                                   ct::element_cast<Operand<E>>(x.load_masked(n, i)), dw);
    store_result<S, Divisor>(sums_soi, splits, out, in, dw, s, o, i);
  }
}

// Computes: scaled_ni = rstd_n x_ni, rounded as x is: rmsnorm(x) for a weight gradient, where the scale of row n
//           stands inside the sum over n. Scaled as it is loaded, every tile of x would leave the way from shared
//           memory into the tensor cores, and the product would take five times as long
// Shapes:   x_ni [N, I], rstd_n [N] -> scaled_ni [N, I]
// Map:      one block owns a tile of TR x TC elements
// Traffic:  reads N I elements, writes N I
// FLOPs:    N I
// Bound:    memory
// Differs from the previous rung: there is none: the thread that summed scaled what it read
template <class E, int TR, int TC, int Divisor>
__tile_global__ void linear_scale_rows_kernel(int rows, int in_channels, const Stored<E>* __restrict__ x_ni,
                                              const Wide<E>* __restrict__ rstd_n,
                                              Stored<E>* __restrict__ scaled_ni) {
  const int in = ct::assume_divisible<Divisor>(in_channels);
  const int n = ct::bid().x, i = ct::bid().y;
  const auto x_tile = matrix<TR, TC>(promised<Divisor>(x_ni), rows, in).load_masked(n, i);
  const auto rstd = ct::reshape<ct::shape<TR, 1>>(vector<TR>(rstd_n, rows).load_masked(n));
  const auto scaled = ct::element_cast<Stored<E>>(ct::element_cast<Wide<E>>(x_tile) * rstd);
  matrix<TR, TC>(promised<Divisor>(scaled_ni), rows, in).store_masked(scaled, n, i);
}

// Computes: dW_oi += sum_s sums_soi[s], in the order of s: the same bits on every run
// Shapes:   sums_soi [S, O I] -> dw_oi [O I]
// Map:      one block owns TN elements of dW
// Traffic:  reads (S + 1) I O elements, writes I O
// FLOPs:    S I O
// Bound:    memory
// Differs from the previous rung: there is none: one thread walked all rows
template <class W, int TN, int Divisor>
__tile_global__ void linear_weight_sum_kernel(int elements, int splits, const W* __restrict__ sums_soi,
                                              W* __restrict__ dw_oi) {
  const int count = ct::assume_divisible<Divisor>(elements);
  const auto sums = matrix<1, TN>(promised<Divisor>(sums_soi), splits, count);
  const auto dw = matrix<1, TN>(promised<Divisor>(dw_oi), 1, count);
  const int i = ct::bid().x;
  auto sum = dw.load_masked(0, i);
  for (int s : ct::irange(0, splits)) sum = sum + sums.load_masked(s, i);
  dw.store_masked(sum, 0, i);
}

// ---- launchers --------------------------------------------------------------------------------------------

/// What the fused operations ask of the forward product; empty ones are left out.
struct ForwardExtras {
  Stat rstd_n;
  bool relu = false;
  Act residual_no;
};

/// With the tiles of a row's `Use`, whose kernels have any of Compiled built in.
template <table::ProductTiles table::ProductRow::*Use, Extras... Compiled>
void start_linear_forward(const LinearForward& args, const ForwardExtras& extras, Extras wanted, bool bulk,
                          Stream& stream) {
  const int rows = args.rows, in = args.in, out = args.out;
  const auto start = [&]<class E, table::ProductTiles S, int Divisor>() {
    const tile::Launch where{"linear_forward", grid_for(S, result_tiles(S, {rows, out})), hints_of(S)};
    with_extras<Divisor, Compiled...>(wanted, [&]<Extras X>() {
      launch(stream, linear_forward_kernel<E, S, Divisor, X>, where, rows, in, out, args.x_ni.as<Stored<E>>(),
             args.w_oi.as<Stored<E>>(), extras.rstd_n.as<Wide<E>>(), extras.residual_no.as<Stored<E>>(),
             wanted.scaled, wanted.relu, wanted.residual, args.y_no.as<Stored<E>>());
    });
  };
  with_product_tiles<Use>(args.y_no.dtype, {rows, out}, bulk, start);
}

inline void launch_linear_forward(const LinearForward& args, const ForwardExtras& extras, Stream& stream) {
  require_pointers("linear_forward",
                   {pointer("x_ni", args.x_ni), pointer("w_oi", args.w_oi), pointer("y_no", args.y_no)});
  const bool bulk = bulk_copies({args.x_ni.data, args.w_oi.data, args.y_no.data, extras.residual_no.data},
                                {args.in, args.out}, args.y_no.dtype);
  const Extras wanted{.known = true,
                      .scaled = static_cast<bool>(extras.rstd_n),
                      .relu = extras.relu,
                      .residual = static_cast<bool>(extras.residual_no)};
  constexpr Extras kPlain{.known = true}, kScaled{.known = true, .scaled = true},
      kScaledRelu{.known = true, .scaled = true, .relu = true}, kResidual{.known = true, .residual = true};
  using Row = table::ProductRow;
  if (wanted.residual)
    start_linear_forward<&Row::beside, kResidual>(args, extras, wanted, bulk, stream);
  else
    start_linear_forward<&Row::forward, kPlain, kScaled, kScaledRelu>(args, extras, wanted, bulk, stream);
}

inline void launch_linear_forward(const LinearForward& args, Stream& stream) {
  launch_linear_forward(args, ForwardExtras{}, stream);
}

/// As start_linear_forward.
template <table::ProductTiles table::ProductRow::*Use, Extras Compiled>
void start_linear_backward_input(const LinearBackwardInput& args, Act relu_ni, bool bulk, Stream& stream) {
  const int rows = args.rows, in = args.in, out = args.out;
  const auto start = [&]<class E, table::ProductTiles S, int Divisor>() {
    const tile::Launch where{"linear_backward_input", grid_for(S, result_tiles(S, {rows, in})), hints_of(S)};
    with_extras<Divisor, Compiled>(Compiled, [&]<Extras X>() {
      launch(stream, linear_backward_input_kernel<E, S, Divisor, X>, where, rows, in, out,
             args.dy_no.as<Stored<E>>(), args.w_oi.as<Stored<E>>(), relu_ni.as<Stored<E>>(), Compiled.relu,
             args.dx_ni.as<Stored<E>>());
    });
  };
  with_product_tiles<Use>(args.dx_ni.dtype, {rows, in}, bulk, start);
}

/// `relu_ni` may be empty.
inline void launch_linear_backward_input(const LinearBackwardInput& args, Act relu_ni, Stream& stream) {
  require_pointers("linear_backward_input",
                   {pointer("dy_no", args.dy_no), pointer("w_oi", args.w_oi), pointer("dx_ni", args.dx_ni)});
  const bool bulk = bulk_copies({args.dy_no.data, args.w_oi.data, args.dx_ni.data, relu_ni.data},
                                {args.in, args.out}, args.dx_ni.dtype);
  using Row = table::ProductRow;
  if (relu_ni)
    start_linear_backward_input<&Row::beside, Extras{.known = true, .relu = true}>(args, relu_ni, bulk,
                                                                                   stream);
  else
    start_linear_backward_input<&Row::input, Extras{.known = true}>(args, relu_ni, bulk, stream);
}

inline void launch_linear_backward_input(const LinearBackwardInput& args, Stream& stream) {
  launch_linear_backward_input(args, Act{}, stream);
}

inline void launch_linear_backward_weight(const LinearBackwardWeight& args, Stream& stream) {
  require_pointers("linear_backward_weight",
                   {pointer("dy_no", args.dy_no), pointer("x_ni", args.x_ni), pointer("dw_oi", args.dw_oi)});
  const int rows = args.rows, in = args.in, out = args.out;
  const bool bulk =
      bulk_copies({args.dy_no.data, args.x_ni.data, args.dw_oi.data}, {in, out}, args.dy_no.dtype);
  using Row = table::ProductRow;
  with_product_tiles<&Row::weight>(
      args.dy_no.dtype, {out, in}, bulk, [&]<class E, table::ProductTiles S, int Divisor>() {
        const int tiles = result_tiles(S, {out, in});
        const int splits = choose_splits(tiles, static_cast<int>(blocks_for(rows, S.inner)));
        const std::size_t count = static_cast<std::size_t>(out) * static_cast<std::size_t>(in);
        Wide<E>* dw = args.dw_oi.as<Wide<E>>();
        const bool add = Divisor == 1 && splits == 1;
        Wide<E>* sums_soi =
            add ? dw : static_cast<Wide<E>*>(stream.workspace(splits * count * sizeof(Wide<E>)));
        const tile::Launch where{"linear_backward_weight", grid_for(S, tiles * splits), hints_of(S)};
        launch(stream, linear_backward_weight_kernel<E, S, Divisor>, where, rows, in, out, splits,
               args.dy_no.as<Stored<E>>(), args.x_ni.as<Stored<E>>(), add, sums_soi);
        if (!add)
          launch(stream, linear_weight_sum_kernel<Wide<E>, table::kLine, Divisor>,
                 {"linear_weight_sum", blocks_for(static_cast<int>(count), table::kLine)},
                 static_cast<int>(count), splits, sums_soi, dw);
      });
}

/// scaled_ni = rstd_n x_ni.
inline void launch_linear_scale_rows(int rows, int in, Act x_ni, Stat rstd_n, Act scaled_ni, Stream& stream) {
  require_pointers("linear_scale_rows",
                   {pointer("x_ni", x_ni), pointer("rstd_n", rstd_n), pointer("scaled_ni", scaled_ni)});
  const bool bulk = bulk_copies({x_ni.data, scaled_ni.data}, {in}, x_ni.dtype);
  constexpr int TR = table::kScaleRows, TC = table::kScaleColumns;
  with_stored_type(x_ni.dtype, [&](auto type) {
    using E = typename decltype(type)::type;
    const tile::Launch where{"linear_scale_rows", {blocks_for(rows, TR), blocks_for(in, TC)}};
    const auto start = [&]<int Divisor>() {
      launch(stream, linear_scale_rows_kernel<E, TR, TC, Divisor>, where, rows, in, x_ni.as<E>(),
             rstd_n.as<Wide<E>>(), scaled_ni.as<E>());
    };
    bulk ? start.template operator()<16 / static_cast<int>(sizeof(E))>() : start.template operator()<1>();
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
