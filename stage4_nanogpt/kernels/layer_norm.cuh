// Launchers of LayerNorm: which kernel a width gets, and how many blocks.
//
// Backward is two kernels: the rows, whose blocks leave sums over their rows in the workspace, and the sums of those.
#pragma once

#include "stage4_nanogpt/kernels/column_sums.cuh"
#include "stage4_nanogpt/kernels/layer_norm_backward_whole.cuh"

namespace ladder::LADDER_SIDE::stage4 {

/// A block for each group of rows, or as many as the card runs at once: then blocks walk through the groups, which pays
/// from 2 rows a multiprocessor on. Fewer rows are fewer groups than that.
inline unsigned norm_blocks(int rows, int rows_of_a_group, int occupancy) {
  const unsigned groups = blocks_for(rows, rows_of_a_group);
  const auto most = static_cast<unsigned>(occupancy * sm_count());
  return groups < most ? groups : most;
}

/// Calls body.operator()<S>() with the table's tiles for whole rows of T of this width and these pointers, those of the
/// forward or the backward kernel; false where there are none.
template <class T, bool Forward, class Body>
bool with_whole_rows(int channels, std::initializer_list<const void*> pointers, Body&& body) {
  bool found = false;
  const auto attempt = [&]<std::size_t I>() {
    if constexpr (table::kLayerNorms[I].dtype == dtype_of<T>) {
      constexpr table::NormTiles S = Forward ? table::kLayerNorms[I].forward : table::kLayerNorms[I].backward;
      if (found || !whole_row_fits<T>(S.row, channels, pointers)) return;
      found = true;
      body.template operator()<S>();
    }
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) { (attempt.template operator()<I>(), ...); }
  (std::make_index_sequence<table::kLayerNorms.size()>{});
  return found;
}

template <table::NormTiles S>
tile::Launch whole_launch(const char* name, int rows) {
  return {name, {norm_blocks(rows, S.rows, S.occupancy)}, {S.warps, S.occupancy}};
}

inline tile::Launch any_launch(const char* name, int rows) {
  return {name, {norm_blocks(rows, table::kLayerNormRows, table::kLayerNormOccupancy)}};
}

// ---- forward ------------------------------------------------------------------------------------------------------

inline void launch_layer_norm_forward(const LayerNormForward& args, Stream& stream) {
  require_pointers("layer_norm_forward", {pointer("x_nc", args.x_nc), pointer("weight_c", args.weight_c),
                                          pointer("y_nc", args.y_nc), pointer("mean_n", args.mean_n),
                                          pointer("rstd_n", args.rstd_n)});
  constexpr int TR = table::kLayerNormRows, TC = table::kLayerNormChannels;
  with_stored_type(args.x_nc.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto go = [&](const tile::Launch& where, auto kernel) {
      launch(stream, kernel, where, args.rows, args.channels, args.x_nc.as<T>(), args.weight_c.as<T>(),
             args.bias_c.as<T>(), static_cast<bool>(args.bias_c), args.y_nc.as<T>(),
             args.mean_n.as<Wide<T>>(), args.rstd_n.as<Wide<T>>());
    };
    const bool whole =
        with_whole_rows<T, true>(args.channels, {args.x_nc.data, args.y_nc.data}, [&]<table::NormTiles S>() {
          go(whole_launch<S>("layer_norm_forward_whole", args.rows), layer_norm_forward_whole_kernel<T, S>);
        });
    if (!whole) go(any_launch("layer_norm_forward", args.rows), layer_norm_forward_kernel<T, TR, TC>);
  });
}

