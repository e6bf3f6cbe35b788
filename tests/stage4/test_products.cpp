// Linear layers with bias and GELU, and attention with dropout, in every type: against plain loops in double from
// identically rounded inputs, twice for the same bits, and in the tile model's checked mode.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/stage4/bulk_cases.hpp"
#include "tests/stage4/device.hpp"
#include "tests/support/checked.hpp"
#include "tests/support/collector.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

/// Those of the operations whose kernels this file is about, and the cases that reach bulk copies.
std::vector<cases::OpCase> product_cases(Layout layout, Dtype dtype) {
  std::vector<cases::OpCase> all = cases::gpt2_linear_cases();
  std::erase_if(all, [](const cases::OpCase& c) { return c.op == "bias_backward"; });
  const auto append = [&](std::vector<cases::OpCase> more) {
    std::ranges::move(more, std::back_inserter(all));
  };
  append(cases::dropout_attention_cases(layout));
  append(bulk_linear_cases());
  append(bulk_dropout_attention_cases(64, layout));
  if (dtype == Dtype::fp32 || dtype == Dtype::bf16) append(bulk_dropout_attention_cases(128, layout));
  return cases::in_reach_of(dtype, std::move(all));
}

/// The same without the largest.
std::vector<cases::OpCase> awkward_cases(Layout layout, Dtype dtype) {
  std::vector<cases::OpCase> all = cases::gpt2_linear_cases();
  std::erase_if(all, [](const cases::OpCase& c) { return c.op == "bias_backward"; });
  std::ranges::move(cases::dropout_attention_cases(layout), std::back_inserter(all));
  return cases::in_reach_of(dtype, std::move(all));
}

}  // namespace

TEST_CASE("products with bias and GELU and attention with dropout match plain loops in every type",
          "[stage4]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    DYNAMIC_SECTION(name_of(dtype)) {  // a program's `-c bf16` runs one type
      const auto ops = stage4_ops(dtype);
      Collector collector;
      cases::for_each_case_naive(product_cases(ops->layout(), dtype), *ops, collector.report());
      collector.print(dtype, "awkward shapes");
      CHECK(collector.compared > 80);
    }
  }
}

TEST_CASE("products and attention of every type match stage 1 in double, in the sizes of models",
          "[stage4]") {
  if (skipped()) return;
  const auto reference = make_eigen_ops(Dtype::fp64, 1);
  for (const Dtype dtype : kAllDtypes) {
    if (test_device().is_cpu() && dtype != Dtype::fp32 && dtype != Dtype::bf16) continue;  // seconds each
    DYNAMIC_SECTION(name_of(dtype)) {
      const auto ops = stage4_ops(dtype);
      Collector collector;
      cases::for_each_case(cases::wide_gpt2_linear_cases(), *ops, *reference, collector.report());
      cases::for_each_case(cases::wide_dropout_attention_cases(ops->layout()), *ops, *reference,
                           collector.report());
      collector.print(dtype, "sizes of models");
      CHECK(collector.compared > 30);
    }
  }
}

TEST_CASE("their gradients match finite differences", "[stage4]") {
  if (skipped()) return;
  const auto ops = stage4_ops(Dtype::fp64);
  Collector collector;
  cases::for_each_gradient(awkward_cases(ops->layout(), Dtype::fp64), *ops, 12, collector.report());
  CHECK(collector.compared > 10);
}

TEST_CASE("they give the same bits again, on any number of cores", "[stage4]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    const auto first = stage4_ops(dtype, 1);
    const auto second = stage4_ops(dtype, 3);
    for (const cases::OpCase& c : awkward_cases(first->layout(), dtype)) {
      std::string damage;
      const cases::Values values = cases::rounded_values(c, dtype);
      const cases::Values a = cases::run_case(c, *first, values, damage);
      const cases::Values b = cases::run_case(c, *second, values, damage);
      for (const cases::TensorSpec& tensor : c.tensors) {
        if (tensor.use != cases::Use::output) continue;
        INFO(c.name() << " " << tensor.name << " in " << name_of(dtype));
        CHECK(compare(b.at(tensor.name), a.at(tensor.name), 0.0, Rule::bits).passed());
      }
    }
  }
}

TEST_CASE("attention in tf32 has the bits of fp32, with dropout and without", "[stage4]") {
  if (skipped()) return;
  const auto exact = stage4_ops(Dtype::fp32);
  const auto ops = stage4_ops(Dtype::tf32);
  std::vector<cases::OpCase> all = cases::attention_cases(ops->layout());
  std::ranges::move(cases::dropout_attention_cases(ops->layout()), std::back_inserter(all));
  for (const cases::OpCase& c : cases::in_reach_of(Dtype::tf32, std::move(all))) {
    std::string damage;
    const cases::Values values = cases::rounded_values(c, Dtype::fp32);
    const cases::Values want = cases::run_case(c, *exact, values, damage);
    const cases::Values got = cases::run_case(c, *ops, values, damage);
    for (const cases::TensorSpec& tensor : c.tensors) {
      if (tensor.use != cases::Use::output) continue;
      INFO(c.name() << " " << tensor.name);
      CHECK(compare(got.at(tensor.name), want.at(tensor.name), 0.0, Rule::bits).passed());
    }
  }
}

TEST_CASE("they pass checked mode", "[stage4]") {
  if (test_device().is_gpu()) return;  // a GPU does not look
  const tile::Checks checks;
  for (const Dtype dtype : kAllDtypes) {
    for (const cases::OpCase& c : product_cases(Layout::padded, dtype)) {
      run_checked(make_nano_ops, c, dtype);
    }
  }
}

TEST_CASE("what no kernel does is refused", "[stage4]") {
  const auto ops = make_nano_ops(CudaOptions{Dtype::fp16, Device::cpu, 1, true});
  const auto bad_head = bulk_dropout_attention_cases(128, ops->layout()).front();
  std::string damage;
  CHECK_THROWS_AS(cases::run_case(bad_head, *ops, cases::rounded_values(bad_head, Dtype::fp16), damage),
                  InputError);
  CHECK_THROWS_AS(ops->run(LinearBiasForward{1, 1, 1, {}, {}, {}, {}}), InputError);
  CHECK_THROWS_AS(ops->run(LinearGeluForward{1, 1, 1, Gelu::tanh, {}, {}, {}, {}, {}}), InputError);
  CHECK_THROWS_AS(ops->run(LinearBackwardInputGelu{1, 1, 1, Gelu::erf, {}, {}, {}, {}}), InputError);
}
