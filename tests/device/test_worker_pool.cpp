#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "shared/base/error.hpp"
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

TEST_CASE("every piece is done exactly once") {
  for (const int threads : {1, 2, 5}) {
    WorkerPool pool(threads);
    CHECK(pool.threads() == threads);
    for (const int pieces : {0, 1, 2, 7, 100}) {
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(pieces));
      pool.for_each(pieces, [&](int i) { ++done[static_cast<std::size_t>(i)]; });
      for (const auto& count : done) REQUIRE(count == 1);
    }
  }
}

TEST_CASE("rounds follow each other without mixing") {
  WorkerPool pool(3);
  std::vector<int> values(50, 0);
  for (int round = 0; round < 300; ++round)
    pool.for_each(50, [&](int i) { values[static_cast<std::size_t>(i)] += i; });
  for (int i = 0; i < 50; ++i) REQUIRE(values[static_cast<std::size_t>(i)] == 300 * i);
}

TEST_CASE("0 threads means one for each core") {
  CHECK(WorkerPool(0).threads() == std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
}

TEST_CASE("each worker runs inside what its start function sets up") {
  static thread_local int mark = 0;
  std::atomic<int> marked = 0;
  std::atomic<int> arrived = 0;
  {
    WorkerPool pool(3, [&](std::function<void()> serve) {
      return std::thread([&marked, serve] {
        mark = 1;
        serve();
        marked += mark;
      });
    });
    // Three pieces that wait for each other: every thread does one.
    pool.for_each(3, [&](int) {
      ++arrived;
      while (arrived < 3) std::this_thread::yield();
      marked += mark;
    });
    CHECK(marked == 2);
  }
  CHECK(marked == 4);  // and the set-up ends with the pool
}

TEST_CASE("where nobody asked for a number of threads, those that the system gives do the work") {
  for (const int given : {0, 1, 2}) {
    int started = 0;
    WorkerPool pool(0, [&](std::function<void()> serve) {
      if (started == given)
        throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
      ++started;
      return std::thread(std::move(serve));
    });
    CHECK(pool.threads() == started + 1);
    std::vector<std::atomic<int>> done(50);
    pool.for_each(50, [&](int i) { ++done[static_cast<std::size_t>(i)]; });
    for (const auto& count : done) REQUIRE(count == 1);
  }
}

TEST_CASE("of pieces that fail the first one's error is told, whichever failed first") {
  WorkerPool pool(2);
  std::atomic<bool> other_failed = false;
  std::string message;
  try {
    pool.parallel(16, [&](std::size_t begin, std::size_t) {
      if (begin == 0) {
        while (!other_failed) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until that one has been noted
      }
      other_failed = true;
      throw std::runtime_error(std::to_string(begin));
    });
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  CHECK(message == "0");
}

TEST_CASE("a thread that cannot be started is a MachineError, and those that run are stopped and joined") {
  std::atomic<int> alive = 0;
  int started = 0;
  const auto third_fails = [&](std::function<void()> serve) {
    if (started == 2)
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    ++started;
    return std::thread([&alive, serve] {
      ++alive;
      serve();
      --alive;
    });
  };
  std::string message;
  try {
    const WorkerPool pool(8, third_fails);
  } catch (const ladder::MachineError& error) {
    message = error.what();
  }
  CHECK_THAT(message, Catch::Contains("8 asked for, 3 started") &&
                          Catch::Contains("Resource temporarily unavailable") &&
                          Catch::Contains("--threads N"));
  CHECK(started == 2);
  CHECK(alive == 0);
}
