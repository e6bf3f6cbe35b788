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

}  // namespace ladder::LADDER_SIDE
