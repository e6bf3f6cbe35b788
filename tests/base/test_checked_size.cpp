#include <catch2/catch.hpp>

#include "shared/base/checked_size.hpp"

using namespace ladder;

TEST_CASE("a product that fits is the product") {
  CHECK(checked_product({}, "x") == 1);
  CHECK(checked_product({7}, "x") == 7);
  CHECK(checked_product({3, 5, 7}, "x") == 105);
  CHECK(checked_product({kLargestSize}, "x") == kLargestSize);
  CHECK(checked_product({kLargestSize / 2, 2}, "x") == kLargestSize - 1);
}

TEST_CASE("a product that would wrap is a MachineError that says what and how much") {
  const std::size_t half = std::size_t{1} << 32;
  CHECK_THROWS_AS(checked_product({half, half}, "x"), MachineError);      // wraps to 0
  CHECK_THROWS_AS(checked_product({half, half + 1}, "x"), MachineError);  // wraps to 2^32
  CHECK_THROWS_AS(checked_product({half, half / 2}, "x"),
                  MachineError);  // fits, but no pointer reaches its end
  CHECK_THROWS_AS(checked_product({half, half, half}, "x"), MachineError);
  CHECK_THROWS_WITH(
      checked_product({half, half, 4}, "the logits"),
      "out of memory: the logits would be larger than can be addressed: 4294967296 x 4294967296 x 4");
}

TEST_CASE("nothing of anything is nothing, wherever the 0 stands") {
  const std::size_t half = std::size_t{1} << 32;
  CHECK(checked_product({0, half, half}, "x") == 0);
  CHECK(checked_product({half, half, 0}, "x") == 0);
}

TEST_CASE("sums and rounding are checked in the same way") {
  CHECK(checked_sum({}, "x") == 0);
  CHECK(checked_sum({1, 2, 3}, "x") == 6);
  CHECK(checked_sum({kLargestSize, 0}, "x") == kLargestSize);
  CHECK_THROWS_WITH(checked_sum({kLargestSize, 1}, "the arena"),
                    Catch::Matchers::StartsWith("out of memory: the arena would be larger"));
  CHECK(checked_round_up(0, 256, "x") == 0);
  CHECK(checked_round_up(1, 256, "x") == 256);
  CHECK(checked_round_up(256, 256, "x") == 256);
  CHECK(checked_round_up(257, 256, "x") == 512);
  CHECK_THROWS_AS(checked_round_up(kLargestSize, 256, "x"), MachineError);
}
