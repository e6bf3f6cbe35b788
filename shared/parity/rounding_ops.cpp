#include "shared/parity/rounding_ops.hpp"

#include <algorithm>

#include "shared/base/error.hpp"

namespace ladder {

RoundingOps::RoundingOps(std::unique_ptr<Ops> eigen, double unit, std::uint32_t seed)
    : OpsDecorator(std::move(eigen)), unit_(unit), draw_(seed) {
  require(dtype() == Dtype::fp64, "rounding is imitated in fp64, not in {}", name_of(dtype()));
}

double RoundingOps::step() {
  draw_ = draw_ * 1664525u + 1013904223u;  // any signs without a pattern will do
  return (draw_ >> 31) == 0 ? unit_ : -unit_;
}

void RoundingOps::around(const OpCall& call) {
  call.run();
  if (call.name == Adam::kName) return;
  for (const OutputView& output : call.outputs)
    for (std::size_t row = 0; row < output.rows; ++row) {
      double* values = static_cast<double*>(const_cast<void*>(output.data)) + row * output.stride;
      for (std::size_t column = 0; column < output.columns; ++column) values[column] *= 1.0 + step();
    }
}

void RoundingOps::run(const CrossEntropy& args) {
  OpsDecorator::run(args);
  if (!args.with_gradient) return;
  const BatchView& batch = args.batch;
  for (int n = 0; n < batch.rows; ++n) {
    if (batch.sequence_n[n] < 0) continue;
    const double weight = args.scale / std::max(batch.lengths_b[batch.sequence_n[n]], 1);
    args.logits_nv.as<double>()[static_cast<std::size_t>(n) * args.columns + batch.targets_n[n]] +=
        weight * step();
  }
}

void RoundingOps::move_probabilities(const AttentionForward& args) {
  const std::size_t bytes =
      inner().attention_scratch_bytes(args.batch.rows, args.heads, args.batch.max_length);
  auto* p = static_cast<double*>(args.scratch);
  for (std::size_t i = 0; i < bytes / sizeof(double); ++i) p[i] *= 1.0 + step();
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
