// Conversions to bf16, fp16 and tf32 against the definition of rounding to nearest even, at every pattern
// of each type: the value itself, the tie between it and the next one, and the nearest fp32 and fp64
// numbers on both sides of the tie.
#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "shared/tile/element.hpp"

namespace {

using namespace ladder::tile;

/// A type by its fields; `value` builds a number from the definition, not from the code under test.
struct Format {
  int exponent_bits, mantissa_bits;

  std::uint32_t infinity() const { return ((1U << exponent_bits) - 1U) << mantissa_bits; }
  /// Value of a non-negative pattern; that of infinity is 2^(largest exponent + 1), where finite values would go on.
  double value(std::uint32_t pattern) const {
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = static_cast<int>(pattern >> mantissa_bits);
    const double mantissa = static_cast<double>(pattern & ((1U << mantissa_bits) - 1U));
    const double scale = std::ldexp(1.0, mantissa_bits);
    return exponent == 0 ? std::ldexp(mantissa / scale, 1 - bias)
                         : std::ldexp(1 + mantissa / scale, exponent - bias);
  }
};

/// convert(x) and convert(-x) give `pattern`, and the latter the sign bit.
template <class Convert, class X>
void expect_pattern(Convert convert, X x, std::uint32_t pattern, std::uint32_t sign) {
  if (convert(x) == pattern && convert(-x) == (pattern | sign)) return;
  CAPTURE(x, pattern, convert(x), convert(-x));
  FAIL("wrong rounding");
}

/// All finite patterns, and the step to infinity. `from_float` and `from_double` return patterns right-aligned.
template <class FromFloat, class FromDouble>
void check_all(Format format, std::uint32_t sign, FromFloat from_float, FromDouble from_double) {
  for (std::uint32_t p = 0; p < format.infinity(); ++p) {
    const double low = format.value(p), high = format.value(p + 1), tie = (low + high) / 2;
    const std::uint32_t even = p % 2 == 0 ? p : p + 1;
    expect_pattern(from_double, low, p, sign);
    expect_pattern(from_double, tie, even, sign);
    expect_pattern(from_double, std::nextafter(tie, 0.0), p, sign);
    expect_pattern(from_double, std::nextafter(tie, 1e300), p + 1, sign);
    const auto float_tie = static_cast<float>(tie);
    expect_pattern(from_float, static_cast<float>(low), p, sign);
    if (static_cast<double>(float_tie) != tie) continue;  // below fp32's own last bit
    expect_pattern(from_float, float_tie, even, sign);
    expect_pattern(from_float, std::nextafterf(float_tie, 0.0F), p, sign);
    if (std::isfinite(std::nextafterf(float_tie, INFINITY)))
      expect_pattern(from_float, std::nextafterf(float_tie, INFINITY), p + 1, sign);
  }
  expect_pattern(from_float, std::numeric_limits<float>::infinity(), format.infinity(), sign);
  expect_pattern(from_double, 1e300, format.infinity(), sign);
}

}  // namespace

TEST_CASE("bf16: every pattern, tie and neighbour") {
  check_all(
      {8, 7}, 0x8000U, [](float x) -> std::uint32_t { return bf16_from_float(x); },
      [](double x) -> std::uint32_t { return Bf16(x).bits; });
  CHECK(bf16_from_float(std::numeric_limits<float>::quiet_NaN()) == 0x7fff);
  CHECK(bf16_from_float(std::bit_cast<float>(0x7f800001U)) == 0x7fff);  // must not round to infinity
  CHECK(bf16_from_float(std::bit_cast<float>(0xffffffffU)) == 0x7fff);  // must not wrap around
}

TEST_CASE("fp16: every pattern, tie and neighbour, subnormals among them") {
  check_all(
      {5, 10}, 0x8000U, [](float x) -> std::uint32_t { return half_from_float(x); },
      [](double x) -> std::uint32_t { return Half(x).bits; });
  CHECK(half_from_float(std::numeric_limits<float>::quiet_NaN()) == 0x7fff);
  CHECK(half_from_float(std::bit_cast<float>(0xff800001U)) == 0x7fff);
  CHECK(half_from_float(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(half_from_float(std::numeric_limits<float>::max()) == 0x7c00);
}

TEST_CASE("tf32: every pattern, tie and neighbour") {
  check_all(
      {8, 10}, 0x40000U, [](float x) { return tf32_from_float(x) >> 13U; },
      [](double x) { return Tf32(x).bits >> 13U; });
  CHECK(tf32_from_float(std::numeric_limits<float>::quiet_NaN()) == 0x7fffffffU);
  CHECK((tf32_from_float(1.0F + 0x1p-23F) & 0x1fffU) == 0);
}

TEST_CASE("from 16 bits to fp32 and back is the identity, at every pattern") {
  int wrong = 0;
  for (std::uint32_t p = 0; p < 0x10000U; ++p) {
    const auto bits = static_cast<std::uint16_t>(p);
    const bool bf16_nan = (p & 0x7fffU) > 0x7f80U, half_nan = (p & 0x7fffU) > 0x7c00U;
    if (bf16_from_float(float_from_bf16(bits)) != (bf16_nan ? 0x7fffU : p)) ++wrong;
    if (half_from_float(float_from_half(bits)) != (half_nan ? 0x7fffU : p)) ++wrong;
    if (std::isnan(float_from_bf16(bits)) != bf16_nan || std::isnan(float_from_half(bits)) != half_nan)
      ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("scalars of 16 bits compute with one rounding") {
  const Half one(1.0F), tiny(0x1p-11F);
  CHECK((one + tiny).bits == one.bits);  // a tie goes to the even neighbour
  CHECK((one + Half(0x1.8p-11F)).bits == one.bits + 1);
  CHECK((Bf16(3.0F) * Bf16(0.5F)).bits == Bf16(1.5F).bits);
  CHECK((Bf16(1.0F) / Bf16(3.0F)).bits == bf16_from_float(1.0F / 3.0F));
  CHECK((-Half(2.0F) < Half(-1.0F)));
}
