// An independent oracle: every operation as the plain loops of its definition in shared/model/ops.hpp, in double.
//
// Slow and obvious on purpose. It shares nothing with any stage, so Eigen is not checked against itself.
// Backward passes are written from the derivative of the definition, term by term, not from the formulas that
// the stages use.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "shared/model/batch.hpp"
#include "shared/model/ops.hpp"

namespace ladder::naive {

using Tensor = std::vector<double>;

inline std::size_t at(int row, int columns, int column) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) + static_cast<std::size_t>(column);
}

/// y_no = x_ni w_oi^T
void linear(int N, int I, int O, const Tensor& x, const Tensor& w, Tensor& y);

/// dx_ni = sum_o dy_no w_oi
void linear_dx(int N, int I, int O, const Tensor& dy, const Tensor& w, Tensor& dx);

/// dw_oi += sum_n dy_no x_ni
void linear_dw(int N, int I, int O, const Tensor& dy, const Tensor& x, Tensor& dw);

void rmsnorm(int N, int C, const Tensor& x, Tensor& y, Tensor& rstd);

/// The Jacobian of rmsnorm, entry by entry: dy_k/dx_c = [k = c] r - x_k x_c r^3 / C.
void rmsnorm_dx(int N, int C, const Tensor& dy, const Tensor& x, const Tensor* dresidual, const Tensor& rstd,
                Tensor& dx);

/// `first`: positions before the first row of the batch's one sequence.
void embedding(const Batch& batch, int first, int C, const Tensor& wte, const Tensor& wpe, Tensor& x);

void embedding_backward(const Batch& batch, int C, const Tensor& dx, Tensor& dwte, Tensor& dwpe);

/// Sizes of one attention call; q, k, v are columns 0, H*D and (H+K)*D of packed rows of P = (H+2K)*D.
struct AttentionShape {
  int heads, kv_heads, head_dim;
  bool causal;
  int stride() const { return (heads + 2 * kv_heads) * head_dim; }
  int q(int h) const { return h * head_dim; }
  int k(int h) const { return (heads + h / (heads / kv_heads)) * head_dim; }
  int v(int h) const { return k(h) + kv_heads * head_dim; }
};

/// What the weight of sequence b, query position t, head h, key u is multiplied by; none: 1.
using Multiplier = std::function<double(int b, int t, int h, int u)>;

void attention(const Batch& batch, const AttentionShape& s, const Tensor& qkv, Tensor& out, Tensor& lse,
               const Multiplier& multiplier = {});

void attention_backward(const Batch& batch, const AttentionShape& s, const Tensor& qkv, const Tensor& dout,
                        Tensor& dqkv, const Multiplier& multiplier = {});

/// For every element of out = sum m p v, the sum of |m p v|: a stage with narrow operands rounds each p once.
void attention_terms(const Batch& batch, const AttentionShape& s, const Tensor& qkv, Tensor& terms,
                     const Multiplier& multiplier = {});

/// For every element of dqkv, the sum of the absolute values that a stage with narrow operands may round once
/// on the way to it: p in dv = sum p dout; dscore = p (dp - delta) in dq and dk; and inside delta = dout . out both
/// `out` as it is stored and each p of out = sum p v. A rounding of each by at most u moves the element, to first
/// order, by at most u times this sum. The key/value heads of a sequence write to different elements: a thread each, where
/// the system gives it.
void attention_backward_terms(const Batch& batch, const AttentionShape& s, const Tensor& qkv,
                              const Tensor& dout, Tensor& terms, const Multiplier& multiplier = {});

/// loss_n and loss from the first V of `columns` logits a row; then logits become their gradient if asked, those behind
/// the vocabulary 0.
void cross_entropy(const Batch& batch, int V, int columns, double scale, bool with_gradient, Tensor& logits,
                   Tensor& loss_n, Tensor& loss);

/// `squares`: that of the gradient's norm where it is clipped, or null.
void adam(const StepConstants& s, std::size_t decays_from, const double* squares, const Tensor& grad,
          Tensor& m, Tensor& v, Tensor& master);

}  // namespace ladder::naive
