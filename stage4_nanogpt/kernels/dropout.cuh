// Dropout on its own: behind the embedding, and wherever nothing else could take it in.
#pragma once

#include "stage4_nanogpt/kernels/row_draws.hpp"

namespace ladder::LADDER_SIDE::stage4 {

// Computes: y_nc = x_nc factor where element (sequence(n), position(n), c) survives, else 0; rows of no sequence get 0
// Shapes:   sequence_n [N], starts_b [B], x_nc [N, C] -> y_nc [N, C]; y may be x
// Map:      one block owns a TR x TC tile: a quarter as many counters, whose words lie 16 channels apart
// Traffic:  reads N C elements, writes N C; the mask is in no memory
// FLOPs:    N C, and some 20 integer operations an element for its word
// Bound:    memory
// Differs from the previous rung: it is new: the draws are a function of the element's place, not a stream of numbers
template <class T, int TR, int TC>
__tile_global__ void dropout_kernel(int rows, int channels, const std::int32_t* __restrict__ sequence_n,
                                    const std::int32_t* __restrict__ starts_b,
                                    const std::int64_t* __restrict__ step, Word place, Word threshold,
                                    Wide<T> factor, const T* x_nc, T* y_nc) {
  const int tile = ct::bid().x, part = ct::bid().y;
  const auto draws = row_draws<TR>(rows, tile, sequence_n, starts_b, step);
  const auto x = ct::element_cast<Wide<T>>(matrix<TR, TC>(x_nc, rows, channels).load_masked(tile, part));
  const auto y = dropped<TR, TC>(x, draws, part * TC, place, threshold, factor);
  matrix<TR, TC>(y_nc, rows, channels).store_masked(ct::element_cast<T>(y), tile, part);
}

inline void launch_apply_dropout(const ApplyDropout& args, Stream& stream) {
  require_pointers("apply_dropout", {pointer("x_nc", args.x_nc), pointer("y_nc", args.y_nc)});
  require(static_cast<bool>(args.dropout), "apply_dropout: the probability is 0");
  constexpr int TR = table::kDropoutRows, TC = table::kDropoutChannels;
  const DropoutLaunch draws = launch_of(args.dropout, args.batch.step);
  with_stored_type(args.x_nc.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, dropout_kernel<T, TR, TC>,
           {"dropout", {blocks_for(args.batch.rows, TR), blocks_for(args.channels, TC)}}, args.batch.rows,
           args.channels, args.batch.sequence_n, args.batch.starts_b, draws.step, draws.place,
           draws.threshold, static_cast<Wide<T>>(draws.factor), args.x_nc.as<T>(), args.y_nc.as<T>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage4
