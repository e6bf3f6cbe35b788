// Damage of every operation of a list of cases reaches the results that are reported of it.
#include <catch2/catch.hpp>

#include <map>

#include "shared/check/cases.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
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
