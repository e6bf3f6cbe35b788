#include "shared/cli/train_saving.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "shared/base/escape.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/standard_streams.hpp"
#include "shared/train/checkpoint.hpp"

namespace ladder::cli {
namespace {

namespace fs = std::filesystem;

/// A folder for a run that was interrupted without --checkpoint: the first free one of ./ladder-interrupted,
/// ./ladder-interrupted-2, ...
fs::path free_interrupt_folder() {
  fs::path folder = "ladder-interrupted";
  std::error_code ignored;
  for (int number = 2; fs::exists(folder, ignored); ++number)
    folder = fmt::format("ladder-interrupted-{}", number);
  return folder;
}

/// Why the run up to here is not in `folder`; empty where it is.
std::string problem_with_saving(const Session& session, const fs::path& folder, const TrainResult& result) {
  const NewFolder new_folder(folder);
  try {
    require_writable_folder(folder);
    save(session, checkpoint_file(folder), result);
    return {};
  } catch (const std::exception& error) {
    return shown(error.what(), 1000).str();
  }
}

/// "only A and B": the files with this run's weights that are there although its last state could not be saved, as is
/// `weights` where that is not empty; "nothing" where there are none.
std::string kept_of(const TrainFlags& flags, const std::string& weights) {
  std::vector<std::string> kept;
  std::error_code ignored;
  if (!flags.checkpoint.empty())
    for (const fs::path& file : {checkpoint_file(flags.checkpoint), best_file(flags.checkpoint)})
      if (fs::exists(file, ignored)) kept.push_back(file.string());
  if (!weights.empty()) kept.push_back(weights);
  if (kept.empty()) return "nothing is";
  return fmt::format("only {} {}", fmt::join(kept, " and "), kept.size() == 1 ? "is" : "are");
}

}  // namespace

void save(const Session& session, const fs::path& file, const TrainHistory& history) {
  save_checkpoint(file, make_checkpoint(session.place.stage, session.run, *session.engine, history,
                                        session.place.options.variant));
}

void try_to_save(const Session& session, const fs::path& file, const TrainHistory& history) {
  try {
    save(session, file, history);
  } catch (const std::exception& error) {
    notice(fmt::format("no checkpoint after step {}: {}", history.steps_done(), error.what()));
  }
}

void end_interrupted(const Session& session, const TrainFlags& flags, const TrainResult& result,
                     const std::string& weights) {
  const int signal = interrupting_signal();
  const std::string stopped =
      fmt::format("stopped after step {} by {}", result.steps_done(), signal_name(signal));
  const bool saves = !flags.checkpoint.empty() || signal == SIGINT;
  const fs::path folder = flags.checkpoint.empty() ? free_interrupt_folder() : fs::path(flags.checkpoint);
  const std::string problem =
      saves ? problem_with_saving(session, folder, result) : "no --checkpoint was given";
  if (problem.empty())
    fmt::print("{}, saved to {}\ncontinue with: ladder train --checkpoint {} --resume\n", stopped,
               escaped_name(checkpoint_file(folder).string()), shell_path(folder));
  else
    fmt::print(stderr, "ladder: {}: {} kept ({})\n", stopped, escaped_name(kept_of(flags, weights)), problem);
  end_by_signal(signal);
}

}  // namespace ladder::cli
