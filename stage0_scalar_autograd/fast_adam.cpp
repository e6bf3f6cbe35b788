#include "stage0_scalar_autograd/fast_adam.hpp"

#include <cmath>

// The proof needs glibc's bound and a fused multiply-add in hardware; elsewhere the plain loop of
// optimizer.hpp runs.
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define LADDER_HAS_FMA 1
#endif
#if defined(__GLIBC__) && defined(LADDER_HAS_FMA) && __has_include(<experimental/simd>)
#define LADDER_PROVEN_POWERS 1
// GCC 12's own intrinsics header initialises a variable with itself, on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <experimental/simd>
#endif

namespace ladder::stage0 {

#ifdef LADDER_PROVEN_POWERS
namespace {

namespace simd = std::experimental;
using Pack = simd::native_simd<double>;

constexpr double kSafeDistance = 0.484;  ///< in units in the last place; see the header

/// The smaller of the distances from each c >= 0 to its neighbours (S. M. Rump's formula: c * phi lies
/// between a half and one unit, so that the subtraction rounds to the neighbour below).
Pack spacing(Pack c) {
  constexpr double phi = 0x1p-53 * (1 + 0x1p-52);
  return c - (c - c * phi);
}

/// Where the proof does not hold, candidate = pow(x, p).
void settle(Pack& candidate, Pack x, double p, Pack::mask_type proven) {
  if (simd::all_of(proven)) [[likely]]
    return;
  for (std::size_t k = 0; k < Pack::size(); ++k)
    if (!proven[k]) candidate[k] = std::pow(static_cast<double>(x[k]), p);
}

Pack square(Pack x) {
  Pack c = x * x;
  const Pack size = simd::fabs(x);
  const auto in_range = (size >= 0x1p-50 && size <= 0x1p50) || x == 0.0;
  settle(c, x, 2.0, in_range && simd::fabs(simd::fma(x, x, -c)) <= kSafeDistance * spacing(c));
  return c;
}

Pack square_root(Pack x) {
  Pack c = simd::sqrt(x) + 0.0;  // pow(-0, 0.5) is +0
  // sqrt(x) - c = (x - c^2) / (sqrt(x) + c), and the denominator is 2c up to one part in 2^53.
  const auto in_range = (x >= 0x1p-200 && x <= 0x1p200) || x == 0.0;
  settle(c, x, 0.5, in_range && simd::fabs(simd::fma(-c, c, x)) <= (2.0 * kSafeDistance) * c * spacing(c));
  return c;
}

template <class F, class G>
void apply(std::span<const double> x, std::span<double> out, F packed, G plain) {
  std::size_t i = 0;
  for (; i + Pack::size() <= x.size(); i += Pack::size())
    packed(Pack(&x[i], simd::element_aligned)).copy_to(&out[i], simd::element_aligned);
  for (; i < x.size(); ++i) out[i] = plain(x[i]);
}

}  // namespace

void squares(std::span<const double> x, std::span<double> out) {
  apply(x, out, square, [](double value) { return std::pow(value, 2.0); });
}

void square_roots(std::span<const double> x, std::span<double> out) {
  apply(x, out, square_root, [](double value) { return std::pow(value, 0.5); });
}

void fast_adam_update(const StepConstants& step, std::span<double> parameters,
                      std::span<const double> gradients, std::span<double> m, std::span<double> v) {
  const std::size_t packed = parameters.size() / Pack::size() * Pack::size();
  for (std::size_t i = 0; i < packed; i += Pack::size()) {
    const auto load = [i](std::span<const double> from) { return Pack(&from[i], simd::element_aligned); };
    const auto store = [i](const Pack& pack, std::span<double> to) {
      pack.copy_to(&to[i], simd::element_aligned);
    };
    const Pack gradient = load(gradients);
    const Pack m_new = step.beta1 * load(m) + (1.0 - step.beta1) * gradient;
    const Pack v_new = step.beta2 * load(v) + (1.0 - step.beta2) * square(gradient);
    const Pack m_hat = m_new / step.correction1;
    const Pack v_hat = v_new / step.correction2;
    store(load(parameters) - step.learning_rate * m_hat / (square_root(v_hat) + step.eps), parameters);
    store(m_new, m);
    store(v_new, v);
  }
  adam_update(step, parameters.subspan(packed), gradients.subspan(packed), m.subspan(packed),
              v.subspan(packed));
}

#else

void squares(std::span<const double> x, std::span<double> out) {
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = std::pow(x[i], 2.0);
}

void square_roots(std::span<const double> x, std::span<double> out) {
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = std::pow(x[i], 0.5);
}

void fast_adam_update(const StepConstants& step, std::span<double> parameters,
                      std::span<const double> gradients, std::span<double> m, std::span<double> v) {
  adam_update(step, parameters, gradients, m, v);
}

#endif

}  // namespace ladder::stage0
