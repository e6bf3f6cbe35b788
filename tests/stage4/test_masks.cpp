// The masks that kernels draw are, bit for bit, those of shared/model/dropout.hpp. On the CPU model: a GPU's are compared
// through the operations.
#include <catch2/catch.hpp>

#include <vector>

#include "shared/model/dropout.hpp"
#include "stage4_nanogpt/kernels/philox.hpp"

using namespace ladder;  // NOLINT(google-build-using-namespace)

namespace ladder::LADDER_SIDE::stage4 {

/// Masks of TR positions of sequence (bid.y + 1) by TC indices, both ways.
template <int TR, int TC>
__tile_global__ void both_masks_kernel(int positions, int indices, const std::int64_t* __restrict__ step,
                                       Word place, Word threshold, std::int32_t* __restrict__ mask,
                                       std::int32_t* __restrict__ transposed) {
  const StepKeyWords key = key_words(step);
  const int tile = ct::bid().x, part = ct::bid().y;
  const auto sequence = ct::full<ct::tile<Word, ct::shape<1, 1>>>(key.first_sequence + 1);
  const auto column = ct::element_cast<Word>(column_of_indices<TR>(tile * TR));
  const auto row = ct::element_cast<Word>(row_of_indices<TR>(tile * TR));
  const auto by_row = kept<TR, TC>(sequence, column, part * TC, place, key.seed, key.step, threshold);
  const auto by_column =
      kept_transposed<TC, TR>(sequence, row, part * TC, place, key.seed, key.step, threshold);
  matrix<TR, TC>(mask, positions, indices).store_masked(ct::element_cast<std::int32_t>(by_row), tile, part);
  matrix<TC, TR>(transposed, indices, positions)
      .store_masked(ct::element_cast<std::int32_t>(by_column), part, tile);
}

}  // namespace ladder::LADDER_SIDE::stage4

namespace {

namespace stage4 = LADDER_SIDE::stage4;

template <int TR, int TC>
void check_masks() {
  constexpr int kPositions = 40, kIndices = 300, kHead = 3;
  const Dropout dropout{0.3, 5, DropoutSite::attention};
  StepConstants step{};
  step.step = 123456789012;
  step.seed = -7;
  step.first_sequence = (std::int64_t{1} << 32) - 1;  // the next is 0
  const auto size = static_cast<std::size_t>(kPositions) * kIndices;
  std::vector<std::int32_t> mask(size, -1), transposed(size, -1);
  const stage4::DropoutLaunch draws = stage4::launch_of(dropout, &step);
  LADDER_SIDE::launch(stage4::both_masks_kernel<TR, TC>,
                      {"both_masks", {stage4::blocks_for(kPositions, TR), stage4::blocks_for(kIndices, TC)}},
                      kPositions, kIndices, draws.step, draws.place + kHead, draws.threshold, mask.data(),
                      transposed.data());
  int wrong = 0, dropped = 0;
  for (int t = 0; t < kPositions; ++t)
    for (int c = 0; c < kIndices; ++c) {
      const std::int32_t want = survives(dropout, step, 1, t, kHead, c) ? 1 : 0;
      const auto at = [](int row, int columns, int column) {
        return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
               static_cast<std::size_t>(column);
      };
      if (mask[at(t, kIndices, c)] != want || transposed[at(c, kPositions, t)] != want) ++wrong;
      dropped += 1 - want;
    }
  INFO(TR << " positions, " << TC << " indices in a tile");
  CHECK(wrong == 0);
  CHECK(dropped > 0.25 * size);
  CHECK(dropped < 0.35 * size);
}

}  // namespace

TEST_CASE("tiles of masks are the draws of dropout.hpp, whatever the tile", "[stage4]") {
  check_masks<4, 1>();
  check_masks<8, 8>();
  check_masks<8, 16>();
  check_masks<16, 32>();
  check_masks<8, 64>();
  check_masks<1, 128>();
  check_masks<4, 256>();
}
