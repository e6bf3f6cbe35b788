// Training in PyTorch: tests/bench/pytorch_baseline.py on a run of the ladder's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/device/gpu.hpp"
#include "shared/train/history.hpp"
#include "shared/train/run.hpp"

namespace ladder {

/// The texts of pytorch_baseline.py and of the files that it imports, compiled into the program.
extern const std::string_view pytorch_baseline_script, pytorch_gpt2_script, pytorch_race_script,
    training_recipe_script;

/// Where PyTorch computes.
struct PytorchPlace {
  Dtype dtype = Dtype::fp32;
  Device device = Device::automatic;
  int threads = 0;  ///< on a CPU; 0: as many as PyTorch takes
};

/// A call of pytorch_baseline.py, to be continued.
struct PytorchCall {
  std::vector<std::string> words;      ///< the run's recipe, its initial weights, type and device
  std::vector<std::string> variables;  ///< of the environment: which card is the first
};

/// Writes the script, what it imports and the initial weights into `folder`. Throws InputError where the run is not GPT-2's.
PytorchCall pytorch_call(const Run& run, const PytorchPlace& place, const std::filesystem::path& folder);

/// What PyTorch left of a run.
struct PytorchTraining {
  std::string version;                  ///< "PyTorch 2.11.0, compiled"
  std::vector<double> loss;             ///< one a step
  std::vector<Evaluation> evaluations;  ///< without losses of what is trained on: NaN
  double median_ms = 0.0;               ///< a step
  std::filesystem::path weights;        ///< in `folder`: the best, or without evaluations the last
};

/// The whole run from its initial weights, on the run's own windows; files go to `folder`, which exists. `progress` hears
/// the lines that the script prints. Throws InputError where the data are none for it, MachineError with what python3
/// said when it does not get to the end.
PytorchTraining train_with_pytorch(const Run& run, const PytorchPlace& place, bool compiled,
                                   const std::filesystem::path& folder,
                                   const std::function<void(const std::string&)>& progress = {});

}  // namespace ladder
