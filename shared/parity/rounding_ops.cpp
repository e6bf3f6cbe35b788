#include "shared/parity/rounding_ops.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "shared/base/error.hpp"

namespace ladder {

double unit_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::fp64:
      return 0x1p-52;
    case Dtype::fp32:
      return 0x1p-23;
    case Dtype::tf32:
    case Dtype::fp16:
      return 0x1p-10;
    case Dtype::bf16:
      return 0x1p-7;
  }
  return 0x1p-52;
}

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
    double *element, logit, weight;
  };
  std::vector<Target> targets;
  for (int n = 0; n < args.batch.rows; ++n) {
    const int sequence = args.batch.sequence_n[n];
    if (sequence < 0) continue;
    double* row =
        args.logits_nv.as<double>() + static_cast<std::size_t>(n) * static_cast<std::size_t>(args.columns);
    double* element = row + args.batch.targets_n[n];
    targets.push_back({element, *element, args.scale / std::max(args.batch.lengths_b[sequence], 1)});
  }
  OpsDecorator::run(args);
  for (const Target& target : targets) {
    *args.loss.as<double>() += target.weight * std::abs(target.logit) * inner_unit_ * sign(target.logit);
    if (args.with_gradient) *target.element += target.weight * inner_unit_ * sign(*target.element);
  }
}

void RoundingOps::move_probabilities(const AttentionForward& args) {
  const std::size_t bytes =
      inner().attention_scratch_bytes(args.batch.rows, args.heads, args.batch.max_length);
  auto* p = static_cast<double*>(args.scratch);
  for (std::size_t i = 0; i < bytes / sizeof(double); ++i) p[i] = p[i] * (1.0 + unit_ * sign(p[i]));
}

void RoundingOps::run(const AttentionForward& args) {
  OpsDecorator::run(args);
  if (args.scratch != nullptr) move_probabilities(args);
}

void RoundingOps::run(const DropoutAttentionForward& args) {
  OpsDecorator::run(args);
  if (args.plain.scratch != nullptr) move_probabilities(args.plain);
}

}  // namespace ladder
