#include "shared/parity/rounding_ops.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/check/gpt2_reference.hpp"
#include "shared/check/tolerances.hpp"

namespace ladder {

double unit_of(Dtype dtype) { return 2.0 * unit_roundoff(dtype); }

RoundingOps::RoundingOps(std::unique_ptr<Ops> eigen, Dtype dtype, std::uint32_t draw)
    : OpsDecorator(std::move(eigen)),
      unit_(unit_of(dtype)),
      smallest_(dtype == Dtype::fp16 ? 0x1p-25 : 0.0),
      inner_unit_(std::min(unit_, unit_of(Dtype::fp32))),
      draw_(draw) {
  require(inner().dtype() == Dtype::fp64, "rounding is imitated in fp64, not in {}",
          name_of(inner().dtype()));
}

double RoundingOps::sign(double value) const {
  // Without its last bits: in fp64, too, equal rows of a batch may be summed in different orders.
  std::uint64_t bits = (std::bit_cast<std::uint64_t>(value) >> 16) + draw_ * 0x9e3779b97f4a7c15u;
  bits = (bits ^ (bits >> 32)) * 0xd6e8feb86659fd93u;
  bits = (bits ^ (bits >> 32)) * 0xd6e8feb86659fd93u;
  return (bits >> 63) == 0 ? 1.0 : -1.0;
}

double RoundingOps::moved(double value) const {
  if (value == 0.0) return value;
  return value + sign(value) * std::max(unit_ * std::abs(value), smallest_);
}

void RoundingOps::around(const OpCall& call) {
  call.run();
  if (call.name == Adam::kName) return;
  for (const OutputView& output : call.outputs)
    for (std::size_t row = 0; row < output.rows; ++row) {
      double* values = static_cast<double*>(const_cast<void*>(output.data)) + row * output.stride;
      std::transform(values, values + output.columns, values, [this](double value) { return moved(value); });
    }
}

void RoundingOps::run(const CrossEntropy& args) {
  struct Target {
    double *row, *element, logit, weight;
  };
  std::vector<Target> targets;
  for (int n = 0; n < args.batch.rows; ++n) {
    const int sequence = args.batch.sequence_n[n];
    if (sequence < 0) continue;
    double* row =
        args.logits_nv.as<double>() + static_cast<std::size_t>(n) * static_cast<std::size_t>(args.columns);
    double* element = row + args.batch.targets_n[n];
    targets.push_back({row, element, *element, args.scale / std::max(args.batch.lengths_b[sequence], 1)});
  }
  OpsDecorator::run(args);
  const double of_sum = inner_unit_ * std::max(1.0, args.vocabulary / (2.0 * kAllowance));
  for (const Target& target : targets) {
    *args.loss.as<double>() += target.weight * std::abs(target.logit) * inner_unit_ * sign(target.logit);
    if (!args.with_gradient) continue;
    const double by = of_sum * sign(*target.element);
    for (int v = 0; v < args.vocabulary; ++v) target.row[v] *= 1.0 + by;
    *target.element += target.weight * by;  // weight (P (1 + by) - 1) in place of weight (P - 1) (1 + by)
  }
}

namespace {

/// One head of one query position in the backward pass, and the keys that it sees.
struct Query {
  const AttentionBackward& args;
  int b, h, t;

  int seen() const { return args.causal ? t + 1 : args.batch.lengths_b[b]; }
  double scale() const { return 1.0 / std::sqrt(args.head_dim); }
  std::size_t row(int position) const {
    return static_cast<std::size_t>(args.batch.starts_b[b] + position) *
           static_cast<std::size_t>(args.row_stride);
  }
  std::size_t query() const { return row(t) + static_cast<std::size_t>(h * args.head_dim); }
  std::size_t key(int u) const {
    return row(u) + static_cast<std::size_t>(h / (args.heads / args.kv_heads) * args.head_dim);
  }
  /// Where its part of `out` and of its gradient begins.
  std::size_t mixed() const {
    return static_cast<std::size_t>((args.batch.starts_b[b] + t) * args.heads + h) *
           static_cast<std::size_t>(args.head_dim);
  }
  double dot(const double* x, const double* y) const {
    return std::inner_product(x, x + args.head_dim, y, 0.0);
  }
  void add(double factor, const double* x, double* y) const {
    for (int d = 0; d < args.head_dim; ++d) y[d] += factor * x[d];
  }
};

/// The weights of a query, and the sizes of what the exponent of each is the difference of: the terms of the score, and
/// the log-sum-exp.
struct Weights {
  std::vector<double> p, exponents;

