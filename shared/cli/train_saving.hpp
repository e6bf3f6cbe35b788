// Where a training run is kept: checkpoints on its way and at its end, and what becomes of it when a signal stops it.
#pragma once

#include <filesystem>
#include <string>

#include "shared/cli/train_session.hpp"
#include "shared/train/train.hpp"

namespace ladder::cli {

void save(const Session& session, const std::filesystem::path& file, const TrainHistory& history);

/// In the middle of a run: a disk that is full for a moment, or a folder that is gone, must not end a long one.
void try_to_save(const Session& session, const std::filesystem::path& file, const TrainHistory& history);

/// A run that a signal has stopped is saved where a checkpoint was asked for, and where somebody pressed Ctrl-C, who can
/// read where to. Everybody else is told that nothing is kept, but for the file `weights` where it was written. Ends the
/// program by the signal.
[[noreturn]] void end_interrupted(const Session& session, const TrainFlags& flags, const TrainResult& result,
                                  const std::string& weights);

}  // namespace ladder::cli