inline void launch_residual_layer_norm_forward(const ResidualLayerNormForward& args, Stream& stream) {
  require_pointers(
      "residual_layer_norm_forward",
      {pointer("residual_nc", args.residual_nc), pointer("branch_nc", args.branch_nc),
       pointer("weight_c", args.weight_c), pointer("sum_nc", args.sum_nc), pointer("y_nc", args.y_nc),
       pointer("mean_n", args.mean_n), pointer("rstd_n", args.rstd_n)});
  constexpr int TR = table::kLayerNormRows, TC = table::kLayerNormChannels;
  const BatchView& batch = args.batch;
  const DropoutLaunch draws = launch_of(args.dropout, batch.step);
  with_stored_type(args.sum_nc.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const auto go = [&](const tile::Launch& where, auto kernel) {
      launch(stream, kernel, where, batch.rows, args.channels, args.residual_nc.as<T>(),
             args.branch_nc.as<T>(), batch.sequence_n, batch.starts_b, draws.step, draws.step != nullptr,
             draws.place, draws.threshold, static_cast<Wide<T>>(draws.factor), args.weight_c.as<T>(),
             args.bias_c.as<T>(), static_cast<bool>(args.bias_c), args.sum_nc.as<T>(), args.y_nc.as<T>(),
             args.mean_n.as<Wide<T>>(), args.rstd_n.as<Wide<T>>());
    };
    const bool whole = with_whole_rows<T, true>(
        args.channels, {args.residual_nc.data, args.branch_nc.data, args.sum_nc.data, args.y_nc.data},
        [&]<table::NormTiles S>() {
          go(whole_launch<S>("residual_layer_norm_forward_whole", batch.rows),
             residual_layer_norm_forward_whole_kernel<T, S>);
        });
    if (!whole)
      go(any_launch("residual_layer_norm_forward", batch.rows),
         residual_layer_norm_forward_kernel<T, TR, TC>);
  });
}

// ---- backward -----------------------------------------------------------------------------------------------------

inline void launch_residual_layer_norm_backward(const ResidualLayerNormBackward& args, Stream& stream) {
  require_pointers("layer_norm_backward", {pointer("dy_nc", args.dy_nc), pointer("x_nc", args.x_nc),
                                           pointer("weight_c", args.weight_c), pointer("mean_n", args.mean_n),
                                           pointer("rstd_n", args.rstd_n), pointer("dx_nc", args.dx_nc),
                                           pointer("dweight_c", args.dweight_c)});
  constexpr int TR = table::kLayerNormRows, TC = table::kLayerNormChannels;
  const BatchView& batch = args.batch;
  const int channels = args.channels;
  const DropoutLaunch draws = launch_of(args.dropout, batch.step);
  with_stored_type(args.dx_nc.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using W = Wide<T>;
    const auto go = [&](const tile::Launch& where, auto kernel) {
      const std::size_t sums = where.grid.x * static_cast<std::size_t>(channels);
      W* dweight_pc = static_cast<W*>(stream.workspace(2 * sums * sizeof(W)));
      W* dbias_pc = dweight_pc + sums;
      launch(stream, kernel, where, batch.rows, channels, args.dy_nc.as<T>(), args.x_nc.as<T>(),
             args.weight_c.as<T>(), args.mean_n.as<W>(), args.rstd_n.as<W>(), args.dresidual_nc.as<T>(),
             static_cast<bool>(args.dresidual_nc), batch.sequence_n, batch.starts_b, draws.step,
             draws.step != nullptr, draws.place, draws.threshold, static_cast<W>(draws.factor),
             args.dx_nc.as<T>(), args.dbranch_nc.as<T>(), dweight_pc, dbias_pc,
             static_cast<bool>(args.dbias_c));
      const int parts = static_cast<int>(where.grid.x);
      launch_column_totals<W>(stream, parts, channels, dweight_pc, args.dweight_c.as<W>());
      if (args.dbias_c) launch_column_totals<W>(stream, parts, channels, dbias_pc, args.dbias_c.as<W>());
    };
    const bool whole = with_whole_rows<T, false>(
        channels,
        {args.dy_nc.data, args.x_nc.data, args.dresidual_nc.data, args.dx_nc.data, args.dbranch_nc.data},
        [&]<table::NormTiles S>() {
          go(whole_launch<S>("layer_norm_backward_whole", batch.rows),
             layer_norm_backward_whole_kernel<T, S>);
        });
    if (!whole) go(any_launch("layer_norm_backward", batch.rows), layer_norm_backward_kernel<T, TR, TC>);
  });
}

/// The backward pass of a LayerNorm that no residual addition is behind, as one without dropout.
inline ResidualLayerNormBackward as_residual(const LayerNormBackward& args) {
  BatchView batch;
  batch.rows = args.rows;
  return {batch,       args.channels,     {},         args.dy_nc, args.x_nc,      args.weight_c, args.mean_n,
          args.rstd_n, args.dresidual_nc, args.dx_nc, {},         args.dweight_c, args.dbias_c};
}

inline void launch_layer_norm_backward(const LayerNormBackward& args, Stream& stream) {
  launch_residual_layer_norm_backward(as_residual(args), stream);
}

}  // namespace ladder::LADDER_SIDE::stage4
