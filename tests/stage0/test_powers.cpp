// The proven squares and roots of fast_adam.hpp against libm's pow, bit for bit.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "shared/base/random.hpp"
#include "stage0_scalar_autograd/fast_adam.hpp"

using namespace ladder;
using namespace ladder::stage0;

namespace {

/// How many of squares(x) and square_roots(x) differ from pow in any bit; a NaN must meet a NaN.
std::size_t differences(const std::vector<double>& x) {
  std::vector<double> square(x.size()), root(x.size());
  squares(x, square);
  square_roots(x, root);
  const auto differs = [](double got, double want) {
    if (std::isnan(want)) return !std::isnan(got);
    return std::bit_cast<std::uint64_t>(got) != std::bit_cast<std::uint64_t>(want);
  };
  std::size_t count = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    count += differs(square[i], std::pow(x[i], 2.0));
    count += differs(root[i], std::pow(x[i], 0.5));
  }
  return count;
}

/// Random significands with exponents from `low` to `high`.
std::size_t random_differences(std::int64_t arguments, int low, int high, std::uint64_t seed) {
  Random random(seed);
  std::vector<double> x(10007);  // not a multiple of any vector length
  std::size_t count = 0;
  for (std::int64_t done = 0; done < arguments; done += static_cast<std::int64_t>(x.size())) {
    for (double& value : x) {
      const int exponent =
          low + static_cast<int>(random.randbelow(static_cast<std::uint32_t>(high - low + 1)));
      value = std::ldexp(1.0 + random.random(), exponent);
    }
    count += differences(x);
  }
  return count;
}

}  // namespace

TEST_CASE("squares and roots equal pow on a million arguments", "[powers]") {
  CHECK(random_differences(700'000, -40, 4, 1) == 0);
  CHECK(random_differences(300'000, -1074, 1023, 2) == 0);
}

TEST_CASE("squares and roots equal pow on a hundred million arguments", "[.][slow]") {
  CHECK(random_differences(100'000'000, -60, 10, 3) == 0);
}

TEST_CASE("squares and roots of special numbers", "[powers]") {
  using Limits = std::numeric_limits<double>;
  std::vector<double> x = {0.0,
                           -0.0,
                           1.0,
                           -1.0,
                           2.0,
                           -3.5,
                           4.0,
                           Limits::min(),
                           Limits::denorm_min(),
                           Limits::max(),
                           Limits::infinity(),
                           -Limits::infinity(),
                           Limits::quiet_NaN(),
                           0x1p-50,
                           0x1p50,
                           0x1p-200,
                           0x1p200,
                           0x1p-538,
                           0x1p-537,
                           0x1.fffffffffffffp-538};
  for (int e = -300; e <= 300; ++e)  // powers of two and their neighbours, where the spacing changes
    for (double base : {std::ldexp(1.0, e), std::nextafter(std::ldexp(1.0, e), 0.0),
                        std::nextafter(std::ldexp(1.0, e), 1e308)})
      x.push_back(base), x.push_back(-base);
  CHECK(differences(x) == 0);
}

TEST_CASE("the test can tell: a product is not always what pow returns", "[powers]") {
  Random random(1);
  int differ = 0;
  for (int i = 0; i < 200'000; ++i) {
    const double x = 1.0 + random.random();
    if (x * x != std::pow(x, 2.0)) ++differ;
  }
  CHECK(differ > 0);
}

TEST_CASE("the fast Adam equals the plain one for any length", "[powers]") {
  for (std::size_t n : {1u, 2u, 7u, 8u, 9u, 33u, 4192u}) {
    Random random(n);
    std::vector<double> p(n), m(n), v(n);
    for (std::size_t i = 0; i < n; ++i) p[i] = random.gauss(0, 0.08);
    std::vector<double> p2 = p, m2 = m, v2 = v;
    for (std::int64_t s = 0; s < 40; ++s) {
      std::vector<double> g(n);
      for (double& value : g) value = random.randbelow(3) == 0 ? 0.0 : random.gauss(0, 1e-3);
      adam_update(step_constants(TrainConfig{}, s), p, g, m, v);
      fast_adam_update(step_constants(TrainConfig{}, s), p2, g, m2, v2);
    }
    CHECK(p2 == p);
    CHECK(m2 == m);
    CHECK(v2 == v);
  }
}
