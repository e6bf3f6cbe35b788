// What a run of operation cases came to: every result checked, the largest error of each kind kept.
#pragma once

#include <catch2/catch.hpp>

#include <cstdio>
#include <map>
#include <string>

#include "shared/check/cases.hpp"

namespace ladder::testing {

/// Checks each result and keeps the largest error of each operation's tensor.
struct Collector {
  std::map<std::string, double> worst;
  int compared = 0;

  cases::Report report() {
    return [this](const cases::CaseResult& result) {
      INFO(result.describe());
      CHECK(result.passed());
      ++compared;
      double& largest = worst[result.name.substr(0, result.name.find(' ')) + " " + result.tensor];
      if (!(result.comparison.max_error <= largest)) largest = result.comparison.max_error;
    };
  }
  void print(Dtype dtype, const char* title) const {
    std::printf("%s %s: %d tensors\n", std::string(name_of(dtype)).c_str(), title, compared);
    for (const auto& [operation, error] : worst) std::printf("  %-40s %.2e\n", operation.c_str(), error);
  }
};

}  // namespace ladder::testing
