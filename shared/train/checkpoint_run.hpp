// What a checkpoint says of its run beside the model: settings, data, generator, losses.
#pragma once

#include <string>
#include <vector>

#include "shared/base/json.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/safetensors.hpp"

namespace ladder {

/// The metadata "run": JSON of what is no tensor.
std::string run_text(const Checkpoint& checkpoint);
/// The same from a file `name`. Throws InputError naming it and the member that is missing or not what it must be.
void read_run(const Json& json, const std::string& name, Checkpoint& checkpoint);

/// The tensor "evaluations": rows of step, loss of the training part, held-out loss.
NamedTensor rows_of(const std::vector<Evaluation>& evaluations);
/// Losses, one for each step that `run` says is done, and evaluations; read_run() comes before. Throws as it does.
void read_history(const SafetensorsFile& file, const Json& run, Checkpoint& checkpoint);

}  // namespace ladder
