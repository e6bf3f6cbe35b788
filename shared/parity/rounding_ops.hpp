// The reference, computing as roughly as a narrower type would: how large is what rounding alone does to a result?
#pragma once

#include <cstdint>
#include <memory>

#include "shared/check/naive_reference.hpp"
#include "shared/model/ops_decorators.hpp"

namespace ladder {

/// Times what rounding was seen to do to the reference, as limits are ten times what was measured.
inline constexpr double kAllowance = 10.0;

/// One unit in the last place of 1: twice the largest error of a rounding to nearest.
double unit_of(Dtype dtype);

/// Around stage 1's operations in fp64: moves every number that an operation writes up or down by a unit in the last
/// place of `dtype`, as if it had been rounded to that. Fused operations run as the plain ones that they are made of.
/// Differences that cancel inside one operation do not show by moving its result what the rounding of their terms does,
/// so these terms are moved there:
///   cross_entropy       log-sum-exp - logit, and softmax - onehot: in fp32, as every type but fp64 computes them. The
///                       sum over V logits, which both are made of, may be off by V/2 units: of a text learnt by heart,
///                       each unlikely token adds less than the last place of the likely one's 1 and is lost. Ten
///                       times (kAllowance) one unit covers twenty terms; longer sums are moved by V/20 units.
///   attention backward  dP - delta, where delta = dout . out is a sum with terms of its own; and score - lse, the
///                       exponent of a weight P, which is off by the rounding of numbers of the score's size: of scores
///                       of 1e6 six digits are lost. Ten times one unit covers sizes up to 10, beyond them P is moved by a
///                       tenth of the size, in units.
/// The weights are not touched, nor what Adam writes. Up or down is decided by the number itself and by `draw`: equal
/// numbers are rounded alike, as a type does it, so the roundings of equal sequences add up.
class RoundingOps final : public OpsDecorator {
 public:
  /// Throws InputError unless `eigen` computes in fp64.
  RoundingOps(std::unique_ptr<Ops> eigen, Dtype dtype, std::uint32_t draw);

  using OpsDecorator::run;
  void run(const CrossEntropy& args) override;
  void run(const AttentionBackward& args) override;
  void run(const DropoutAttentionBackward& args) override;
  void run(const RmsNormLinearForward& args) override { compose(args); }
  void run(const RmsNormLinearBackward& args) override { compose(args); }
  void run(const LinearResidualForward& args) override { compose(args); }
  void run(const LinearBackwardInputRelu& args) override { compose(args); }
  void run(const ResidualLayerNormForward& args) override { compose(args); }
  void run(const ResidualLayerNormBackward& args) override { compose(args); }

 private:
  /// By what Ops makes of a fused operation, with run() of its parts: past the decorator, which would hand it on whole.
  template <class Args>
  void compose(const Args& args) {
    static_cast<Ops&>(*this).Ops::run(args);
  }
  void around(const OpCall& call) override;
  void move_cancelled(const AttentionBackward& args, const naive::Multiplier& multiplier);
  /// `value` moved by a rounding.
  double moved(double value) const;
  /// +1 or -1, for equal values the same one.
  double sign(double value) const;

  double unit_;
  double smallest_;    ///< half the distance between the numbers around 0, where that can matter
  double inner_unit_;  ///< of what a loss is computed in
  std::uint32_t draw_;
};

}  // namespace ladder
