// The reader's page: its code is what examples.cuh holds, and those kernels run clean in checked mode.
#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "shared/base/files.hpp"
#include "shared/base/lines.hpp"
#include "tests/tile/examples.cuh"

namespace {

using namespace ladder;
using namespace ladder::on_cpu;
using tile::Buffer;
using tile::Contents;

/// A file's lines, unindented.
std::vector<std::string> lines_in(const std::string& path) {
  std::vector<std::string> lines = lines_of(read_file(std::string(LADDER_SOURCE_DIR) + "/" + path));
  for (std::string& line : lines) line.erase(0, std::min(line.find_first_not_of(' '), line.size()));
  return lines;
}

/// Each ```cpp block of the page as one string of unindented lines.
std::vector<std::string> code_blocks(const std::vector<std::string>& page) {
  std::vector<std::string> blocks;
  bool inside = false;
  for (const std::string& line : page) {
    if (line == "```cpp")
      blocks.emplace_back("\n");
    else if (inside && line != "```")
      blocks.back() += line + "\n";
    inside = line == "```cpp" || (inside && line != "```");
  }
  return blocks;
}

struct Data {
  std::vector<float> in = std::vector<float>(256), out = std::vector<float>(256);
  tile::Checks checks;
  Buffer in_known{"in", in.data(), in.size()}, out_known{"out", out.data(), out.size(), Contents::unwritten};
  Data() {
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = 1.0F + static_cast<float>(i % 7) / 4;
  }
};

}  // namespace

TEST_CASE("every block of code on the pages is in examples.cuh or in this file") {
  std::string compiled = "\n";
  for (const char* path : {"tests/tile/examples.cuh", "tests/tile/test_examples.cpp"})
    for (const std::string& line : lines_in(path)) compiled += line + "\n";
  std::size_t blocks = 0;
  for (const char* page : {"shared/tile/README.md", "shared/tile/pictures/README.md"})
    for (const std::string& block : code_blocks(lines_in(page))) {
      INFO(block);
      CHECK(compiled.find(block) != std::string::npos);
      ++blocks;
    }
  CHECK(blocks >= 17);
}

TEST_CASE("the examples run clean in checked mode") {
  Data data;
  float *in = data.in.data(), *out = data.out.data();
  launch(example_first, {"example_first", 2}, in, out, 100);
  CHECK(out[99] == 2 * in[99]);
  CHECK(out[100] == 0);
  launch(example_making, {"example_making", 1}, out);
  CHECK(out[3] == 4.0F);
  launch(example_arithmetic, {"example_arithmetic", 1}, in, out);
  launch(example_comparing, {"example_comparing", 1}, in, out);
  CHECK(out[0] == 2 * in[4]);
  launch(example_functions, {"example_functions", 1}, in, out);
  launch(example_converting, {"example_converting", 1}, in, out);
  launch(example_moving, {"example_moving", 1}, in, out);
  launch(example_reducing, {"example_reducing", 1}, in, out);
  launch(example_tf32, {"example_tf32", 1}, in, out);
  float expected = 0;
  for (std::size_t k = 0; k < 16; ++k) expected += in[k] * in[16 + k];
  CHECK(out[1] == expected);
  launch(example_pointers, {"example_pointers", 1}, in, out, 5);
  CHECK(out[0] == in[0] + 1);
  launch(example_grid, {"example_grid", {2, 1, 1}}, out, 9);
  launch(example_hints, {"example_hints", 1}, in, out);
  CHECK(out[63] == in[63]);
  constexpr Hints hints{.worker_warps = 8, .occupancy = 2};
  launch(example_recorded<hints, 4>, {"example_recorded", 1, hints}, in, out);
  CHECK(out[0] == in[0] + in[1] + in[2] + in[3]);
}

TEST_CASE("the example of views: alignment, tails and strides") {
  alignas(16) float x[4 * 12] = {};
  alignas(16) float y[4 * 16] = {};
  for (int i = 0; i < 48; ++i) x[i] = static_cast<float>(i);
  const tile::Checks checks;
  const Buffer x_known("x", x, 48), y_known("y", y, 64, Contents::unwritten);
  launch(example_views, {"example_views", 1}, x, y, 4, 12, 16);
  CHECK(y[0] == 8.0F + 8.0F);  // t = 8, u = 8, v = 0
  CHECK(y[4] == 0.0F + 4.0F);  // outside the tensor: t = 0, u = -inf, v = 4
  CHECK(y[16] == 20.0F + 20.0F);
}

TEST_CASE("the example of mma, over a run-time k with a tail") {
  std::vector<__nv_bfloat16> a(16 * 40), b(16 * 40);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = __nv_bfloat16(static_cast<float>(i % 5));
    b[i] = __nv_bfloat16(static_cast<float>(i % 3));
  }
  std::vector<float> c(256);
  launch(example_mma, {"example_mma", 1}, a.data(), b.data(), c.data(), 40);
  float expected = 0;
  for (std::size_t k = 0; k < 40; ++k)
    expected += static_cast<float>(a[2 * 40 + k]) * static_cast<float>(b[7 * 40 + k]);
  CHECK(c[2 * 16 + 7] == expected);
}

TEST_CASE("the page's lines on checked mode and logs") {
  const std::vector<float> x(4, 1.0F);
  std::vector<float> y(4);
  {
    const tile::Checks checks;
    const tile::Buffer x_known("x", x.data(), x.size());
    const tile::Buffer y_known("y", y.data(), y.size(), tile::Contents::unwritten);
    CHECK(tile::checks_on());
  }
  tile::BlockLog log(tile::Index{1, 0, 0});
  CHECK(log.steps().empty());
}
