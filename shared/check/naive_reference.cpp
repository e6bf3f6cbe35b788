#include "shared/check/naive_reference.hpp"

#include <algorithm>
#include <cmath>
#include <system_error>
#include <thread>

namespace ladder::naive {
namespace {

int position(const Batch& batch, int n) {
  const int b = batch.sequence_n[at(n, 1, 0)];
  return b < 0 ? -1 : n - batch.starts_b[at(b, 1, 0)];
}

/// softmax(scores of row t) over the positions that t may see; `lse` gets the log of the sum.
Tensor attention_row(const AttentionShape& s, const Tensor& qkv, int start, int length, int h, int t,
                     double* lse) {
  const int seen = s.causal ? t + 1 : length;
  Tensor p(static_cast<std::size_t>(seen));
  for (int u = 0; u < seen; ++u) {
    double score = 0;
    for (int d = 0; d < s.head_dim; ++d)
      score += qkv[at(start + t, s.stride(), s.q(h) + d)] * qkv[at(start + u, s.stride(), s.k(h) + d)];
    p[at(u, 1, 0)] = score / std::sqrt(s.head_dim);
  }
  const double maximum = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& value : p) sum += value = std::exp(value - maximum);
  for (double& value : p) value /= sum;
  if (lse != nullptr) *lse = maximum + std::log(sum);
  return p;
}

/// The multipliers of one query position's weights.
Tensor multipliers_of(const Multiplier& multiplier, int b, int t, int h, std::size_t keys) {
  Tensor m(keys, 1.0);
  for (std::size_t u = 0; multiplier && u < keys; ++u) m[u] = multiplier(b, t, h, static_cast<int>(u));
  return m;
}

/// One query position's share: out = sum_u m_u p_u v_u, dp_u = m_u dout . v_u, dscore_u =
/// sum_w dp_w p_w ([w = u] - p_u).
void attention_backward_row(const AttentionShape& s, const Tensor& qkv, const Tensor& dout, int start,
                            int length, int h, int t, const Multiplier& multiplier, int b, Tensor& dqkv) {
  const Tensor p = attention_row(s, qkv, start, length, h, t, nullptr);
  const Tensor m = multipliers_of(multiplier, b, t, h, p.size());
  const int C = s.heads * s.head_dim, P = s.stride(), n = start + t;
  Tensor dp(p.size(), 0.0);
  for (std::size_t u = 0; u < p.size(); ++u)
    for (int d = 0; d < s.head_dim; ++d) {
      const double g = m[u] * dout[at(n, C, h * s.head_dim + d)];
      dp[u] += g * qkv[at(start + static_cast<int>(u), P, s.v(h) + d)];
      dqkv[at(start + static_cast<int>(u), P, s.v(h) + d)] += p[u] * g;
    }
  for (std::size_t u = 0; u < p.size(); ++u) {
    double dscore = 0;
    for (std::size_t w = 0; w < p.size(); ++w) dscore += dp[w] * p[w] * ((w == u ? 1.0 : 0.0) - p[u]);
    for (int d = 0; d < s.head_dim; ++d) {
      const int key = start + static_cast<int>(u);
      dqkv[at(n, P, s.q(h) + d)] += dscore * qkv[at(key, P, s.k(h) + d)] / std::sqrt(s.head_dim);
      dqkv[at(key, P, s.k(h) + d)] += dscore * qkv[at(n, P, s.q(h) + d)] / std::sqrt(s.head_dim);
    }
  }
}

/// One query position's share of attention_backward_terms.
void attention_backward_terms_row(const AttentionShape& s, const Tensor& qkv, const Tensor& dout, int start,
                                  int length, int h, int t, const Multiplier& multiplier, int b,
                                  Tensor& terms) {
  const Tensor p = attention_row(s, qkv, start, length, h, t, nullptr);
  const Tensor m = multipliers_of(multiplier, b, t, h, p.size());
  const int C = s.heads * s.head_dim, P = s.stride(), n = start + t;
  const auto D = static_cast<std::size_t>(s.head_dim);
  Tensor dp(p.size(), 0.0), out(D, 0.0), out_terms(D, 0.0);
  double delta = 0, delta_terms = 0;
  for (std::size_t u = 0; u < p.size(); ++u) {
    for (int d = 0; d < s.head_dim; ++d) {
      const double v = qkv[at(start + static_cast<int>(u), P, s.v(h) + d)];
      dp[u] += m[u] * dout[at(n, C, h * s.head_dim + d)] * v;
      out[at(d, 1, 0)] += m[u] * p[u] * v;
      out_terms[at(d, 1, 0)] += m[u] * p[u] * std::abs(v);
    }
    delta += p[u] * dp[u];
  }
  for (int d = 0; d < s.head_dim; ++d)
    delta_terms +=
        std::abs(dout[at(n, C, h * s.head_dim + d)]) * (std::abs(out[at(d, 1, 0)]) + out_terms[at(d, 1, 0)]);
  for (std::size_t u = 0; u < p.size(); ++u) {
    const int key = start + static_cast<int>(u);
    const double dscore = p[u] * (std::abs(dp[u] - delta) + delta_terms) / std::sqrt(s.head_dim);
    for (int d = 0; d < s.head_dim; ++d) {
      terms[at(key, P, s.v(h) + d)] += m[u] * p[u] * std::abs(dout[at(n, C, h * s.head_dim + d)]);
      terms[at(n, P, s.q(h) + d)] += dscore * std::abs(qkv[at(key, P, s.k(h) + d)]);
      terms[at(key, P, s.k(h) + d)] += dscore * std::abs(qkv[at(n, P, s.q(h) + d)]);
    }
  }
}

}  // namespace

