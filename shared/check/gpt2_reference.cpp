#include "shared/check/gpt2_reference.hpp"

#include <cmath>
#include <numbers>

namespace ladder::naive {

void layer_norm(int N, int C, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y,
                Tensor& mean, Tensor& rstd) {
  for (int n = 0; n < N; ++n) {
    double sum = 0, squares = 0;
    for (int c = 0; c < C; ++c) sum += x[at(n, C, c)];
    const double middle = sum / C;
    for (int c = 0; c < C; ++c) squares += (x[at(n, C, c)] - middle) * (x[at(n, C, c)] - middle);
    mean[at(n, 1, 0)] = middle;
    rstd[at(n, 1, 0)] = std::pow(squares / C + 1e-5, -0.5);
    for (int c = 0; c < C; ++c)
      y[at(n, C, c)] = (x[at(n, C, c)] - middle) * rstd[at(n, 1, 0)] * weight[at(c, 1, 0)] +
                       (bias != nullptr ? (*bias)[at(c, 1, 0)] : 0.0);
  }
}

void layer_norm_backward(int N, int C, const Tensor& dy, const Tensor& x, const Tensor& weight,
                         const Tensor& mean, const Tensor& rstd, const Tensor* dresidual, Tensor& dx,
                         Tensor& dweight, Tensor* dbias) {
  Tensor xhat(static_cast<std::size_t>(C));
  for (int n = 0; n < N; ++n) {
    const double r = rstd[at(n, 1, 0)];
    for (int c = 0; c < C; ++c) xhat[at(c, 1, 0)] = (x[at(n, C, c)] - mean[at(n, 1, 0)]) * r;
    for (int c = 0; c < C; ++c) {
      double sum = dresidual != nullptr ? (*dresidual)[at(n, C, c)] : 0.0;
      for (int k = 0; k < C; ++k)
        sum += dy[at(n, C, k)] * weight[at(k, 1, 0)] * r *
               ((k == c ? 1.0 : 0.0) - 1.0 / C - xhat[at(k, 1, 0)] * xhat[at(c, 1, 0)] / C);
      dx[at(n, C, c)] = sum;
      dweight[at(c, 1, 0)] += dy[at(n, C, c)] * xhat[at(c, 1, 0)];
      if (dbias != nullptr) (*dbias)[at(c, 1, 0)] += dy[at(n, C, c)];
    }
  }
}

void add_bias(int N, int O, const Tensor& bias, Tensor& y) {
  for (int n = 0; n < N; ++n)
    for (int o = 0; o < O; ++o) y[at(n, O, o)] += bias[at(o, 1, 0)];
}

void bias_backward(int N, int O, const Tensor& dy, Tensor& dbias) {
  for (int n = 0; n < N; ++n)
    for (int o = 0; o < O; ++o) dbias[at(o, 1, 0)] += dy[at(n, O, o)];
}

namespace {

const double kRoot = std::sqrt(2.0 / std::numbers::pi);

}  // namespace

double gelu(double u, Gelu form) {
  if (form == Gelu::erf) return 0.5 * u * (1.0 + std::erf(u / std::numbers::sqrt2));
  return 0.5 * u * (1.0 + std::tanh(kRoot * (u + 0.044715 * u * u * u)));
}

double gelu_slope(double u, Gelu form) {
  if (form == Gelu::erf)
    return 0.5 * (1.0 + std::erf(u / std::numbers::sqrt2)) +
           u * std::exp(-0.5 * u * u) / std::sqrt(2.0 * std::numbers::pi);
  const double t = std::tanh(kRoot * (u + 0.044715 * u * u * u));
  return 0.5 * (1.0 + t) + 0.5 * u * (1.0 - t * t) * kRoot * (1.0 + 3 * 0.044715 * u * u);
}

void dropout(const Batch& batch, int C, const Dropout& dropout, const StepConstants& step, const Tensor& x,
             Tensor& y) {
  for (int n = 0; n < batch.rows(); ++n) {
    const int b = batch.sequence_n[at(n, 1, 0)];
    for (int c = 0; c < C; ++c) {
      const bool kept = b >= 0 && survives(dropout, step, b, n - batch.starts_b[at(b, 1, 0)], 0, c);
      y[at(n, C, c)] = kept ? x[at(n, C, c)] / (1.0 - dropout.probability) : 0.0;
    }
  }
}

Multiplier attention_dropout(const Dropout& dropout, const StepConstants& step) {
  return [=](int b, int t, int h, int u) {
    return survives(dropout, step, b, t, h, u) ? 1.0 / (1.0 - dropout.probability) : 0.0;
  };
}

}  // namespace ladder::naive
