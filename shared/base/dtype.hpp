// Element types: what a stage computes in, and what each role of a tensor is then stored as.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "shared/base/error.hpp"

namespace ladder {

/// tf32 is stored as fp32; only the operands of matrix products are rounded to its 10-bit mantissa.
enum class Dtype { fp64, fp32, tf32, bf16, fp16 };

inline constexpr std::array kAllDtypes = {Dtype::fp64, Dtype::fp32, Dtype::tf32, Dtype::bf16, Dtype::fp16};

constexpr std::string_view name_of(Dtype dtype) {
  constexpr std::array<std::string_view, 5> names = {"fp64", "fp32", "tf32", "bf16", "fp16"};
  return names[static_cast<std::size_t>(dtype)];
}

/// Bytes of one stored element.
constexpr std::size_t size_of(Dtype dtype) {
  constexpr std::array<std::size_t, 5> sizes = {8, 4, 4, 2, 2};
  return sizes[static_cast<std::size_t>(dtype)];
}

/// Throws InputError naming the valid types when `name` is none of them.
inline Dtype parse_dtype(std::string_view name) {
  for (Dtype dtype : kAllDtypes)
    if (name == name_of(dtype)) return dtype;
  throw InputError(fmt::format("unknown dtype '{}': valid are fp64, fp32, tf32, bf16, fp16", name));
}

/// How each role is stored for a computation in `compute`: 16-bit activations and parameters keep fp32 gradients,
/// master weights and statistics; everything else is one type throughout.
struct Precision {
  Dtype activation, parameter, gradient, master, statistic;

  static constexpr Precision of(Dtype compute) {
    const bool half = compute == Dtype::bf16 || compute == Dtype::fp16;
    const Dtype wide = compute == Dtype::fp64 ? Dtype::fp64 : Dtype::fp32;
    const Dtype narrow = half ? compute : (compute == Dtype::tf32 ? Dtype::tf32 : wide);
    return {narrow, narrow, wide, wide, wide};
  }
};

}  // namespace ladder
