// A log holds what each tile of one block held after each operation, and nothing of the other blocks.
#include <catch2/catch.hpp>

#include "shared/base/json.hpp"
#include "shared/tile/launch.hpp"

namespace ladder::LADDER_SIDE {
namespace {

namespace ct = cuda::tiles;

__tile_global__ void scaled_sum(const float* x, float* y, int count) {
  auto view = ct::partition_view{ct::tensor_span{x, ct::extents{count}}, ct::shape<4>{}};
  auto t = view.load_masked(ct::bid().x) * 2.0F;
  ct::store(y + ct::bid().x, static_cast<float>(ct::sum<0>(t)));
}

}  // namespace

TEST_CASE("a log follows one block through its operations") {
  const float x[6] = {1, 2, 3, 4, 5, 6};
  float y[2] = {};
  tile::BlockLog log(tile::Index{1, 0, 0});
  launch(scaled_sum, {"scaled_sum", 2}, x, y, 6);
  CHECK(y[0] == 20);
  CHECK(y[1] == 22);
  const auto& steps = log.steps();
  REQUIRE(steps.size() == 4);
  CHECK(std::string(steps[0].operation) == "load_masked");
  CHECK(steps[0].values == std::vector<double>{5, 6, 0, 0});
  CHECK(steps[0].at == std::vector<std::int64_t>{1});
  CHECK(std::string(steps[1].operation) == "mul");
  CHECK(steps[1].from == std::vector<std::uint32_t>{steps[0].id, 0});
  CHECK(steps[1].values == std::vector<double>{10, 12, 0, 0});
  CHECK(std::string(steps[2].operation) == "sum");
  CHECK(steps[2].shape == std::vector<std::size_t>{1});
  CHECK(std::string(steps[3].operation) == "store");
  CHECK(steps[3].values == std::vector<double>{22});
  const auto json = Json::parse(log.json());
  CHECK(json["format"] == "ladder-tile-trace/1");
  CHECK(json["kernel"] == "scaled_sum");
  CHECK(json["block"] == Json({1, 0, 0}));
  CHECK(json["hints"] == Json({{"worker_warps", 0}, {"occupancy", 0}}));
  CHECK(json["steps"][1]["op"] == "mul");
  CHECK(json["steps"][1]["from"] == Json({1, 0}));
}

TEST_CASE("loads through views say which tensor, and a log can follow one kernel of several") {
  const float x[6] = {1, 2, 3, 4, 5, 6};
  float y[2] = {};
  const tile::Buffer known("x", x, 6);
  tile::BlockLog log(tile::Index{0, 0, 0}, "scaled_s");
  launch(scaled_sum, {"scaled_sum", 2}, x, y, 6);
  launch(scaled_sum, {"another", 1}, x, y, 6);
  REQUIRE(log.steps().size() == 4);
  CHECK(log.kernel() == "scaled_sum");
  CHECK(log.grid().x == 2);
  CHECK(log.steps()[0].tensor == "x");
  CHECK(log.steps()[0].extents == std::vector<std::int64_t>{6});
  CHECK(log.steps()[1].tensor.empty());
  CHECK(log.steps()[1].extents.empty());
  const auto json = Json::parse(log.json());
  CHECK(json["steps"][0]["tensor"] == "x");
  CHECK(json["steps"][0]["extents"] == Json({6}));
  CHECK_FALSE(json["steps"][1].contains("tensor"));
}

TEST_CASE("infinities and NaN are written as words") {
  const float x[4] = {INFINITY, -INFINITY, NAN, 0};
  float y[1] = {};
  tile::BlockLog log(tile::Index{0, 0, 0});
  launch(scaled_sum, {"scaled_sum", 1}, x, y, 4);
  CHECK(Json::parse(log.json())["steps"][0]["values"] == Json({"inf", "-inf", "nan", 0.0}));
}

TEST_CASE("without a log nothing is written down, and only one can exist") {
  tile::BlockLog log(tile::Index{5, 0, 0});
  const float x[4] = {1, 1, 1, 1};
  float y[1] = {};
  launch(scaled_sum, {"scaled_sum", 1}, x, y, 4);
  CHECK(log.steps().empty());
  CHECK_THROWS_AS(tile::BlockLog(tile::Index{}), InputError);
}

TEST_CASE("a stream notes each kernel's name; a dry one runs nothing") {
  Stream stream;
  const float x[4] = {1, 1, 1, 1};
  float y[1] = {};
  stream.dry = true;
  launch(stream, scaled_sum, {"scaled_sum", 1}, x, y, 4);
  CHECK(y[0] == 0);
  stream.dry = false;
  launch(stream, scaled_sum, {"scaled_sum", 1}, x, y, 4);
  CHECK(y[0] == 8);
  CHECK(stream.kernels() == std::vector<std::string>{"scaled_sum"});
}

namespace {

/// A kernel whose hints come from its template parameter: the launch repeats them.
template <Hints H>
[[using cutile: hint(900, num_worker_warps_per_cta = H.worker_warps,
                     occupancy = H.occupancy)]] __tile_global__ void
hinted_sum(const float* x, float* y) {
  ct::store(y, static_cast<float>(ct::sum<0>(ct::load(x + ct::iota<ct::tile<int, ct::shape<4>>>()))));
}

template <Hints H>
void launch_hinted(Stream& stream, const float* x, float* y) {
  launch(stream, hinted_sum<H>, {"hinted_sum", 1, H}, x, y);
}

}  // namespace

TEST_CASE("hints are recorded by the stream and the log") {
  Stream stream;
  const float x[4] = {1, 2, 3, 4};
  float y[1] = {};
  tile::BlockLog log(tile::Index{0, 0, 0});
  constexpr Hints wide{.worker_warps = 8, .occupancy = 2};
  launch_hinted<wide>(stream, x, y);
  CHECK(y[0] == 10);
  const auto json = Json::parse(log.json());
  CHECK(json["hints"] == Json({{"worker_warps", 8}, {"occupancy", 2}}));
  launch_hinted<Hints{}>(stream, x, y);
  launch_hinted<wide>(stream, x, y);
  const auto& launched = stream.launched();
  REQUIRE(launched.size() == 2);
  CHECK((launched[0].hints == wide && launched[0].count == 2));
  CHECK((launched[1].hints == Hints{} && launched[1].count == 1));
  CHECK(stream.kernels() == std::vector<std::string>{"hinted_sum"});
}

namespace {

/// Each block writes its number, x fastest, into its place.
__tile_global__ void number_of_block(int* y) {
  const auto id = ct::bid();
  const auto count = ct::num_blocks();
  const auto number = id.x + count.x * (id.y + count.y * id.z);
  ct::store(y + number, static_cast<int>(number) + 100);
}

/// Every block writes the first element.
__tile_global__ void meet_in_one(int* y) { ct::store(y, static_cast<int>(ct::bid().z)); }

}  // namespace

TEST_CASE("a grid of three dimensions has each of its blocks once, and a log follows the one it was given") {
  const int before = tile::options().threads;
  for (const int threads : {1, 3}) {
    tile::options().threads = threads;
    std::vector<int> y(2 * 3 * 4);
    launch(number_of_block, {"number_of_block", {2, 3, 4}}, y.data());
    for (int i = 0; i < 24; ++i) CHECK(y[static_cast<std::size_t>(i)] == 100 + i);
  }
  tile::options().threads = before;
  std::vector<int> y(2 * 3 * 4);
  const struct {
    tile::Index block;
    double number;
  } followed[] = {{{1, 0, 0}, 1}, {{0, 1, 0}, 2}, {{0, 0, 1}, 6}, {{1, 2, 3}, 23}};
  for (const auto& [block, number] : followed) {
    tile::BlockLog log(block);
    launch(number_of_block, {"number_of_block", {2, 3, 4}}, y.data());
    REQUIRE_FALSE(log.steps().empty());
    CHECK(log.steps().back().values == std::vector<double>{100 + number});
    const auto json = Json::parse(log.json());
    CHECK(json["block"] == Json({block.x, block.y, block.z}));
    CHECK(json["grid"] == Json({2, 3, 4}));
  }
}

TEST_CASE("a race names both blocks by all three of their numbers") {
  int y[1] = {};
  const tile::Checks checks;
  const tile::Buffer known("y", y, 1);
  const auto told = [&](const tile::Grid& grid) -> std::string {
    try {
      launch(meet_in_one, {"meet_in_one", grid}, y);
    } catch (const tile::Fault& fault) {
      return fault.what();
    }
    return {};
  };
  CHECK_THAT(told({1, 1, 2}),
             Catch::Contains("block (0, 0, 1)") && Catch::Contains("block (0, 0, 0) writes"));
  CHECK_THAT(told({1, 2, 1}), Catch::Contains("block (0, 1, 0)"));
  CHECK(told({1, 1, 1}).empty());
}

TEST_CASE("grids at CUDA's limits are taken, one beyond in each dimension is refused") {
  Stream stream;
  stream.dry = true;  // nothing runs
  int y[1] = {};
  const auto asked = [&](const tile::Grid& grid) { launch(stream, meet_in_one, {"meet_in_one", grid}, y); };
  CHECK_NOTHROW(asked({2147483647, 65535, 65535}));
  CHECK_THROWS_WITH(asked({2147483648U, 1, 1}), Catch::Contains("grid (2147483648, 1, 1) is outside"));
  CHECK_THROWS_WITH(asked({1, 65536, 1}), Catch::Contains("grid (1, 65536, 1)"));
  CHECK_THROWS_WITH(asked({1, 1, 65536}), Catch::Contains("grid (1, 1, 65536)"));
  CHECK_THROWS_AS(launch(meet_in_one, {"meet_in_one", {1, 1, 65536}}, y), InputError);
  CHECK_NOTHROW(asked({5, 0, 70000}));  // no blocks
}

}  // namespace ladder::LADDER_SIDE
