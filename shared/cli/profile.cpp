// ladder profile: where a step's time goes, operation by operation; or what generating text costs.
#include "shared/speed/profile.hpp"

#include <memory>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/base/text_table.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/settings.hpp"
#include "shared/data/token_files.hpp"
#include "shared/report/tables.hpp"
#include "shared/speed/decoding.hpp"

namespace ladder::cli {
namespace {

struct ProfileFlags {
  PlaceFlags place;
  RunFlags run;
  std::optional<std::int64_t> steps;
  std::string json, name;
  bool record = false, decode = false;
};

std::string ceilings_text(const Ceilings& ceilings) {
  double fastest = 0.0;
  for (const CopyCeiling& copy : ceilings.copies) fastest = std::max(fastest, copy.bytes_per_second);
  return fmt::format("copy {:.0f} GB/s in cache, {:.1f} GB/s in memory, arithmetic {:.1f} GFLOP/s{}",
                     fastest / 1e9, ceilings.memory() / 1e9, ceilings.flops_per_second / 1e9,
                     ceilings.data_sheet ? " by the card's data sheet" : "");
}

void print_head(const ProfileFlags& flags, const Place& place, const Run& run, const std::string& what) {
  fmt::print("stage     {}\nmodel     {}\n{}\nmachine   {}\nbuild     {}\n", describe(place),
             describe(run.model), what, describe(this_machine(flags.place.device)), describe(this_build()));
  std::fflush(stdout);
}

void keep(const ProfileFlags& flags, const Record& record) {
  Outputs outputs;
  write_records(outputs, flags.json, flags.record, record);
  outputs.finish();
}

/// The call that made a record, with every flag that decides its work or where it ran.
std::string command_of(const ProfileFlags& flags, int stage) {
  std::string command = fmt::format("./ladder profile --stage {}", stage);
  if (flags.decode) command += " --decode";
  command += place_words(flags.place.dtype, flags.place.device, flags.place.threads);
  if (!flags.run.preset.empty()) command += " --preset " + flags.run.preset;
  command += flags.run.words();
  if (flags.steps) command += fmt::format(" --steps {}", *flags.steps);
  return command + " --record";
}

/// Before weights are drawn for as many engines.
void require_room_for(std::size_t engines, const Place& place, const Run& run) {
  require_room(std::vector(engines, engine_needs(place.stage, run.model, place.options)), 0, "this model");
}

void run_decoding(const ProfileFlags& flags) {
  Place place = resolve_place(flags.place);
  const RunSettings settings = resolve_run(flags.run);
  const std::int64_t rounds = flags.steps.value_or(9);
  require(rounds > 0 && rounds <= 1000000, "--steps is {}: it must be from 1 to 1000000", rounds);
  const Run run =
      prepare_run(settings.model, settings.train, settings.data, Precision::of(place.options.dtype).master,
                  [&](const Run& asked) { require_room_for(1, place, asked); });
  const auto engine = make_engine(place.stage, run.model, place.options);
  engine->load_parameters(run.initial);
  print_head(flags, place, run, fmt::format("texts     {}", rounds));
  Record record =
      new_record(flags.name.empty() ? fmt::format("decode-stage{}", place.stage) : flags.name,
                 command_of(flags, place.stage),
                 fmt::format("{}; median of {} texts, {}{}", describe(run.model), rounds,
                             name_of(place.options.dtype), engine->emulated() ? ", emulated" : ""),
                 flags.place.device);
  record.rows = record_rows(measure_decoding(*engine, static_cast<int>(rounds)),
                            source_set_of(place.stage, find_stage(place.stage).gpu && !engine->emulated()),
                            flags.record);
  fmt::print("\n{}", text_table(decode_cells(record.rows)));
  keep(flags, record);
}

void run_profile(const ProfileFlags& flags) {
  require_record_name(flags.name, flags.record || !flags.json.empty());
  require_outputs(data_files(flags.run.data), {flags.json},
                  recorded(flags.record, {flags.name.empty() ? "profile" : flags.name}));
  if (flags.decode) return run_decoding(flags);
  Place place = resolve_place(flags.place);
  const RunSettings settings = resolve_run(flags.run);
  const std::int64_t steps = flags.steps.value_or(settings.preset == "small" ? 3 : 100);
  require(steps > 0 && steps <= 1000000, "--steps is {}: it must be from 1 to 1000000", steps);
  place.options.max_batch = settings.train.batch_size;
  const Run run =
      prepare_run(settings.model, settings.train, settings.data, Dtype::fp64, [&](const Run& asked) {
        require_room_for(place.stage == 0 ? 1 : 2, place, asked);  // one of them with a clock in it
      });
  print_head(flags, place, run,
             fmt::format("steps     {} of {} {}", steps, run.train.batch_size,
                         run.train.batch_size == 1 ? "sequence" : "sequences"));
  const Profile profile = profile_stage(place.stage, run, place.options, static_cast<int>(steps));
  if (place.stage > 0)
    fmt::print("ceilings  {}, {}measured now\n", ceilings_text(profile.ceilings),
               profile.ceilings.data_sheet ? "the copy " : "");
  fmt::print("step      {} undisturbed, {} with a clock around every part\n\n",
             format_seconds(profile.step_seconds), format_seconds(profile.parts_seconds));
  Record record = new_record(
      flags.name.empty() ? fmt::format("profile-stage{}", place.stage) : flags.name,
      command_of(flags, place.stage),
      fmt::format("{}; {} steps of {}; a step takes {}{}", describe(run.model), steps, run.train.batch_size,
                  format_seconds(profile.step_seconds),
                  place.stage > 0 ? "; ceilings: " + ceilings_text(profile.ceilings) : std::string()),
      flags.place.device);
  record.rows = record_rows(profile, place.stage, flags.record);
  fmt::print("{}", text_table(profile_cells(record.rows)));
  if (const std::string gaps = largest_gaps(profile, 3); !gaps.empty())
    fmt::print("\nfurthest above their floors, a step: {}\n", gaps);
  keep(flags, record);
}

}  // namespace

void add_profile(CLI::App& app) {
  const auto flags = std::make_shared<ProfileFlags>();
  add_place_flags(app, flags->place);
  add_choice(app, "--preset", flags->run.preset, preset_names(),
             "where all settings start from (default micro)");
  add_data_flag(app, flags->run.data);
  add_setting_flags(app, flags->run,
                    {"--n-layer", "--n-embd", "--n-head", "--n-kv-head", "--block-size", "--batch-size"});
  add_number(app, "--steps", flags->steps,
             "steps to profile (default 100; 3 at preset small; 9 texts with --decode)");
  add_switch(app, "--decode", flags->decode,
             "instead of a step: a prompt, and the tokens after it one by one");
  add_text(app, "--json", flags->json, "write the record to this file").type("FILE");
  add_switch(app, "--record", flags->record, "write the record to tests/bench/results of the source folder");
  add_text(app, "--name", flags->name, "of the record (default profile-stageN, decode-stageN)").type("NAME");
  set_action(app, [flags] { run_profile(*flags); });
}

}  // namespace ladder::cli
