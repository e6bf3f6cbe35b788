// Tensors with names: how weights, gradients and activations leave an engine.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "shared/base/dtype.hpp"

namespace ladder {

/// A tensor with its name, as the bytes that its owner keeps: row-major elements of `dtype`. Every smaller type embeds
/// exactly into double, so whoever compares or changes values widens one tensor at a time.
class NamedTensor {
 public:
  NamedTensor() = default;
  /// In fp64; `values` has as many elements as the shape.
  NamedTensor(std::string tensor_name, std::vector<int> tensor_shape, std::span<const double> values);
  NamedTensor(std::string tensor_name, std::vector<int> tensor_shape, const std::vector<double>& values)
      : NamedTensor(std::move(tensor_name), std::move(tensor_shape), std::span<const double>(values)) {}
  /// Zeros of `dtype`.
  NamedTensor(std::string tensor_name, std::vector<int> tensor_shape, Dtype dtype);

  std::string name;
  std::vector<int> shape;

  Dtype dtype() const { return dtype_; }
  std::size_t size() const { return bytes_.size() / size_of(dtype_); }  ///< elements
  std::span<const std::byte> bytes() const { return bytes_; }
  std::span<std::byte> bytes() { return bytes_; }

  /// All elements in double: eight bytes each, so only for as long as they are needed.
  std::vector<double> values() const;
  double operator[](std::size_t i) const;
  /// Rounds to the tensor's type.
  void set(std::size_t i, double value);
  /// Replaces all elements, each rounded to the tensor's type.
  void assign(std::span<const double> values);
  /// The same values in another type, rounded where it is narrower.
  NamedTensor in(Dtype dtype) const;

 private:
  Dtype dtype_ = Dtype::fp64;
  std::vector<std::byte> bytes_;
};

using TensorList = std::vector<NamedTensor>;

/// "64, 16"
std::string extents_of(std::span<const int> shape);

/// Product of the extents.
std::size_t element_count(std::span<const int> shape);

}  // namespace ladder
