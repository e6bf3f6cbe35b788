// L1: every kernel, forward and backward, against stage 1 in double from identically rounded inputs, and
// against plain loops; on awkward shapes, with sentinels around every tensor.
#include <catch2/catch.hpp>

#include <set>
#include <string>

#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/stage2/device.hpp"
#include "tests/support/collector.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

TEST_CASE("kernels match stage 1 in double", "[stage2]") {
  if (skipped()) return;
  for (const Dtype dtype : {Dtype::fp32, Dtype::fp64}) {
    const auto ops = stage2_ops(dtype);
    const auto reference = make_eigen_ops(Dtype::fp64, 1);
    Collector collector;
    cases::for_each_case(*ops, *reference, collector.report());
    collector.print(dtype, "against stage 1 fp64");
    CHECK(collector.compared > 100);
  }
}

TEST_CASE("kernels match plain loops", "[stage2]") {
  if (skipped()) return;
  for (const Dtype dtype : {Dtype::fp32, Dtype::fp64}) {
    const auto ops = stage2_ops(dtype);
    Collector collector;
    cases::for_each_case_naive(*ops, collector.report());
    CHECK(collector.compared > 100);
  }
}

TEST_CASE("the double instantiation's gradients match finite differences", "[stage2]") {
  if (skipped()) return;
  const auto ops = stage2_ops(Dtype::fp64);
  Collector collector;
  cases::for_each_gradient(*ops, 12, collector.report());
  CHECK(collector.compared > 20);
}

TEST_CASE("every case gives the same bits again, on any number of cores", "[stage2]") {
  if (skipped()) return;
  const auto first = stage2_ops(Dtype::fp32, 1);
  const auto second = stage2_ops(Dtype::fp32, 3);
  for (const cases::OpCase& c : cases::all_cases(first->layout(), first->dtype())) {
    std::string damage;
    const cases::Values values = cases::rounded_values(c, Dtype::fp32);
    const cases::Values a = cases::run_case(c, *first, values, damage);
    const cases::Values b = cases::run_case(c, *second, values, damage);
    const cases::Values again = cases::run_case(c, *first, values, damage);
    for (const cases::TensorSpec& tensor : c.tensors) {
      if (tensor.use != cases::Use::output && tensor.use != cases::Use::update) continue;
      INFO(c.name() << " " << tensor.name);
      if (a.at(tensor.name).empty()) continue;
      CHECK(compare(b.at(tensor.name), a.at(tensor.name), 0.0, Rule::bits).passed());
      CHECK(compare(again.at(tensor.name), a.at(tensor.name), 0.0, Rule::bits).passed());
    }
  }
}

TEST_CASE("the cases launch every kernel of this stage and no other", "[stage2]") {
  if (skipped()) return;
  const std::set<std::string> all = {"adam",
                                     "attention_collect_key",
                                     "attention_collect_value",
                                     "attention_delta",
                                     "attention_dscore",
                                     "attention_mix_key",
                                     "attention_mix_value",
                                     "attention_score",
                                     "attention_softmax",
                                     "attention_transpose_key",
                                     "attention_transpose_value",
                                     "cross_entropy",
                                     "embedding_backward_position",
                                     "embedding_backward_token",
                                     "embedding_forward",
                                     "linear_backward_input",
                                     "linear_backward_weight",
                                     "linear_forward",
                                     "linear_forward_direct",
                                     "linear_transpose_weight",
                                     "loss_strands",
                                     "loss_sum",
                                     "relu_backward",
                                     "relu_forward",
                                     "residual_forward",
                                     "rmsnorm_backward",
                                     "rmsnorm_forward",
                                     "square_strands",
                                     "sum_all",
                                     "sum_strands"};
  const auto ops = stage2_ops(Dtype::fp32);
  cases::for_each_case_naive(*ops, [](const cases::CaseResult&) {});
  std::set<std::string> launched;
  for (const std::string& name : ops->kernels_launched()) {
    INFO(name);
    REQUIRE(name.rfind("stage2.", 0) == 0);
    CHECK(all.count(name.substr(7)) == 1);
    launched.insert(name.substr(7));
  }
  for (const std::string& name : all) {
    INFO(name);
    CHECK(launched.count(name) == 1);
  }
}
