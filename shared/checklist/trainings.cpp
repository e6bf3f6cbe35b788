#include "shared/checklist/trainings.hpp"

#include <cmath>

#include "shared/train/train.hpp"

namespace ladder {

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
  Trained trained;
  trained.name = side.name;
  trained.dtype = side.dtype;
  trained.emulated = engine->emulated();
  trained.loss = result.loss;
  trained.evaluations = result.evaluations;
  trained.median_ms = result.median_ms();
  trained.weights = {run.model, run.source->shared_tokenizer(), best.empty() ? engine->parameters() : best};
  trained.file = file;
  save_model(file, trained.weights, Precision::of(side.dtype).master);
  return trained;
}

Trained train_pytorch(const Run& run, const PytorchPlace& place, bool compiled,
                      const std::filesystem::path& folder, const Progress& progress) {
  const PytorchTraining pytorch = train_with_pytorch(run, place, compiled, folder, progress);
  Trained trained;
  trained.name = fmt::format("{}, {}", pytorch.version, name_of(place.dtype));
  trained.dtype = place.dtype;
  trained.loss = pytorch.loss;
  trained.evaluations = pytorch.evaluations;
  trained.median_ms = pytorch.median_ms;
  trained.weights = load_model(pytorch.weights);
  trained.file = pytorch.weights;
  return trained;
}

}  // namespace ladder
