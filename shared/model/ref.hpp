// Pointers into a stage's memory, as the arguments of operations hold them.
#pragma once

#include <cstddef>

#include "shared/base/dtype.hpp"

namespace ladder {

/// A pointer into a stage's memory with its element type. The role makes it a type of its own: an activation cannot
/// be passed where a gradient of a parameter is meant.
template <class Role>
struct Ref {
  void* data = nullptr;
  Dtype dtype = Dtype::fp32;

  explicit operator bool() const { return data != nullptr; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  /// The same tensor from element `offset` on.
  Ref at(std::size_t offset) const {
    return {static_cast<std::byte*>(data) + offset * size_of(dtype), dtype};
  }
};

using Act = Ref<struct ActivationRole>;   ///< activations and their gradients
using Param = Ref<struct ParameterRole>;  ///< parameters as the kernels read them
using Grad = Ref<struct GradientRole>;    ///< gradients of parameters
using Master = Ref<struct MasterRole>;    ///< master weights and Adam's moments
using Stat = Ref<struct StatisticRole>;   ///< per-row statistics and losses: fp32, or fp64 for fp64

}  // namespace ladder
