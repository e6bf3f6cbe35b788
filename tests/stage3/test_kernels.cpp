// L1: every kernel in every type, forward and backward, against stage 1 in double from identically rounded
// inputs, and in double against plain loops and finite differences; on awkward shapes, with sentinels around
// every tensor.
#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <limits>
#include <set>
#include <string>

#include "shared/base/files.hpp"
#include "shared/check/cases.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "stage3_tiled_kernels/configs.hpp"
#include "tests/stage3/block_cases.hpp"
#include "tests/stage3/device.hpp"
#include "tests/stage3/wide_cases.hpp"
#include "tests/support/collector.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

/// Runs a case on both and compares.
void check_case(const cases::OpCase& c, Ops& ops, Ops& reference, Collector& collector) {
  const cases::Values inputs = cases::rounded_values(c, ops.dtype());
  std::string damage, reference_damage;
  const cases::Values want = cases::run_case(c, reference, inputs, reference_damage);
  const cases::Values got = cases::run_case(c, ops, inputs, damage);
  cases::compare_case(c, got, want, ops.dtype(), damage + reference_damage, collector.report());
}

/// "stage3.NAME" of every kernel that the stage's sources define.
std::set<std::string> kernels_in_sources() {
  // A program that was carried to another machine is started in a copy of its sources.
  const std::filesystem::path built_from = LADDER_SOURCE_DIR;
  const std::filesystem::path root = std::filesystem::exists(built_from) ? built_from : ".";
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(root / "stage3_tiled_kernels/kernels")) {
    const std::string text = read_file(entry.path());
    const std::string end = "_kernel(";
    for (std::size_t at = text.find(end); at != std::string::npos; at = text.find(end, at + 1)) {
      const std::size_t blank = text.find_last_of(" \n", at);
      if (blank >= 4 && text.compare(blank - 4, 4, "void") == 0)
        names.insert("stage3." + text.substr(blank + 1, at - blank - 1));
    }
  }
  REQUIRE(names.size() > 20);
  return names;
}

/// Those that this type has: whole rows in registers are for the types that the table has parts for.
std::set<std::string> kernels_of(Dtype dtype) {
  std::set<std::string> names = kernels_in_sources();
  if (dtype != Dtype::bf16)
    for (const char* name : {"rmsnorm_forward", "rmsnorm_backward", "cross_entropy"})
      REQUIRE(names.erase(fmt::format("stage3.{}_whole", name)) == 1);
  return names;
}

std::set<std::string> launched_by(const DeviceOps& ops) {
  const std::vector<std::string> names = ops.kernels_launched();
  return {names.begin(), names.end()};
}

}  // namespace

TEST_CASE("kernels of every type match stage 1 in double, and each of the stage's kernels is launched",
          "[stage3]") {
  if (skipped()) return;
  const Lists lists = wanted_lists();
  // A persistent grid needs more tiles of rows than twice the multiprocessors of any GPU; the CPU model has few.
  const int persistent_rows = test_device().is_gpu() ? 20000 : 301;
  for (const Dtype dtype : kAllDtypes) {
    DYNAMIC_SECTION(name_of(dtype)) {  // a program's `-c bf16` runs one type
      const auto ops = stage3_ops(dtype);
      const auto reference = make_eigen_ops(Dtype::fp64, lists == Lists::full ? 0 : 1);
      Collector common, wide;
      for (const cases::OpCase& c : cases::all_cases(ops->layout(), ops->dtype()))
        check_case(c, *ops, *reference, common);
      const auto check = [&](const cases::OpCase& c) {
        if (!c.beyond_fp16 || dtype != Dtype::fp16) check_case(c, *ops, *reference, wide);
      };
      const int widest = table::head_class(128, dtype) == 128 ? 128 : 64;
      for_each_wide_attention(ops->layout(), widest, lists, check);
      for_each_wide_row_case(persistent_rows, lists, check);
      for_each_wide_loss(ops->layout(), lists, check);
      common.print(dtype, "against stage 1 fp64");
      wide.print(dtype, lists == Lists::full ? "every combination of shapes" : "large and uneven shapes");
      CHECK(common.compared > 100);
      CHECK(wide.compared > 100);
      CHECK(launched_by(*ops) == kernels_of(dtype));
    }
  }
}

