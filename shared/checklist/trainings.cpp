#include "shared/checklist/trainings.hpp"

#include <algorithm>
#include <cmath>

#include "shared/parity/pytorch_training.hpp"
#include "shared/train/train.hpp"

namespace ladder {
namespace {

double median_of(std::vector<double> values) {
  if (values.empty()) return 0.0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

double Trained::best() const {
  double best = std::nan("");
  for (const Evaluation& one : evaluations)
    if (!(one.held_out >= best)) best = one.held_out;
  return best;
}

Trained train_side(const Side& side, const Run& run, const std::filesystem::path& file,
                   const Progress& progress) {
  const auto engine = side.make(run.model, run.train.batch_size);
  restart(*engine, run);
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) {
    if (progress) progress(fmt::format("{}: step {} of {}", side.name, report.done, run.train.steps));
  };
  TensorList best;
  hooks.on_evaluation = [&](const TrainResult&, const Evaluation&, bool is_best) {
    if (is_best) best = engine->parameters();
  };
  const TrainResult result = train(*engine, *run.source, run.train, hooks);
  Trained trained{side.name, side.dtype, result.loss, result.evaluations, median_of(result.ms), {}, file};
  trained.weights = {run.model, run.source->shared_tokenizer(), best.empty() ? engine->parameters() : best};
  save_model(file, trained.weights, Precision::of(side.dtype).master);
  return trained;
}

Trained train_pytorch(const Run& run, Dtype dtype, Device device, bool compiled,
                      const std::filesystem::path& folder, const Progress& progress) {
  const PytorchTraining pytorch = train_with_pytorch(run, dtype, device, compiled, folder, progress);
  return {fmt::format("{}, {}", pytorch.version, name_of(dtype)),
          dtype,
          pytorch.loss,
          pytorch.evaluations,
          pytorch.median_ms,
          load_model(pytorch.weights),
          pytorch.weights};
}

}  // namespace ladder
