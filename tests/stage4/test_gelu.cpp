// GELU on tiles against the C library's erfc and tanh, in both types that kernels compute in. On the CPU model: a GPU's
// are compared through the operations.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "stage4_nanogpt/kernels/gelu.hpp"

using namespace ladder;  // NOLINT(google-build-using-namespace)

namespace ladder::LADDER_SIDE::stage4 {

template <class W, Gelu Form>
__tile_global__ void gelu_values_kernel(int count, const W* __restrict__ u, W* __restrict__ value,
                                        W* __restrict__ slope, W* __restrict__ gate) {
  const int i = ct::bid().x;
  const auto tile = vector<64>(u, count).load_masked(i);
  vector<64>(value, count).store_masked(gelu<Form>(tile), i);
  vector<64>(slope, count).store_masked(gelu_slope<Form>(tile), i);
  vector<64>(gate, count).store_masked(gelu_gate<Form>(within_far(tile)).value, i);
}

}  // namespace ladder::LADDER_SIDE::stage4

namespace {

namespace stage4 = LADDER_SIDE::stage4;

template <class W>
struct Values {
  std::vector<W> u, value, slope, gate;
};

template <class W, Gelu Form>
Values<W> values_at(const std::vector<W>& u) {
  Values<W> v{u, std::vector<W>(u.size()), std::vector<W>(u.size()), std::vector<W>(u.size())};
  const int count = static_cast<int>(u.size());
  LADDER_SIDE::launch(stage4::gelu_values_kernel<W, Form>, {"gelu_values", stage4::blocks_for(count, 64)},
                      count, v.u.data(), v.value.data(), v.slope.data(), v.gate.data());
  return v;
}

/// gelu(u) / u and gelu'(u), in long double.
struct Wanted {
  long double gate, slope;
};
Wanted wanted(long double u, Gelu form) {
  if (form == Gelu::erf) {
    const long double gate = 0.5L * std::erfc(-u / std::sqrt(2.0L));
    return {gate, gate + u * std::exp(-u * u / 2) * 0.39894228040143267794L};
  }
  const long double root = std::sqrt(2 / 3.14159265358979323846L);
  const long double inner = root * (u + 0.044715L * u * u * u);
  const long double gate = 1 / (1 + std::exp(-2 * inner)), other = 1 / (1 + std::exp(2 * inner));
  return {gate, gate + u * gate * other * 2 * root * (1 + 3 * 0.044715L * u * u)};
}

/// The largest absolute errors from -40 to 40: of the gate (and so of erf, twice that), of gelu(u) / max(1, |u|), of
/// the derivative; and the largest relative one of the gate where it is not tiny.
struct Errors {
  double gate = 0, value = 0, slope = 0, gate_relative = 0;
};

template <class W, Gelu Form>
Errors errors_over_grid() {
  std::vector<W> u;
  for (int i = -200000; i <= 200000; ++i) u.push_back(static_cast<W>(i * 0.0002 + 1e-7 * (i % 7)));
  const Values<W> got = values_at<W, Form>(u);
  Errors worst;
  const auto raise = [](double& largest, long double error) {
    if (!(error <= static_cast<long double>(largest))) largest = static_cast<double>(error);
  };
  for (std::size_t i = 0; i < u.size(); ++i) {
    const Wanted want = wanted(u[i], Form);
    const long double x = u[i];
    raise(worst.gate, std::fabs(got.gate[i] - want.gate));
    raise(worst.value, std::fabs(got.value[i] - x * want.gate) / std::max(1.0L, std::fabs(x)));
    raise(worst.slope, std::fabs(got.slope[i] - want.slope));
    if (std::fabs(x) < 5) raise(worst.gate_relative, std::fabs(got.gate[i] / want.gate - 1));
  }
  return worst;
}

template <class W, Gelu Form>
void check_errors(double limit) {
  const Errors e = errors_over_grid<W, Form>();
  std::printf("gelu %s in fp%d: gate %.1e (relative %.1e), value %.1e, slope %.1e\n",
              std::string(name_of(Form)).c_str(), static_cast<int>(8 * sizeof(W)), e.gate, e.gate_relative,
              e.value, e.slope);
  CHECK(e.gate <= limit);
  CHECK(e.value <= limit);
  CHECK(e.slope <= 4 * limit);
  CHECK(e.gate_relative <=
        60 * limit);  // the argument of the exponential is rounded, and it goes to 18 and 35
}

template <class W, Gelu Form>
void check_limits() {
  const W infinity = std::numeric_limits<W>::infinity(), most = std::numeric_limits<W>::max();
  for (const W far : {W(40), W(101), W(1e6), W(1e15), most, infinity}) {
    const Values<W> v = values_at<W, Form>({far, -far});
    CHECK(v.value[0] == far);
    CHECK(v.value[1] == W(0));
    CHECK(v.slope[0] == W(1));
    CHECK(v.slope[1] == W(0));
    CHECK(v.gate[0] == W(1));
    CHECK(v.gate[1] == W(0));
  }
  const Values<W> v = values_at<W, Form>({std::numeric_limits<W>::quiet_NaN(), W(0), W(-0.0)});
  CHECK(std::isnan(v.value[0]));
  CHECK(std::isnan(v.slope[0]));
  CHECK(v.value[1] == W(0));
  CHECK(v.value[2] == W(0));
  CHECK(v.gate[1] == Approx(0.5));
}

}  // namespace

TEST_CASE("both GELUs and their derivatives are right to the last places of each type", "[stage4]") {
  check_errors<double, Gelu::erf>(4e-16);
  check_errors<double, Gelu::tanh>(4e-16);
  check_errors<float, Gelu::erf>(2e-7);
  check_errors<float, Gelu::tanh>(2e-7);
}

TEST_CASE("erf, which tiles have not, is the C library's", "[stage4]") {
  std::vector<double> x, u;
  for (int i = -6000; i <= 6000; ++i) x.push_back(i * 0.001);
  for (const double value : x) u.push_back(value * std::sqrt(2.0));
  const auto in_double = values_at<double, Gelu::erf>(u);
  const auto in_float = values_at<float, Gelu::erf>({u.begin(), u.end()});
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!(std::fabs(2 * in_double.gate[i] - 1 - std::erf(x[i])) <= 1e-15)) FAIL_CHECK("fp64 at " << x[i]);
    if (!(std::fabs(2.0 * in_float.gate[i] - 1 - std::erf(x[i])) <= 4e-7)) FAIL_CHECK("fp32 at " << x[i]);
  }
}

TEST_CASE("far out a GELU is 0 or its argument, exactly, and NaN stays NaN", "[stage4]") {
  check_limits<double, Gelu::erf>();
  check_limits<double, Gelu::tanh>();
  check_limits<float, Gelu::erf>();
  check_limits<float, Gelu::tanh>();
}
