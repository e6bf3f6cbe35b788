// A run of `ladder train` before its first step: what the flags ask for, checked, and then its engine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "shared/base/files.hpp"
#include "shared/base/new_folder.hpp"
#include "shared/cli/settings.hpp"
#include "shared/stages.hpp"
#include "shared/train/engine.hpp"
#include "shared/train/run.hpp"
#include "shared/train/sample.hpp"

namespace ladder::cli {

struct TrainFlags {
  PlaceFlags place;
  RunFlags run;
  std::optional<int> samples;
  std::optional<double> temperature;
  std::string trace, json, json_lines, checkpoint, save_weights, init_weights;
  std::optional<std::int64_t> checkpoint_every;
  std::string variant;
  std::map<std::string, bool> variant_switches;  ///< the same by the variants' own names
  bool resume = false, record = false;
  std::string name = "train";  ///< of the record, behind "run-"
};

/// A run: first as it is configured, and with an engine ready for its first step.
struct Session {
  Place place;
  std::string preset;
  Run run;
  EngineNeeds needs;
  /// Read from a file, until the engine has them; empty: the weights are drawn, the moments are zeros.
  TensorList weights;
  Moments moments;
  std::unique_ptr<NewFolder> new_folder;  ///< made for the checkpoint
  std::unique_ptr<FolderLock> lock;       ///< on the checkpoint's folder
  std::unique_ptr<Engine> engine;
  TrainHistory earlier;               ///< of the run that is resumed
  std::int64_t checkpoint_every = 0;  ///< 0: none
  int samples = 0;
  SampleOptions sampling;
};

/// All that can be wrong with the flags and the files is known when it returns; nothing large is taken yet, but for
/// weights that are read.
Session start(const TrainFlags& flags);

/// Throws MachineError where the machine has no memory for the run; before the first weight is drawn, which takes minutes
/// where there are many.
void require_memory(const Session& session);

/// The engine with the run's weights.
void take_engine(Session& session);

}  // namespace ladder::cli
