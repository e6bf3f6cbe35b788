#include "shared/check/check.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"

#ifdef __FAST_MATH__
#error "the checker must not be compiled with fast-math: it would accept NaN"
#endif

namespace ladder {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// What the tolerance multiplies at an element with this reference value. `beside` it count the root mean square of all
/// and the size of the terms.
double scale_of(Rule rule, double want, double beside) {
  return rule == Rule::absolute ? 1.0 : std::abs(want) + beside;
}

/// Error over scale, where a zero error is zero on any scale (a reference of zeros has scale 0).
double relative(double error, double scale) { return error == 0.0 ? 0.0 : error / scale; }

struct Judged {
  Element element;
  double error = 0.0;  ///< relative to the scale
  bool passes = false;
};

Judged judge(std::size_t index, double got, double want, double tolerance, Rule rule, double beside) {
  if (rule == Rule::bits) {
    const bool same = same_bits(got, want);
    return {{index, got, want, 0.0}, same ? 0.0 : kInfinity, same};
  }
  const double error = std::abs(got - want);
  // Two products, not the product of a sum: |want| + beside overflows for the largest doubles.
  const double budget = rule == Rule::absolute ? tolerance : tolerance * std::abs(want) + tolerance * beside;
  const bool passes = std::isfinite(error) && (rule == Rule::mean_relative || error <= budget);
  return {{index, got, want, budget}, relative(error, scale_of(rule, want, beside)), passes};
}

/// The first index at which either side is NaN or infinite, or the common length.
std::size_t first_not_finite(std::span<const double> got, std::span<const double> want) {
  std::size_t i = 0;
  while (i < got.size() && std::isfinite(got[i]) && std::isfinite(want[i])) ++i;
  return i;
}

double term_at(std::span<const double> terms, std::size_t i) {
  return terms.empty() ? 0.0 : terms[terms.size() == 1 ? 0 : i];
}

void require_terms(std::span<const double> terms, std::size_t count, Rule rule) {
  if (terms.empty()) return;
  require(rule != Rule::bits && rule != Rule::absolute, "sizes of terms mean nothing to the rule '{}'",
          name_of(rule));
  require(terms.size() == 1 || terms.size() == count, "{} sizes of terms for {} elements", terms.size(),
          count);
  for (const double term : terms)
    require(std::isfinite(term) && term >= 0.0, "terms of size {}: it must be a number of 0 or more", term);
}

}  // namespace

std::string name_of(Rule rule) {
  switch (rule) {
    case Rule::scaled:
      return "|e| <= tol (|ref| + rms)";
    case Rule::absolute:
      return "|e| <= tol";
    case Rule::bits:
      return "same bits";
    case Rule::relative:
      return "|e| <= tol |ref|";
    case Rule::mean_relative:
      return "mean(|e| / |ref|) <= tol";
  }
  return "?";
}

double root_mean_square(std::span<const double> x) {
  double largest = 0.0;
  for (double value : x) largest = std::fmax(largest, std::abs(value));
  if (largest == 0.0 || !std::isfinite(largest)) return largest;
  double sum = 0.0;
  for (double value : x) sum += (value / largest) * (value / largest);
  return largest * std::sqrt(sum / static_cast<double>(x.size()));
}

Comparison compare(std::span<const double> got, std::span<const double> want, double tolerance, Rule rule,
                   std::span<const double> terms) {
  require(std::isfinite(tolerance) && tolerance >= 0.0, "a tolerance of {}: it must be a number of 0 or more",
          tolerance);
  require(rule != Rule::bits || tolerance == 0.0, "a tolerance of {} for a comparison of bits: it must be 0",
          tolerance);
  require_terms(terms, want.size(), rule);
  Comparison result;
  result.got_size = got.size();
  result.want_size = want.size();
  result.tolerance = tolerance;
  result.max_error = kInfinity;
  if (got.size() != want.size()) {
    result.verdict = Verdict::wrong_length;
    return result;
  }
  if (got.empty()) {
    result.verdict = Verdict::empty;
    return result;
  }
  if (const std::size_t bad = first_not_finite(got, want); bad < got.size()) {
    result.verdict = Verdict::not_finite;
    result.first = result.worst = {bad, got[bad], want[bad], 0.0};
    return result;
  }
  const double rms = rule == Rule::scaled ? root_mean_square(want) : 0.0;
  result.max_error = -1.0;
  double sum = 0.0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const Judged judged = judge(i, got[i], want[i], tolerance, rule, rms + term_at(terms, i));
    sum += judged.error;
    if (judged.error > result.max_error) {
      result.max_error = judged.error;
      result.worst = judged.element;
    }
    if (!judged.passes && result.verdict == Verdict::passed) {
      result.verdict = Verdict::too_far;
      result.first = judged.element;
    }
  }
  if (rule == Rule::mean_relative) {
    result.max_error = sum / static_cast<double>(got.size());
    result.first = result.worst;
    if (!(result.max_error <= tolerance)) result.verdict = Verdict::too_far;
  }
  return result;
}

double relative_distance(std::span<const double> got, std::span<const double> want) {
  if (got.size() != want.size() || first_not_finite(got, want) < got.size()) return kInfinity;
  std::vector<double> difference(got.size());
  for (std::size_t i = 0; i < got.size(); ++i) difference[i] = got[i] - want[i];
  return relative(root_mean_square(difference), root_mean_square(want));
}

std::string Comparison::describe() const {
  switch (verdict) {
    case Verdict::passed:
      return fmt::format("passed, largest error {:.2g} at element {}", max_error, worst.index);
    case Verdict::wrong_length:
      return fmt::format("{} values where {} were expected", got_size, want_size);
    case Verdict::empty:
      return "nothing to compare";
    case Verdict::not_finite:
      return fmt::format("element {} is not finite: got {}, want {}", first.index, printable(first.got),
                         printable(first.want));
    case Verdict::too_far:
      return fmt::format("element {}: got {:.17g}, want {:.17g}, error {:.3g}, allowed {:.3g}", first.index,
                         first.got, first.want, std::abs(first.got - first.want), first.budget);
  }
  return "?";
}

}  // namespace ladder
