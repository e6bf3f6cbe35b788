// Every piece is done once, whoever does it; the pool can be used again and again.
#include <catch2/catch.hpp>

#include <atomic>
#include <vector>

#include "stage1_cpu_tensor/thread_pool.hpp"

using ladder::ThreadPool;

TEST_CASE("every piece is done exactly once") {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    for (const int pieces : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(pieces));
      pool.for_each(pieces, [&](int i) { ++done[static_cast<std::size_t>(i)]; });
      for (const auto& count : done) REQUIRE(count == 1);
    }
  }
}

TEST_CASE("rounds follow each other without mixing") {
  ThreadPool pool(3);
  std::vector<int> values(50, 0);
  for (int round = 0; round < 300; ++round)
    pool.for_each(50, [&](int i) { values[static_cast<std::size_t>(i)] += i; });
  for (int i = 0; i < 50; ++i) REQUIRE(values[static_cast<std::size_t>(i)] == 300 * i);
}

TEST_CASE("0 threads means one for each core") { CHECK(ThreadPool(0).threads() >= 1); }
