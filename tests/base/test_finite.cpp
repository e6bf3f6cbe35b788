// Numbers that are not finite are found in every type, at their place, and nothing else is taken for one.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

TEST_CASE(
    "in every type NaN and both infinities are found at their place, in the first element and in the last") {
  for (const Dtype dtype : kAllDtypes)
    for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL})
      for (const std::size_t at : {std::size_t{0}, std::size_t{7}, std::size_t{14}}) {
        INFO(name_of(dtype) << " " << bad << " at " << at);
        NamedTensor tensor("w", {3, 5}, dtype);
        CHECK_FALSE(first_not_finite(dtype, tensor.bytes()));
        tensor.set(at, bad);
        REQUIRE(first_not_finite(dtype, tensor.bytes()) == at);
        CHECK_THROWS_WITH(require_finite({tensor}, "file"),
                          Contains("file: tensor 'w' is") && Contains("at element " + std::to_string(at)) &&
                              Contains("[3, 5]"));
        CHECK_THROWS_AS(require_finite({tensor}, "file"), CheckError);
      }
}

TEST_CASE("a NaN is printed without a sign, and other numbers as they are") {
  for (const double sign : {1.0, -1.0})
    CHECK(fmt::format("{}", printable(std::copysign(std::nan(""), sign))) == "nan");
  for (const double value : {HUGE_VAL, -HUGE_VAL, -0.0, 1.5})
    CHECK(fmt::format("{}", printable(value)) == fmt::format("{}", value));
  const NamedTensor lost("w", {1}, std::vector{std::copysign(std::nan(""), -1.0)});
  CHECK(not_finite_words(lost) == "tensor 'w' is nan at element 0 of [1]");
  CHECK_THROWS_WITH(require_finite_in(Dtype::fp32, {lost}, "file"), !Contains("-nan"));
}

TEST_CASE("the largest and the smallest numbers of a type are finite") {
  for (const double value :
       {std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min(), -0.0})
    CHECK_NOTHROW(require_finite({{"w", {1}, std::vector{value}}}, "file"));
  NamedTensor narrow("w", {2}, Dtype::fp16);
  narrow.assign(std::vector{65504.0, -65504.0});
  CHECK_NOTHROW(require_finite({narrow}, "file"));
}

TEST_CASE("a weight that the type of the computation does not hold is named, with what it would become") {
  const TensorList weights = {{"wte", {2}, std::vector{1.0, 2.0}}, {"wpe", {2}, std::vector{1.0, 70000.0}}};
  CHECK_NOTHROW(require_finite_in(Dtype::fp32, weights, "file"));
  CHECK_NOTHROW(require_finite_in(Dtype::bf16, weights, "file"));
  CHECK_THROWS_WITH(require_finite_in(Dtype::fp16, weights, "file"),
                    Contains("'wpe' is 70000 at element 1") && Contains("inf in fp16"));
  CHECK_THROWS_AS(require_finite_in(Dtype::fp32, {{"w", {1}, std::vector{1e300}}}, "file"), InputError);
  CHECK_NOTHROW(require_finite_in(Dtype::fp64, {{"w", {1}, std::vector{1e300}}}, "file"));
}
