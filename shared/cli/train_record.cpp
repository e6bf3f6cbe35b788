#include "shared/cli/train_record.hpp"

#include "shared/base/escape.hpp"
#include "shared/parity/parity.hpp"
#include "shared/report/run_picture.hpp"

namespace ladder::cli {
namespace {

/// The call, without where its files lay.
std::string command_of(const TrainFlags& flags) {
  std::string command = "./ladder train";
  if (flags.place.stage) command += fmt::format(" --stage {}", *flags.place.stage);
  command += place_words(flags.place.dtype, flags.place.device, flags.place.threads);
  if (!flags.run.preset.empty()) command += " --preset " + flags.run.preset;
  command += flags.run.words();
  if (!flags.checkpoint.empty()) command += " --checkpoint " + shell_word(data_name(flags.checkpoint));
  return command + (flags.resume ? " --resume" : "") + " --record";
}

TrainedRun run_of(const Session& session, const TrainResult& result, std::optional<double> share_of_tokens) {
  const Run& run = session.run;
  const Place& place = session.place;
  TrainedRun trained;
  trained.name = side_of(place.stage, place.options.dtype, place.options.device).name;
  trained.emulated = session.engine->emulated();
  trained.loss = result.loss;
  trained.evaluations = result.evaluations;
  trained.samples = result.samples;
  trained.median_ms = result.median_ms();
  trained.parameters = parameter_count(run.model);
  trained.tokens_a_step = run.source->largest_step();
  trained.resumed_after = session.earlier.steps_done();
  trained.share_of_tokens = share_of_tokens;
  return trained;
}

}  // namespace

Record record_of(const Session& session, const TrainFlags& flags, const TrainResult& result,
                 std::optional<double> share_of_tokens) {
  const Run& run = session.run;
  const Device device = session.place.options.device;
  Record record =
      new_record("run-" + flags.name, command_of(flags),
                 fmt::format("{}; {}; {}{}", describe(run.model), describe(run.train),
                             source_name(without_folder(run.data)),
                             session.earlier.steps_done() > 0
                                 ? fmt::format("; resumed after step {}", session.earlier.steps_done())
                                 : ""),
                 device);
  const bool on_gpu = find_stage(session.place.stage).gpu && !session.engine->emulated();
  const TrainedRun trained = run_of(session, result, share_of_tokens);
  RecordRow row{trained.name, source_set_of(session.place.stage, on_gpu), "", run_values(trained)};
  row.hash = source_hash(row.sources);
  record.rows.push_back(std::move(row));
  return record;
}

}  // namespace ladder::cli
