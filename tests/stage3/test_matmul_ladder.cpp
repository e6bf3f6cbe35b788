// Every rung of the product's ladder on the CPU model: the exact result at awkward shapes, sentinels untouched.
// Factors are small integers, so that every sum is exact in fp32 and in bf16.
#include <catch2/catch.hpp>

#include <vector>

#include "stage3_tiled_kernels/ladder/matmul/01_a_tile_of_pointers.cuh"
#include "stage3_tiled_kernels/ladder/matmul/02_views.cuh"
#include "stage3_tiled_kernels/ladder/matmul/03_tiles_of_128.cuh"
#include "stage3_tiled_kernels/ladder/matmul/04_promises.cuh"
#include "stage3_tiled_kernels/ladder/matmul/05_grouped_order.cuh"
#include "stage3_tiled_kernels/ladder/matmul/06_persistent_blocks.cuh"
#include "stage3_tiled_kernels/ladder/matmul/07_eight_warps.cuh"
#include "stage3_tiled_kernels/ladder/matmul/lost_clusters_of_two.cuh"
#include "stage3_tiled_kernels/ladder/matmul/lost_default_warps.cuh"
#include "stage3_tiled_kernels/ladder/matmul/lost_plain_store.cuh"

using namespace ladder;          // NOLINT(google-build-using-namespace)
using namespace ladder::on_cpu;  // NOLINT(google-build-using-namespace)
namespace rungs = ladder::on_cpu::stage3;

namespace {

using E = __nv_bfloat16;

struct Rung {
  const char* name;
  void (*kernel)(int, int, int, const E*, const E*, E*);
  tile::Grid (*grid)(int, int);
  int divisor;
};

#define LADDER_RUNG(space) \
  Rung { #space, rungs::space::matmul_kernel < E>, rungs::space::matmul_grid, rungs::space::kDivisor }

const std::vector<Rung> kRungs = {LADDER_RUNG(matmul_01),
                                  LADDER_RUNG(matmul_02),
                                  LADDER_RUNG(matmul_03),
                                  LADDER_RUNG(matmul_04),
                                  LADDER_RUNG(matmul_05),
                                  LADDER_RUNG(matmul_06),
                                  LADDER_RUNG(matmul_07),
                                  LADDER_RUNG(matmul_lost_clusters_of_two),
                                  LADDER_RUNG(matmul_lost_default_warps),
                                  LADDER_RUNG(matmul_lost_plain_store)};

/// -2 ... 2, another value at each place.
int factor(int i, int seed) { return (i * 7 + i / 3 * seed + seed) % 5 - 2; }

struct alignas(16) Line {
  E values[8];
};

/// Room for `count` elements at a multiple of 16 bytes, with a line of sentinels behind them.
std::vector<Line> room(int count) {
  return std::vector<Line>(static_cast<std::size_t>(count / 8 + 2), Line{{77, 77, 77, 77, 77, 77, 77, 77}});
}

int wrong_elements(const Rung& rung, int m, int n, int k) {
  std::vector<Line> a = room(m * k), b = room(n * k), c = room(m * n);
  for (int i = 0; i < m * k; ++i) a[0].values[i] = E(static_cast<float>(factor(i, 3)));
  for (int i = 0; i < n * k; ++i) b[0].values[i] = E(static_cast<float>(factor(i, 4)));
  launch(rung.kernel, {"matmul", rung.grid(m, n)}, m, n, k, a[0].values, b[0].values, c[0].values);
  int wrong = 0;
  for (int row = 0; row < m; ++row)
    for (int column = 0; column < n; ++column) {
      int sum = 0;
      for (int i = 0; i < k; ++i) sum += factor(row * k + i, 3) * factor(column * k + i, 4);
      wrong += static_cast<float>(c[0].values[row * n + column]) != static_cast<float>(sum);
    }
  for (int i = m * n; i < static_cast<int>(8 * c.size()); ++i)
    wrong += static_cast<float>(c[0].values[i]) != 77.0F;
  return wrong;
}

}  // namespace

TEST_CASE("every rung of the product's ladder multiplies exactly", "[stage3]") {
  struct Shape {
    int m, n, k;
  };
  for (const Rung& rung : kRungs)
    for (const Shape& shape : {Shape{17, 27, 33}, Shape{1, 8, 8}, Shape{150, 264, 72}, Shape{129, 40, 64}}) {
      if (shape.n % rung.divisor != 0 || shape.k % rung.divisor != 0) continue;
      INFO(rung.name << " " << shape.m << " x " << shape.n << " x " << shape.k);
      CHECK(wrong_elements(rung, shape.m, shape.n, shape.k) == 0);
    }
}

TEST_CASE("a persistent rung walks through more tiles than it has blocks", "[stage3]") {
  const int multiprocessors = sm_count();
  const int m = 128 * multiprocessors + 1;
  for (const Rung& rung : kRungs)
    if (rung.grid(m, 8).count() <= static_cast<std::size_t>(multiprocessors)) {
      INFO(rung.name);
      CHECK(wrong_elements(rung, m, 8, 8) == 0);
    }
  CHECK(kRungs[5].grid(m, 8).count() == static_cast<std::size_t>(multiprocessors));
}
