// Values of every storage type to and from double, rounding to nearest, ties to even.
//
// Double holds each smaller type exactly, so reading is exact; writing rounds once, straight from the double
// (going through float first could round twice). tf32 is stored as fp32.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

#include "shared/base/dtype.hpp"

namespace ladder {

/// A 16-bit IEEE-style format: 1 sign bit, then exponent, then mantissa.
struct HalfFormat {
  int mantissa_bits;
  int bias;  ///< the smallest normal number is 2^(1 - bias)
};
inline constexpr HalfFormat kBf16 = {7, 127};
inline constexpr HalfFormat kFp16 = {10, 15};

/// The bits of `value` in `format`; NaN stays NaN, overflow becomes infinity, small values become subnormal.
inline std::uint16_t to_half_bits(double value, HalfFormat format) {
  const int exponent_mask = (1 << (15 - format.mantissa_bits)) - 1;
  const int sign = std::signbit(value) ? 0x8000 : 0;
  const int infinity = exponent_mask << format.mantissa_bits;
  if (std::isnan(value))
    return static_cast<std::uint16_t>(sign | infinity | (1 << (format.mantissa_bits - 1)));
  if (std::isinf(value)) return static_cast<std::uint16_t>(sign | infinity);
  if (value == 0.0) return static_cast<std::uint16_t>(sign);
  int exponent = 0;
  std::frexp(value, &exponent);  // |value| lies in [2^(exponent-1), 2^exponent)
  const int lowest = 1 - format.bias;
  const int scale = (exponent - 1 > lowest ? exponent - 1 : lowest) - format.mantissa_bits;
  // In units of the last place the rounding is nearbyint's; a carry into the next binade needs no special
  // case, because the encodings of neighbouring numbers are neighbouring integers.
  const int units = static_cast<int>(std::nearbyint(std::ldexp(std::fabs(value), -scale)));
  const int encoded = units + ((scale + format.mantissa_bits - lowest) << format.mantissa_bits);
  return static_cast<std::uint16_t>(sign | (encoded < infinity ? encoded : infinity));
}

inline double from_half_bits(std::uint16_t bits, HalfFormat format) {
  const int exponent_mask = (1 << (15 - format.mantissa_bits)) - 1;
  const int exponent = (bits >> format.mantissa_bits) & exponent_mask;
  const int mantissa = bits & ((1 << format.mantissa_bits) - 1);
  double magnitude;
  if (exponent == exponent_mask)
    magnitude =
        mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  else if (exponent == 0)
    magnitude = std::ldexp(mantissa, 1 - format.bias - format.mantissa_bits);
  else
    magnitude =
        std::ldexp(mantissa + (1 << format.mantissa_bits), exponent - format.bias - format.mantissa_bits);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/// Writes values.size() elements of type `dtype` at `destination`, each rounded once.
inline void encode(Dtype dtype, std::span<const double> values, void* destination) {
  auto* bytes = static_cast<std::byte*>(destination);
  for (std::size_t i = 0; i < values.size(); ++i) {
    switch (dtype) {
      case Dtype::fp64:
        std::memcpy(bytes + i * 8, &values[i], 8);
        break;
      case Dtype::fp32:
      case Dtype::tf32: {
        const auto rounded = static_cast<float>(values[i]);
        std::memcpy(bytes + i * 4, &rounded, 4);
        break;
      }
      case Dtype::bf16:
      case Dtype::fp16: {
        const std::uint16_t rounded = to_half_bits(values[i], dtype == Dtype::bf16 ? kBf16 : kFp16);
        std::memcpy(bytes + i * 2, &rounded, 2);
        break;
      }
    }
  }
}

/// Element `index` of an array of type `dtype`.
inline double decode(Dtype dtype, const void* source, std::size_t index) {
  const std::byte* at = static_cast<const std::byte*>(source) + index * size_of(dtype);
  switch (dtype) {
    case Dtype::fp64: {
      double value;
      std::memcpy(&value, at, sizeof value);
      return value;
    }
    case Dtype::fp32:
    case Dtype::tf32: {
      float value;
      std::memcpy(&value, at, sizeof value);
      return value;
    }
    case Dtype::bf16:
    case Dtype::fp16: {
      std::uint16_t bits;
      std::memcpy(&bits, at, sizeof bits);
      return from_half_bits(bits, dtype == Dtype::bf16 ? kBf16 : kFp16);
    }
  }
  return std::numeric_limits<double>::quiet_NaN();
}

/// `value` as a variable of type `dtype` would hold it.
inline double rounded_to(Dtype dtype, double value) {
  std::uint64_t storage = 0;
  encode(dtype, std::span(&value, 1), &storage);
  return decode(dtype, &storage, 0);
}

}  // namespace ladder
