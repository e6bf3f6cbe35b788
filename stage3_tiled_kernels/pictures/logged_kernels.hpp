// Runs one of stage 3's kernels on a small fixed input on the CPU tile model and writes one block of it down.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/dtype.hpp"
#include "shared/tile/pictures/logged_block.hpp"

namespace ladder {

/// A size that the caller may choose: the flag's name without its dashes, what it is when left out.
struct KernelSize {
  const char* name;
  int usual;
};

/// A kernel whose blocks can be followed.
struct LoggedKernel {
  const char* name;    ///< as the user says it: "matmul"
  const char* kernel;  ///< as the launch calls it: "linear_forward"
  const char* computes;
  std::vector<KernelSize> sizes;
};

const std::vector<LoggedKernel>& logged_kernels();

struct LogRequest {
  std::string kernel;                ///< a name of logged_kernels()
  std::map<std::string, int> sizes;  ///< those that differ from the usual ones
  Dtype dtype = Dtype::fp32;
  bool causal = true;                ///< attention only
  std::optional<tile::Index> block;  ///< by default one that shows most: the last, or attention's middle one
};

/// Inputs are multiples of 1/2 from -2 to 1.5, the same on every machine. Throws InputError for a kernel, a size or
/// a block that does not exist.
LoggedBlock log_block(const LogRequest& request);

}  // namespace ladder
