// One training run, before its first step.
#pragma once

#include <functional>
#include <memory>

#include "shared/base/random.hpp"
#include "shared/data/data.hpp"
#include "shared/model/config.hpp"
#include "shared/model/parameters.hpp"

namespace ladder {

/// Everything that one training run starts from, in the original's order of draws: seed, shuffle of the documents,
/// initial parameters; `random` then stands where sampling continues.
struct Run {
  GptConfig model;  ///< with the vocabulary size filled in
  TrainConfig train;
  DataOptions data;
  std::unique_ptr<TokenSource> source;
  TensorList initial;
  Random random{0};
};

/// What prepare_run does but for the initial parameters, which are still to be drawn: quick, whatever the model.
Run prepare_data(GptConfig model, const TrainConfig& train, const DataOptions& data);

/// Draws run.initial. Throws MachineError where the machine has no memory for them, before the first draw.
void draw_initial(Run& run, Dtype dtype);

/// Called for a run whose weights are still to be drawn, which takes minutes where there are many: throws where they
/// would be of no use.
using AcceptRun = std::function<void(const Run& run)>;

/// Reads the data, fills in the vocabulary size and draws the initial parameters. The same arguments give the
/// same run, whatever the stage. Throws InputError for bad settings or data and MachineError where the host has no memory
/// for the parameters and a step's batches, before any long work. `dtype` is what the initial parameters are kept in:
/// fp64 holds the draws as they are, a run on one stage needs no more than its master weights have.
Run prepare_run(GptConfig model, const TrainConfig& train, const DataOptions& data, Dtype dtype = Dtype::fp64,
                const AcceptRun& accept = {});

}  // namespace ladder
