// Making, moving and reducing tiles, matrix products, and memory through pointers and views, worked out by hand.
#include <catch2/catch.hpp>

#include <cmath>

#include "tests/tile/tiles.hpp"

namespace {

using namespace ladder::tile_test;
using namespace cuda::tiles::literals;

const auto kMatrix = [] { return tile_of<float, 2, 4>({1, 2, 3, 4, 5, 6, 7, 8}); };

}  // namespace

TEST_CASE("full, zeros, ones, iota; a tile without values is NaN") {
  expect<float, 2>(ct::full<ct::tile<float, ct::shape<2>>>(2.5F), {2.5, 2.5});
  expect<__nv_bfloat16, 2>(ct::zeros<ct::tile<__nv_bfloat16, ct::shape<2>>>(), {0, 0});
  expect<double, 2>(ct::ones<ct::tile<double, ct::shape<2>>>(), {1, 1});
  expect<int, 2, 2>(ct::iota<ct::tile<int, ct::shape<2, 2>>>(), {0, 1, 2, 3});
  CHECK(std::isnan(numbers_of(ct::tile<float, ct::shape<2>>())[1]));
}

TEST_CASE("reshape, broadcast, transpose, permute") {
  expect<float, 4, 2>(ct::reshape<ct::shape<4, 2>>(kMatrix()), {1, 2, 3, 4, 5, 6, 7, 8});
  expect<float, 8>(ct::reshape(kMatrix(), ct::shape<8>{}), {1, 2, 3, 4, 5, 6, 7, 8});
  expect<float, 2, 2>(ct::broadcast<ct::shape<2, 2>>(tile_of<float, 2, 1>({1, 2})), {1, 1, 2, 2});
  expect<float, 2, 2>(ct::broadcast<ct::shape<2, 2>>(tile_of<float, 2>({1, 2})), {1, 2, 1, 2});
  expect<float, 4, 2>(ct::transpose(kMatrix()), {1, 5, 2, 6, 3, 7, 4, 8});
  expect<float, 4, 2>(ct::permute(kMatrix(), ct::dimension_map<1, 0>{}), {1, 5, 2, 6, 3, 7, 4, 8});
  const auto cube = tile_of<float, 2, 1, 4>({1, 2, 3, 4, 5, 6, 7, 8});
  expect<float, 4, 2, 1>(ct::permute<ct::dimension_map<2, 0, 1>>(cube), {1, 5, 2, 6, 3, 7, 4, 8});
  expect<float, 1, 2, 4>(ct::transpose(cube), {1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("extract and cat") {
  expect<float, 2, 2>(ct::extract(kMatrix(), ct::shape<2, 2>{}, 0, 1), {3, 4, 7, 8});
  expect<float, 1, 4>(ct::extract(kMatrix(), ct::shape<1, 4>{}, 1, 0), {5, 6, 7, 8});
  CHECK_THROWS_AS(ct::extract(kMatrix(), ct::shape<1, 4>{}, 2, 0), ladder::InputError);
  const auto a = tile_of<int, 1, 2>({1, 2}), b = tile_of<int, 1, 2>({3, 4});
  expect<int, 2, 2>(ct::cat<0>(a, b), {1, 2, 3, 4});
  expect<int, 1, 4>(ct::cat(a, b, 1_ic), {1, 2, 3, 4});
}

TEST_CASE("reductions keep the dimension, with extent 1") {
  expect<float, 2, 1>(ct::sum<1>(kMatrix()), {10, 26});
  expect<float, 1, 4>(ct::sum(kMatrix(), 0_ic), {6, 8, 10, 12});
  expect<float, 2, 1>(ct::prod<1>(kMatrix()), {24, 1680});
  expect<float, 2, 1>(ct::reduce_max<1>(kMatrix()), {4, 8});
  expect<float, 1, 4>(ct::reduce_min<0>(kMatrix()), {1, 2, 3, 4});
  expect<int, 1>(ct::sum<0>(tile_of<int, 4>({1, 2, 3, 4})), {10});
  expect<bool, 2, 1>(ct::any_of<1>(kMatrix() > 7), {0, 1});
  expect<bool, 2, 1>(ct::all_of<1>(kMatrix() > 4), {0, 1});
  expect<float, 2, 1, 2>(ct::sum<1>(tile_of<float, 2, 2, 2>({1, 2, 3, 4, 5, 6, 7, 8})), {4, 6, 12, 14});
  expect<double, 1>(ct::sum<0>(tile_of<double, 1>({3})), {3});
}

TEST_CASE("sum adds halves: 4096 times 0.1 in fp32 loses next to nothing, in bf16 rounds only at the end") {
  const auto tenths = ct::full<ct::tile<float, ct::shape<4096>>>(0.1F);
  CHECK(numbers_of(ct::sum<0>(tenths))[0] == static_cast<double>(4096 * 0.1F));
  const auto ones = ct::ones<ct::tile<__nv_bfloat16, ct::shape<1024>>>();
  CHECK(numbers_of(ct::sum<0>(ones))[0] == 1024);  // one by one it would stop at 256
}

TEST_CASE("mma: acc + a b in every type") {
  const std::vector<double> a = {1, 2, 3, 4}, b = {5, 6, 7, 8}, expected = {119, 122, 143, 150};
  const auto acc = tile_of<float, 2, 2>({100, 100, 100, 100});
  expect<float, 2, 2>(ct::mma(tile_of<float, 2, 2>(a), tile_of<float, 2, 2>(b), acc), expected);
  expect<float, 2, 2>(ct::mma(tile_of<__nv_bfloat16, 2, 2>(a), tile_of<__nv_bfloat16, 2, 2>(b), acc),
                      expected);
  expect<float, 2, 2>(ct::mma(tile_of<__half, 2, 2>(a), tile_of<__half, 2, 2>(b), acc), expected);
  expect<float, 2, 2>(ct::mma(tile_of<__nv_tf32, 2, 2>(a), tile_of<__nv_tf32, 2, 2>(b), acc), expected);
  expect<double, 2, 2>(
      ct::mma(tile_of<double, 2, 2>(a), tile_of<double, 2, 2>(b), ct::element_cast<double>(acc)), expected);
}

TEST_CASE("mma accumulates in fp32: 256 + 1 survives in bf16 operands") {
  const auto a = ct::ones<ct::tile<__nv_bfloat16, ct::shape<1, 512>>>();
  const auto b = ct::ones<ct::tile<__nv_bfloat16, ct::shape<512, 1>>>();
  expect<float, 1, 1>(ct::mma(a, b, tile_of<float, 1, 1>({1})), {513});
}

TEST_CASE("mma: shapes that use every path of the inner loops, and batches") {
  const auto check = [](auto m, auto n, auto k) {
    using A = ct::tile<float, ct::shape<m(), k()>>;
    using B = ct::tile<float, ct::shape<k(), n()>>;
    using C = ct::tile<float, ct::shape<m(), n()>>;
    const auto a = ct::element_cast<float>(ct::iota<ct::tile<int, typename A::shape_type>>() % 7);
    const auto b = ct::element_cast<float>(ct::iota<ct::tile<int, typename B::shape_type>>() % 5);
    const auto c = ct::mma(a, b, ct::zeros<C>());
    for (std::size_t i = 0; i < m(); ++i)
      for (std::size_t j = 0; j < n(); ++j) {
        double sum = 0;
        for (std::size_t p = 0; p < k(); ++p) sum += numbers_of(a)[i * k() + p] * numbers_of(b)[p * n() + j];
        REQUIRE(numbers_of(c)[i * n() + j] == sum);
      }
  };
  check(1_ic, 1_ic, 4_ic);
  check(2_ic, 8_ic, 4_ic);
  check(8_ic, 16_ic, 2_ic);
  check(4_ic, 64_ic, 1_ic);
  const auto a = tile_of<float, 2, 1, 2>({1, 2, 3, 4});
  const auto b = tile_of<float, 1, 2, 1>({10, 1});
  expect<float, 2, 1, 1>(ct::mma(a, b, ct::zeros<ct::tile<float, ct::shape<2, 1, 1>>>()), {12, 34});
}

TEST_CASE("pointers: load and store, whole and masked") {
  float memory[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  float* p = memory;
  const auto even = ct::iota<ct::tile<int, ct::shape<4>>>() * 2;
  expect<float, 4>(ct::load(p + even), {0, 2, 4, 6});
  expect<float, 4>(ct::load(p + 1 + even - 1), {0, 2, 4, 6});
  expect<float, 4>(ct::load_masked(p + even, even < 4, -1.0F), {0, 2, -1, -1});
  const auto half = numbers_of(ct::load_masked(p + even, even < 4));
  CHECK(half[1] == 2);
  CHECK(std::isnan(half[3]));
  CHECK(ct::load(p + 3) == 3.0F);
  ct::store(p + even, ct::full<ct::tile<float, ct::shape<4>>>(9.0F));
  ct::store_masked(p + (even + 1), ct::full<ct::tile<float, ct::shape<4>>>(8.0F), even >= 4);
  ct::store(p + 1, 5.0F);
  CHECK(std::vector<float>(memory, memory + 8) == std::vector<float>{9, 5, 9, 3, 9, 8, 9, 8});
  const auto grid = ct::reshape<ct::shape<2, 1>>(ct::iota<ct::tile<int, ct::shape<2>>>()) * 4 +
                    ct::iota<ct::tile<int, ct::shape<2>>>();
  expect<float, 2, 2>(ct::load(p + grid), {9, 5, 9, 8});
}

TEST_CASE("views: indices count tiles; tails are zero or what the padding says") {
  std::vector<int> memory(4 * 6);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<int>(i);
  const auto view = ct::partition_view{ct::tensor_span{memory.data(), ct::extents{4, 6}}, ct::shape<2, 4>{}};
  expect<int, 2, 4>(view.load(0, 0), {0, 1, 2, 3, 6, 7, 8, 9});
  expect<int, 2, 4>(view.load_masked(1, 1), {16, 17, 0, 0, 22, 23, 0, 0});
  expect<int, 2, 4>(view.load_masked(2, 0), {0, 0, 0, 0, 0, 0, 0, 0});
  view.store_masked(ct::full<ct::tile<int, ct::shape<2, 4>>>(-1), 0, 1);
  CHECK(std::vector<int>(memory.begin(), memory.begin() + 12) ==
        std::vector<int>{0, 1, 2, 3, -1, -1, 6, 7, 8, 9, -1, -1});
  std::vector<float> five = {1, 2, 3, 4, 5};
  const auto line = ct::partition_view{ct::tensor_span{five.data(), ct::extents{5_ic}}, ct::shape<4>{}};
  expect<float, 4>(line.load_masked<ct::view_padding::negative_inf>(1), {5, -INFINITY, -INFINITY, -INFINITY});
  CHECK(std::isnan(numbers_of(line.load_masked(ct::view_padding_nan_t{}, 1))[1]));
  CHECK(std::isnan(numbers_of(line.load(1))[3]));  // unmasked: poison, and a fault in checked mode
}

TEST_CASE("views with strides: a leading dimension, a transposed tensor, mixed extents") {
  std::vector<float> memory(3 * 8);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);
  const int ld = 8;
  const auto padded = ct::partition_view{
      ct::tensor_span{memory.data(), ct::layout_strided_mapping{ct::extents{3, 5}, ct::strides{ld, 1_ic}}},
      ct::shape<2, 4>{}};
  expect<float, 2, 4>(padded.load_masked(1, 1), {20, 0, 0, 0, 0, 0, 0, 0});
  const auto turned = ct::partition_view{
      ct::tensor_span{memory.data(), ct::layout_strided_mapping{ct::extents{8, 3}, ct::strides{1_ic, ld}}},
      ct::shape<4, 2>{}};
  expect<float, 4, 2>(turned.load(1, 0), {4, 12, 5, 13, 6, 14, 7, 15});
  turned.store(ct::zeros<ct::tile<float, ct::shape<4, 2>>>(), 0, 0);
  CHECK(memory[1] == 0);
  CHECK(memory[8] == 0);
  CHECK(memory[4] == 4);
  const auto mixed = ct::partition_view{
      ct::tensor_span{memory.data(), ct::extents{3, ct::integral_constant<8>{}}}, ct::shape<1, 8>{}};
  STATIC_REQUIRE(decltype(mixed)::span_type::extents_type::static_extent(1) == 8);
  expect<float, 1, 8>(mixed.load(2, 0), {16, 17, 18, 19, 20, 21, 22, 23});
  const auto cube =
      ct::partition_view{ct::tensor_span{memory.data(), ct::extents{2, 3, 4}}, ct::shape<1, 2, 4>{}};
  expect<float, 1, 2, 4>(cube.load_masked(1, 1, 0), {20, 21, 22, 23, 0, 0, 0, 0});
}

TEST_CASE("irange, literals, promises that hold") {
  std::vector<int> seen;
  for (int i : ct::irange(2, 9, 3)) seen.push_back(i);
  for (int i : ct::irange(5, 5)) seen.push_back(i);
  CHECK(seen == std::vector<int>{2, 5, 8});
  STATIC_REQUIRE(decltype(3_ic + 4_ic)::value == 7);
  alignas(16) float memory[4] = {};
  CHECK(ct::assume_aligned<16>(memory + 0) == memory);
  CHECK(ct::assume_divisible<8>(24) == 24);
  CHECK(ct::assume_bounded_below<0>(3) == 3);
}
