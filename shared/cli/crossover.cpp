// ladder crossover: every stage at every size, as a heat map.
#include <algorithm>
#include <filesystem>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/files.hpp"
#include "shared/base/lines.hpp"
#include "shared/base/shown.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/base/text_table.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/settings.hpp"
#include "shared/cli/status.hpp"
#include "shared/data/token_files.hpp"
#include "shared/device/gpu.hpp"
#include "shared/report/heat_map.hpp"
#include "shared/report/tables.hpp"
#include "shared/speed/chain.hpp"

namespace ladder::cli {
namespace {

struct CrossoverFlags {
  std::vector<std::string> sizes, from;
  std::string output = "crossover.svg", data, json, name = "crossover";
  Device device = Device::automatic;
  int rounds = 3;
  double patience = 10.0;
  bool record = false;
};

/// A column of the map. Between the presets lie sizes that have no name of their own.
struct Size {
  const char* name;
  const char* preset;
  int width, batch;
};

constexpr Size kSizes[] = {{"micro", "micro", 16, 1},
                           {"micro x16", "micro", 16, 16},
                           {"micro-batch", "micro-batch", 64, 64},
                           {"width 128", "micro-batch", 128, 64},
                           {"width 256", "micro-batch", 256, 64},
                           {"small", "small", 384, 64}};

ChainSettings settings_of(const Size& size, const CrossoverFlags& flags) {
  const Preset& preset = find_preset(size.preset);
  ChainSettings settings;
  settings.model = preset.model;
  settings.model.n_embd = size.width;
  settings.train = preset.train;
  settings.train.batch_size = size.batch;
  settings.data = {flags.data, preset.character_stream, preset.embedded};
  settings.documents = std::max(16, size.batch);
  settings.batch = 0;
  settings.rounds = flags.rounds;
  settings.interpreter_rounds = 1;
  settings.patience = flags.patience;
  settings.device = flags.device;
  settings.threads = size.batch == 1 ? 1 : 0;
  return settings;
}

/// Of a row whose values were judged when it was read.
HeatCell cell_of(const RecordRow& row) {
  const double seconds = row.values.value("seconds", 0.0);
  if (seconds > 0.0) return {seconds, row.values.value("emulated", false) ? "emulated" : ""};
  const std::string reason = row.values.value("not_run", std::string());
  return {0.0, reason.rfind("too slow", 0) == 0 || reason.find(": too slow") != std::string::npos
                   ? "too slow here"
               : reason.empty() ? "parity failed"
                                : "not run"};
}

/// Adds a column; rows are matched by name, in the order in which they first appear.
void add_column(HeatMap& map, const std::string& name, const std::vector<RecordRow>& rows) {
  constexpr std::size_t kLongest = 40;  // that fits beside the cells
  map.columns.push_back(shown(name, kLongest).str());
  for (const RecordRow& row : rows) {
    const std::string of_row = shown(row.name, kLongest).str();
    auto found =
        std::find_if(map.rows.begin(), map.rows.end(), [&](const HeatRow& r) { return r.name == of_row; });
    if (found == map.rows.end()) found = map.rows.insert(found, HeatRow{of_row, {}});
    found->cells.resize(map.columns.size() - 1);
    found->cells.push_back(cell_of(row));
  }
  for (HeatRow& row : map.rows) row.cells.resize(map.columns.size());
}

std::vector<std::vector<std::string>> text_of(const HeatMap& map) {
  std::vector<std::vector<std::string>> cells = {{"time per document"}};
  for (const std::string& column : map.columns) cells.front().push_back(column);
  for (const HeatRow& row : map.rows) {
    cells.push_back({row.name});
    for (const HeatCell& cell : row.cells) {
      const std::string note = cell.note.empty() ? "" : " " + cell.note;
      cells.back().push_back(cell.seconds > 0.0 ? format_seconds(cell.seconds) + note
                                                : (cell.note.empty() ? "-" : cell.note));
    }
  }
  return cells;
}

/// The map of the sizes that were asked for, measured now.
HeatMap measured(const CrossoverFlags& flags) {
  HeatMap map;
  Status status;
  for (const Size& size : kSizes) {
    const bool wanted = flags.sizes.empty() ||
                        std::find(flags.sizes.begin(), flags.sizes.end(), size.name) != flags.sizes.end();
    if (!wanted) continue;
    const auto rows = run_chain(settings_of(size, flags), [&](const std::string& text) {
      status.show(std::string(size.name) + ": " + text);
    });
    add_column(map, size.name, record_rows(rows, false));
  }
  status.show("");
  map.unit = fmt::format("time per document; {}", describe(this_machine(flags.device)));
  return map;
}

/// `on_gpu` becomes true where a record is of a machine with a GPU.
HeatMap from_records(const std::vector<std::string>& files, bool& on_gpu) {
  HeatMap map;
  for (const std::string& file : files) {
    const Record record = read_record(file);
    add_column(map, record.name.rfind("speedup-", 0) == 0 ? record.name.substr(8) : record.name, record.rows);
    map.unit = fmt::format("time per document; {}", describe(record.machine));
    on_gpu = on_gpu || !record.machine.gpu.empty();
  }
  return map;
}

void run_crossover(const CrossoverFlags& flags) {
  require_svg(flags.output);
  require_rounds(flags.rounds);
  if (flags.name != CrossoverFlags{}.name)
    require_record_name(flags.name, flags.record || !flags.json.empty());
  for (std::size_t i = 0; i < flags.sizes.size(); ++i)
    require(std::count(flags.sizes.begin(), flags.sizes.end(), flags.sizes[i]) == 1,
            "--sizes: '{}' is given twice: name each size once", flags.sizes[i]);
  require(flags.patience > 0, "--patience is {}: it must be a positive number of seconds", flags.patience);
  std::vector<std::filesystem::path> inputs = data_files(flags.data);
  inputs.insert(inputs.end(), flags.from.begin(), flags.from.end());
  require_outputs(inputs, {flags.output, flags.json}, recorded(flags.record, {flags.name}));
  require(flags.from.empty() || flags.data.empty(), "--from and --data exclude each other");
  require_temporary_folder();
  bool on_gpu = flags.from.empty() && runs_on_gpu(flags.device);
  HeatMap map = flags.from.empty() ? measured(flags) : from_records(flags.from, on_gpu);
  map.title = "Where each stage begins to pay";
  const std::string table = text_table(text_of(map));
  fmt::print("{}", table);
  Outputs outputs;
  outputs.try_to([&] {
    write_file(flags.output, heat_map(map));
    fmt::print("\ndrawn in {}\n", escaped_name(flags.output));
  });
  Record record = new_record(flags.name, "./ladder crossover", map.unit, flags.device);
  std::string sources;
  for (const StageInfo& stage : stages())
    sources += (sources.empty() ? "" : "+") + source_set_of(stage.number, on_gpu);
  record.rows.push_back({"output", sources, flags.record ? source_hash(sources) : "", {}});
  record.rows.back().values["lines"] = lines_of(table);
  write_records(outputs, flags.json, flags.record, record);
  outputs.finish();
}

}  // namespace

void add_crossover(CLI::App& app) {
  const auto flags = std::make_shared<CrossoverFlags>();
  std::vector<std::string> names;
  for (const Size& size : kSizes) names.emplace_back(size.name);
  const Flag from =
      add_texts(app, "--from", flags->from, "draw these records of `ladder speedup` instead of measuring")
          .type("FILE");
  add_choices(app, "--sizes", flags->sizes, names, "columns of the map (default: all)").excludes(from);
  add_text(app, "-o,--output", flags->output, "the SVG file (default crossover.svg)").type("FILE");
  add_data_flag(app, flags->data);
  add_device(app, flags->device);
  add_number(app, "--rounds", flags->rounds, "rounds, each contestant once a round (default 3)")
      .excludes(from);
  add_number(app, "--patience", flags->patience,
             "seconds a round may take on a rung before it is left out (default 10)")
      .excludes(from);
  add_text(app, "--json", flags->json, "write the record to this file").type("FILE");
  add_switch(app, "--record", flags->record, "write the record to tests/bench/results of the source folder");
  add_text(app, "--name", flags->name, "of the record (default crossover)").type("NAME");
  set_action(app, [flags] { run_crossover(*flags); });
}

}  // namespace ladder::cli
