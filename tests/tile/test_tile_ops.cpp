// Every element-wise operation of the subset on tiles worked out by hand.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include "tests/tile/tiles.hpp"

namespace {

using namespace ladder::tile_test;
using namespace cuda::tiles::literals;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

const auto kA = [] { return tile_of<float, 2, 2>({1, 2, 3, 4}); };
const auto kB = [] { return tile_of<float, 2, 2>({5, -6, 7, -8}); };

template <class T, class U>
concept Addable = requires(T t, U u) {
  t + u;
};
template <class T, class U>
concept Comparable = requires(T t, U u) {
  t < u;
};
template <class T, class S>
using tile_t = ct::tile<T, S>;

}  // namespace

TEST_CASE("arithmetic, element by element") {
  expect<float, 2, 2>(kA() + kB(), {6, -4, 10, -4});
  expect<float, 2, 2>(kA() - kB(), {-4, 8, -4, 12});
  expect<float, 2, 2>(kA() * kB(), {5, -12, 21, -32});
  expect<float, 2, 2>(kB() / kA(), {5, -3, 7.0F / 3.0F, -2});
  expect<float, 2, 2>(-kB(), {-5, 6, -7, 8});
  expect<float, 2, 2>(ct::add(kA(), kB()), {6, -4, 10, -4});
  expect<float, 2, 2>(ct::sub(kA(), kB()), {-4, 8, -4, 12});
  expect<float, 2, 2>(ct::mul(kA(), kB()), {5, -12, 21, -32});
  expect<float, 2, 2>(ct::div(kB(), kA(), ct::round_approximate_t{}), {5, -3, 7.0F / 3.0F, -2});
  expect<float, 2, 2>(ct::fma(kA(), kB(), kA()), {6, -10, 24, -28});
  expect<float, 2, 2>(ct::abs(kB()), {5, 6, 7, 8});
}

TEST_CASE("a scalar takes the tile's element type") {
  expect<float, 2, 2>(2 * kA() + 0.5F, {2.5, 4.5, 6.5, 8.5});
  expect<float, 2, 2>(1.0F / kA(), {1, 0.5, 1.0F / 3.0F, 0.25});
  expect<double, 2>(tile_of<double, 2>({1, 2}) * 0.1, {0.1, 0.2});
  expect<__nv_bfloat16, 2>(tile_of<__nv_bfloat16, 2>({1, 2}) * 3, {3, 6});
  STATIC_REQUIRE(!Addable<tile_t<float, ct::shape<2>>, double>);         // would lose digits
  STATIC_REQUIRE(!Addable<tile_t<__nv_bfloat16, ct::shape<2>>, float>);  // would lose digits
  STATIC_REQUIRE(!Addable<tile_t<int, ct::shape<2>>, float>);
  STATIC_REQUIRE(!Addable<tile_t<int, ct::shape<2>>, unsigned>);
  STATIC_REQUIRE(Comparable<tile_t<float, ct::shape<2>>, double>);  // comparisons widen
  STATIC_REQUIRE(!Comparable<tile_t<int, ct::shape<2>>, unsigned>);
}

TEST_CASE("two tiles meet in the wider type") {
  expect<float, 2>(tile_of<__nv_bfloat16, 2>({1, 2}) + tile_of<float, 2>({0.25, 0.125}), {1.25, 2.125});
  expect<double, 2>(tile_of<float, 2>({1, 2}) * tile_of<double, 2>({0.1, 0.2}), {0.1, 0.4});
  expect<float, 2>(tile_of<int, 2>({1, 2}) + tile_of<float, 2>({0.5, 0.5}), {1.5, 2.5});
  expect<std::int64_t, 2>(tile_of<int, 2>({1, 2}) + tile_of<std::int64_t, 2>({1, 1}), {2, 3});
  STATIC_REQUIRE(!Addable<tile_t<__half, ct::shape<2>>, tile_t<__nv_bfloat16, ct::shape<2>>>);
  STATIC_REQUIRE(!Addable<tile_t<int, ct::shape<2>>, tile_t<unsigned, ct::shape<2>>>);
  // only cast and mma
  STATIC_REQUIRE(!Addable<tile_t<__nv_tf32, ct::shape<2>>, tile_t<__nv_tf32, ct::shape<2>>>);
}

