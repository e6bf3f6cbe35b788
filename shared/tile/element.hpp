// The 16-bit and tf32 element types on the CPU, with the hardware's rounding: to nearest, ties to even.
//
// They carry NVIDIA's names as aliases, so that kernel text says __nv_bfloat16, __half and __nv_tf32 on both sides; the
// types themselves are the model's own, and a program may hold both sides. Every not-a-number converts to the one that
// the GPU produces (0x7fff; tf32: 0x7fffffff).
#pragma once

#include <bit>
#include <cstdint>

namespace ladder::tile {

/// Rounds the low `Bits` bits of an fp32 pattern away. A carry out of the mantissa goes into the exponent, which is
/// what turns the largest values into infinity.
template <int Bits>
constexpr std::uint32_t round_pattern(std::uint32_t pattern) {
  constexpr std::uint32_t half_minus_one = (1U << (Bits - 1)) - 1U;
  const std::uint32_t odd = (pattern >> Bits) & 1U;
  return (pattern + half_minus_one + odd) >> Bits << Bits;
}

constexpr bool is_nan_pattern(std::uint32_t pattern) { return (pattern & 0x7fffffffU) > 0x7f800000U; }

/// fp32 to bfloat16: 1 sign, 8 exponent and 7 mantissa bits.
constexpr std::uint16_t bf16_from_float(float value) {
  const auto pattern = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = round_pattern<16>(pattern) >> 16U;
  return static_cast<std::uint16_t>(is_nan_pattern(pattern) ? 0x7fffU : rounded);
}

constexpr float float_from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

/// fp32 to fp16: 1 sign, 5 exponent and 10 mantissa bits. No branches, so that loops over it become vector code.
constexpr std::uint16_t half_from_float(float value) {
  const auto pattern = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (pattern >> 16U) & 0x8000U;
  const std::uint32_t magnitude = pattern & 0x7fffffffU;
  // Normal results: move the exponent's bias from 127 to 15, then drop 13 mantissa bits.
  const std::uint32_t normal = round_pattern<13>(magnitude - (112U << 23U)) >> 13U;
  // Subnormal results (below 2^-14): adding 0.5 makes the fp32 adder itself round at fp16's last bit, 2^-24.
  const float shifted = std::bit_cast<float>(magnitude < 0x38800000U ? magnitude : 0U) + 0.5F;
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U;
  std::uint32_t result = magnitude < 0x38800000U ? subnormal : normal;
  result = magnitude >= 0x477ff000U ? 0x7c00U : result;  // 65520 and more round to infinity
  result |= sign;
  return static_cast<std::uint16_t>(magnitude > 0x7f800000U ? 0x7fffU : result);
}

constexpr float float_from_half(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16U;
  const std::uint32_t magnitude = bits & 0x7fffU;
  const std::uint32_t normal = (magnitude << 13U) + (112U << 23U);
  const float subnormal = static_cast<float>(static_cast<int>(magnitude & 0x3ffU)) * 0x1p-24F;
  std::uint32_t result = magnitude < 0x400U ? std::bit_cast<std::uint32_t>(subnormal) : normal;
  result = magnitude >= 0x7c00U ? (magnitude << 13U) + (224U << 23U) : result;  // infinity and NaN
  return std::bit_cast<float>(result | sign);
}

/// fp32 to tf32: fp32's range with fp16's 10 mantissa bits, kept in 32 bits whose low 13 are zero.
constexpr std::uint32_t tf32_from_float(float value) {
  const auto pattern = std::bit_cast<std::uint32_t>(value);
  return is_nan_pattern(pattern) ? 0x7fffffffU : round_pattern<13>(pattern);
}

/// fp64 to fp32 that keeps what a later rounding needs (round to odd): without it a value just beside a tie of the
/// narrow type would become that tie and then round the wrong way.
constexpr float float_round_to_odd(double value) {
  const auto nearest = static_cast<float>(value);
  const auto back = static_cast<double>(nearest);
  if (back == value || value != value) return nearest;
  auto pattern = std::bit_cast<std::uint32_t>(nearest);
  const bool away = (back < 0 ? -back : back) > (value < 0 ? -value : value);
  if (away) pattern -= 1;
  return std::bit_cast<float>(pattern | 1U);
}

// Scalars of the 16-bit types convert from and to float by themselves and compute with one rounding, as NVIDIA's do.
#define LADDER_TILE_SCALAR_OPERATORS(Type)                                                                  \
  friend constexpr Type operator+(Type a, Type b) {                                                         \
    return Type(static_cast<float>(a) + static_cast<float>(b));                                             \
  }                                                                                                         \
  friend constexpr Type operator-(Type a, Type b) {                                                         \
    return Type(static_cast<float>(a) - static_cast<float>(b));                                             \
  }                                                                                                         \
  friend constexpr Type operator*(Type a, Type b) {                                                         \
    return Type(static_cast<float>(a) * static_cast<float>(b));                                             \
  }                                                                                                         \
  friend constexpr Type operator/(Type a, Type b) {                                                         \
    return Type(static_cast<float>(a) / static_cast<float>(b));                                             \
  }                                                                                                         \
  friend constexpr Type operator-(Type a) { return Type(-static_cast<float>(a)); }                          \
  friend constexpr bool operator==(Type a, Type b) {                                                        \
    return static_cast<float>(a) == static_cast<float>(b);                                                  \
  }                                                                                                         \
  friend constexpr bool operator<(Type a, Type b) { return static_cast<float>(a) < static_cast<float>(b); } \
  friend constexpr bool operator>(Type a, Type b) { return static_cast<float>(a) > static_cast<float>(b); } \
  friend constexpr bool operator<=(Type a, Type b) {                                                        \
    return static_cast<float>(a) <= static_cast<float>(b);                                                  \
  }                                                                                                         \
  friend constexpr bool operator>=(Type a, Type b) { return static_cast<float>(a) >= static_cast<float>(b); }

struct Bf16 {
  std::uint16_t bits;

