// Whether all elements of a tensor are finite numbers.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "shared/base/tensor.hpp"

namespace ladder {

/// The number as it is printed: a NaN has no sign, so that "-nan", which says where it was computed, is never shown.
double printable(double value);

/// The index of the first element that is NaN or infinite; empty where all are finite. `bytes` are elements of `dtype`.
std::optional<std::size_t> first_not_finite(Dtype dtype, std::span<const std::byte> bytes);

/// "tensor 'wte' is nan at element 3 of [64, 16]"; empty where all elements are finite.
std::string not_finite_words(const NamedTensor& tensor);

/// Throws CheckError naming `source` and the first element that is not finite: for what was computed, before it is
/// printed or written.
void require_finite(const TensorList& tensors, std::string_view source);

/// Throws InputError naming `source` and the first element that is not finite in `dtype`: weights out of a file, which
/// may hold 1e300, before an engine rounds them.
void require_finite_in(Dtype dtype, const TensorList& tensors, std::string_view source);

}  // namespace ladder
