#include "shared/model/cost.hpp"

#include <algorithm>

namespace ladder {
namespace {

/// Bytes of `elements` elements of the type of `reference`; none where there is no tensor.
template <class Reference>
double bytes(const Reference& reference, double elements) {
  return reference ? elements * static_cast<double>(size_of(reference.dtype)) : 0.0;
}

double product(int a, int b) { return static_cast<double>(a) * static_cast<double>(b); }

/// Tokens, sequence numbers: one 32-bit integer of each kind a row.
double row_integers(const BatchView& batch, int kinds) { return 4.0 * product(batch.rows, kinds); }

/// Pairs (t, s) of positions of which t sees s, over all sequences.
double visible_pairs(const BatchView& batch, bool causal) {
  if (batch.batch == 0) return 0.0;
  const double length =
      std::min(static_cast<double>(batch.rows) / batch.batch, static_cast<double>(batch.max_length));
  const double before = length * batch.first;  // keys of earlier calls, seen by every row
  return batch.batch * (before + (causal ? length * (length + 1.0) / 2.0 : length * length));
}

}  // namespace

Cost cost(const EmbeddingForward& a) {
  const double cells = product(a.batch.rows, a.channels);
  return {row_integers(a.batch, 2) + bytes(a.wte_vc, cells) + bytes(a.wpe_tc, cells) + bytes(a.x_nc, cells),
          cells};
}

Cost cost(const EmbeddingBackward& a) {
  const double cells = product(a.batch.rows, a.channels);
  return {row_integers(a.batch, 2) + bytes(a.dx_nc, cells) + 2 * bytes(a.dwte_vc, cells) +
              2 * bytes(a.dwpe_tc, cells),
          2 * cells};
}

Cost cost(const RmsNormForward& a) {
  const double cells = product(a.rows, a.channels);
  return {bytes(a.x_nc, cells) + bytes(a.y_nc, cells) + bytes(a.rstd_n, a.rows), 3 * cells + 3.0 * a.rows};
}

Cost cost(const RmsNormBackward& a) {
  const double cells = product(a.rows, a.channels);
  return {bytes(a.dy_nc, cells) + bytes(a.x_nc, cells) + bytes(a.dresidual_nc, cells) +
              bytes(a.rstd_n, a.rows) + bytes(a.dx_nc, cells),
          7 * cells + 3.0 * a.rows};
}

Cost cost(const LinearForward& a) {
  return {bytes(a.x_ni, product(a.rows, a.in)) + bytes(a.w_oi, product(a.out, a.in)) +
              bytes(a.y_no, product(a.rows, a.out)),
          2.0 * a.rows * product(a.in, a.out)};
}

Cost cost(const LinearBackwardInput& a) {
  return {bytes(a.dy_no, product(a.rows, a.out)) + bytes(a.w_oi, product(a.out, a.in)) +
              bytes(a.dx_ni, product(a.rows, a.in)),
          2.0 * a.rows * product(a.in, a.out)};
}

Cost cost(const LinearBackwardWeight& a) {
  return {bytes(a.dy_no, product(a.rows, a.out)) + bytes(a.x_ni, product(a.rows, a.in)) +
              2 * bytes(a.dw_oi, product(a.out, a.in)),
          2.0 * a.rows * product(a.in, a.out)};
}

Cost cost(const AttentionForward& a) {
  const double pairs = visible_pairs(a.batch, a.causal) * a.heads;
  const double cells = product(a.batch.rows, a.head_dim);
  const double keys = product(a.batch.first + a.batch.rows, a.head_dim);
  return {bytes(a.q, cells * a.heads) + bytes(a.k, 2 * keys * a.kv_heads) + bytes(a.out_nc, cells * a.heads) +
              bytes(a.lse_hn, product(a.batch.rows, a.heads)) + row_integers(a.batch, 1),
          pairs * (4.0 * a.head_dim + 4.0)};
}

Cost cost(const AttentionBackward& a) {
  const double pairs = visible_pairs(a.batch, a.causal) * a.heads;
  const double cells = product(a.batch.rows, a.head_dim);
  return {2 * (bytes(a.q, cells * a.heads) + bytes(a.k, 2 * cells * a.kv_heads)) +
              2 * bytes(a.out_nc, cells * a.heads) + bytes(a.lse_hn, product(a.batch.rows, a.heads)) +
              row_integers(a.batch, 1),
          pairs * (10.0 * a.head_dim + 6.0)};
}

Cost cost(const ReluForward& a) {
  const auto count = static_cast<double>(a.count);
  return {bytes(a.x, count) + bytes(a.y, count), count};
}

Cost cost(const ReluBackward& a) {
  const auto count = static_cast<double>(a.count);
  return {bytes(a.dy, count) + bytes(a.y, count) + bytes(a.dx, count), count};
}

Cost cost(const ResidualForward& a) {
  const auto count = static_cast<double>(a.count);
  return {bytes(a.a, count) + bytes(a.b, count) + bytes(a.y, count), count};
}

Cost cost(const CrossEntropy& a) {
  const double cells = product(a.batch.rows, a.vocabulary);
  const double passes = a.with_gradient ? 2.0 : 1.0;
  return {row_integers(a.batch, 2) + passes * bytes(a.logits_nv, cells) + bytes(a.loss_n, a.batch.rows) +
              2 * bytes(a.loss, 1),
          (a.with_gradient ? 6.0 : 4.0) * cells};
}

Cost cost(const GradientSquares& a) {
  const auto count = static_cast<double>(a.count);
  return {bytes(a.grad, count) + bytes(a.squares, 1), 2 * count};
}

Cost cost(const Adam& a) {
  const auto count = static_cast<double>(a.count);
  const bool own_master = a.master.data != a.param.data;
  return {bytes(a.grad, count) + 2 * bytes(a.m, count) + 2 * bytes(a.v, count) + 2 * bytes(a.master, count) +
              (own_master ? bytes(a.param, count) : 0.0) + bytes(a.squares, 1) +
              static_cast<double>(sizeof(StepConstants)),
          (14 + (a.squares ? 1 : 0)) * count + static_cast<double>(a.count - a.decays_from)};
}

Cost cost(const RmsNormLinearForward& a) {
  const Cost norm = cost(RmsNormForward{a.rows, a.in, a.x_ni, a.normed_ni, a.rstd_n});
  const double outputs = product(a.rows, a.out);
  return {norm.bytes + bytes(a.w_oi, product(a.out, a.in)) + bytes(a.y_no, outputs),
          norm.flops + 2.0 * a.in * outputs + (a.relu ? outputs : 0.0)};
}

Cost cost(const RmsNormLinearBackward& a) {
  const double inputs = product(a.rows, a.in), outputs = product(a.rows, a.out),
               weights = product(a.out, a.in);
  return {bytes(a.dy_no, outputs) + bytes(a.w_oi, weights) + bytes(a.x_ni, inputs) +
              bytes(a.normed_ni, inputs) + bytes(a.rstd_n, a.rows) + bytes(a.dresidual_ni, inputs) +
              2 * bytes(a.dw_oi, weights) + bytes(a.dx_ni, inputs),
          4.0 * a.rows * weights + 7 * inputs + 3.0 * a.rows};
}

Cost cost(const LinearResidualForward& a) {
  Cost total = cost(LinearForward{a.rows, a.in, a.out, a.x_ni, a.w_oi, a.y_no});
  const double outputs = product(a.rows, a.out);
  return total += {bytes(a.residual_no, outputs), outputs};
}

Cost cost(const LinearBackwardInputRelu& a) {
  Cost total = cost(LinearBackwardInput{a.rows, a.in, a.out, a.dy_no, a.w_oi, a.dx_ni});
  const double inputs = product(a.rows, a.in);
  return total += {bytes(a.relu_ni, inputs), inputs};
}

Cost cost(const LayerNormForward& a) {
  const double cells = product(a.rows, a.channels);
  return {bytes(a.x_nc, cells) + bytes(a.weight_c, a.channels) + bytes(a.bias_c, a.channels) +
              bytes(a.y_nc, cells) + bytes(a.mean_n, a.rows) + bytes(a.rstd_n, a.rows),
          8 * cells + 4.0 * a.rows};
}

Cost cost(const LayerNormBackward& a) {
  const double cells = product(a.rows, a.channels);
  return {bytes(a.dy_nc, cells) + bytes(a.x_nc, cells) + bytes(a.dresidual_nc, cells) +
              bytes(a.weight_c, a.channels) + bytes(a.mean_n, a.rows) + bytes(a.rstd_n, a.rows) +
              bytes(a.dx_nc, cells) + 2 * bytes(a.dweight_c, a.channels) + 2 * bytes(a.dbias_c, a.channels),
          14 * cells + 4.0 * a.rows};
}

Cost cost(const LinearBiasForward& a) {
  Cost total = cost(LinearForward{a.rows, a.in, a.out, a.x_ni, a.w_oi, a.y_no});
  if (a.bias_o) total += {bytes(a.bias_o, a.out), product(a.rows, a.out)};
  return total;
}

Cost cost(const LinearGeluForward& a) {
  Cost total = cost(LinearBiasForward{a.rows, a.in, a.out, a.x_ni, a.w_oi, a.bias_o, a.y_no});
  total += {bytes(a.before_no, product(a.rows, a.out)), 10 * product(a.rows, a.out)};
  return total;
}

Cost cost(const LinearBackwardInputGelu& a) {
  Cost total = cost(LinearBackwardInput{a.rows, a.in, a.out, a.dy_no, a.w_oi, a.dx_ni});
  total += {bytes(a.before_ni, product(a.rows, a.in)), 10 * product(a.rows, a.in)};
  return total;
}

Cost cost(const BiasBackward& a) {
  const double cells = product(a.rows, a.out);
  return {bytes(a.dy_no, cells) + 2 * bytes(a.dbias_o, a.out), cells};
}

Cost cost(const ApplyDropout& a) {
  const double cells = product(a.batch.rows, a.channels);
  return {row_integers(a.batch, 1) + bytes(a.x_nc, cells) + bytes(a.y_nc, cells), cells};
}

Cost cost(const DropoutAttentionForward& a) {
  Cost total = cost(a.plain);
  total.flops += visible_pairs(a.plain.batch, a.plain.causal) * a.plain.heads;
  return total;
}

Cost cost(const DropoutAttentionBackward& a) {
  Cost total = cost(a.plain);
  total.flops += visible_pairs(a.plain.batch, a.plain.causal) * a.plain.heads;
  return total;
}

Cost cost(const ResidualLayerNormForward& a) {
  const double cells = product(a.batch.rows, a.channels);
  Cost total = cost(
      LayerNormForward{a.batch.rows, a.channels, a.sum_nc, a.weight_c, a.bias_c, a.y_nc, a.mean_n, a.rstd_n});
  // The sum is written for the backward pass, and not read again.
  total += {bytes(a.residual_nc, cells) + bytes(a.branch_nc, cells), (a.dropout ? 2 : 1) * cells};
  return total;
}

Cost cost(const ResidualLayerNormBackward& a) {
  Cost total = cost(LayerNormBackward{a.batch.rows, a.channels, a.dy_nc, a.x_nc, a.weight_c, a.mean_n,
                                      a.rstd_n, a.dresidual_nc, a.dx_nc, a.dweight_c, a.dbias_c});
  const double cells = product(a.batch.rows, a.channels);
  if (a.dropout) total += {bytes(a.dbranch_nc, cells), cells};
  return total;
}

}  // namespace ladder
