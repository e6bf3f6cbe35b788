// The engine around training in one launch: many steps at a time, between two states of another engine.
#include <algorithm>
#include <cmath>
#include <utility>

#include "shared/train/engine_decorator.hpp"
#include "stage3_tiled_kernels/one_launch/one_launch.hpp"

namespace ladder {
namespace {

class OneLaunchEngine final : public EngineDecorator {
 public:
  OneLaunchEngine(std::unique_ptr<Engine> by_operation, const CudaOptions& options)
      : EngineDecorator(std::move(by_operation)), model_(make_one_launch(engine().config(), options)) {}

  void load_parameters(const TensorList& parameters) override {
    EngineDecorator::load_parameters(parameters);
    current_ = false;
  }
  void load_moments(const Moments& moments) override {
    EngineDecorator::load_moments(moments);
    current_ = false;
  }

  std::int64_t steps_at_a_time() const override { return kStepsPerLaunch; }

  double train_step(std::span<const Batch> micro_batches, const StepConstants& adam) override {
    const StepInput step{{micro_batches.begin(), micro_batches.end()}, adam};
    return train_steps(std::span(&step, 1)).front();
  }

  /// A loss that is not finite leaves the engine what it held before the launch.
  std::vector<double> train_steps(std::span<const StepInput> steps) override {
    const StepData data = step_data(config(), steps);
    if (!current_) model_->load(parameters(), moments());
    current_ = false;  // until the engine holds what this launch has trained
    std::vector<double> losses = model_->run(data);
    if (!std::all_of(losses.begin(), losses.end(), [](double loss) { return std::isfinite(loss); }))
      return losses;
    engine().load_parameters(model_->parameters());
    engine().load_moments(model_->moments());
    current_ = true;
    return losses;
  }

  std::vector<std::string> kernels_launched() const override {
    return kernels_with(model_->kernels_launched());
  }

 private:
  std::unique_ptr<OneLaunch> model_;
  bool current_ = false;  ///< model_ holds the engine's parameters and moments
};

}  // namespace

std::unique_ptr<Engine> make_one_launch_engine(std::unique_ptr<Engine> by_operation,
                                               const CudaOptions& options) {
  return std::make_unique<OneLaunchEngine>(std::move(by_operation), options);
}

}  // namespace ladder
