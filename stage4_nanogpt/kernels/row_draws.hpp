// Dropout of rows: which channels of which rows survive.
#pragma once

#include "stage4_nanogpt/configs.hpp"
#include "stage4_nanogpt/kernels/philox.hpp"

namespace ladder::LADDER_SIDE::stage4 {

/// What the draws of TR rows depend on besides the channel.
template <int TR>
struct RowDraws {
  ct::tile<bool, ct::shape<TR, 1>> real;  ///< rows of a sequence
  ct::tile<Word, ct::shape<TR, 1>> sequence, position;
  Word seed, step;
};

/// Those of the rows tile * TR and following.
template <int TR>
__tile__ RowDraws<TR> row_draws(int rows, int tile, const std::int32_t* sequence_n,
                                const std::int32_t* starts_b, const std::int64_t* step) {
  const StepKeyWords key = key_words(step);
  const auto n = column_of_indices<TR>(tile * TR);
  const auto b = ct::load_masked(sequence_n + n, n < rows, -1);
  const auto real = b >= 0;
  const auto t = n - ct::load_masked(starts_b + b, real, 0);
  return {real, ct::element_cast<Word>(b) + key.first_sequence, ct::element_cast<Word>(t), key.seed,
          key.step};
}

/// x times `factor` where channel first + c of the row survives, else 0; rows of no sequence get 0.
template <int TR, int TC, class W>
__tile__ ct::tile<W, ct::shape<TR, TC>> dropped(ct::tile<W, ct::shape<TR, TC>> x, RowDraws<TR> draws,
                                                int first, Word place, Word threshold, W factor) {
  const auto keep =
      kept<TR, TC>(draws.sequence, draws.position, first, place, draws.seed, draws.step, threshold);
  return ct::select(keep && draws.real, x * factor, ct::zeros<ct::tile<W, ct::shape<TR, TC>>>());
}

}  // namespace ladder::LADDER_SIDE::stage4
