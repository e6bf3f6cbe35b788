#include "shared/parity/kernel_parity.hpp"

#include "shared/check/cases.hpp"
#include "shared/model/ops.hpp"

namespace ladder {

void compare_kernels(int stage, Architecture architecture, const EngineOptions& options,
                     ParityReport& report) {
  (void)architecture;
  if (stage == 0) return;
  const auto ops = make_ops(stage, options);
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
    cases::for_each_case_naive(*ops, add);
    return;
  }
  const auto reference = make_ops(1, {Dtype::fp64, 1, Device::automatic, 1});
  cases::for_each_case(*ops, *reference, add);
}

}  // namespace ladder
