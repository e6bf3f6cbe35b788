#include "shared/base/tensor.hpp"

#include <algorithm>

#include "shared/base/dtype_convert.hpp"

namespace ladder {

std::string extents_of(std::span<const int> shape) {
  std::string text;
  for (const int extent : shape) text += fmt::format("{}{}", text.empty() ? "" : ", ", extent);
  return text;
}

std::size_t element_count(std::span<const int> shape) {
  std::size_t count = 1;
  for (const int extent : shape) count *= static_cast<std::size_t>(extent);
  return count;
}

NamedTensor::NamedTensor(std::string tensor_name, std::vector<int> tensor_shape,
                         std::span<const double> values)
    : name(std::move(tensor_name)), shape(std::move(tensor_shape)) {
  assign(values);
}

NamedTensor::NamedTensor(std::string tensor_name, std::vector<int> tensor_shape, Dtype dtype)
    : name(std::move(tensor_name)),
      shape(std::move(tensor_shape)),
      dtype_(dtype),
      bytes_(element_count(shape) * size_of(dtype)) {}

void NamedTensor::assign(std::span<const double> values) {
  bytes_.resize(values.size() * size_of(dtype_));
  encode(dtype_, values, bytes_.data());
}

std::vector<double> NamedTensor::values() const {
  std::vector<double> wide(size());
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = decode(dtype_, bytes_.data(), i);
  return wide;
}

double NamedTensor::operator[](std::size_t i) const { return decode(dtype_, bytes_.data(), i); }

void NamedTensor::set(std::size_t i, double value) {
  encode(dtype_, std::span(&value, 1), bytes_.data() + i * size_of(dtype_));
}

NamedTensor NamedTensor::in(Dtype dtype) const {
  if (dtype == dtype_) return *this;
  NamedTensor other(name, shape, dtype);
  other.bytes_.resize(size() * size_of(dtype));
  constexpr std::size_t kBlock = 4096;  // values at a time, so that no wide copy of the whole tensor is made
  std::vector<double> wide(std::min(size(), kBlock));
  for (std::size_t first = 0; first < size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, size() - first);
    for (std::size_t i = 0; i < count; ++i) wide[i] = decode(dtype_, bytes_.data(), first + i);
    encode(dtype, std::span(wide).first(count), other.bytes_.data() + first * size_of(dtype));
  }
  return other;
}

}  // namespace ladder
