// Dropout of attention's weights: what stage 3's kernels (kernels/attention.cuh) ask where a weight meets a value.
//
// With m[t, s] = factor where (sequence, position t, head, key s) survives and 0 elsewhere (model/dropout.hpp):
//   forward   out[t] = sum_s m p v[s]; the log-sum-exp and p are as without dropout
//   backward  dv[s] = sum_t m p dout[t], d(loss)/dp = m (dout[t] . v[s]), and so dscore = p (m (dout . v) - delta), where
//             delta[t] = sum_s p d(loss)/dp = dout[t] . out[t] as before
// m is never in memory: each kernel draws it again from the place of its tile, queries by keys or keys by queries.
#pragma once

#include "stage3_tiled_kernels/kernels/attention_tiles.hpp"
#include "stage4_nanogpt/configs.hpp"
#include "stage4_nanogpt/kernels/philox.hpp"

namespace ladder::LADDER_SIDE::stage4 {

/// Multiplies a tile by m.
template <class Mask, class W>
struct KeptWeights {
  Mask survives;
  W factor;

  template <class Tile>
  __tile__ Tile operator()(Tile weights) const {
    return ct::select(survives, weights * factor, ct::zeros<Tile>());
  }
};

/// The Keep of one sequence.
template <class W>
struct KeepSurvivors {
  Word seed, step, sequence, place, threshold;
  W factor;

  __tile__ static KeepSurvivors in_sequence(int b, const std::int64_t* constants, Word place, Word threshold,
                                            W factor) {
    const StepKeyWords words = key_words(constants);
    return {words.seed, words.step, words.first_sequence + static_cast<Word>(b), place, threshold, factor};
  }

  template <int TQ, int TK>
  __tile__ auto by_query(int h, int query, int key) const {
    const auto position = ct::element_cast<Word>(column_of_indices<TQ>(query));
    const auto number = ct::full<ct::tile<Word, ct::shape<TQ, 1>>>(sequence);
    const auto mask =
        kept<TQ, TK>(number, position, key, place + static_cast<Word>(h), seed, step, threshold);
    return KeptWeights<ct::tile<bool, ct::shape<TQ, TK>>, W>{mask, factor};
  }

  template <int TK, int TQ>
  __tile__ auto by_key(int h, int key, int query) const {
    const auto position = ct::element_cast<Word>(row_of_indices<TQ>(query));
    const auto number = ct::full<ct::tile<Word, ct::shape<1, TQ>>>(sequence);
    const auto mask =
        kept_transposed<TK, TQ>(number, position, key, place + static_cast<Word>(h), seed, step, threshold);
    return KeptWeights<ct::tile<bool, ct::shape<TK, TQ>>, W>{mask, factor};
  }
};

/// How a launch drops weights (as stage 3's DropNothing).
struct DropWeights {
  static constexpr const char *kForward = "dropout_attention_forward",
                              *kBackward = "dropout_attention_backward",
                              *kBackwardQuery = "dropout_attention_backward_query",
                              *kBackwardKeyValue = "dropout_attention_backward_key_value";
  static constexpr bool kBulkIsCausal = true;
  template <class W>
  using Keep = KeepSurvivors<W>;

  Dropout dropout;
  const StepConstants* step;

  template <class W, class Body>
  void with_arguments(Body&& body) const {
    const DropoutLaunch draws = launch_of(dropout, step);
    body(draws.step, draws.place, draws.threshold, static_cast<W>(dropout.keep_factor()));
  }
  template <class E, int Architecture, int D, bool Bulk>
  static constexpr table::AttentionTiles tiles(table::AttentionPart part) {
    if constexpr (Bulk)
      return table::dropout_attention_tiles(Architecture, D, part);
    else
      return tiles_of<E, Architecture, D, Bulk>(part);
  }
};

}  // namespace ladder::LADDER_SIDE::stage4
