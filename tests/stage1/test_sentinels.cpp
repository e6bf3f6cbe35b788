// The runner of cases sees what is wrong: damage, padding, a gradient that is a little off, errors beyond rounding.
#include <catch2/catch.hpp>

#include <cmath>
#include <map>

#include "shared/check/cases.hpp"
#include "shared/check/tolerances.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/support/padded_view.hpp"
#include "tests/support/spoiling_ops.hpp"

using namespace ladder;
using namespace ladder::testing;
using Catch::Matchers::Contains;

namespace {

/// What is reported of every case's results when each operation does `after` besides, all in the same words.
void reported(const std::function<void(Ops&, const OpCall&)>& after, const char* damage) {
  const std::vector<cases::OpCase> all = cases::linear_cases();
  SpoilingOps ops(make_eigen_ops(Dtype::fp32, 1), after);
  const auto reference = make_eigen_ops(Dtype::fp64, 1);
  int results = 0;
  const auto check = [&](const cases::CaseResult& result) {
    INFO(result.describe());
    CHECK(result.comparison.passed());  // the outputs themselves are right
    CHECK_FALSE(result.passed());
    CHECK_THAT(result.damage, Contains(damage));
    CHECK_THAT(result.describe(), Contains(damage));
    ++results;
  };
  cases::for_each_case(all, ops, *reference, check);
  cases::for_each_case_naive(all, ops, check);
  CHECK(results >= 2 * static_cast<int>(all.size()));
}

}  // namespace

TEST_CASE("a byte changed behind an output is reported") {
  reported([](Ops& ops, const OpCall& call) { spoil_byte(ops, end_of(call.outputs.front())); },
           "wrote behind the end of");
}

TEST_CASE("a byte changed at the end of what is watched is reported") {
  reported(
      [](Ops& ops, const OpCall& call) {
        spoil_byte(ops, static_cast<const std::byte*>(end_of(call.outputs.front())) + 255);
      },
      "wrote behind the end of");
}

TEST_CASE("damage that the reference does counts too") {
  SpoilingOps reference(make_eigen_ops(Dtype::fp64, 1),
                        [](Ops& ops, const OpCall& call) { spoil_byte(ops, end_of(call.outputs.front())); });
  const auto ops = make_eigen_ops(Dtype::fp32, 1);
  int results = 0;
  cases::for_each_case(cases::linear_cases(), *ops, reference, [&](const cases::CaseResult& result) {
    CHECK_FALSE(result.passed());
    ++results;
  });
  CHECK(results > 0);
}

TEST_CASE("a changed input is reported, an output and an update are not") {
  for (const cases::OpCase& c : cases::linear_cases()) {
    std::map<std::string, const void*> places;
    std::string spoilt, damage;
    SpoilingOps ops(make_eigen_ops(Dtype::fp64, 1),
                    [&](Ops& inner, const OpCall&) { spoil_byte(inner, places.at(spoilt)); });
    const auto placed = [&](const cases::TensorSpec& tensor, const void* data, std::size_t, Dtype) {
      places[tensor.name] = data;
    };
    for (const cases::TensorSpec& tensor : c.tensors) {
      spoilt = tensor.name;
      cases::run_case(c, ops, c.values, damage, cases::How::as_called, placed);
      INFO(c.name() << ", " << spoilt << ": " << damage);
      if (tensor.use == cases::Use::input)
        CHECK(damage == "changed its input " + spoilt);
      else
        CHECK(damage.empty());
    }
  }
}

TEST_CASE("what an operation leaves in the rows of padding is compared") {
  auto eigen = make_eigen_ops(Dtype::fp64, 1);
  SpoilingOps spoiling(std::move(eigen), [](Ops& ops, const OpCall& call) {
    if (call.name != "embedding_forward") return;
    const double other = 1.0;  // the last row of the first sequence, which is shorter than its slot
    const OutputView& x = call.outputs.front();
    std::vector<std::int32_t> sequence_n(static_cast<std::size_t>(call.batch->rows));
    ops.download(sequence_n.data(), call.batch->sequence_n, sequence_n.size() * sizeof(std::int32_t));
    for (std::size_t n = 0; n < x.rows; ++n)
      if (sequence_n[n] < 0)
        ops.upload(static_cast<double*>(const_cast<void*>(x.data)) + n * x.stride, &other, sizeof other);
  });
  cases::PaddedView padded(spoiling);
  int failed = 0;
  cases::for_each_case_naive(cases::embedding_cases(Layout::padded), padded,
                             [&](const cases::CaseResult& result) {
                               INFO(result.describe());
                               CHECK(result.passed() == (result.tensor != "x of padding"));
                               failed += result.passed() ? 0 : 1;
                             });
  CHECK(failed > 0);
}

TEST_CASE("the gradient check sees one part in a million") {
  for (const double factor : {1.0, 1.0 + 1e-6}) {
    SpoilingOps ops(make_eigen_ops(Dtype::fp64, 1), [&](Ops& inner, const OpCall& call) {
      if (call.name != "linear_backward_input") return;
      const OutputView& dx = call.outputs.front();
      std::vector<double> values(dx.rows * dx.columns);
      inner.download(values.data(), dx.data, values.size() * sizeof(double));
      for (double& value : values) value *= factor;
      inner.upload(const_cast<void*>(dx.data), values.data(), values.size() * sizeof(double));
    });
    int failed = 0, compared = 0;
    cases::for_each_gradient(cases::linear_cases(), ops, 20, [&](const cases::CaseResult& result) {
      failed += result.passed() ? 0 : 1;
      ++compared;
    });
    CHECK(compared > 10);
    CHECK(failed == (factor == 1.0 ? 0 : compared / 2));  // those of x, not those of w
  }
}

TEST_CASE("rounding of the terms excuses what it can do, and no more") {
  constexpr double kUnit = 0x1p-8;  // of bf16
  int judged = 0;
  for (const cases::OpCase& c : cases::attention_cases(Layout::packed)) {
    if (c.with_terms.empty() || c.beyond_fp16 || c.max_logit > 100) continue;
    const std::string& name = c.with_terms.front();
    const cases::Values inputs = cases::rounded_values(c, Dtype::bf16);
    cases::Values want = inputs, terms;
    c.naive(want);
    c.rounded_terms(terms = want);
    const std::vector<double>& right = want.at(name);
    const double limit = find_tolerance("operation", Dtype::bf16).limit(), rms = root_mean_square(right);
    const auto passes = [&](double share_of_limit, double units) {
      cases::Values got = want;
      for (std::size_t i = 0; i < right.size(); ++i)
        got.at(name)[i] +=
            share_of_limit * limit * (std::abs(right[i]) + rms) + units * kUnit * terms.at(name)[i];
      bool all = true;
      cases::compare_case(c, got, want, Dtype::bf16, "", [&](const cases::CaseResult& result) {
        all = all && (result.tensor != name || result.passed());
      });
      return all;
    };
    INFO(c.name() << ", " << name);
    CHECK(passes(0.5, 0.5));
    CHECK(passes(0.99, 0.99));
    CHECK_FALSE(passes(1.01, 1.01));
    ++judged;
  }
  CHECK(judged > 10);
}
