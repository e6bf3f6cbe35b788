#include "shared/spak/statistics.hpp"

#include <cmath>
#include <unsupported/Eigen/SpecialFunctions>

namespace ladder::spak {

namespace {

/// The regularized incomplete beta function, on which the tails of t, F and the binomial distribution rest.
double incomplete_beta(double a, double b, double x) {
  if (!(x > 0)) return 0;
  return x < 1 ? Eigen::numext::betainc(a, b, x) : 1;
}

constexpr double kNormal = 1e7;  ///< degrees of freedom from which on t is taken as normal

}  // namespace

double expected_middle_half(double samples) {
  if (samples < 2) return 0;
  const double share = (1 + (samples - 1) / 4 - 0.375) / (samples + 0.25);
  return 2 * std::abs(Eigen::numext::ndtri(share));
}

double two_sided_p(double t, double freedom) {
  if (!(freedom < kNormal)) return std::erfc(std::abs(t) / std::sqrt(2.0));
  return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double two_sided_t(double p, double freedom) {
  double low = 0, high = 1;
  while (high < 1e12 && two_sided_p(high, freedom) > p) high *= 2;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (two_sided_p(middle, freedom) > p ? low : high) = middle;
  }
  return high;
}

double f_test_p(double f, double numerator_freedom, double denominator_freedom) {
  if (!(f > 0)) return 1;
  const double below = std::fmin(denominator_freedom, kNormal);
  return incomplete_beta(below / 2, numerator_freedom / 2, below / (below + numerator_freedom * f));
}

double at_least_p(std::size_t hits, std::size_t tries, double rate) {
  if (hits == 0) return 1;
  return incomplete_beta(static_cast<double>(hits), static_cast<double>(tries - hits + 1), rate);
}

}  // namespace ladder::spak
