#include <catch2/catch.hpp>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "shared/device/worker_pool.hpp"

using ladder::WorkerPool;

TEST_CASE("a pool covers every index exactly once, whatever the sizes", "[simt]") {
  for (const int threads : {1, 2, 3, 7}) {
    WorkerPool pool(threads);
    CHECK(pool.threads() == threads);
    for (const std::size_t count : {0U, 1U, 2U, 5U, 64U, 1001U}) {
      std::vector<std::atomic<int>> seen(count);
      pool.parallel(count, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) ++seen[i];
      });
      for (const auto& times : seen) REQUIRE(times == 1);
    }
  }
}

TEST_CASE("a pool can be used again and again", "[simt]") {
  WorkerPool pool(3);
  std::atomic<std::size_t> total = 0;
  for (int round = 0; round < 2000; ++round)
    pool.parallel(10, [&](std::size_t begin, std::size_t end) { total += end - begin; });
  CHECK(total == 20000);
}

TEST_CASE("of several exceptions the first in order is reported, and the pool stays usable", "[simt]") {
  WorkerPool pool(4);
  for (int round = 0; round < 50; ++round) {
    std::string message;
    try {
      pool.parallel(100, [](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
          if (i == 23 || i == 61 || i == 99) throw std::runtime_error(std::to_string(i));
      });
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    REQUIRE(message == "23");
  }
  std::atomic<int> calls = 0;
  pool.parallel(8, [&](std::size_t begin, std::size_t end) { calls += static_cast<int>(end - begin); });
  CHECK(calls == 8);
}
