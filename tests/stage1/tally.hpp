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

}  // namespace ladder::stage1_tests