void linear(int N, int I, int O, const Tensor& x, const Tensor& w, Tensor& y) {
  for (int n = 0; n < N; ++n)
    for (int o = 0; o < O; ++o) {
      double sum = 0;
      for (int i = 0; i < I; ++i) sum += x[at(n, I, i)] * w[at(o, I, i)];
      y[at(n, O, o)] = sum;
    }
}

void linear_dx(int N, int I, int O, const Tensor& dy, const Tensor& w, Tensor& dx) {
  for (int n = 0; n < N; ++n)
    for (int i = 0; i < I; ++i) {
      double sum = 0;
      for (int o = 0; o < O; ++o) sum += dy[at(n, O, o)] * w[at(o, I, i)];
      dx[at(n, I, i)] = sum;
    }
}

void linear_dw(int N, int I, int O, const Tensor& dy, const Tensor& x, Tensor& dw) {
  for (int o = 0; o < O; ++o)
    for (int i = 0; i < I; ++i) {
      double sum = 0;
      for (int n = 0; n < N; ++n) sum += dy[at(n, O, o)] * x[at(n, I, i)];
      dw[at(o, I, i)] += sum;
    }
}

void rmsnorm(int N, int C, const Tensor& x, Tensor& y, Tensor& rstd) {
  for (int n = 0; n < N; ++n) {
    double squares = 0;
    for (int c = 0; c < C; ++c) squares += x[at(n, C, c)] * x[at(n, C, c)];
    rstd[at(n, 1, 0)] = std::pow(squares / C + 1e-5, -0.5);
    for (int c = 0; c < C; ++c) y[at(n, C, c)] = x[at(n, C, c)] * rstd[at(n, 1, 0)];
  }
}

void rmsnorm_dx(int N, int C, const Tensor& dy, const Tensor& x, const Tensor* dresidual, const Tensor& rstd,
                Tensor& dx) {
  for (int n = 0; n < N; ++n)
    for (int c = 0; c < C; ++c) {
      const double r = rstd[at(n, 1, 0)];
      double sum = dresidual != nullptr ? (*dresidual)[at(n, C, c)] : 0.0;
      for (int k = 0; k < C; ++k)
        sum += dy[at(n, C, k)] * ((k == c ? r : 0.0) - x[at(n, C, k)] * x[at(n, C, c)] * r * r * r / C);
      dx[at(n, C, c)] = sum;
    }
}

void embedding(const Batch& batch, int first, int C, const Tensor& wte, const Tensor& wpe, Tensor& x) {
  for (int n = 0; n < batch.rows(); ++n)
    for (int c = 0; c < C; ++c) {
      const int t = position(batch, n);
      x[at(n, C, c)] = t < 0 ? 0.0 : wte[at(batch.tokens_n[at(n, 1, 0)], C, c)] + wpe[at(first + t, C, c)];
    }
}

void embedding_backward(const Batch& batch, int C, const Tensor& dx, Tensor& dwte, Tensor& dwpe) {
  for (int n = 0; n < batch.rows(); ++n)
    for (int c = 0; c < C && position(batch, n) >= 0; ++c) {
      dwte[at(batch.tokens_n[at(n, 1, 0)], C, c)] += dx[at(n, C, c)];
      dwpe[at(position(batch, n), C, c)] += dx[at(n, C, c)];
    }
}

void attention(const Batch& batch, const AttentionShape& s, const Tensor& qkv, Tensor& out, Tensor& lse,
               const Multiplier& multiplier) {
  const int C = s.heads * s.head_dim, N = batch.rows();
  std::fill(out.begin(), out.end(), 0.0);
  std::fill(lse.begin(), lse.end(), kMaskValue);
  for (std::size_t b = 0; b < batch.lengths_b.size(); ++b)
    for (int h = 0; h < s.heads; ++h)
      for (int t = 0; t < batch.lengths_b[b]; ++t) {
        const int n = batch.starts_b[b] + t;
        const Tensor p =
            attention_row(s, qkv, batch.starts_b[b], batch.lengths_b[b], h, t, &lse[at(h, N, n)]);
        const Tensor m = multipliers_of(multiplier, static_cast<int>(b), t, h, p.size());
        for (int d = 0; d < s.head_dim; ++d)
          for (std::size_t u = 0; u < p.size(); ++u)
            out[at(n, C, h * s.head_dim + d)] +=
                m[u] * p[u] * qkv[at(batch.starts_b[b] + static_cast<int>(u), s.stride(), s.v(h) + d)];
      }
}

