// The table of tolerances keeps its own rule: no limit above its ceiling, none above ten times what was measured.
#include <catch2/catch.hpp>

#include <cmath>
#include <set>

#include "shared/base/error.hpp"
#include "shared/check/tolerances.hpp"

using namespace ladder;

TEST_CASE("no limit exceeds its ceiling or ten times its measured maximum") {
  for (const Tolerance& row : tolerances()) {
    CAPTURE(row.what, name_of(row.dtype));
    CHECK(std::isfinite(row.limit()));
    CHECK(row.limit() <= row.ceiling);
    if (row.measured) {
      CHECK(row.limit() <= 10.0 * *row.measured);
      CHECK(*row.measured <= row.limit());  // what was measured still passes
      CHECK((row.rule == Rule::bits || *row.measured > 0.0));
    }
    CHECK_FALSE(row.reason.empty());
    CHECK_FALSE(row.reference.empty());
  }
}

TEST_CASE("the ceilings are the ones that the project promises") {
  CHECK(find_tolerance("baseline losses", Dtype::fp64).rule == Rule::bits);
  CHECK(find_tolerance("gradients", Dtype::fp64).ceiling <= 1e-10);
  CHECK(find_tolerance("losses", Dtype::fp64).ceiling <= 1e-12);
  CHECK(find_tolerance("losses", Dtype::fp32).ceiling <= 1e-5);
  CHECK(find_tolerance("operation", Dtype::fp64).ceiling <= 1e-12);
  CHECK(find_tolerance("operation", Dtype::fp32).ceiling <= 1e-5);
  CHECK(find_tolerance("operation", Dtype::tf32).ceiling <= 2e-3);
  CHECK(find_tolerance("operation", Dtype::fp16).ceiling <= 2e-3);
  CHECK(find_tolerance("operation", Dtype::bf16).ceiling <= 1e-2);
}

TEST_CASE("narrow types have every row, and their losses the promised ceilings") {
  for (const Dtype dtype : {Dtype::tf32, Dtype::fp16, Dtype::bf16}) {
    CAPTURE(name_of(dtype));
    for (const char* what : {"operation", "activations", "gradients", "moments", "update", "losses"})
      CHECK(find_tolerance(what, dtype).measured.has_value());
    REQUIRE(curve_tolerances(dtype).size() == 2);
    for (const Tolerance& row : curve_tolerances(dtype)) CHECK(row.steps == 100);
    CHECK(find_tolerance("losses", dtype).rule == Rule::relative);
    CHECK(find_tolerance("losses", dtype).ceiling <= 0.05);
    CHECK(find_tolerance("mean of losses", dtype).rule == Rule::mean_relative);
    CHECK(find_tolerance("mean of losses", dtype).ceiling <= 0.005);
  }
  CHECK(curve_tolerances(Dtype::fp32).size() == 1);
}

TEST_CASE("a row for the first steps compares no later ones") {
  const Tolerance& row = find_tolerance("losses", Dtype::bf16);
  std::vector<double> want(150, 2.0), got = want;
  got[120] = 5.0;
  CHECK(compare(got, want, row).passed());
  CHECK(compare(got, want, row).want_size == 100);
  got[99] = 5.0;
  CHECK(compare(got, want, row).first.index == 99);
  for (const std::size_t other : {99, 100, 120, 149})  // also where both cover the first steps
    CHECK(compare(std::vector<double>(other, 2.0), want, row).verdict == Verdict::wrong_length);
}

TEST_CASE("one row per quantity and type") {
  std::set<std::pair<std::string, Dtype>> keys;
  for (const Tolerance& row : tolerances()) CHECK(keys.emplace(row.what, row.dtype).second);
  CHECK_THROWS_AS(find_tolerance("no such thing", Dtype::fp64), InputError);
}
