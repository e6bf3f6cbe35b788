#include <algorithm>
#include <cmath>

#include "stage1_cpu_tensor/kernels.hpp"
#include "stage1_cpu_tensor/lanes.hpp"
#include "stage1_cpu_tensor/maps.hpp"

namespace ladder::eigen {

namespace {

/// A row of logits as full lanes and a last one: where the row has 16 logits or more, its last 16, some of
/// which the lane before holds too; otherwise all of it, padded.
template <class T>
struct LastLane {
  Lane<T> values;
  int new_lanes;  ///< those at the end that no full lane holds; 0 when there is nothing left over

  LastLane(const T* x, int count, T padding)
      : values(count < kLanes ? load_part(x, count, padding) : Eigen::Map<const Lane<T>>(x + count - kLanes)),
        new_lanes(count % kLanes) {}
};

template <class T>
T maximum_of(const T* x, int count) {
  Lane<T> maximum = LastLane<T>(x, count, x[0]).values;
  for (int v = 0; v + kLanes <= count; v += kLanes) maximum = maximum.max(Eigen::Map<const Lane<T>>(x + v));
  return maximum.maxCoeff();
}

/// Replaces x by exp(x - maximum) if `keep`; returns the sum.
template <class T>
T exponentiate(T* x, int count, T maximum, bool keep) {
  const LastLane<T> last(x, count, maximum);  // read before its first lanes are overwritten
  Lane<T> sum = Lane<T>::Zero();
  for (int v = 0; v + kLanes <= count; v += kLanes) {
    Eigen::Map<Lane<T>> lane(x + v);
    const Lane<T> e = bounded_exp<T>(lane - maximum);
    sum += e;
    if (keep) lane = e;
  }
  if (last.new_lanes == 0) return sum.sum();
  const Lane<T> e = bounded_exp<T>(last.values - maximum);
  if (count < kLanes) {
    for (int i = 0; keep && i < count; ++i) x[i] = e[i];
    return e.head(count).sum();
  }
  if (keep) Eigen::Map<Lane<T>>(x + count - kLanes) = e;
  return (sum + e * lane_mask<T>[kLanes - last.new_lanes]).sum();
}

/// The same for a row of any length: in float, the unlikely entries of a large vocabulary would vanish one by one beside
/// the likely ones that came before.
template <class T>
T exponentiate_row(T* x, int count, T maximum, bool keep) {
  constexpr int kPart = 4096;
  double sum = 0;
  for (int first = 0; first < count; first += kPart)
    sum += exponentiate(x + first, std::min(kPart, count - first), maximum, keep);
  return static_cast<T>(sum);
}

}  // namespace

// With p = softmax(x): loss = log sum_v exp(x_v) - x_target, and d(log sum exp)/dx_v = exp(x_v) /
// sum = p_v, so dL/dx_v = weight (p_v - [v = target]). The maximum is subtracted before exp; it
// cancels in p and in the loss.
template <class T>
void cross_entropy(const CrossEntropy& a) {
  const int V = a.vocabulary;
  T* loss_n = a.loss_n.as<T>();
  double total = 0;  // in float, a sum over 16,384 rows one after the other would lose three digits
  for (int n = 0; n < a.batch.rows; ++n) {
    T* logits = a.logits_nv.as<T>() + static_cast<std::ptrdiff_t>(n) * a.columns;
    Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>> row(logits, V);
    const int b = a.batch.sequence_n[n];
    if (a.with_gradient) std::fill(logits + V, logits + a.columns, T(0));
    if (b < 0) {
      loss_n[n] = 0;
      if (a.with_gradient) row.setZero();
      continue;
    }
    const int target = a.batch.targets_n[n];
    const T weight = static_cast<T>(a.scale / a.batch.lengths_b[b]);
    const T maximum = maximum_of(row.data(), V), target_logit = row[target];
    const T sum = exponentiate_row(row.data(), V, maximum, a.with_gradient);
    loss_n[n] = weight * (std::log(sum) - (target_logit - maximum));
    total += loss_n[n];
    if (!a.with_gradient) continue;
    row *= weight / sum;
    row[target] -= weight;
  }
  *a.loss.as<T>() += static_cast<T>(total);
}

template <class T>
void gradient_squares(const GradientSquares& a) {
  constexpr std::size_t kPart = 4096;  // in double, but not one by one
  const T* grad = a.grad.as<T>();
  double squares = 0;
  for (std::size_t first = 0; first < a.count; first += kPart) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(kPart, a.count - first));
    squares += Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>>(grad + first, count)
                   .template cast<double>()
                   .square()
                   .sum();
  }
  *a.squares.as<T>() = static_cast<T>(squares);
}

// With the corrections taken out of the loop: lr (m / c1) / (sqrt(v / c2) + eps) = (lr / c1) m / (sqrt(v (1 /
// c2)) + eps).
template <class T>
void adam(const Adam& a) {
  const StepConstants& s = *a.step;
  const double squares = a.squares ? static_cast<double>(*a.squares.as<T>()) : 0.0;
  if (!std::isfinite(squares)) return;
  const T scale = static_cast<T>(gradient_factor(s, squares));
  const auto g = array<T>(a.grad, a.count) * scale;
  auto m = array<T>(a.m, a.count), v = array<T>(a.v, a.count), p = array<T>(a.param, a.count);
  m = static_cast<T>(s.beta1) * m + static_cast<T>(1.0 - s.beta1) * g;
  v = static_cast<T>(s.beta2) * v + static_cast<T>(1.0 - s.beta2) * g * g;
  p.tail(static_cast<std::ptrdiff_t>(a.count - a.decays_from)) *=
      static_cast<T>(1.0 - s.learning_rate * s.weight_decay);
  p -= static_cast<T>(s.learning_rate / s.correction1) * m /
       ((v * static_cast<T>(1.0 / s.correction2)).sqrt() + static_cast<T>(s.eps));
}

#define LADDER_INSTANTIATE(T)                                \
  template void cross_entropy<T>(const CrossEntropy&);       \
  template void gradient_squares<T>(const GradientSquares&); \
  template void adam<T>(const Adam&);
LADDER_INSTANTIATE(float)
LADDER_INSTANTIATE(double)

}  // namespace ladder::eigen
