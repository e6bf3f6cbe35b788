// Every rung of the ladder of RMSNorm on the CPU model, in checked mode, against the formula in double.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "shared/check/check.hpp"
#include "stage3_tiled_kernels/ladder/rmsnorm/01_one_row_a_block.cuh"
#include "stage3_tiled_kernels/ladder/rmsnorm/02_row_in_registers.cuh"
#include "stage3_tiled_kernels/ladder/rmsnorm/03_promises.cuh"
#include "stage3_tiled_kernels/ladder/rmsnorm/04_three_parts.cuh"
#include "stage3_tiled_kernels/ladder/rmsnorm/05_four_rows.cuh"
#include "stage3_tiled_kernels/ladder/rmsnorm/06_eight_blocks.cuh"
#include "stage3_tiled_kernels/ladder/rmsnorm/07_fetch_ahead.cuh"
#include "stage3_tiled_kernels/ladder/rmsnorm/08_eight_warps.cuh"
#include "stage3_tiled_kernels/ladder/rmsnorm/lost_bulk_store.cuh"
#include "stage3_tiled_kernels/ladder/rmsnorm/lost_in_place.cuh"

namespace {

using namespace ladder;                          // NOLINT(google-build-using-namespace)
using namespace ladder::on_cpu;                  // NOLINT(google-build-using-namespace)
using namespace ladder::on_cpu::rmsnorm_ladder;  // NOLINT(google-build-using-namespace)

/// Which channels a rung takes, as its header says.
enum class Takes { any, up_to_1024, aligned_up_to_1024, aligned_up_to_768 };

bool takes(Takes what, int channels) {
  if (what == Takes::any) return true;
  if (what == Takes::up_to_1024) return channels <= 1024;
  if (channels % 4 != 0) return false;
  return what == Takes::aligned_up_to_1024 ? channels <= 1024 : channels <= 768;
}

struct Rung {
  const char* name;
  void (*kernel)(int, int, const float*, float*, float*);
  int rows;    ///< of a block's tile
  int blocks;  ///< of a grid that stays; 0: one for each group of rows
  Takes channels;
};

const Rung kRungs[] = {
    {"01_one_row_a_block", one_row_a_block<float>, 1, 0, Takes::any},
    {"02_row_in_registers", row_in_registers<float>, 1, 0, Takes::up_to_1024},
    {"03_promises", promises<float>, 1, 0, Takes::aligned_up_to_1024},
    {"04_three_parts", three_parts<float>, 1, 0, Takes::aligned_up_to_768},
    {"05_four_rows", four_rows<float>, 4, 0, Takes::aligned_up_to_768},
    {"06_eight_blocks", eight_blocks<float>, 4, 0, Takes::aligned_up_to_768},
    {"07_fetch_ahead", fetch_ahead<float>, 4, 2, Takes::aligned_up_to_768},
    {"08_eight_warps", eight_warps<float>, 8, 2, Takes::aligned_up_to_768},
    {"lost_bulk_store", bulk_store<float>, 8, 2, Takes::aligned_up_to_768},
    {"lost_in_place", in_place<float>, 8, 2, Takes::aligned_up_to_768},
};

std::vector<double> doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

void check_rung(const Rung& rung, int rows, int channels) {
  const auto row = static_cast<std::size_t>(channels);
  std::vector<float> x(static_cast<std::size_t>(rows) * row), y(x.size()),
      rstd(static_cast<std::size_t>(rows));
  std::mt19937 engine(7);
  std::normal_distribution<float> normal(0.25F, 2.0F);
  for (float& value : x) value = normal(engine);
  {
    const tile::Checks checks;
    const tile::Buffer known_x("x", x.data(), x.size());
    const tile::Buffer known_y("y", y.data(), y.size(), tile::Contents::unwritten);
    const tile::Buffer known_rstd("rstd", rstd.data(), rstd.size(), tile::Contents::unwritten);
    const int groups = (rows + rung.rows - 1) / rung.rows;
    const int blocks = rung.blocks == 0 ? groups : std::min(groups, rung.blocks);
    launch(rung.kernel, {rung.name, static_cast<unsigned>(blocks)}, rows, channels, x.data(), y.data(),
           rstd.data());
  }
  std::vector<double> want_y, want_rstd;
  for (std::size_t n = 0; n < rstd.size(); ++n) {
    double squares = 0;
    for (std::size_t c = 0; c < row; ++c) squares += static_cast<double>(x[n * row + c]) * x[n * row + c];
    want_rstd.push_back(1 / std::sqrt(squares / channels + kRmsNormEpsilon));
    for (std::size_t c = 0; c < row; ++c) want_y.push_back(x[n * row + c] * want_rstd.back());
  }
  INFO(rung.name << ": " << rows << " rows of " << channels);
  CHECK(compare(doubles(y), want_y, 1e-5).passed());
  CHECK(compare(doubles(rstd), want_rstd, 1e-5).passed());
}

}  // namespace

TEST_CASE("every rung of the ladder of RMSNorm is right at every width that it takes", "[stage3]") {
  int runs = 0;
  for (const Rung& rung : kRungs)
    for (const int channels : {1, 33, 48, 516, 768, 1000})
      for (const int rows : {1, 17, 41})
        if (takes(rung.channels, channels)) {
          check_rung(rung, rows, channels);
          ++runs;
        }
  CHECK(runs == 3 * (6 + 6 + 4 + 7 * 3));
}
