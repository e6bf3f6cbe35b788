// Rounding to the 16-bit types: known encodings, ties to even, the ends of the range,
// every pattern there and back.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "shared/base/dtype_convert.hpp"

using namespace ladder;

TEST_CASE("known encodings") {
  CHECK(to_half_bits(1.0, kBf16) == 0x3F80);
  CHECK(to_half_bits(-2.0, kBf16) == 0xC000);
  CHECK(to_half_bits(1.0, kFp16) == 0x3C00);
  CHECK(to_half_bits(-2.0, kFp16) == 0xC000);
  CHECK(to_half_bits(0.0, kFp16) == 0x0000);
  CHECK(to_half_bits(-0.0, kFp16) == 0x8000);
  CHECK(to_half_bits(65504.0, kFp16) == 0x7BFF);   // the largest fp16
  CHECK(to_half_bits(0x1p-24, kFp16) == 0x0001);   // the smallest subnormal fp16
  CHECK(to_half_bits(0x1p-133, kBf16) == 0x0001);  // and bf16
}

TEST_CASE("ties go to even, everything else to the nearest") {
  CHECK(to_half_bits(1.0 + 0x1p-8, kBf16) == 0x3F80);
  CHECK(to_half_bits(1.0 + 3 * 0x1p-8, kBf16) == 0x3F82);
  CHECK(to_half_bits(1.0 + 0x1p-8 + 0x1p-40, kBf16) == 0x3F81);  // through float this would be a tie
  CHECK(to_half_bits(1.0 + 0x1p-11, kFp16) == 0x3C00);
  CHECK(to_half_bits(1.0 + 3 * 0x1p-11, kFp16) == 0x3C02);
  CHECK(to_half_bits(0x1p-25, kFp16) == 0x0000);
  CHECK(to_half_bits(0x1.8p-24, kFp16) == 0x0002);
}

TEST_CASE("overflow becomes infinity and NaN stays NaN") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(to_half_bits(65519.9, kFp16) == 0x7BFF);
  CHECK(to_half_bits(65520.0, kFp16) == 0x7C00);
  CHECK(to_half_bits(1e300, kBf16) == 0x7F80);
  CHECK(to_half_bits(-infinity, kFp16) == 0xFC00);
  CHECK(std::isnan(rounded_to(Dtype::bf16, std::nan(""))));
  CHECK(std::isnan(rounded_to(Dtype::fp16, std::nan(""))));
  CHECK(std::isinf(rounded_to(Dtype::fp32, 1e300)));
}

TEST_CASE("every finite pattern survives there and back") {
  for (const HalfFormat format : {kBf16, kFp16}) {
    int wrong = 0;
    for (int bits = 0; bits < 0x10000; ++bits) {
      const double value = from_half_bits(static_cast<std::uint16_t>(bits), format);
      if (!std::isnan(value) && to_half_bits(value, format) != bits) ++wrong;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("arrays are encoded element by element") {
  const std::vector<double> values = {0.5, -3.0, 1024.0};
  for (const Dtype dtype : kAllDtypes) {
    std::vector<std::byte> raw(values.size() * size_of(dtype));
    encode(dtype, values, raw.data());
    for (std::size_t i = 0; i < values.size(); ++i) CHECK(decode(dtype, raw.data(), i) == values[i]);
  }
}
