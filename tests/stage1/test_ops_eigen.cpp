// Stage 1's operations: against plain loops, against differences, fused against
// composed, float against double.
#include <catch2/catch.hpp>
#include <cmath>

#include "shared/base/checked_size.hpp"
#include "shared/check/cases.hpp"
#include "shared/check/tolerances.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/stage1/tally.hpp"
#include "tests/support/padded_view.hpp"

using namespace ladder;
using namespace ladder::cases;
using namespace ladder::stage1_tests;

TEST_CASE("eigen in fp64 agrees with plain loops") {
  const auto ops = make_eigen_ops(Dtype::fp64, 2);
  Tally tally;
  for_each_case_naive(*ops, tally.report());
  CHECK(tally.compared > 150);
  WARN("largest error " << tally.worst << " at " << tally.where);
}

TEST_CASE("eigen in fp64 agrees with plain loops in the padded layout") {
  const auto ops = make_eigen_ops(Dtype::fp64, 2);
  PaddedView padded(*ops);
  Tally tally;
  for_each_case_naive(padded, tally.report());
  CHECK(tally.compared > 150);
}

TEST_CASE("eigen in fp32 agrees with fp64 from the same rounded inputs") {
  const auto ops = make_eigen_ops(Dtype::fp32, 2);
  const auto reference = make_eigen_ops(Dtype::fp64, 1);
  PaddedView padded(*ops);
  Tally tally;
  for_each_case(*ops, *reference, tally.report());
  for_each_case(padded, *reference, tally.report());
  CHECK(tally.compared > 300);
  WARN("largest error " << tally.worst << " at " << tally.where);
}

TEST_CASE("every backward pass of eigen is the derivative of its forward pass") {
  const auto ops = make_eigen_ops(Dtype::fp64, 1);
  PaddedView padded(*ops);
  Tally tally;
  for_each_gradient(*ops, 40, tally.report());
  for_each_gradient(padded, 40, tally.report());
  CHECK(tally.compared > 60);
}

TEST_CASE("fused operations equal their compositions") {
  for (const Dtype dtype : {Dtype::fp64, Dtype::fp32}) {
    const auto ops = make_eigen_ops(dtype, 1);
    Tally tally;
    compare_with_composed(fused_cases(), *ops, tally);
    CHECK(tally.compared > 20);
  }
}

TEST_CASE("the case runner notices damage") {
  const auto ops = make_eigen_ops(Dtype::fp32, 1);
  OpCase c = linear_cases().front();
  std::string damage;
  const Values inputs = rounded_values(c, Dtype::fp32);

  SECTION("a write behind the end") {
    c.run = [](Ops&, const Bound& t) { t.act("y").as<float>()[1] = 0; };
    run_case(c, *ops, inputs, damage);
    CHECK(damage == "wrote behind the end of y");
  }
  SECTION("a write before the start") {
    c.run = [](Ops&, const Bound& t) { t.act("y").as<float>()[-1] = 0; };
    run_case(c, *ops, inputs, damage);
    CHECK(damage == "wrote before the start of y");
  }
  SECTION("a changed input") {
    c.run = [](Ops&, const Bound& t) { t.act("x").as<float>()[0] += 1; };
    run_case(c, *ops, inputs, damage);
    CHECK(damage == "changed its input x");
  }
  SECTION("an output that nobody wrote") {
    c.run = [](Ops&, const Bound&) {};
    const Values got = run_case(c, *ops, inputs, damage);
    Values want = inputs;
    c.naive(want);
    int failed = 0;
    compare_case(c, got, want, Dtype::fp32, damage,
                 [&](const CaseResult& r) { failed += r.passed() ? 0 : 1; });
    CHECK(failed == 1);
  }
}

TEST_CASE("a NaN that is read reaches the output") {
  const auto ops = make_eigen_ops(Dtype::fp32, 1);
  for (OpCase c : all_cases(Layout::packed, Dtype::fp64)) {
    if (c.op.find("relu") != std::string::npos && c.op.find("backward") != std::string::npos)
      continue;                                     // reads where y > 0
    if (c.name().ends_with("overflows")) continue;  // reads nothing: the step is left out
    // In the first element of the first tensor, where no maximum and no sum may swallow it; in all of an
    // embedding table, of which only the tokens' rows are read.
    std::vector<double>& values = c.values.at(c.tensors.front().name);
    const std::size_t poisoned = c.op == "embedding_forward" ? values.size() : 1;
    // where text is generated, the first query stands behind the rows of earlier positions
    const auto before = static_cast<std::size_t>(c.first);
    const std::size_t first = c.op == "attention_forward" && before > 0
                                  ? values.size() * before / (before + c.batch->tokens_n.size())
                                  : 0;
    std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(first), poisoned, std::nan(""));
    std::string damage;
    const Values got = run_case(c, *ops, rounded_values(c, Dtype::fp32), damage);
    bool seen = false;
    for (const TensorSpec& tensor : c.tensors)
      if (tensor.use == Use::output || tensor.use == Use::update)
        for (const double value : got.at(tensor.name)) seen = seen || std::isnan(value);
    INFO(c.name());
    CHECK(seen);
  }
}

TEST_CASE("memory too large to be addressed is refused, not wrapped round to a few bytes") {
  const auto ops = make_eigen_ops(Dtype::fp64, 1);
  for (const std::size_t wraps : {SIZE_MAX, SIZE_MAX - 200, kLargestSize + 1})
    CHECK_THROWS_WITH(ops->allocate(wraps), Catch::Contains("larger than can be addressed"));
  CHECK(ops->allocate(0) != nullptr);
  // 2^30 rows, heads and positions of 8 bytes: a product of 2^93, of which the lowest 64 bits are 0.
  CHECK_THROWS_WITH(ops->attention_scratch_bytes(1 << 30, 1 << 30, 1 << 30),
                    Catch::Contains("attention's probabilities") && Catch::Contains("can be addressed"));
  CHECK(ops->attention_scratch_bytes(3, 2, 16) == std::size_t{8 * 3 * 2 * 16});
}
