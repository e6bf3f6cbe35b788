// GPT-2's operations as the plain loops of their definitions in shared/model/gpt2_ops.hpp; see naive_reference.hpp.
#pragma once

#include "shared/check/naive_reference.hpp"

namespace ladder::naive {

/// `bias` may be null.
void layer_norm(int N, int C, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y,
                Tensor& mean, Tensor& rstd);

/// The Jacobian of xhat, entry by entry: dxhat_k/dx_c = r ([k = c] - 1/C - xhat_k xhat_c / C). dweight and dbias are
/// added to; `dresidual` and `dbias` may be null.
void layer_norm_backward(int N, int C, const Tensor& dy, const Tensor& x, const Tensor& weight,
                         const Tensor& mean, const Tensor& rstd, const Tensor* dresidual, Tensor& dx,
                         Tensor& dweight, Tensor* dbias);

/// y_no += bias_o
void add_bias(int N, int O, const Tensor& bias, Tensor& y);

/// dbias_o += sum_n dy_no
void bias_backward(int N, int O, const Tensor& dy, Tensor& dbias);

double gelu(double u, Gelu form);
/// Its slope, from the definition by the product rule.
double gelu_slope(double u, Gelu form);

/// y_nc = x_nc / (1 - p) where the element survives, else 0; 0 in padding rows.
void dropout(const Batch& batch, int C, const Dropout& dropout, const StepConstants& step, const Tensor& x,
             Tensor& y);

/// Of attention's weights.
Multiplier attention_dropout(const Dropout& dropout, const StepConstants& step);

}  // namespace ladder::naive