TEST_CASE("each half block of every type matches stage 1 in double, operation by operation", "[stage3]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    const auto ops = stage3_ops(dtype);
    const auto reference = make_eigen_ops(Dtype::fp64, 1);
    Collector collector;
    for (const cases::OpCase& c : block_cases(ops->layout())) check_case(c, *ops, *reference, collector);
    collector.print(dtype, "half blocks");
    CHECK(collector.compared > 50);
  }
}

TEST_CASE("the double instantiation matches plain loops", "[stage3]") {
  if (skipped()) return;
  const auto ops = stage3_ops(Dtype::fp64);
  Collector collector;
  cases::for_each_case_naive(*ops, collector.report());
  CHECK(collector.compared > 100);
}

TEST_CASE("the double instantiation's gradients match finite differences", "[stage3]") {
  if (skipped()) return;
  const auto ops = stage3_ops(Dtype::fp64);
  Collector collector;
  cases::for_each_gradient(*ops, 12, collector.report());
  CHECK(collector.compared > 20);
}

TEST_CASE("fused operations of every type match their compositions", "[stage3]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    const auto ops = stage3_ops(dtype);
    Collector collector;
    for (const cases::OpCase& c : cases::fused_cases()) {
      if (c.beyond_fp16 && dtype == Dtype::fp16) continue;
      const cases::Values inputs = cases::rounded_values(c, dtype);
      std::string damage;
      const cases::Values want = cases::run_case(c, *ops, inputs, damage, cases::How::composed);
      const cases::Values got = cases::run_case(c, *ops, inputs, damage);
      cases::compare_case(c, got, want, dtype, damage, collector.report());
    }
    CHECK(collector.compared > 20);
  }
}

TEST_CASE("every case gives the same bits again, on any number of cores", "[stage3]") {
  if (skipped()) return;
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    const auto first = stage3_ops(dtype, 1);
    const auto second = stage3_ops(dtype, 3);
    for (const cases::OpCase& c : cases::all_cases(first->layout(), first->dtype())) {
      std::string damage;
      const cases::Values values = cases::rounded_values(c, dtype);
      const cases::Values a = cases::run_case(c, *first, values, damage);
      const cases::Values b = cases::run_case(c, *second, values, damage);
      for (const cases::TensorSpec& tensor : c.tensors) {
        if (tensor.use != cases::Use::output && tensor.use != cases::Use::update) continue;
        INFO(c.name() << " " << tensor.name);
        if (!a.at(tensor.name).empty())
          CHECK(compare(b.at(tensor.name), a.at(tensor.name), 0.0, Rule::bits).passed());
      }
    }
  }
}

TEST_CASE("a NaN stays one through ReLU, alone and behind a product", "[stage3]") {
  if (skipped()) return;
  constexpr int kRows = 5, kIn = 8, kOut = 3;
  const auto ops = stage3_ops(Dtype::fp32);
  const auto put = [&](std::vector<float> values) {
    void* data = ops->allocate(values.size() * sizeof(float));
    ops->upload(data, values.data(), values.size() * sizeof(float));
    return data;
  };
  std::vector<float> x(kRows * kIn, -1.0F);
  x[0] = std::numeric_limits<float>::quiet_NaN();
  const Act x_ni{put(x)}, y{put(std::vector<float>(x.size()))}, normed{put(std::vector<float>(x.size()))};
  const Param w{put(std::vector<float>(kOut * kIn, 1.0F))};
  const Act y_no{put(std::vector<float>(kRows * kOut))};
  ops->run(ReluForward{x.size(), x_ni, y});
  ops->run(RmsNormLinearForward{kRows, kIn, kOut, true, x_ni, w, normed, Stat{put({0, 0, 0, 0, 0})}, y_no});
  std::vector<float> alone(x.size()), joined(kRows * kOut);
  ops->download(alone.data(), y.data, alone.size() * sizeof(float));
  ops->download(joined.data(), y_no.data, joined.size() * sizeof(float));
  CHECK(std::isnan(alone[0]));
  CHECK(alone[1] == 0.0F);
  for (int o = 0; o < kOut; ++o) CHECK(std::isnan(joined[static_cast<std::size_t>(o)]));
  CHECK(joined[kOut] == 0.0F);
}
