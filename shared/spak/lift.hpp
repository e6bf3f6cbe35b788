// The first step of the cycle: what a kernel's text leaves open, as a draft of a design space and a tuning space.
//
// This reads the text of CUDA C++ and CUDA Tile C++ as far as a draft needs it: template parameters of kernels (functions
// marked __global__ or __tile_global__), the fields of structures that are template parameters, and hints to the compiler.
// It is no compiler: macros and parameters of parameters stay closed to it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/json.hpp"

namespace ladder::spak {

/// Something that can be chosen.
struct LiftedAxis {
  std::string name;
  std::vector<Json> values;  ///< a draft: what such a parameter usually is; of a type its name
  std::string from;          ///< why it is there: "int TR", "field warps of table::NormTiles"
  bool is_design = false;    ///< a choice of how, such as a type; the rest is tuned
};

struct LiftedKernel {
  std::string name;
  std::size_t line = 0;  ///< of the kernel's file
  std::vector<LiftedAxis> axes;
  std::vector<std::string> hints;  ///< "occupancy = S.occupancy"
};

/// The kernels of `text` in their order. `others` are texts in which structures are looked for besides: what the kernel's
/// file includes.
std::vector<LiftedKernel> lifted_kernels(std::string_view text, const std::vector<std::string>& others);

/// A system file of them that parses: one design and one tuning axis each, with where it comes from as a comment, and an
/// engineering_loop whose command is still to be written.
std::string draft_system(const std::string& name, const std::string& source,
                         const std::vector<LiftedKernel>& kernels);

}  // namespace ladder::spak
