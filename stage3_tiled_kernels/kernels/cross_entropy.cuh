// Softmax cross-entropy, forward and backward in one: the gradient takes the place of the logits.
//
// One walk over a row finds its maximum and its sum of exponentials together, as attention does:
// when the maximum rises, the sum so far shrinks. A second walk, only where the gradient is wanted,
// writes it over the logits.
#pragma once

#include "stage3_tiled_kernels/kernels/cross_entropy_whole.cuh"

namespace ladder::LADDER_SIDE::stage3 {

/// sum = shrink sum + added, with what the addition rounds away in `lost` (Knuth's two-sum). The vocabulary is long and
/// most of it unlikely: a tile of words may be less than half of the sum's last digit, and hundreds of them are not.
template <class Column>
__tile__ void add_to_long_sum(Column& sum, Column& lost, Column shrink, Column added) {
  const Column before = sum * shrink;
  const Column after = before + added;
  const Column arrived = after - before;
  lost = lost * shrink + ((before - (after - arrived)) + (added - arrived));
  sum = after;
}

// Computes: loss_n = weight * (log sum_v exp(logits) - logits[target]), weight = scale / length of
//           the row's sequence; dlogits_nv = weight * (softmax(logits) - onehot(target)), over
//           logits_nv when with_gradient
// Shapes:   logits_nv [N, V] in rows of `columns`, targets_n, sequence_n [N], lengths_b [B] -> loss_n [N], logits_nv
// Map:      one block owns TN rows and walks along them, TV logits at a time
// Traffic:  reads 2 N V elements, the second time out of the cache when rows are short, writes N V
// FLOPs:    8 N V, counting exp2 as one
// Bound:    memory
// Differs from the previous rung: maximum and sum in one walk instead of two, over tiles
template <class T, int TN, int TV>
__tile_global__ void cross_entropy_kernel(int rows, int vocabulary, int columns, double scale,
                                          bool with_gradient, const std::int32_t* targets_n,
                                          const std::int32_t* sequence_n, const std::int32_t* lengths_b,
                                          T* logits_nv, Wide<T>* loss_n) {
  using W = Wide<T>;
  using Column = ct::tile<W, ct::shape<TN, 1>>;
  using Tile = ct::tile<W, ct::shape<TN, TV>>;
  const int tile = ct::bid().x;
  const auto n = column_of_indices<TN>(tile * TN);
  const auto b = ct::load_masked(sequence_n + n, n < rows, -1);
  const auto valid = b >= 0;
  const auto target = ct::load_masked(targets_n + n, valid, -1);
  const auto length = ct::element_cast<W>(ct::load_masked(lengths_b + b, valid, 1));
  const auto weight = ct::select(valid, static_cast<W>(scale) / length, ct::zeros<Column>());
  const auto logits = matrix<TN, TV>(logits_nv, rows, columns);
  const int tiles = tiles_for(columns, TV);

  auto largest = ct::full<Column>(kBelowAll<W>);
  auto sum = ct::zeros<Column>();
  auto lost = ct::zeros<Column>();
  auto chosen = ct::zeros<Column>();
  for (int j : ct::irange(0, tiles)) {
    const auto v = row_of_indices<TV>(j * TV);
    const auto z = ct::select(v < vocabulary, ct::element_cast<W>(logits.load_masked(tile, j)),
                              ct::full<Tile>(kBelowAll<W>));
    const auto highest = ct::max(largest, ct::reduce_max<1>(z));
    const Column shrink = ct::exp2((largest - highest) * static_cast<W>(kLog2E));
    add_to_long_sum<Column>(sum, lost, shrink, ct::sum<1>(ct::exp2((z - highest) * static_cast<W>(kLog2E))));
    chosen = chosen + ct::sum<1>(ct::select(v == target, z, ct::zeros<Tile>()));
    largest = highest;
  }
  sum = sum + lost;
  const auto loss = weight * (ct::log(sum) - (chosen - largest));
  vector<TN>(loss_n, rows)
      .store_masked(ct::reshape<ct::shape<TN>>(ct::select(valid, loss, ct::zeros<Column>())), tile);

  if (with_gradient) {
    const auto factor = weight / sum;
    for (int j : ct::irange(0, tiles)) {
      const auto v = row_of_indices<TV>(j * TV);
      const auto z = ct::element_cast<W>(logits.load_masked(tile, j));
      const auto p = ct::exp2((z - largest) * static_cast<W>(kLog2E)) * factor;
      const auto dz =
          ct::select(valid && v < vocabulary, ct::select(v == target, p - weight, p), ct::zeros<Tile>());
      logits.store_masked(ct::element_cast<T>(dz), tile, j);
    }
  }
}

// Computes: total += sum of x_n
// Shapes:   x_n [N] -> total [1]
// Map:      one block, which adds tiles of TN element by element and then the sums of
//           their columns: a fixed order
// Traffic:  reads N elements
// FLOPs:    N
// Bound:    latency
// Differs from the previous rung: TN sums at once instead of 256
template <class W, int TN>
__tile_global__ void loss_sum_kernel(int count, const W* __restrict__ x_n, W* __restrict__ total) {
  const auto x = vector<TN>(x_n, count);
  auto sums = ct::zeros<ct::tile<W, ct::shape<TN>>>();
  for (int i : ct::irange(0, tiles_for(count, TN))) sums = sums + x.load_masked(i);
  const auto result = vector<1>(total, 1);
  result.store_masked(result.load_masked(0) + ct::sum<0>(sums), 0);
}

/// Calls body.operator()<S>() with the table's tiles for a row of logits of T of so many columns, those behind the
/// vocabulary all in its last part; false where there are none.
template <class T, class Body>
bool with_whole_logits(int vocabulary, int columns, const void* logits, Body&& body) {
  bool found = false;
  with_architecture([&]<int A>() {
    const auto attempt = [&]<std::size_t I>() {
      if constexpr (table::kLosses[I].architecture == A && table::kLosses[I].dtype == dtype_of<T>) {
        constexpr table::LossTiles S = table::kLosses[I].tiles;
        if (found || !whole_row_fits<T>(S.row, columns, {logits})) return;
        if (vocabulary < S.row.capacity() - S.row.width(S.row.count() - 1)) return;
        found = true;
        body.template operator()<S>();
      }
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) { (attempt.template operator()<I>(), ...); }
    (std::make_index_sequence<table::kLosses.size()>{});
  });
  return found;
}

inline void launch_cross_entropy(const CrossEntropy& args, Stream& stream) {
  require_pointers("cross_entropy", {pointer("logits_nv", args.logits_nv), pointer("loss_n", args.loss_n),
                                     pointer("loss", args.loss)});
  constexpr int TN = table::kLossRows, TV = table::kLossColumns;
  const BatchView& batch = args.batch;
  with_stored_type(args.logits_nv.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using W = Wide<T>;
    const auto go = [&](const tile::Launch& where, auto kernel) {
      launch(stream, kernel, where, batch.rows, args.vocabulary, args.columns, args.scale, args.with_gradient,
             batch.targets_n, batch.sequence_n, batch.lengths_b, args.logits_nv.as<T>(), args.loss_n.as<W>());
    };
    const auto rows = static_cast<unsigned>(batch.rows);
    const bool whole =
        with_whole_logits<T>(args.vocabulary, args.columns, args.logits_nv.data, [&]<table::LossTiles S>() {
          const auto most = static_cast<unsigned>(S.occupancy * sm_count());
          go({"cross_entropy_whole", S.persistent && rows > most ? most : rows},
             cross_entropy_whole_kernel<T, S>);
        });
    if (!whole) go({"cross_entropy", blocks_for(batch.rows, TN)}, cross_entropy_kernel<T, TN, TV>);
    launch(stream, loss_sum_kernel<W, table::kLine>, {"loss_sum", {1}}, batch.rows, args.loss_n.as<W>(),
           args.loss.as<W>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
