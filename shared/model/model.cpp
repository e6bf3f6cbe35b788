#include "shared/model/model.hpp"

#include "shared/base/checked_size.hpp"

namespace ladder {
namespace {

ParameterBuffers allocate_buffers(Ops& ops, std::size_t count) {
  const Precision precision = Precision::of(ops.dtype());
  const auto buffer = [&](Dtype dtype, std::size_t elements) {
    return ops.allocate(checked_product({elements, size_of(dtype)}, "the parameters"));
  };
  ParameterBuffers buffers;
  buffers.param = {buffer(precision.parameter, count), precision.parameter};
  // Gradients and statistics have the same type, so the loss can be the element behind the last gradient.
  buffers.grad = {buffer(precision.gradient, count + 1), precision.gradient};
  buffers.loss = {buffers.grad.at(count).data, precision.statistic};
  buffers.m = {buffer(precision.master, count), precision.master};
  buffers.v = {buffer(precision.master, count), precision.master};
  const bool own_master = precision.master != precision.parameter && size_of(precision.parameter) == 2;
  buffers.master = {own_master ? buffer(precision.master, count) : buffers.param.data, precision.master};
  buffers.squares = {buffer(precision.statistic, 1), precision.statistic};
  return buffers;
}

}  // namespace

Model::Model(const GptConfig& config, Ops& ops, ParameterSpecs specs, ActivationPlan plan)
    : config_(config),
      ops_(ops),
      specs_(std::move(specs)),
      count_(parameter_count(specs_)),
      plan_(std::move(plan)),
      buffers_(allocate_buffers(ops, count_)),
      arena_(ops.allocate(plan_.bytes())) {}

std::size_t Model::offset_of(std::string_view name) const {
  const std::size_t position = position_of(specs_, name);
  std::size_t offset = 0;
  for (std::size_t i = 0; i < position; ++i) offset += specs_[i].size();
  return offset;
}

void Model::begin_step() { ops_.zero(buffers_.grad.data, (count_ + 1) * size_of(buffers_.grad.dtype)); }

void Model::update(const StepConstants* step, bool clips) {
  const Stat squares = clips ? buffers_.squares : Stat{};
  if (clips) ops_.run(GradientSquares{count_, buffers_.grad, squares});
  std::size_t offset = 0;
  for (std::size_t i = 0; i < specs_.size();) {
    const bool decays = specs_[i].decays;
    std::size_t count = 0;  // neighbours that decay alike are one call
    for (; i < specs_.size() && specs_[i].decays == decays; ++i) count += specs_[i].size();
    ops_.run(Adam{count, step, decays, buffers_.grad.at(offset), squares, buffers_.m.at(offset),
                  buffers_.v.at(offset), buffers_.master.at(offset), buffers_.param.at(offset)});
    offset += count;
  }
}

}  // namespace ladder
