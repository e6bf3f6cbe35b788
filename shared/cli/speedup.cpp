// ladder speedup: the interpreter, every stage and, for GPT-2, PyTorch on the same work, one run, in turns.
#include <algorithm>
#include <memory>
#include <optional>

#include "shared/base/error.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/base/text_table.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/settings.hpp"
#include "shared/cli/status.hpp"
#include "shared/data/token_files.hpp"
#include "shared/parity/room.hpp"
#include "shared/report/tables.hpp"
#include "shared/speed/chain.hpp"

namespace ladder::cli {
namespace {

struct SpeedupFlags {
  RunFlags run;
  Device device = Device::automatic;
  std::string size = "micro", dtype, json, name;
  std::optional<std::int64_t> documents;
  int rounds = 5;
  double patience = 60.0;
  bool record = false;
};

/// More would be a matter of days, on any stage.
constexpr std::int64_t kMostDocuments = 1'000'000'000;

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

ChainSettings settings_of(const SpeedupFlags& flags) {
  RunFlags run = flags.run;
  run.preset = flags.size;
  const RunSettings resolved = resolve_run(run);
  ChainSettings settings;
  settings.model = resolved.model;
  settings.train = resolved.train;
  settings.data = resolved.data;
  settings.rounds = flags.rounds;
  settings.patience = flags.patience;
  const std::int64_t own = std::int64_t{settings.train.batch_size} * settings.train.grad_accum;
  settings.pytorch = settings.model.architecture == Architecture::gpt2;
  const bool single = own == 1 && !settings.pytorch;
  settings.batch = single ? 16 : 0;   // a size that has batches of its own needs no further ones
  settings.threads = single ? 1 : 0;  // and has work for all cores
  // Ten steps on a GPU, where PyTorch computes ahead of what it is asked for: one alone would slow it down.
  const std::int64_t usual = settings.pytorch && runs_on_gpu(flags.device) ? 10 * own : 32;
  settings.documents = round_up(flags.documents.value_or(usual), single ? 16 : own);
  settings.device = flags.device;
  if (!flags.dtype.empty()) settings.only = parse_dtype(flags.dtype);
  return settings;
}

std::string command_of(const SpeedupFlags& flags) {
  return fmt::format("./ladder speedup --size {}{}{} --record", flags.size,
                     place_words(flags.dtype, flags.device, 0), flags.run.words());
}

void run_speedup(const SpeedupFlags& flags) {
  require_rounds(flags.rounds);
  const std::int64_t documents = flags.documents.value_or(1);
  require(documents > 0 && documents <= kMostDocuments, "--documents is {}: valid are 1 to {}", documents,
          kMostDocuments);
  require(flags.patience > 0, "--patience is {}: it must be a positive number of seconds", flags.patience);
  require_record_name(flags.name, flags.record || !flags.json.empty());
  const std::string name = flags.name.empty() ? "speedup-" + flags.size : flags.name;
  require_outputs(data_files(flags.run.data), {flags.json}, recorded(flags.record, {name}));
  require_temporary_folder();
  const ChainSettings settings = settings_of(flags);
  const Run run =
      prepare_run(settings.model, settings.train, settings.data, Dtype::fp64, [&](const Run& asked) {
        require_room_for_one(asked,
                             racing_rungs(settings.device, settings.threads, settings.model.architecture));
      });
  const std::string data = source_name(without_folder(run.data));
  const std::string work = fmt::format(
      "{}; the first {} documents of {} from the initial weights, seed {}, median of {} rounds, {}",
      describe(run.model), settings.documents, data, run.train.seed, settings.rounds,
      settings.threads == 1 ? "one core" : "all cores");
  const Record described = new_record(name, command_of(flags), work, flags.device);
  fmt::print("work     {}\nmachine  {}\nbuild    {}\n\n", work, describe(described.machine),
             describe(described.build));
  Status status;
  const std::vector<ChainRow> rows = run_chain(settings, [&](const std::string& text) { status.show(text); });
  status.show("");
  Record record = described;
  record.rows = record_rows(rows, flags.record);
  fmt::print("{}", text_table(speedup_cells(record.rows)));
  if (std::ranges::all_of(rows, [](const ChainRow& row) { return !row.not_run.empty(); }))
    throw MachineError(
        "nothing ran: give more --patience, fewer --documents, a smaller model or another --dtype");
  Outputs outputs;
  write_records(outputs, flags.json, flags.record, record);
  std::string check;
  for (const ChainRow& row : rows)
    if (row.failed() && check.empty())
      check = fmt::format("{} did not pass its parity with {}: no time is printed for it", row.name,
                          row.compared_with);
  outputs.finish(check);
}

}  // namespace

void add_speedup(CLI::App& app) {
  const auto flags = std::make_shared<SpeedupFlags>();
  add_choice(app, "--size", flags->size, preset_names(), "the preset to race (default micro)");
  add_data_flag(app, flags->run.data);
  add_setting_flags(app, flags->run,
                    {"--n-layer", "--n-embd", "--n-head", "--block-size", "--batch-size", "--seed"});
  add_choice(app, "--dtype", flags->dtype, dtype_names(),
             "only rungs in this type (default: each rung's own types)");
  add_device(app, flags->device);
  add_number(app, "--documents", flags->documents,
             "documents in one round, rounded up to whole batches (default 32, at least a step; of GPT-2 on "
             "a GPU ten steps)");
  add_number(app, "--rounds", flags->rounds, "rounds, each contestant once a round (default 5)");
  add_number(app, "--patience", flags->patience,
             "seconds a round may take on a rung before it is left out (default 60)");
  add_text(app, "--json", flags->json, "write the record to this file").type("FILE");
  add_switch(app, "--record", flags->record, "write the record to tests/bench/results of the source folder");
  add_text(app, "--name", flags->name, "of the record (default speedup-SIZE)").type("NAME");
  set_action(app, [flags] { run_speedup(*flags); });
}

}  // namespace ladder::cli
