#include "shared/base/finite.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "shared/base/error.hpp"
#include "shared/base/shown.hpp"

namespace ladder {
namespace {

/// The first word whose exponent has all its bits set, which NaN and infinity have and nothing else.
template <class Word>
std::optional<std::size_t> first_with(Word exponent, std::span<const std::byte> bytes) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(Word); ++i) {
    Word word = 0;
    std::memcpy(&word, bytes.data() + i * sizeof(Word), sizeof word);
    if ((word & exponent) == exponent) return i;
  }
  return std::nullopt;
}

}  // namespace

double printable(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
}

std::optional<std::size_t> first_not_finite(Dtype dtype, std::span<const std::byte> bytes) {
  switch (dtype) {
    case Dtype::fp64:
      return first_with<std::uint64_t>(0x7FF0'0000'0000'0000U, bytes);
    case Dtype::fp32:
    case Dtype::tf32:
      return first_with<std::uint32_t>(0x7F80'0000U, bytes);
    case Dtype::bf16:
      return first_with<std::uint16_t>(0x7F80U, bytes);
    case Dtype::fp16:
      return first_with<std::uint16_t>(0x7C00U, bytes);
  }
  return std::nullopt;
}

std::string not_finite_words(const NamedTensor& tensor) {
  const std::optional<std::size_t> bad = first_not_finite(tensor.dtype(), tensor.bytes());
  if (!bad) return {};
  return fmt::format("tensor '{}' is {} at element {} of [{}]", shown(tensor.name), printable(tensor[*bad]),
                     *bad, extents_of(tensor.shape));
}

void require_finite(const TensorList& tensors, std::string_view source) {
  for (const NamedTensor& tensor : tensors)
    if (const std::string words = not_finite_words(tensor); !words.empty())
      throw CheckError(fmt::format("{}: {}: nothing was written", source, words));
}

void require_finite_in(Dtype dtype, const TensorList& tensors, std::string_view source) {
  for (const NamedTensor& tensor : tensors) {
    const NamedTensor rounded = tensor.in(dtype);
    const auto bad = first_not_finite(dtype, rounded.bytes());
    if (!bad) continue;
    throw InputError(
        fmt::format("{}: tensor '{}' is {} at element {} of [{}], which is {} in {}: choose a wider --dtype",
                    source, shown(tensor.name), printable(tensor[*bad]), *bad, extents_of(tensor.shape),
                    printable(rounded[*bad]), name_of(dtype)));
  }
}

}  // namespace ladder