  explicit Weights(const Query& query) {
    const double *q = query.args.q.as<double>() + query.query(), *k = query.args.k.as<double>();
    for (int u = 0; u < query.seen(); ++u) {
      double score = 0.0, terms = 0.0;
      for (int d = 0; d < query.args.head_dim; ++d) {
        const double product = q[d] * k[query.key(u) + static_cast<std::size_t>(d)];
        score += product;
        terms += std::abs(product);
      }
      p.push_back(query.scale() * score);
      exponents.push_back(query.scale() * terms);
    }
    const double largest = *std::max_element(p.begin(), p.end());
    double sum = 0.0;
    for (const double score : p) sum += std::exp(score - largest);
    const double lse = largest + std::log(sum);
    for (double& value : p) value = std::exp(value - largest) / sum;
    for (double& size : exponents) size += std::abs(lse);
  }
};

}  // namespace

/// Adds to dq, dk and dv what it does that each weight is off by its own rounding and its exponent's, and delta by those
/// of its terms and by the weights'.
void RoundingOps::move_cancelled(const AttentionBackward& a, const naive::Multiplier& multiplier) {
  const auto move = [&](const Query& query) {
    const double *q = a.q.as<double>() + query.query(), *dout = a.dout_nc.as<double>() + query.mixed(),
                 *out = a.out_nc.as<double>() + query.mixed();
    const Weights weights(query);
    double delta = 0.0, by_delta = 0.0;
    for (int d = 0; d < a.head_dim; ++d) {
      delta += dout[d] * out[d];
      by_delta += unit_ * std::abs(dout[d] * out[d]);
    }
    by_delta *= sign(delta);
    std::vector<double> kept, dp, by;
    for (int u = 0; u < query.seen(); ++u) {
      const auto i = static_cast<std::size_t>(u);
      kept.push_back(multiplier ? multiplier(query.b, query.t, query.h, u) : 1.0);
      dp.push_back(kept[i] * query.dot(dout, a.v.as<double>() + query.key(u)));
      const double rounding = std::max(unit_, inner_unit_ * weights.exponents[i] / kAllowance);
      by.push_back(weights.p[i] * rounding * sign(weights.p[i]));
      by_delta += by[i] * dp[i];
    }
    for (int u = 0; u < query.seen(); ++u) {
      const auto i = static_cast<std::size_t>(u);
      const double by_score = query.scale() * (by[i] * (dp[i] - delta) - weights.p[i] * by_delta);
      query.add(by[i] * kept[i], dout, a.dv.as<double>() + query.key(u));
      query.add(by_score, a.k.as<double>() + query.key(u), a.dq.as<double>() + query.query());
      query.add(by_score, q, a.dk.as<double>() + query.key(u));
    }
  };
  for (int b = 0; b < a.batch.batch; ++b)
    for (int h = 0; h < a.heads; ++h)
      for (int t = 0; t < a.batch.lengths_b[b]; ++t) move({a, b, h, t});
}

void RoundingOps::run(const AttentionBackward& args) {
  OpsDecorator::run(args);
  move_cancelled(args, {});
}

void RoundingOps::run(const DropoutAttentionBackward& args) {
  OpsDecorator::run(args);
  move_cancelled(args.plain, naive::attention_dropout(args.dropout, *args.plain.batch.step));
}

}  // namespace ladder
