// Ways to write a naive product on a GPU, timed side by side: the ones that lost are kept with their figures.
#pragma once

#include <string>
#include <vector>

namespace ladder {

struct VariantTime {
  std::string product, variant;
  double seconds, flops;
};

/// fp32, x [16384, 384] and W [1536, 384], the first MLP product of preset `small`; the fastest of several
/// launches. Throws MachineError where no GPU is usable.
std::vector<VariantTime> time_linear_variants();

}  // namespace ladder
