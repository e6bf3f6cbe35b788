// The half that knows nothing of devices: what fits, and the engine around it.
#include "stage3_tiled_kernels/one_launch/fused_step.hpp"

#include <utility>

#include "shared/train/engine_decorator.hpp"

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
class FusedStepEngine final : public EngineDecorator {
 public:
  FusedStepEngine(std::unique_ptr<Engine> by_operation, const CudaOptions& options, int max_batch)
      : EngineDecorator(std::move(by_operation)),
        step_(make_fused_step(engine().config(), options, max_batch)) {}

  void load_parameters(const TensorList& parameters) override {
    EngineDecorator::load_parameters(parameters);
    step_->load_parameters(parameters);
    current_ = true;
  }
  TensorList parameters() const override { return step_->parameters(); }
  void load_moments(const Moments& moments) override {
    require_parameters(moments.m, parameter_specs(config()));
    require_parameters(moments.v, parameter_specs(config()));
    step_->load_moments(moments);
  }
  Moments moments() const override { return step_->moments(); }

  double train_step(std::span<const Batch> micro_batches, const StepConstants& adam) override {
    const StepDocuments documents = documents_of(config(), micro_batches);
    current_ = false;
    return step_->step(documents, adam);
  }

  std::vector<std::string> kernels_launched() const override {
    return kernels_with(step_->kernels_launched());
  }

 private:
  Engine& answering() override {
    if (!current_) engine().load_parameters(step_->parameters());
    current_ = true;
    return engine();
  }

  std::unique_ptr<FusedStep> step_;
  bool current_ = false;  ///< the engine by operation holds step_'s parameters
};

}  // namespace

void require_fused_step(const GptConfig& config, Dtype dtype) {
  require(dtype == Dtype::fp32 || dtype == Dtype::fp64, "--fused-step computes in fp32 or fp64, not in {}",
          name_of(dtype));
  tile_sizes(config, "--fused-step");
}

std::unique_ptr<Engine> make_fused_step_engine(std::unique_ptr<Engine> by_operation,
                                               const CudaOptions& options, int max_batch) {
  return std::make_unique<FusedStepEngine>(std::move(by_operation), options, max_batch);
}

}  // namespace ladder
