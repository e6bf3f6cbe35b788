// What noise can do: how far measured values may differ although nothing differs but chance.
//
// A measured value is a median with the middle half of its samples. For samples of a normal distribution
//   deviation of one sample = (high - low) / m(n),  m(n) = 2 |q((1 + (n - 1) / 4 - 3/8) / (n + 1/4))|,
// q the normal quantile: the expected middle half of n samples (G. Blom, "Statistical Estimates and Transformed
// Beta-Variables", 1958; m grows to 1.349 for many), and
//   error of the median = 1.2533 deviation / sqrt(n),
// the same estimate that notched box plots rest on (R. McGill, J. W. Tukey, W. A. Larsen, "Variations of Box Plots", The
// American Statistician 32, 1978). A deviation that is estimated so has 0.37 (n - 1) degrees of freedom, 0.37 being the
// efficiency of the middle half. So thresholds come from Student's t, not from the normal distribution.
#pragma once

#include <cstddef>

namespace ladder::spak {

inline constexpr double kMedianError = 1.2533141373155003;  ///< sqrt(pi / 2)
inline constexpr double kMiddleHalfEfficiency = 0.37;

/// m(n) of above; 0 for fewer than two samples, which have no middle half.
double expected_middle_half(double samples);

/// How often |t| or more comes by chance, with so many degrees of freedom; infinity makes it the normal distribution's.
double two_sided_p(double t, double freedom);
/// What |t| exceeds by chance this often.
double two_sided_t(double p, double freedom);
/// How often an F of this or more comes by chance.
double f_test_p(double f, double numerator_freedom, double denominator_freedom);
/// How often `hits` or more of `tries` come by chance where each comes with `rate`.
double at_least_p(std::size_t hits, std::size_t tries, double rate);

}  // namespace ladder::spak