TEST_CASE("broadcasting: extents of one, and missing leading dimensions") {
  const auto column = tile_of<float, 2, 1>({10, 20});
  const auto row = tile_of<float, 1, 4>({1, 2, 3, 4});
  const auto flat = tile_of<float, 4>({1, 2, 3, 4});
  expect<float, 2, 4>(column + row, {11, 12, 13, 14, 21, 22, 23, 24});
  expect<float, 2, 4>(flat * column, {10, 20, 30, 40, 20, 40, 60, 80});
  const auto cube = tile_of<float, 2, 2, 2>({1, 2, 3, 4, 5, 6, 7, 8});
  expect<float, 2, 2, 2>(cube + tile_of<float, 2, 1>({100, 200}), {101, 102, 203, 204, 105, 106, 207, 208});
  expect<float, 2, 2, 2>(cube + tile_of<float, 2, 1, 1>({100, 200}),
                         {101, 102, 103, 104, 205, 206, 207, 208});
  STATIC_REQUIRE(!Addable<tile_t<float, ct::shape<4>>, tile_t<float, ct::shape<2>>>);
}

TEST_CASE("16-bit arithmetic rounds once, to even") {
  // In bf16 the neighbours of 256 are 255 and 258: 257 is a tie and goes to 256, 259 goes to 260.
  expect<__nv_bfloat16, 2>(tile_of<__nv_bfloat16, 2>({256, 256}) + tile_of<__nv_bfloat16, 2>({1, 3}),
                           {256, 260});
  // In fp16 the step at 2048 is 2: 2049 goes to 2048 and 2051 to 2052; 65504 + 32 overflows.
  expect<__half, 4>(tile_of<__half, 4>({2048, 2048, 65504, 65504}) + tile_of<__half, 4>({1, 3, 15, 32}),
                    {2048, 2052, 65504, kInf});
  // fma rounds once where a product and a sum round twice.
  const auto x = tile_of<__half, 1>({1.0 + 1.0 / 1024});
  expect<__half, 1>(ct::fma(x, x, -(x * x)), {std::pow(2.0, -20)});
}

TEST_CASE("integers: division towards zero, remainder, wrapping, bits") {
  const auto a = tile_of<int, 4>({7, -7, 8, -1}), b = tile_of<int, 4>({2, 2, 3, 4});
  expect<int, 4>(a / b, {3, -3, 2, 0});
  expect<int, 4>(a % b, {1, -1, 2, -1});
  expect<int, 4>(ct::ceildiv(a, b), {4, -3, 3, 0});
  expect<int, 4>(a & 3, {3, 1, 0, 3});
  expect<int, 4>(a | 8, {15, -7, 8, -1});
  expect<int, 4>(b ^ 1, {3, 3, 2, 5});
  expect<int, 4>(b << 2, {8, 8, 12, 16});
  expect<int, 4>(a >> 1, {3, -4, 4, -1});
  expect<int, 4>(ct::abs(a), {7, 7, 8, 1});
  expect<int, 1>(tile_of<int, 1>({2147483647}) + 1, {-2147483648.0});
  expect<unsigned, 1>(tile_of<unsigned, 1>({0}) - 1U, {4294967295.0});
}

TEST_CASE("comparisons and logic give bool tiles") {
  expect<bool, 2, 2>(kA() < kB(), {1, 0, 1, 0});
  expect<bool, 2, 2>(kA() <= 2, {1, 1, 0, 0});
  expect<bool, 2, 2>(kA() > 2.5, {0, 0, 1, 1});
  expect<bool, 2, 2>(kA() >= kA(), {1, 1, 1, 1});
  expect<bool, 2, 2>(kA() == tile_of<float, 1, 2>({1, 4}), {1, 0, 0, 1});
  expect<bool, 2, 2>(kA() != 3.0F, {1, 1, 0, 1});
  expect<bool, 2, 2>(kA() > 1 && kA() < 4, {0, 1, 1, 0});
  expect<bool, 2, 2>(kA() < 2 || kA() > 3, {1, 0, 0, 1});
  expect<bool, 2, 2>(!(kA() < 2), {0, 1, 1, 1});
  const auto nan = tile_of<float, 2>({kNan, 1});
  expect<bool, 2>(nan == nan, {0, 1});
  expect<bool, 2>(nan != nan, {1, 0});
  expect<bool, 2>(ct::isnan(nan), {1, 0});
  expect<bool, 2>(ct::isinf(tile_of<__half, 2>({kInf, 1})), {1, 0});
}

