// The reference, computing as roughly as a narrower type would: how large is what rounding alone does to a result?
#pragma once

#include <cstdint>
#include <memory>

#include "shared/model/ops_decorators.hpp"

namespace ladder {

/// Around stage 1's operations in fp64: moves every number that an operation writes up or down by `unit` of itself, as
/// if it had been rounded to a type with that unit in the last place. Fused operations run as the plain ones that they
/// are made of. Two differences cancel inside one operation, where moving its result would not show what the rounding
/// of their terms does, so these terms are moved there:
///   cross_entropy       softmax - onehot: the onehot's 1
///   attention backward  dP - delta, through the probabilities that stage 1 keeps in the layer's scratch
/// The weights are not touched, nor what Adam writes. Signs come from `seed`, the same ones in every run.
class RoundingOps final : public OpsDecorator {
 public:
  /// Throws InputError unless `eigen` computes in fp64.
  RoundingOps(std::unique_ptr<Ops> eigen, double unit, std::uint32_t seed);

  using OpsDecorator::run;
  void run(const CrossEntropy& args) override;
  void run(const AttentionForward& args) override;
  void run(const DropoutAttentionForward& args) override;
  void run(const RmsNormLinearForward& args) override { Ops::run(args); }
  void run(const RmsNormLinearBackward& args) override { Ops::run(args); }
  void run(const LinearResidualForward& args) override { Ops::run(args); }
  void run(const LinearBackwardInputRelu& args) override { Ops::run(args); }
  void run(const ResidualLayerNormForward& args) override { Ops::run(args); }
  void run(const ResidualLayerNormBackward& args) override { Ops::run(args); }

 private:
  void around(const OpCall& call) override;
  void move_probabilities(const AttentionForward& args);
  /// +unit or -unit.
  double step();

  double unit_;
  std::uint32_t draw_;
};

}  // namespace ladder
