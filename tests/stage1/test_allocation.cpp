// After the first step, a step allocates nothing: malloc is replaced by one that counts.
#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <iostream>

#include "tests/stage1/models.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define LADDER_COUNTS_MALLOC 0
#else
#define LADDER_COUNTS_MALLOC 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef LADDER_COUNTS_MALLOC
#define LADDER_COUNTS_MALLOC 0
#endif
#endif

using namespace ladder;
using namespace ladder::stage1_tests;

#if LADDER_COUNTS_MALLOC

namespace {
std::atomic<int> allocations{0};
}

// glibc's own entry points, for whoever replaces malloc.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" void* __libc_malloc(std::size_t);
extern "C" void* __libc_memalign(std::size_t, std::size_t);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

extern "C" void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}

namespace {

int allocations_of_later_steps(const GptConfig& config, const Batch& batch, Dtype dtype, int threads) {
  const auto engine = engine_of(config, batch.batch(), dtype, threads);
  const std::vector<Batch> micro = {batch, batch};
  engine->train_step(micro, step_constants(TrainConfig{}, 0));
  const int before = allocations;
  for (int s = 1; s < 4; ++s) engine->train_step(micro, step_constants(TrainConfig{}, s));
  return allocations - before;
}

}  // namespace

TEST_CASE("the counter counts") {
  const int before = allocations;
  void* volatile some = std::malloc(100);  // volatile: a compiler may leave out memory that nobody looks at
  const int after = allocations;
  std::free(some);
  CHECK(after > before);
}

TEST_CASE("a step allocates nothing") {
  for (const Dtype dtype : {Dtype::fp32, Dtype::fp64}) {
    const Batch names = cases::random_batch({7, 0, 16, 3}, 27, 16, Layout::packed);
    CHECK(allocations_of_later_steps(model_of(1, 16, 4, 0, 16), names, dtype, 1) == 0);
    CHECK(allocations_of_later_steps(model_of(2, 64, 4, 2, 16), names, dtype, 1) == 0);
    const Batch windows = cases::random_batch({64, 64, 50}, 27, 64, Layout::packed);
    CHECK(allocations_of_later_steps(model_of(1, 384, 6, 0, 64), windows, dtype, 2) == 0);
    GptConfig gpt2 = testing::gpt2_of(2, 192, 6, 2, 64);
    gpt2.bias = true;
    gpt2.dropout = 0.2;
    CHECK(allocations_of_later_steps(gpt2, windows, dtype, 2) == 0);
  }
}

#else

TEST_CASE("a step allocates nothing") { std::cout << "SKIPPED: malloc cannot be counted in this build\n"; }

#endif
