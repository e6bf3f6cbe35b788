// Every rung of attention's ladder on the CPU model, in checked mode, against the formula in double.
#include <catch2/catch.hpp>

#include <cmath>
#include <random>
#include <vector>

#include "shared/check/check.hpp"
#include "stage3_tiled_kernels/ladder/attention/01_two_walks.cuh"
#include "stage3_tiled_kernels/ladder/attention/02_online_softmax.cuh"
#include "stage3_tiled_kernels/ladder/attention/03_up_to_the_diagonal.cuh"
#include "stage3_tiled_kernels/ladder/attention/04_promises.cuh"
#include "stage3_tiled_kernels/ladder/attention/05_one_description.cuh"
#include "stage3_tiled_kernels/ladder/attention/06_two_loops.cuh"
#include "stage3_tiled_kernels/ladder/attention/07_powers_of_two.cuh"
#include "stage3_tiled_kernels/ladder/attention/08_longest_first.cuh"
#include "stage3_tiled_kernels/ladder/attention/09_four_blocks.cuh"
#include "stage3_tiled_kernels/ladder/attention/10_fetch_ahead.cuh"
#include "stage3_tiled_kernels/ladder/attention/lost_heads_first.cuh"
#include "stage3_tiled_kernels/ladder/attention/lost_mask_everywhere.cuh"
#include "stage3_tiled_kernels/ladder/attention/lost_two_query_tiles.cuh"

using namespace ladder;          // NOLINT(google-build-using-namespace)
using namespace ladder::on_cpu;  // NOLINT(google-build-using-namespace)
namespace rungs = ladder::on_cpu::stage3;

namespace {

constexpr int kHead = 16;

struct Rung {
  const char* name;
  void (*kernel)(int, int, int, int, const float*, const float*, const float*, float, float*, float*);
  tile::Grid (*grid)(int, int, int);
  int slot_divisor, row_divisor;
};

#define LADDER_RUNG(space)                                                                \
  Rung {                                                                                  \
#space, rungs::space::attention_kernel < float, kHead>, rungs::space::attention_grid, \
        rungs::space::kSlotDivisor, rungs::space::kRowDivisor                             \
  }

const std::vector<Rung> kRungs = {LADDER_RUNG(attention_01),
                                  LADDER_RUNG(attention_02),
                                  LADDER_RUNG(attention_03),
                                  LADDER_RUNG(attention_04),
                                  LADDER_RUNG(attention_05),
                                  LADDER_RUNG(attention_06),
                                  LADDER_RUNG(attention_07),
                                  LADDER_RUNG(attention_08),
                                  LADDER_RUNG(attention_09),
                                  LADDER_RUNG(attention_10),
                                  LADDER_RUNG(attention_lost_heads_first),
                                  LADDER_RUNG(attention_lost_mask_everywhere),
                                  LADDER_RUNG(attention_lost_two_query_tiles)};

/// `batch` sequences of `length` rows; q, k and v lie side by side in rows of `stride` elements.
struct Case {
  int batch, length, heads, stride;
  int rows() const { return batch * length; }
  int channels() const { return heads * kHead; }
};

struct alignas(16) Line {
  float values[4];
};

/// Elements that begin on 16 bytes.
struct Room {
  explicit Room(int count) : size(static_cast<std::size_t>(count)), lines(size / 4 + 1) {}
  float* data() { return lines[0].values; }
  std::vector<double> doubles() { return {data(), data() + size}; }
  std::size_t size;
  std::vector<Line> lines;
};

struct Attended {
  std::vector<double> out_nc, lse_hn;
};

/// One query after another, with no tile: head h of row n, which is query t of its sequence.
Attended reference(const Case& c, const float* q_np, float scale) {
  Attended done{std::vector<double>(static_cast<std::size_t>(c.rows() * c.channels())),
                std::vector<double>(static_cast<std::size_t>(c.heads * c.rows()))};
  for (int n = 0; n < c.rows(); ++n)
    for (int h = 0; h < c.heads; ++h) {
      const int t = n % c.length;
      const float* q = q_np + n * c.stride + h * kHead;
      double sum = 0;
      double* out = done.out_nc.data() + n * c.channels() + h * kHead;
      for (int s = n - t; s <= n; ++s) {
        const float* k = q_np + s * c.stride + c.channels() + h * kHead;
        double score = 0;
        for (int d = 0; d < kHead; ++d) score += static_cast<double>(scale) * q[d] * k[d];
        const double p = std::exp(score);
        sum += p;
        for (int d = 0; d < kHead; ++d) out[d] += p * k[c.channels() + d];
      }
      for (int d = 0; d < kHead; ++d) out[d] /= sum;
      const int place = h * c.rows() + n;
      done.lse_hn[static_cast<std::size_t>(place)] = std::log(sum);
    }
  return done;
}

void check_rung(const Rung& rung, const Case& c) {
  Room qkv(c.rows() * c.stride), out(c.rows() * c.channels()), lse(c.heads * c.rows());
  std::mt19937 engine(5);
  std::normal_distribution<float> normal(0, 1.5F);
  for (std::size_t i = 0; i < qkv.size; ++i) qkv.data()[i] = normal(engine);
  const float* q = qkv.data();
  const float scale = 0.25F;
  {
    const tile::Checks checks;
    const tile::Buffer known_qkv("qkv", qkv.data(), qkv.size);
    const tile::Buffer known_out("out", out.data(), out.size, tile::Contents::unwritten);
    const tile::Buffer known_lse("lse", lse.data(), lse.size, tile::Contents::unwritten);
    launch(rung.kernel, {"attention", rung.grid(c.length, c.heads, c.batch)}, c.rows(), c.length, c.heads,
           c.stride, q, q + c.channels(), q + 2 * c.channels(), scale, out.data(), lse.data());
  }
  const Attended want = reference(c, q, scale);
  INFO(rung.name << ": " << c.batch << " x " << c.length << " rows, " << c.heads << " heads");
  CHECK(compare(out.doubles(), want.out_nc, 1e-5).passed());
  CHECK(compare(lse.doubles(), want.lse_hn, 1e-5).passed());
}

bool takes(const Rung& rung, const Case& c) {
  const int bytes = c.stride * static_cast<int>(sizeof(float));
  return c.length % rung.slot_divisor == 0 && bytes % rung.row_divisor == 0;
}

}  // namespace

TEST_CASE("every rung of attention's ladder is right at every length that it takes", "[stage3]") {
  int runs = 0;
  for (const Rung& rung : kRungs)
    for (const Case& c : {Case{2, 1, 1, 48}, Case{1, 70, 2, 97}, Case{2, 65, 3, 148}, Case{3, 64, 2, 96},
                          Case{2, 128, 1, 52}, Case{1, 256, 2, 96}})
      if (takes(rung, c)) {
        check_rung(rung, c);
        ++runs;
      }
  CHECK(runs == 3 * 6 + 5 + 8 * 3 + 2);
}
