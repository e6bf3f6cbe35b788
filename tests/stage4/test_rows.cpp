// LayerNorm, alone and behind a residual sum with dropout, dropout, sums over rows and the embedding's gradient, in every
// type: against stage 1 in double from identically rounded inputs and against plain loops, twice for the same bits, and
// in the tile model's checked mode.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/stage4/device.hpp"
#include "tests/stage4/row_cases.hpp"
#include "tests/support/checked.hpp"
#include "tests/support/collector.hpp"

using namespace ladder;           // NOLINT(google-build-using-namespace)
using namespace ladder::testing;  // NOLINT(google-build-using-namespace)

namespace {

/// The awkward shapes.
std::vector<cases::OpCase> row_cases(Layout layout, Dtype dtype) {
  std::vector<cases::OpCase> all = cases::gpt2_linear_cases();
  std::erase_if(all, [](const cases::OpCase& c) { return c.op != "bias_backward"; });
  for (std::vector<cases::OpCase> more :
       {cases::gpt2_norm_cases(layout), cases::dropout_cases(layout), cases::embedding_cases(layout),
        cases::large_embedding_cases(layout), cases::long_tail_cases(layout), sorted_embedding_cases(layout),
        far_mean_cases(), long_bias_cases()})
    std::ranges::move(more, std::back_inserter(all));
  return cases::in_reach_of(dtype, std::move(all));
}

/// The kernels of launch_rows.cu that a type has.
std::set<std::string> row_kernels(Dtype dtype) {
  std::set<std::string> names = {"stage4.layer_norm_forward",
                                 "stage4.residual_layer_norm_forward",
                                 "stage4.layer_norm_backward",
                                 "stage4.column_sums",
                                 "stage4.column_totals",
                                 "stage4.dropout",
                                 "stage4.embedding_backward_sorted",
                                 "stage4.embedding_backward_joined"};
  if (dtype == Dtype::bf16)
    names.insert({"stage4.layer_norm_forward_whole", "stage4.residual_layer_norm_forward_whole",
                  "stage4.layer_norm_backward_whole"});
  return names;
}

}  // namespace

TEST_CASE("row kernels of every type match plain loops", "[stage4]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    DYNAMIC_SECTION(name_of(dtype)) {  // a program's `-c bf16` runs one type
      const auto ops = stage4_ops(dtype);
      Collector collector;
      cases::for_each_case_naive(row_cases(ops->layout(), dtype), *ops, collector.report());
      collector.print(dtype, "awkward shapes");
      CHECK(collector.compared > 200);
    }
  }
}

TEST_CASE("row kernels of every type match stage 1 in double, in the widths of models", "[stage4]") {
  if (skipped()) return;
  const auto reference = make_eigen_ops(Dtype::fp64, 1);
  for (const Dtype dtype : kAllDtypes) {
    DYNAMIC_SECTION(name_of(dtype)) {
      const auto ops = stage4_ops(dtype);
      Collector collector;
      cases::for_each_case(cases::wide_gpt2_norm_cases(ops->layout()), *ops, *reference, collector.report());
      collector.print(dtype, "widths of models");
      CHECK(collector.compared > 100);
    }
  }
}

TEST_CASE("the gradients of the row kernels match finite differences", "[stage4]") {
  if (skipped()) return;
  const auto ops = stage4_ops(Dtype::fp64);
  Collector collector;
  cases::for_each_gradient(row_cases(ops->layout(), Dtype::fp64), *ops, 12, collector.report());
  CHECK(collector.compared > 40);
}

TEST_CASE("LayerNorm behind a residual sum matches its composition in every type", "[stage4]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    const auto ops = stage4_ops(dtype);
    Collector collector;
    for (const cases::OpCase& c : cases::gpt2_norm_cases(ops->layout())) {
      if (!c.run_composed) continue;
      const cases::Values inputs = cases::rounded_values(c, dtype);
      std::string damage;
      const cases::Values want = cases::run_case(c, *ops, inputs, damage, cases::How::composed);
      const cases::Values got = cases::run_case(c, *ops, inputs, damage);
      cases::compare_case(c, got, want, dtype, damage, collector.report());
    }
    CHECK(collector.compared > 30);
  }
}

TEST_CASE("row kernels give the same bits again, on any number of cores", "[stage4]") {
  if (skipped()) return;
  for (const Dtype dtype : kAllDtypes) {
    const auto first = stage4_ops(dtype, 1);
    const auto second = stage4_ops(dtype, 3);
    for (const cases::OpCase& c : row_cases(first->layout(), dtype)) {
      std::string damage;
      const cases::Values values = cases::rounded_values(c, dtype);
      const cases::Values a = cases::run_case(c, *first, values, damage);
      const cases::Values b = cases::run_case(c, *second, values, damage);
      for (const cases::TensorSpec& tensor : c.tensors) {
        if (tensor.use == cases::Use::input || a.at(tensor.name).empty()) continue;
        INFO(c.name() << " " << tensor.name << " in " << name_of(dtype));
        CHECK(compare(b.at(tensor.name), a.at(tensor.name), 0.0, Rule::bits).passed());
      }
    }
  }
}

TEST_CASE("row kernels pass checked mode", "[stage4]") {
  if (test_device().is_gpu()) return;  // a GPU does not look
  const tile::Checks checks;
  for (const Dtype dtype : kAllDtypes) {
    std::set<std::string> kernels;
    for (const cases::OpCase& c : row_cases(Layout::padded, dtype))
      for (const std::string& kernel : run_checked(make_nano_ops, c, dtype)) kernels.insert(kernel);
    // grids whose blocks walk through the rows
    if (dtype == Dtype::fp32 || dtype == Dtype::bf16)
      for (const cases::OpCase& c : cases::wide_gpt2_norm_cases(Layout::padded))
        if (c.batch || c.shape.starts_with("N=257 C=48"))
          for (const std::string& kernel : run_checked(make_nano_ops, c, dtype)) kernels.insert(kernel);
    for (const std::string& kernel : row_kernels(dtype)) {
      INFO(kernel << " in " << name_of(dtype));
      CHECK(kernels.count(kernel) == 1);
    }
  }
}

TEST_CASE("row kernels refuse what is missing", "[stage4]") {
  const auto ops = make_nano_ops(CudaOptions{Dtype::fp32, Device::cpu, 1, true});
  CHECK_THROWS_AS(ops->run(LayerNormForward{1, 1, {}, {}, {}, {}, {}, {}}), InputError);
  CHECK_THROWS_AS(ops->run(LayerNormBackward{1, 1, {}, {}, {}, {}, {}, {}, {}, {}, {}}), InputError);
  CHECK_THROWS_AS(ops->run(BiasBackward{1, 1, {}, {}}), InputError);
  CHECK_THROWS_AS(ops->run(ApplyDropout{{}, 1, Dropout{0.5}, {}, {}}), InputError);  // no numbers of a step
  const StepConstants step{};
  BatchView batch;
  batch.step = &step;
  CHECK_THROWS_AS(ops->run(ApplyDropout{batch, 1, Dropout{1.0}, {}, {}}), InputError);
  CHECK_THROWS_AS(ops->run(ResidualLayerNormForward{batch, 1, {}, {}, {}, {}, {}, {}, {}, {}, {}}),
                  InputError);
  CHECK_THROWS_AS(ops->run(EmbeddingBackward{batch, 1, 1, 1, {}, {}, {}}), InputError);
}
