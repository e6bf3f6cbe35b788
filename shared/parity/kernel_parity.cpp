#include "shared/parity/kernel_parity.hpp"

#include "shared/check/cases.hpp"
#include "shared/model/ops.hpp"

namespace ladder {

void compare_kernels(int stage, Architecture architecture, const EngineOptions& options,
                     ParityReport& report) {
  if (stage == 0) return;
  const auto ops = make_ops(stage, options);
  const std::vector<cases::OpCase> own = architecture == Architecture::gpt2
                                             ? cases::gpt2_cases(ops->layout())
                                             : cases::all_cases(ops->layout(), options.dtype);
  const auto add = [&](const cases::CaseResult& result) {
    Finding finding{"kernel",
                    result.name + ", " + result.tensor,
                    0,
                    {},
                    "operation " + std::string(name_of(options.dtype)),
                    result.comparison.tolerance,
                    result.comparison};
    if (!result.damage.empty()) {
      finding.comparison.verdict = Verdict::too_far;
      report.notes.push_back(result.name + ": " + result.damage);
    }
    report.findings.push_back(std::move(finding));
  };
  if (stage == 1 && options.dtype == Dtype::fp64) {
    cases::for_each_case_naive(own, *ops, add);
    return;
  }
  const auto reference = make_ops(1, {Dtype::fp64, 1, Device::automatic, 1});
  cases::for_each_case(own, *ops, *reference, add);
}

}  // namespace ladder
