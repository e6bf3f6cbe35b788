// Results of the subset's kernels, on either side, in a form that can be compared.
#pragma once

#include <string>
#include <vector>

namespace ladder {

/// One operation's 64 results, widened to double, and how far two sides may be apart (0: the same bits).
struct SubsetSlot {
  std::string name;
  double tolerance;
  std::vector<double> values;
};

namespace on_cpu {
std::vector<SubsetSlot> run_subset();
}
namespace on_gpu {
/// Throws MachineError when there is no GPU to run on.
std::vector<SubsetSlot> run_subset();
}  // namespace on_gpu

}  // namespace ladder
