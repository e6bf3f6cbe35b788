#include <catch2/catch.hpp>

#include <atomic>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "shared/check/check.hpp"
#include "shared/simt/launch.hpp"

using namespace ladder;          // NOLINT(google-build-using-namespace)
using namespace ladder::on_cpu;  // NOLINT(google-build-using-namespace)

namespace {

/// The number of the calling thread in the whole grid, x fastest: as CUDA's guide counts.
std::size_t thread_number() {
  const std::size_t block =
      blockIdx.x + gridDim.x * (blockIdx.y + static_cast<std::size_t>(gridDim.y) * blockIdx.z);
  const std::size_t thread =
      threadIdx.x + blockDim.x * (threadIdx.y + static_cast<std::size_t>(blockDim.y) * threadIdx.z);
  return block * blockDim.count() + thread;
}

__global__ void count_kernel(std::atomic<int>* seen) { ++seen[thread_number()]; }

__global__ void record_order_kernel(std::size_t* order, std::size_t* next) {
  order[(*next)++] = thread_number();
}

__global__ void saxpy_kernel(int count, float a, const float* x, float* y) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) y[i] += a * x[i];
}

__global__ void fail_kernel(int which) {
  if (static_cast<int>(thread_number()) >= which) throw std::out_of_range("index 9 of 8");
}

}  // namespace

TEST_CASE("every thread of a grid runs exactly once, for awkward grids and any number of cores", "[simt]") {
  struct Shape {
    dim3 grid, block;
  };
  const std::vector<Shape> shapes = {{{1}, {1}},           {{7}, {33}},      {{3, 5, 2}, {17, 3, 2}},
                                     {{1, 1, 9}, {1024}},  {{257}, {32, 8}}, {{2, 33, 3}, {1, 1, 64}},
                                     {{65, 2}, {31, 1, 5}}};
  for (const int threads : {1, 2, 5}) {
    WorkerPool pool(threads);
    Stream stream;
    stream.workers = &pool;
    for (const auto& [grid, block] : shapes) {
      std::vector<std::atomic<int>> seen(grid.count() * block.count());
      launch(stream, {"count", grid, block}, count_kernel, seen.data());
      for (const auto& times : seen) REQUIRE(times == 1);
    }
  }
}

TEST_CASE("one core runs blocks and threads in order: what a debugger steps through", "[simt]") {
  Stream stream;  // no workers
  const dim3 grid(3, 2, 2);
  const dim3 block(4, 3, 2);
  std::vector<std::size_t> order(grid.count() * block.count());
  std::size_t next = 0;
  launch(stream, {"record_order", grid, block}, record_order_kernel, order.data(), &next);
  for (std::size_t i = 0; i < order.size(); ++i) REQUIRE(order[i] == i);
}

TEST_CASE("sizes that are left out of a dim3 are 1", "[simt]") {
  CHECK(dim3().count() == 1);
  CHECK(dim3(7).count() == 7);
  CHECK(dim3(7, 3).z == 1);
  CHECK(blocks_for(0, 256) == 0);
  CHECK(blocks_for(1, 256) == 1);
  CHECK(blocks_for(256, 256) == 1);
  CHECK(blocks_for(257, 256) == 2);
}

TEST_CASE("a kernel computes what its loop would, whatever the number of cores", "[simt]") {
  const int count = 10007;
  std::vector<float> x(static_cast<std::size_t>(count)), want(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i) * 0.37F;
    want[i] = 2.0F + 0.5F * x[i];
  }
  for (const int threads : {1, 2, 3}) {
    WorkerPool pool(threads);
    Stream stream;
    stream.workers = &pool;
    std::vector<float> y(x.size(), 2.0F);
    launch(stream, {"saxpy", dim3(blocks_for(x.size(), 256)), dim3(256)}, saxpy_kernel, count, 0.5F, x.data(),
           y.data());
    const std::vector<double> got_wide(y.begin(), y.end()), want_wide(want.begin(), want.end());
    CHECK(compare(got_wide, want_wide, 1e-6).passed());
  }
}

TEST_CASE("an exception names kernel, block and thread, the first in order on any number of cores",
          "[simt]") {
  for (const int threads : {1, 4}) {
    WorkerPool pool(threads);
    Stream stream;
    stream.workers = &pool;
    // 100 x 2 blocks of 8 x 8: thread 4242 is in block 66 (x 66, y 0), thread 18 of it (x 2, y 2)
    CHECK_THROWS_WITH(launch(stream, {"fail", dim3(100, 2), dim3(8, 8)}, fail_kernel, 4242),
                      "kernel fail, block (66, 0, 0), thread (2, 2, 0): index 9 of 8");
    CHECK_THROWS_AS(launch(stream, {"fail", dim3(100, 2), dim3(8, 8)}, fail_kernel, 0), KernelError);
  }
}

