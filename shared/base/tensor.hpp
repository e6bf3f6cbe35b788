// Tensors with names: how weights, gradients and activations leave an engine.
#pragma once

#include <string>
#include <vector>

namespace ladder {

/// A tensor with its name, in double whatever the stage computes in (every smaller type embeds exactly).
/// `values` is row-major; its size is the product of `shape`.
struct NamedTensor {
  std::string name;
  std::vector<int> shape;
  std::vector<double> values;
};

using TensorList = std::vector<NamedTensor>;

}  // namespace ladder
