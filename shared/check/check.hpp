// Comparing numbers: the one checker behind every test, parity level and benchmark.
//
// Order of the questions: same length? all finite? near enough? Written as "finite first, then not (error <= budget)",
// so that a NaN anywhere fails: comparisons with NaN are false, and a checker that asks "error > budget" lets an
// all-NaN output through. Never compiled with fast-math, which would remove exactly those questions.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace ladder {

/// How an element's budget follows from the tolerance.
enum class Rule {
  scaled,  ///< |got - want| <= tolerance * (|want| + rms(want)): for tensors, where one element may be near zero
  absolute,       ///< |got - want| <= tolerance: for losses, which are numbers of order one
  bits,           ///< the same 64 bits (so -0 differs from 0); the tolerance must be 0
  relative,       ///< |got - want| <= tolerance * |want|: for curves of losses in narrow types
  mean_relative,  ///< mean(|got - want| / |want|) <= tolerance: one limit on the whole curve
};

std::string name_of(Rule rule);

enum class Verdict { passed, wrong_length, empty, not_finite, too_far };

/// One element of a comparison, with what it was allowed.
struct Element {
  std::size_t index = 0;
  double got = 0.0, want = 0.0;
  double budget = 0.0;  ///< the largest |got - want| that passes here
};

struct Comparison {
  Verdict verdict = Verdict::passed;
  std::size_t got_size = 0, want_size = 0;
  double tolerance = 0.0;  ///< that was asked for
  /// The largest error over all elements, relative to what the tolerance multiplies there (|want| + rms(want), or 1);
  /// their mean with Rule::mean_relative.
  /// Infinity unless both sides are finite and of one length; 0 for Rule::bits when passed, infinity otherwise.
  double max_error = 0.0;
  Element worst;  ///< where the largest error is
  Element first;  ///< the first element that fails (of a mean: the worst); meaningless when passed

  bool passed() const { return verdict == Verdict::passed; }
  explicit operator bool() const { return passed(); }
  /// One line: "passed, worst 3.1e-16 at 12" or "element 7: got 1.5, want 1.25, allowed error 1e-12".
  std::string describe() const;
};

/// Compares element by element. Two empty sequences do not pass: nothing was compared. Throws InputError when the
/// tolerance is negative or not finite, or not 0 with Rule::bits.
/// `terms` are sizes to add to |want|: of the terms whose sum an element is, where they cancel. None, one for all
/// elements, or one each; only for the rules that measure by |want|.
Comparison compare(std::span<const double> got, std::span<const double> want, double tolerance,
                   Rule rule = Rule::scaled, std::span<const double> terms = {});

/// sqrt(mean(x^2)), without overflow for large x; 0 for an empty sequence.
double root_mean_square(std::span<const double> x);

/// The norm of the difference over the norm of `want`: 0 when equal, infinity when a length differs, a value is not
/// finite, or only `want` is zero. Less strict than compare(): one bad element hides among many; for reports only.
double relative_distance(std::span<const double> got, std::span<const double> want);

}  // namespace ladder