  Bf16() = default;
  constexpr Bf16(float value) : bits(bf16_from_float(value)) {}  // NOLINT: as NVIDIA's
  constexpr explicit Bf16(double value) : bits(bf16_from_float(float_round_to_odd(value))) {}
  constexpr explicit Bf16(int value) : Bf16(static_cast<double>(value)) {}
  constexpr operator float() const { return float_from_bf16(bits); }  // NOLINT: as NVIDIA's
  LADDER_TILE_SCALAR_OPERATORS(Bf16)
};

struct Half {
  std::uint16_t bits;

  Half() = default;
  constexpr Half(float value) : bits(half_from_float(value)) {}  // NOLINT: as NVIDIA's
  constexpr explicit Half(double value) : bits(half_from_float(float_round_to_odd(value))) {}
  constexpr explicit Half(int value) : Half(static_cast<double>(value)) {}
  constexpr operator float() const { return float_from_half(bits); }  // NOLINT: as NVIDIA's
  LADDER_TILE_SCALAR_OPERATORS(Half)
};
#undef LADDER_TILE_SCALAR_OPERATORS

/// Only cast and multiplied by mma: there is no arithmetic on it, as on the GPU.
struct Tf32 {
  std::uint32_t bits;

  Tf32() = default;
  constexpr explicit Tf32(float value) : bits(tf32_from_float(value)) {}
  constexpr explicit Tf32(double value) : bits(tf32_from_float(float_round_to_odd(value))) {}
  constexpr explicit operator float() const { return std::bit_cast<float>(bits); }
};

static_assert(sizeof(Bf16) == 2 && sizeof(Half) == 2 && sizeof(Tf32) == 4);

}  // namespace ladder::tile

// NOLINTBEGIN(bugprone-reserved-identifier): NVIDIA's names
using __nv_bfloat16 = ladder::tile::Bf16;
using __half = ladder::tile::Half;
using __nv_tf32 = ladder::tile::Tf32;
// NOLINTEND(bugprone-reserved-identifier)
