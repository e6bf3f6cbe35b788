// L1: every kernel in every type, forward and backward, against stage 1 in double from identically rounded
// inputs, and in double against plain loops and finite differences; on awkward shapes, with sentinels around
// every tensor.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>
#include <string>

#include "shared/tolerances.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/ops/cases.hpp"
#include "tests/stage3/device.hpp"
#include "tests/stage3/wide_cases.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

/// Checks each result and keeps the largest error of each operation.
struct Collector {
  std::map<std::string, double> worst;
  int compared = 0;

  cases::Report report() {
    return [this](const cases::CaseResult& result) {
      INFO(result.describe());
      CHECK(result.passed());
      ++compared;
      double& largest = worst[result.name.substr(0, result.name.find(' '))];
      if (!(result.comparison.max_error <= largest)) largest = result.comparison.max_error;
    };
  }
  void print(Dtype dtype, const char* title) const {
    std::printf("%s %s: %d tensors\n", std::string(name_of(dtype)).c_str(), title, compared);
    for (const auto& [operation, error] : worst) std::printf("  %-28s %.2e\n", operation.c_str(), error);
  }
};

/// The rule for the gradient of attention's packed row in types of 8 or 11 bits. There, probabilities are
/// rounded on their way into a product and `out` on its way into delta, so an error is proportional to the
/// terms of a sum, not to what is left of it. dq, dk and dv are tensors of their own; with a causal mask the
/// first positions, which few keys share, have gradients many times those of the rest. So the root mean
/// square is the largest of the packed tensor's, that of dq (dk, dv), and both of these at this position.
void compare_packed_gradient(const cases::OpCase& c, const std::vector<double>& got,
                             const std::vector<double>& want, Dtype dtype) {
  int heads = 0, kv_heads = 0, head_dim = 0;
  const std::size_t at = c.shape.find("H=");
  REQUIRE(std::sscanf(c.shape.c_str() + at, "H=%d K=%d D=%d", &heads, &kv_heads, &head_dim) == 3);
  REQUIRE(got.size() == want.size());
  const double tolerance = find_tolerance("operation", dtype).limit() + 0x1p-22 * c.max_logit;
  const std::size_t rows = c.batch->sequence_n.size(), width = want.size() / rows;
  const auto q = static_cast<std::size_t>(heads * head_dim),
             k = static_cast<std::size_t>(kv_heads * head_dim);
  const double of_all = root_mean_square(want);
  for (const auto& [first, size] : {std::pair{std::size_t{0}, q}, std::pair{q, k}, std::pair{q + k, k}}) {
    std::vector<double> part;
    for (std::size_t n = 0; n < rows; ++n)
      if (c.batch->sequence_n[n] >= 0)
        for (std::size_t i = 0; i < size; ++i) part.push_back(want[n * width + first + i]);
    const double of_part = std::max(of_all, root_mean_square(part));
    for (std::size_t n = 0; n < rows; ++n) {
      const double* row = want.data() + n * width;
      const double of_row =
          std::max(root_mean_square(std::span(row, width)), root_mean_square(std::span(row + first, size)));
      const double rms = c.batch->sequence_n[n] < 0 ? 0.0 : std::max(of_part, of_row);
      for (std::size_t i = n * width + first; i < n * width + first + size; ++i) {
        const double error = std::abs(got[i] - want[i]);
        const double budget = tolerance * (std::abs(want[i]) + rms);
        if (std::isfinite(got[i]) && error <= budget) continue;
        INFO(c.name() << ": row " << n << ", element " << i << ": got " << got[i] << ", want " << want[i]);
        CHECK(error <= budget);
      }
    }
  }
}

/// Runs a case on both and compares, in narrow types with the rule above where it applies.
void check_case(const cases::OpCase& c, Ops& ops, Ops& reference, Collector& collector) {
  const Dtype dtype = ops.dtype();
  const cases::Values inputs = cases::rounded_values(c, dtype);
  std::string damage;
  const cases::Values want = cases::run_case(c, reference, inputs, damage);
  const cases::Values got = cases::run_case(c, ops, inputs, damage);
  cases::OpCase plain = c;
  const bool narrow = dtype != Dtype::fp64 && dtype != Dtype::fp32;
  for (cases::TensorSpec& tensor : plain.tensors)
    if (narrow && tensor.name == "dqkv") {
      compare_packed_gradient(c, got.at("dqkv"), want.at("dqkv"), dtype);
      tensor.use = cases::Use::work;
    }
  INFO(c.name());
  CHECK(damage.empty());
  cases::compare_case(plain, got, want, dtype, damage, collector.report());
}

}  // namespace

TEST_CASE("kernels of every type match stage 1 in double", "[stage3]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    const auto ops = stage3_ops(dtype);
    const auto reference = make_eigen_ops(Dtype::fp64, 1);
    Collector collector;
    for (const cases::OpCase& c : cases::all_cases(ops->layout())) check_case(c, *ops, *reference, collector);
    collector.print(dtype, "against stage 1 fp64");
    CHECK(collector.compared > 100);
  }
}

TEST_CASE("large and uneven shapes of every type match stage 1 in double", "[stage3]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    const auto ops = stage3_ops(dtype);
    const auto reference = make_eigen_ops(Dtype::fp64, 1);
    Collector collector;
    const int widest = dtype == Dtype::fp32 || dtype == Dtype::bf16 ? 128 : 64;
    for (const auto& family :
         {wide_attention_cases(ops->layout(), widest), wide_row_cases(), wide_loss_cases(ops->layout())}) {
      for (const cases::OpCase& c : family) check_case(c, *ops, *reference, collector);
    }
    collector.print(dtype, "large and uneven shapes");
    const auto kernels = ops->kernels_launched();
    for (const char* name : {"stage3.linear_weight_sum", "stage3.rmsnorm_forward_persistent"})
      CHECK((test_device() == Device::gpu || std::count(kernels.begin(), kernels.end(), name) == 1));
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
    for (const cases::OpCase& c : cases::all_cases(first->layout())) {
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

TEST_CASE("the cases launch every kernel of this stage and no other", "[stage3]") {
  if (skipped()) return;
  const std::set<std::string> all = {"adam",
                                     "attention_backward_key_value",
                                     "attention_backward_query",
                                     "attention_delta",
                                     "attention_forward",
                                     "cross_entropy",
                                     "embedding_backward_position",
                                     "embedding_backward_token",
                                     "embedding_forward",
                                     "linear_backward_input",
                                     "linear_backward_weight",
                                     "linear_forward",
                                     "linear_weight_sum",
                                     "loss_sum",
                                     "relu_backward",
                                     "relu_forward",
                                     "residual_forward",
                                     "rmsnorm_backward",
                                     "rmsnorm_forward",
                                     "rmsnorm_forward_persistent",
                                     "rmsnorm_scale"};
  const auto ops = stage3_ops(Dtype::fp64);
  cases::for_each_case_naive(*ops, [](const cases::CaseResult&) {});
  std::set<std::string> launched;
  for (const std::string& name : ops->kernels_launched()) {
    INFO(name);
    REQUIRE(name.rfind("stage3.", 0) == 0);
    CHECK(all.count(name.substr(7)) == 1);
    launched.insert(name.substr(7));
  }
  // Split products and persistent grids need more rows than a multiprocessor count that only the device
  // knows.
  for (const std::string& name : all)
    if (name != "linear_weight_sum" && name != "rmsnorm_forward_persistent") CHECK(launched.count(name) == 1);
}
