#include "shared/cli/run_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "shared/base/error.hpp"
#include "shared/base/failed_call.hpp"
#include "shared/base/write_to_reader.hpp"
#include "shared/cli/standard_streams.hpp"

namespace ladder::cli {

RunLog::RunLog(const std::string& path, bool append) : path_(path) {
  if (path.empty()) return;
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
  require_call(descriptor_ >= 0, errno, "--json-lines {}: cannot be written ({})", path,
               std::strerror(errno));
}

RunLog::~RunLog() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void RunLog::write(const Json& json) {
  if (path_.empty() || !failure_.empty()) return;
  const int problem = write_to_reader(descriptor_, json.dump() + '\n');
  if (problem == 0) return;
  failure_ = fmt::format("--json-lines {}: writing failed ({})", path_,
                         problem == EINTR ? "its reader takes nothing more" : std::strerror(problem));
  if (problem == EINTR) return;  // the run is about to end, and tells what is kept
  notice(failure_ + "; the run goes on without it");
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