TEST_CASE("max and min: a NaN loses unless told to propagate; +0 is more than -0") {
  const auto a = tile_of<float, 4>({1, kNan, 2, kNan}), b = tile_of<float, 4>({3, 4, kNan, kNan});
  const auto larger = numbers_of(ct::max(a, b)), smaller = numbers_of(ct::min(a, b));
  CHECK(larger[0] == 3);
  CHECK(larger[1] == 4);
  CHECK(larger[2] == 2);
  CHECK(std::isnan(larger[3]));
  CHECK(smaller[0] == 1);
  CHECK(smaller[1] == 4);
  CHECK(smaller[2] == 2);
  CHECK(std::isnan(smaller[3]));
  const auto kept = numbers_of(ct::max(a, b, ct::propagate_nan_t{}));
  CHECK(kept[0] == 3);
  CHECK(std::isnan(kept[1]));
  CHECK(std::isnan(kept[2]));
  for (const double sign : {1.0, -1.0}) {
    const auto x = tile_of<float, 1>({sign * 0.0}), y = tile_of<float, 1>({-sign * 0.0});
    CHECK(!std::signbit(numbers_of(ct::max(x, y))[0]));
    CHECK(std::signbit(numbers_of(ct::min(x, y))[0]));
  }
  expect<float, 2, 2>(ct::max(kB(), 0), {5, 0, 7, 0});
  expect<int, 2>(ct::min(tile_of<int, 2>({1, 5}), 3), {1, 3});
  CHECK(ct::max(3, 5) == 5);
}

TEST_CASE("mathematical functions") {
  expect<double, 2>(ct::exp(tile_of<double, 2>({0, 1})), {1, std::exp(1.0)});
  expect<double, 2>(ct::log(tile_of<double, 2>({1, 10})), {0, std::log(10.0)});
  expect<float, 4>(ct::exp2(tile_of<float, 4>({0, 3, -1, -200})), {1, 8, 0.5, 0});
  expect<float, 3 + 1>(ct::log2(tile_of<float, 4>({1, 8, 0.5, 0})), {0, 3, -1, -kInf});
  expect<float, 2>(ct::sqrt(tile_of<float, 2>({4, 2})), {2, std::sqrt(2.0F)});
  expect<float, 2>(ct::rsqrt(tile_of<float, 2>({4, 0.25})), {0.5, 2});
  expect<float, 2>(ct::tanh(tile_of<float, 2>({0, 100})), {0, 1});
  expect<float, 2>(ct::floor(tile_of<float, 2>({1.5, -1.5})), {1, -2});
  expect<float, 2>(ct::ceil(tile_of<float, 2>({1.5, -1.5})), {2, -1});
  expect<float, 2>(ct::sin(tile_of<float, 2>({0, 1})), {0, std::sin(1.0F)});
  expect<float, 2>(ct::cos(tile_of<float, 2>({0, 1})), {1, std::cos(1.0F)});
  expect<float, 2>(ct::pow(tile_of<float, 2>({2, 9}), tile_of<float, 2>({10, 0.5})), {1024, 3});
  expect<float, 1>(ct::exp(tile_of<float, 1>({0}), ct::round_approximate_t{}), {1});
  expect<float, 2>(ct::exp2(tile_of<float, 2>({-130, -126}), ct::round_subnormals_to_zero_t{}),
                   {0, std::pow(2.0, -126)});
  expect<__nv_bfloat16, 1>(ct::exp(tile_of<__nv_bfloat16, 1>({1})), {2.71875});  // e in bf16
}

TEST_CASE("select, casts and bits") {
  expect<float, 2, 2>(ct::select(kB() > 0, kA(), kB()), {1, -6, 3, -8});
  expect<float, 2, 2>(ct::select(tile_of<bool, 2, 1>({1, 0}), kA(), kB()), {1, 2, 7, -8});
  expect<int, 4>(ct::element_cast<int>(tile_of<float, 4>({1.9, -1.9, 0.5, 7})), {1, -1, 0, 7});
  expect<bool, 4>(ct::element_cast<bool>(tile_of<float, 4>({0, -1, 0.5, 0})), {0, 1, 1, 0});
  expect<__nv_bfloat16, 2>(ct::element_cast<__nv_bfloat16>(tile_of<float, 2>({257, 259})), {256, 260});
  expect<__half, 2>(ct::element_cast<__half>(tile_of<double, 2>({2049, 1e6})), {2048, kInf});
  expect<__nv_tf32, 2>(ct::element_cast<__nv_tf32>(tile_of<float, 2>({2049, 2051})), {2048, 2052});
  expect<float, 2>(ct::element_cast<float>(ct::element_cast<__nv_tf32>(tile_of<float, 2>({1, 3}))), {1, 3});
  expect<int, 2>(ct::element_bitcast<int>(tile_of<float, 2>({1, 0})), {0x3f800000, 0});
  // implicit: nothing is lost
  const ct::tile<float, ct::shape<2>> widened = tile_of<__nv_bfloat16, 2>({1.5, 2});
  expect<float, 2>(widened, {1.5, 2});
  CHECK(static_cast<float>(tile_of<float, 1, 1>({2.5})) == 2.5F);
  expect<float>(ct::tile{2.5F}, {2.5});
}
