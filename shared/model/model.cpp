#include "shared/model/model.hpp"

#include <algorithm>

#include "shared/base/checked_size.hpp"
#include "shared/model/gpt2.hpp"
#include "shared/model/microgpt.hpp"

namespace ladder {
namespace {

ParameterBuffers allocate_buffers(Ops& ops, std::size_t count, std::size_t tail) {
  const Precision precision = Precision::of(ops.dtype());
  const auto buffer = [&](Dtype dtype, std::size_t elements) {
    return ops.allocate(checked_product({elements, size_of(dtype)}, "the parameters"));
  };
  ParameterBuffers buffers;
  buffers.param = {buffer(precision.parameter, count + tail), precision.parameter};
  // Gradients and statistics have the same type, so the loss can be the element behind the last gradient.
  buffers.grad = {buffer(precision.gradient, count + tail + 1), precision.gradient};
  buffers.loss = {buffers.grad.at(count + tail).data, precision.statistic};
  buffers.m = {buffer(precision.master, count), precision.master};
  buffers.v = {buffer(precision.master, count), precision.master};
  const bool own_master = precision.master != precision.parameter && size_of(precision.parameter) == 2;
  buffers.master = {own_master ? buffer(precision.master, count) : buffers.param.data, precision.master};
  buffers.squares = {buffer(precision.statistic, 1), precision.statistic};
  return buffers;
}

/// Where the parameters that decay begin.
std::size_t first_that_decays(const ParameterSpecs& specs) {
  std::size_t first = 0;
  bool decays = false;
  for (const ParameterSpec& spec : specs) {
    require(spec.decays || !decays, "parameter '{}' does not decay: it must stand before those that do",
            spec.name);
    decays = spec.decays;
    if (!decays) first += spec.size();
  }
  return first;
}

}  // namespace

Model::Model(const GptConfig& config, Ops& ops, ParameterSpecs specs, ActivationPlan plan, std::size_t tail)
    : config_(config),
      ops_(ops),
      specs_(std::move(specs)),
      index_(specs_),
      count_(parameter_count(specs_)),
      tail_(tail),
      decays_from_(first_that_decays(specs_)),
      plan_(std::move(plan)),
      buffers_(allocate_buffers(ops, count_, tail)),
      arena_(ops.allocate(plan_.bytes())) {}

void Model::begin_step() {
  ops_.zero(buffers_.grad.data, (count_ + tail_ + 1) * size_of(buffers_.grad.dtype));
}

void Model::update(const StepConstants* step, bool clips) {
  const Stat squares = clips ? buffers_.squares : Stat{};
  if (clips) ops_.run(GradientSquares{count_, buffers_.grad, squares});
  ops_.run(Adam{count_, step, decays_from_, buffers_.grad, squares, buffers_.m, buffers_.v, buffers_.master,
                buffers_.param});
}

void Model::tell(const GradientsReady& ready, std::initializer_list<std::string_view> prefixes) const {
  if (!ready) return;
  std::size_t offset = 0, count = 0;
  for (const ParameterSpec& spec : specs_) {
    const bool told =
        std::ranges::any_of(prefixes, [&](auto prefix) { return spec.name.starts_with(prefix); });
    if (!told && count > 0) {
      ready(offset - count, count);
      count = 0;
    }
    if (told) count += spec.size();
    offset += spec.size();
  }
  if (count > 0) ready(offset - count, count);
}

std::unique_ptr<Model> make_model(const GptConfig& config, Ops& ops, int max_rows) {
  return config.architecture == Architecture::gpt2 ? make_gpt2(config, ops, max_rows)
                                                   : make_microgpt(config, ops, max_rows);
}

}  // namespace ladder