TEST_CASE("shapes that a GPU would refuse are refused here too, by kernel and shape", "[simt]") {
  Stream stream;
  std::atomic<int> seen[1] = {};
  CHECK_THROWS_WITH(
      launch(stream, {"count", dim3(1), dim3(1025)}, count_kernel, static_cast<std::atomic<int>*>(seen)),
      "kernel count: grid (1, 1, 1) of blocks (1025, 1, 1) is outside CUDA's limits");
  CHECK_THROWS_AS(
      launch(stream, {"count", dim3(1, 65536), dim3(1)}, count_kernel, static_cast<std::atomic<int>*>(seen)),
      InputError);
  CHECK_THROWS_AS(
      launch(stream, {"count", dim3(1), dim3(1, 1, 65)}, count_kernel, static_cast<std::atomic<int>*>(seen)),
      InputError);
  CHECK_THROWS_AS(
      launch(stream, {"count", dim3(1), dim3(0)}, count_kernel, static_cast<std::atomic<int>*>(seen)),
      InputError);
  CHECK(seen[0] == 0);
}

TEST_CASE("an empty grid launches nothing; a dry walk runs nothing and records nothing", "[simt]") {
  Stream stream;
  std::atomic<int> seen[1] = {};
  auto* first = static_cast<std::atomic<int>*>(seen);
  launch(stream, {"count", dim3(0), dim3(32)}, count_kernel, first);
  stream.dry = true;
  launch(stream, {"count", dim3(1), dim3(1)}, count_kernel, first);
  CHECK(seen[0] == 0);
  CHECK(stream.kernels().empty());
  stream.dry = false;
  launch(stream, {"count", dim3(1), dim3(1)}, count_kernel, first);
  CHECK(seen[0] == 1);
  CHECK(stream.kernels() == std::vector<std::string>{"count"});
}

TEST_CASE("the workspace grows to the largest request and is then reused", "[simt]") {
  Stream stream;
  std::vector<std::vector<std::byte>> blocks;
  stream.allocate = [&](std::size_t bytes) { return static_cast<void*>(blocks.emplace_back(bytes).data()); };
  void* small = stream.workspace(100);
  CHECK(stream.workspace(40) == small);
  void* large = stream.workspace(1000);
  CHECK(stream.workspace(1000) == large);
  CHECK(stream.workspace(7) == large);
  CHECK(blocks.size() == 2);
}

TEST_CASE("a workspace that finds no memory leaves the stream as it was", "[simt]") {
  Stream stream;
  std::vector<std::byte> block(100);
  stream.allocate = [&](std::size_t bytes) -> void* {
    if (bytes > block.size()) throw std::bad_alloc();
    return block.data();
  };
  void* small = stream.workspace(100);
  for (int again = 0; again < 2; ++again) CHECK_THROWS_AS(stream.workspace(1000), std::bad_alloc);
  CHECK(stream.workspace(100) == small);
}

TEST_CASE("shapes at CUDA's limits are taken, one beyond in each dimension is refused", "[simt]") {
  Stream stream;
  stream.dry = true;  // nothing runs
  const auto asked = [&](dim3 grid, dim3 block) {
    launch(stream, {"count", grid, block}, count_kernel, static_cast<std::atomic<int>*>(nullptr));
  };
  CHECK_NOTHROW(asked({2147483647, 65535, 65535}, {4, 4, 64}));
  CHECK_NOTHROW(asked({1}, {1024}));
  CHECK_NOTHROW(asked({1}, {1, 1024}));
  CHECK_THROWS_AS(asked({2147483648U}, {1}), InputError);
  CHECK_THROWS_AS(asked({1, 65536}, {1}), InputError);
  CHECK_THROWS_AS(asked({1, 1, 65536}, {1}), InputError);
  CHECK_THROWS_AS(asked({1}, {1, 1, 65}), InputError);
  CHECK_THROWS_AS(asked({1}, {32, 33}), InputError);  // 1056 threads
  CHECK_THROWS_AS(asked({1}, {1, 0}), InputError);
  CHECK_THROWS_AS(asked({1}, {1, 1, 0}), InputError);
  for (const dim3 none : {dim3(0, 1, 1), dim3(1, 0, 1), dim3(1, 1, 0)}) CHECK_NOTHROW(asked(none, {2048}));
}

TEST_CASE("an exception names blocks and threads by all three of their numbers", "[simt]") {
  Stream stream;
  // blocks of 2 x 3 x 2 threads in a grid of 2 x 2 x 2: thread 95 is the last of all
  CHECK_THROWS_WITH(launch(stream, {"fail", dim3(2, 2, 2), dim3(2, 3, 2)}, fail_kernel, 95),
                    "kernel fail, block (1, 1, 1), thread (1, 2, 1): index 9 of 8");
  CHECK_THROWS_WITH(launch(stream, {"fail", dim3(2, 2, 2), dim3(2, 3, 2)}, fail_kernel, 12 * 2 + 6),
                    "kernel fail, block (0, 1, 0), thread (0, 0, 1): index 9 of 8");
}