void attention_backward(const Batch& batch, const AttentionShape& s, const Tensor& qkv, const Tensor& dout,
                        Tensor& dqkv, const Multiplier& multiplier) {
  std::fill(dqkv.begin(), dqkv.end(), 0.0);
  for (std::size_t b = 0; b < batch.lengths_b.size(); ++b)
    for (int h = 0; h < s.heads; ++h)
      for (int t = 0; t < batch.lengths_b[b]; ++t)
        attention_backward_row(s, qkv, dout, batch.starts_b[b], batch.lengths_b[b], h, t, multiplier,
                               static_cast<int>(b), dqkv);
}

void attention_terms(const Batch& batch, const AttentionShape& s, const Tensor& qkv, Tensor& terms,
                     const Multiplier& multiplier) {
  Tensor sizes = qkv, lse(at(s.heads, batch.rows(), 0));
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (static_cast<int>(i % at(1, s.stride(), 0)) >= s.v(0)) sizes[i] = std::abs(sizes[i]);
  attention(batch, s, sizes, terms, lse, multiplier);
}

void attention_backward_terms(const Batch& batch, const AttentionShape& s, const Tensor& qkv,
                              const Tensor& dout, Tensor& terms, const Multiplier& multiplier) {
  std::fill(terms.begin(), terms.end(), 0.0);
  const int group = s.heads / s.kv_heads;
  const auto head = [&](std::size_t b, int kv) {
    for (int h = kv * group; h < (kv + 1) * group; ++h)
      for (int t = 0; t < batch.lengths_b[b]; ++t)
        attention_backward_terms_row(s, qkv, dout, batch.starts_b[b], batch.lengths_b[b], h, t, multiplier,
                                     static_cast<int>(b), terms);
  };
  std::vector<std::thread> threads;
  threads.reserve(batch.lengths_b.size() * static_cast<std::size_t>(s.kv_heads));
  for (std::size_t b = 0; b < batch.lengths_b.size(); ++b)
    for (int kv = 0; kv < s.kv_heads; ++kv) {
      try {
        threads.emplace_back(head, b, kv);
      } catch (const std::system_error&) {
        head(b, kv);  // an exception here would destroy running threads, which ends the program
      }
    }
  for (std::thread& thread : threads) thread.join();
}

void cross_entropy(const Batch& batch, int V, int columns, double scale, bool with_gradient, Tensor& logits,
                   Tensor& loss_n, Tensor& loss) {
  for (int n = 0; n < batch.rows(); ++n) {
    const int b = batch.sequence_n[at(n, 1, 0)];
    const double weight = b < 0 ? 0.0 : scale / batch.lengths_b[at(b, 1, 0)];
    double* row = &logits[at(n, columns, 0)];
    const double maximum = *std::max_element(row, row + V);
    long double exact = 0;  // a long tail of equal terms is rounded the same way every time
    for (int v = 0; v < V; ++v) exact += std::exp(row[v] - maximum);
    const auto sum = static_cast<double>(exact);
    const int target = b < 0 ? 0 : batch.targets_n[at(n, 1, 0)];
    loss_n[at(n, 1, 0)] = weight * (std::log(sum) - (row[target] - maximum));
    loss[0] += loss_n[at(n, 1, 0)];
    for (int v = 0; v < V && with_gradient; ++v)
      row[v] = weight * (std::exp(row[v] - maximum) / sum - (v == target ? 1.0 : 0.0));
    for (int v = V; v < columns && with_gradient; ++v) row[v] = 0;
  }
}

void adam(const StepConstants& s, std::size_t decays_from, const double* squares, const Tensor& grad,
          Tensor& m, Tensor& v, Tensor& master) {
  if (squares != nullptr && s.loss_scale != 1.0 && !std::isfinite(*squares)) return;
  const double norm = squares == nullptr ? 0.0 : std::sqrt(*squares) / s.loss_scale;
  const double factor =
      norm + 1e-6 > s.clip && squares != nullptr && s.clip > 0 ? s.clip / (norm + 1e-6) : 1.0;
  for (std::size_t i = 0; i < grad.size(); ++i) {
    const double g = factor * grad[i] / s.loss_scale;
    m[i] = s.beta1 * m[i] + (1 - s.beta1) * g;
    v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
    if (i >= decays_from) master[i] -= s.learning_rate * s.weight_decay * master[i];
    master[i] -= s.learning_rate * (m[i] / s.correction1) / (std::sqrt(v[i] / s.correction2) + s.eps);
  }
}

}  // namespace ladder::naive
