// What a profile says of the distance to the machine's ceilings.
#include "shared/speed/profile.hpp"

#include <catch2/catch.hpp>

#include "shared/base/error.hpp"

using namespace ladder;

namespace {

/// An operation, counted unless `bytes` is 0.
ProfileRow row_of(const char* name, double above_floor, double bytes = 1.0) {
  ProfileRow row;
  row.name = name;
  row.bytes = bytes;
  row.above_floor = above_floor;
  return row;
}

Profile small_profile(int stage) {
  GptConfig model;
  model.n_embd = 8;
  TrainConfig train;
  const Dtype dtype = stage == 0 ? Dtype::fp64 : Dtype::fp32;
  return profile_stage(stage, prepare_run(model, train, {}), {dtype, train.batch_size, Device::cpu, 1}, 2);
}

}  // namespace

TEST_CASE("the largest gaps come first, as many as asked for") {
  Profile profile;
  profile.rows = {row_of("b", 2e-3), row_of("d", 0.0), row_of("a", 0.5), row_of("twin", 2e-3),
                  row_of("c", 3e-6)};
  CHECK(largest_gaps(profile, 3) == "a 500 ms, b 2.00 ms, twin 2.00 ms");
  CHECK(largest_gaps(profile, 1) == "a 500 ms");
  CHECK(largest_gaps(profile, 9).starts_with("a 500 ms, b 2.00 ms, twin 2.00 ms, c 3.00 us, d "));
  CHECK(largest_gaps(profile, 0).empty());
}

TEST_CASE("what is not counted has no gap") {
  Profile profile;
  CHECK(largest_gaps(profile, 3).empty());
  profile.rows = {row_of("forward", 9.0, 0.0)};
  CHECK(largest_gaps(profile, 3).empty());
  CHECK_FALSE(record_rows(profile, 1, false)[0].values.contains("above_floor"));
  profile.rows.push_back(row_of("gemm", 1.5));
  CHECK(largest_gaps(profile, 3) == "gemm 1.50 s");
  CHECK(record_rows(profile, 1, false)[1].values.at("above_floor") == 1.5);
}

TEST_CASE(
    "what is above the floor of an operation is the part of its time that the nearer ceiling does not need") {
  const Profile profile = small_profile(1);
  CHECK_FALSE(profile.ceilings.data_sheet);
  REQUIRE(profile.rows.size() > 5);
  for (const ProfileRow& row : profile.rows) {
    CAPTURE(row.name);
    const double seconds = row.share * profile.parts_seconds,
                 floor = std::max(row.copy_share, row.arithmetic_share);
    CHECK(row.above_floor == Approx(floor < 1.0 ? seconds * (1.0 - floor) : 0.0).margin(1e-15));
  }
  CHECK_FALSE(largest_gaps(profile, 3).empty());
}

TEST_CASE("stage 0 has phases and no operations, so no gaps") {
  CHECK(largest_gaps(small_profile(0), 3).empty());
}

TEST_CASE(
    "an operation is bound by what it comes nearest to, and by its launch only where it is short and far "
    "from both") {
  CHECK(bound_of(0.5, 0.2, 1e-3) == "copy");
  CHECK(bound_of(0.2, 0.5, 1e-3) == "arithmetic");
  CHECK(bound_of(0.05, 0.02, 1e-3) == "copy");  // far from both, but long
  CHECK(bound_of(0.02, 0.05, 1e-3) == "arithmetic");
  CHECK(bound_of(0.5, 0.2, 1e-6) == "copy");  // short, but near
  CHECK(bound_of(0.05, 0.02, 1e-6) == "launch");
  CHECK(bound_of(0.02, 0.05, 29e-6) == "launch");
}

TEST_CASE("a ceiling between two copies lies between theirs, beyond them it is the outer one's") {
  const Ceilings ceilings{{{1e3, 10.0}, {1e5, 30.0}, {1e6, 20.0}}, 1.0};
  CHECK(ceilings.bytes_per_second(1.0) == 10.0);
  CHECK(ceilings.bytes_per_second(1e3) == 10.0);
  CHECK(ceilings.bytes_per_second(1e4) == Approx(20.0));  // half-way on a logarithmic scale
  CHECK(ceilings.bytes_per_second(1e5) == Approx(30.0));
  CHECK(ceilings.bytes_per_second(1e6) == Approx(20.0));
  CHECK(ceilings.bytes_per_second(1e9) == 20.0);
  CHECK_THROWS_AS(Ceilings{}.bytes_per_second(1.0), InputError);
}

TEST_CASE("one near ceiling is enough to be bound by it, and limits count as beyond") {
  CHECK(bound_of(0.5, 0.02, 1e-6) == "copy");
  CHECK(bound_of(0.02, 0.5, 1e-6) == "arithmetic");
  CHECK(bound_of(0.1, 0.02, 1e-6) == "copy");  // a factor of ten
  CHECK(bound_of(0.05, 0.02, 30e-6) == "copy");
}

TEST_CASE("the ceiling of memory is that of the largest copy, not of the fastest") {
  CHECK(Ceilings{{{1e3, 10.0}, {1e5, 30.0}, {1e6, 20.0}}, 1.0}.memory() == 20.0);
  CHECK(Ceilings{}.memory() == 0.0);
}

TEST_CASE("a profile's record keeps every figure under its own name") {
  Profile profile;
  ProfileRow row = row_of("gemm", 7.0, 4.0);
  row.launches = 1.0, row.seconds = 2.0, row.share = 3.0, row.flops = 5.0;
  row.copy_share = 6.0, row.arithmetic_share = 8.0, row.bound = "copy", row.bytes_requested = 9.0;
  profile.rows = {row, row_of("add", 0.0)};
  const std::vector<RecordRow> rows = record_rows(profile, 3, false);
  CHECK(rows[0].name == "gemm");
  CHECK(rows[0].sources == "stage3-gpu");
  CHECK(rows[0].hash.empty());
  const Json want = {{"launches", 1.0},      {"seconds", 2.0},        {"share_of_step", 3.0},
                     {"emulated", false},    {"bytes", 4.0},          {"flops", 5.0},
                     {"share_of_copy", 6.0}, {"bound", "copy"},       {"share_of_arithmetic", 8.0},
                     {"above_floor", 7.0},   {"bytes_requested", 9.0}};
  CHECK(sorted(rows[0].values) == sorted(want));
  CHECK_FALSE(rows[1].values.contains("bytes_requested"));  // where requests are not counted
  profile.emulated = true;
  CHECK(record_rows(profile, 3, false)[0].sources == "stage3");
  CHECK(record_rows(profile, 3, false)[0].values.at("emulated") == true);
}
