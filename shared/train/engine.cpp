#include "shared/train/engine.hpp"

namespace ladder {
namespace {

class PrefixDecoder final : public Decoder {
 public:
  explicit PrefixDecoder(Engine& engine) : engine_(engine) {}

  std::vector<double> next(int token) override {
    const std::size_t vocabulary = static_cast<std::size_t>(engine_.config().vocab_size);
    require(static_cast<int>(tokens_.size()) < engine_.config().block_size,
            "more than block_size = {} tokens", engine_.config().block_size);
    tokens_.push_back(token);
    const std::vector<double> all = engine_.logits(tokens_);
    return {all.end() - static_cast<std::ptrdiff_t>(vocabulary), all.end()};
  }

 private:
  Engine& engine_;
  std::vector<std::int32_t> tokens_;
};

}  // namespace

std::vector<double> Engine::train_steps(std::span<const StepInput> steps) {
  std::vector<double> losses;
  for (const StepInput& step : steps) losses.push_back(train_step(step.micro_batches, step.adam));
  return losses;
}

std::unique_ptr<Decoder> Engine::decoder() { return std::make_unique<PrefixDecoder>(*this); }

Probe Engine::probe_along(const Batch& batch, const TensorList& /*hidden*/) { return probe(batch); }

}  // namespace ladder
