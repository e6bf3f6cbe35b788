// Counts what was compared, and reports each failure on its own.
#pragma once

#include <catch2/catch.hpp>

#include "shared/check/cases.hpp"

namespace ladder::stage1_tests {

struct Tally {
  int compared = 0;
  double worst = 0;
  std::string where;

  cases::Report report() {
    return [this](const cases::CaseResult& result) {
      ++compared;
      if (result.comparison.max_error > worst) {
        worst = result.comparison.max_error;
        where = result.name + ", " + result.tensor;
      }
      INFO(result.describe());
      CHECK(result.passed());
    };
  }
};

/// Fused operations against their compositions on the same operations; cases that have none are passed over.
inline void compare_with_composed(const std::vector<cases::OpCase>& all, Ops& ops, Tally& tally) {
  for (const cases::OpCase& c : all) {
    if (!c.run_composed) continue;
    const cases::Values inputs = cases::rounded_values(c, ops.dtype());
    std::string damage;
    const cases::Values want = cases::run_case(c, ops, inputs, damage, cases::How::composed);
    const cases::Values got = cases::run_case(c, ops, inputs, damage);
    cases::compare_case(c, got, want, ops.dtype(), damage, tally.report());
  }
}

}  // namespace ladder::stage1_tests
