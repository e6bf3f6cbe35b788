// The half that knows nothing of devices: what fits, how a step's documents lie, and the engine around it.
#include "stage3_tiled_kernels/one_launch/fused_step.hpp"

#include <algorithm>
#include <utility>

namespace ladder {
namespace {

std::unique_ptr<FusedStep> make_fused_step(const GptConfig& config, const CudaOptions& options,
                                           int max_batch) {
  require_fused_step(config, options.dtype);
  return runs_on_gpu(options.device)
             ? on_gpu::stage3::make_fused_step(config, with_environment(options), max_batch)
             : on_cpu::stage3::make_fused_step(config, options, max_batch);
}

/// Trains with one, answers everything else with the other, which is brought up to date when it is asked.
class FusedStepEngine final : public Engine {
 public:
  FusedStepEngine(std::unique_ptr<Engine> by_operation, const CudaOptions& options, int max_batch)
      : by_operation_(std::move(by_operation)),
        step_(make_fused_step(by_operation_->config(), options, max_batch)) {}

  const GptConfig& config() const override { return by_operation_->config(); }
  Dtype dtype() const override { return by_operation_->dtype(); }
  Layout layout() const override { return by_operation_->layout(); }

  void load_parameters(const TensorList& parameters) override {
    by_operation_->load_parameters(parameters);
    step_->load_parameters(parameters);
    current_ = true;
  }
  TensorList parameters() const override { return step_->parameters(); }
  void load_moments(const Moments& moments) override {
    require_parameters(moments.m, config());
    require_parameters(moments.v, config());
    step_->load_moments(moments);
  }
  Moments moments() const override { return step_->moments(); }

  double train_step(std::span<const Batch> micro_batches, const AdamStep& adam) override {
    const StepDocuments documents = documents_of(config(), micro_batches);
    current_ = false;
    return step_->step(documents, adam);
  }

  double loss(const Batch& batch) override { return current().loss(batch); }
  Probe probe(const Batch& batch) override { return current().probe(batch); }
  Probe probe_along(const Batch& batch, const TensorList& hidden) override {
    return current().probe_along(batch, hidden);
  }
  std::vector<double> logits(std::span<const std::int32_t> tokens) override {
    return current().logits(tokens);
  }

  bool emulated() const override { return step_->emulated(); }
  std::vector<std::string> kernels_launched() const override {
    std::vector<std::string> names = by_operation_->kernels_launched();
    for (std::string& name : step_->kernels_launched()) names.push_back(std::move(name));
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  Engine& current() {
    if (!current_) by_operation_->load_parameters(step_->parameters());
    current_ = true;
    return *by_operation_;
  }

  std::unique_ptr<Engine> by_operation_;
  std::unique_ptr<FusedStep> step_;
  bool current_ = false;  ///< by_operation_ holds step_'s parameters
};

}  // namespace

void require_fused_step(const GptConfig& config, Dtype dtype) {
  require(dtype == Dtype::fp32 || dtype == Dtype::fp64, "--fused-step computes in fp32 or fp64, not in {}",
          name_of(dtype));
  tile_sizes(config, "--fused-step");
}

StepDocuments documents_of(const GptConfig& config, std::span<const Batch> micro_batches) {
  const auto block = static_cast<std::size_t>(tile_sizes(config, "--fused-step").block);
  StepDocuments documents;
  const auto require_known = [&](std::int32_t token, const char* what) {
    require(token >= 0 && token < config.vocab_size, "{} {} of document {} is not in the vocabulary of {}",
            what, token, documents.count, config.vocab_size);
  };
  for (const Batch& batch : micro_batches)
    for (std::size_t b = 0; b < batch.lengths_b.size(); ++b, ++documents.count) {
      const std::size_t end = documents.tokens_bt.size() + block;
      require(batch.lengths_b[b] <= config.block_size, "a sequence of {} tokens: the block size is {}",
              batch.lengths_b[b], config.block_size);
      for (std::int32_t t = 0; t < batch.lengths_b[b]; ++t) {
        const std::size_t row = static_cast<std::size_t>(batch.starts_b[b]) + static_cast<std::size_t>(t);
        require_known(batch.tokens_n.at(row), "token");
        require_known(batch.targets_n.at(row), "target");
        documents.tokens_bt.push_back(batch.tokens_n[row]);
        documents.targets_bt.push_back(batch.targets_n[row]);
      }
      documents.tokens_bt.resize(end, -1);
      documents.targets_bt.resize(end, -1);
    }
  require(documents.count > 0, "a step needs at least one document");
  return documents;
}

std::unique_ptr<Engine> make_fused_step_engine(std::unique_ptr<Engine> by_operation,
                                               const CudaOptions& options, int max_batch) {
  return std::make_unique<FusedStepEngine>(std::move(by_operation), options, max_batch);
}

}  // namespace ladder
