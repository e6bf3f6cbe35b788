#include "shared/cli/run_log.hpp"

#include "shared/base/error.hpp"

namespace ladder::cli {
RunLog::RunLog(const std::string& path, bool append) : path_(path) {
  if (path.empty()) return;
  file_.open(path, append ? std::ios::app : std::ios::trunc);
  require(file_.is_open(), "--json-lines {}: cannot be written", path);
}

void RunLog::write(const Json& json) {
  if (path_.empty()) return;
  file_ << json.dump() << '\n' << std::flush;
  if (!file_)
    throw MachineError(fmt::format("--json-lines {}: could not be written, is the disk full?", path_));
}

void RunLog::run(const Json& config) {
  Json json = config;
  json["kind"] = "run";
  write(json);
}

void RunLog::step(const StepReport& report) {
  Json json = {{"kind", "step"},
               {"step", report.done},
               {"loss", number_or_text(report.loss)},
               {"ms", number_or_text(report.ms)},
               {"tokens_per_second", number_or_text(1000.0 * static_cast<double>(report.tokens) / report.ms)},
               {"learning_rate", number_or_text(report.learning_rate)}};
  if (report.gradient_norm) json["gradient_norm"] = number_or_text(*report.gradient_norm);
  if (report.loss_scale) json["loss_scale"] = number_or_text(*report.loss_scale);
  write(json);
}

void RunLog::evaluation(const Evaluation& evaluation, bool best) {
  write({{"kind", "evaluation"},
         {"step", evaluation.step},
         {"training", number_or_text(evaluation.training)},
         {"held_out", number_or_text(evaluation.held_out)},
         {"best", best}});
}

}  // namespace ladder::cli
