#include "shared/report/front_page.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/base/json_member.hpp"
#include "shared/report/svg_plot.hpp"
#include "shared/report/tables.hpp"
#include "shared/stages.hpp"

namespace ladder {
namespace {

/// A field that the row must have. Throws InputError naming record, row and field where it has none of that kind.
template <class T>
T field_of(const Record& record, const RecordRow& row, const char* name) {
  return member_of<T>(row.values, name, fmt::format("record '{}', row '{}'", record.name, row.name));
}

bool emulated(const RecordRow& row) { return row.values.value("emulated", false); }

/// The rows of one stage, -1 for the interpreter, that show what it is worth: no emulated ones, none that differ from
/// the stage as it is (another batch, a fused step), and double precision only where the stage has no other.
std::vector<const RecordRow*> rows_of(const Record& record, int stage) {
  std::vector<const RecordRow*> rows;
  for (const RecordRow& row : record.rows)
    if (field_of<int>(record, row, "stage") == stage && !emulated(row) &&
        field_of<std::string>(record, row, "variant").empty())
      rows.push_back(&row);
  const auto in_double = [&](const RecordRow* row) {
    return field_of<std::string>(record, *row, "dtype") == name_of(Dtype::fp64);
  };
  if (rows.size() > 1) rows.erase(std::remove_if(rows.begin(), rows.end(), in_double), rows.end());
  return rows;
}

/// The row that this one's gain is over: of the nearest stage below that in the same type, or else the last, its
/// fastest, which is what "times_below" was measured against; nullptr for none.
const RecordRow* row_below(const Record& record, const RecordRow& row) {
  const int stage = field_of<int>(record, row, "stage");
  const RecordRow* found = nullptr;
  for (const RecordRow& other : record.rows) {
    const int below = field_of<int>(record, other, "stage");
    if (below >= stage || !field_of<std::string>(record, other, "variant").empty()) continue;
    const int nearest = found == nullptr ? -2 : field_of<int>(record, *found, "stage");
    const bool same_type =
        found != nullptr && below == nearest &&
        found->values.value("dtype", std::string()) == row.values.value("dtype", std::string());
    if (below >= nearest && !same_type) found = &other;
  }
  return found;
}

/// "13.8 × as fast as stage 0 in fp64": a row counts against the stage below, whose type is named where it is another,
/// stage 0 against the interpreter.
std::string gain_of(const Record& record, const RecordRow& row) {
  const RecordRow* below = row_below(record, row);
  if (below == nullptr || !row.values.contains("times_below")) return {};
  double times = field_of<double>(record, row, "times_below");
  const int stage = field_of<int>(record, *below, "stage");
  if (stage < 0) return format_count(times) + " × as fast as the interpreter";
  const std::string type = field_of<std::string>(record, *below, "dtype");
  const bool same_type = type == field_of<std::string>(record, row, "dtype");
  if (same_type &&
      below->values.contains("seconds"))  // records of earlier programs took the last whatever its type
    times = field_of<double>(record, *below, "seconds") / field_of<double>(record, row, "seconds");
  return fmt::format("{} × as fast as stage {}{}", format_count(times), stage,
                     same_type ? "" : " in " + type);
}

std::string cell_of(const Record& record, int stage, const std::filesystem::path& folder) {
  std::string text;
  for (const RecordRow* row : rows_of(record, stage)) {
    const std::string type = stage < 0 ? "" : field_of<std::string>(record, *row, "dtype");
    const std::string gain = gain_of(record, *row);
    if (!text.empty()) text += "<br>";
    if (row->values.contains("seconds")) {
      text += (type.empty() ? "" : type + ": ") + format_seconds(row->values.at("seconds").get<double>());
      if (!record.machine.gpu.empty() && !row->values.contains("device"))
        text += fmt::format(" on {} cores of its CPU", record.machine.cores);
      if (!gain.empty()) text += ", **" + gain + "**";
    } else {
      const std::string why = row->values.value("not_run", std::string());
      text += why.empty() ? "parity FAILED: no time" : why;
    }
    if (is_stale(*row, folder)) text += " (stale)";
  }
  return text;
}

std::string short_gpu(const Record& record) {
  return record.machine.gpu.substr(0, record.machine.gpu.find(" ("));
}

/// "4,192 parameters": of the model that every row of the record is about.
std::string parameters_of(const Record& record) {
  require(!record.rows.empty(), "record '{}' has no rows", record.name);
  return format_count(field_of<double>(record, record.rows.front(), "parameters")) + " parameters";
}

/// From the foot up; -1 is the interpreter.
std::vector<int> steps_up() {
  std::vector<int> numbers = {-1};
  for (const StageInfo& stage : stages()) numbers.push_back(stage.number);
  return numbers;
}

std::vector<Bar> bars_of(const Record& record) {
  std::vector<Bar> bars;
  for (const int stage : steps_up())
    for (const RecordRow* row : rows_of(record, stage)) {
      if (!row->values.contains("seconds")) continue;
      const double seconds = row->values.at("seconds").get<double>();
      const std::string gain = gain_of(record, *row), where = row->values.value("device", std::string());
      bars.push_back({row->name + (record.machine.gpu.empty() ? ""
                                   : where.empty()            ? ", CPU"
                                                              : ", GPU"),
                      format_seconds(seconds) + (gain.empty() ? "" : ", " + gain), seconds});
    }
  return bars;
}

double bars_height(std::size_t count) { return 40 + 30 * static_cast<double>(count); }

/// The curve of the lowest stage is the widest stroke and each further one a narrower stroke on
/// it, so that all are seen.
std::string curves_of(const Record& record) {
  std::vector<PlotLine> lines;
  double each = 0.0;
  const double count = static_cast<double>(record.rows.size());
  for (std::size_t i = 0; i < record.rows.size(); ++i) {
    const RecordRow& row = record.rows[i];
    each = row.values.at("steps_each").get<double>();
    lines.push_back({row.name + (emulated(row) ? ", its kernels on the CPU" : ""),
                     smoothed(doubles_of(row.values.at("loss")), 5), static_cast<int>(i % 6), false, false,
                     1.5 + 2.5 * (count - 1.0 - static_cast<double>(i))});
  }
  PlotSettings settings{
      fmt::format("One curve: the losses of {} runs, each drawn on the one below it", record.rows.size()),
      "step", "cross-entropy (nats)"};
  settings.steps_each = each;
  return line_plot(lines, settings);
}

}  // namespace

Cells ladder_cells_of(const Record& cpu, const Record& gpu, const std::filesystem::path& folder) {
  Cells cells = {{"stage", "its lesson", fmt::format("on a CPU: {}", parameters_of(cpu)),
                  fmt::format("with a GPU: {}", parameters_of(gpu))}};
  const auto add = [&](int stage, const std::string& title, const std::string& link,
                       const std::string& lesson) {
    cells.push_back({fmt::format("[{}]({})", title, link), lesson, cell_of(cpu, stage, folder),
                     cell_of(gpu, stage, folder)});
  };
  add(-1, "interpreter", "shared/baseline/microgpt.py", "the whole algorithm in plain Python");
  for (const StageInfo& stage : stages())
    add(stage.number, fmt::format("{}: {}", stage.number, stage.name), stage.folder + "/README.md",
        stage.lesson);
  return cells;
}

std::string render_front_ladder(const Record& cpu, const Record& gpu, const std::filesystem::path& folder) {
  std::string text;
  const Cells cells = ladder_cells_of(cpu, gpu, folder);
  for (std::size_t r = 0; r < cells.size(); ++r) {
    for (const std::string& cell : cells[r]) text += "| " + cell + " ";
    text += r == 0 ? "|\n|---|---|---|---|\n" : "|\n";
  }
  return text + "\n" + caption({&cpu, &gpu});
}

std::string front_picture(const FrontRecords& records, const std::filesystem::path& folder) {
  const std::vector<Bar> cpu = bars_of(*records.cpu), gpu = bars_of(*records.gpu);
  require(!cpu.empty() && !gpu.empty(), "the records '{}' and '{}' have no times to draw", records.cpu->name,
          records.gpu->name);
  const double first = 12, second = first + 340, third = second + bars_height(cpu.size()) + 16,
               height = third + bars_height(gpu.size()) + 12;
  bool stale = false;
  for (const Record* record : {records.cpu, records.gpu, records.curves})
    stale = stale || any_stale(*record, folder);
  std::string svg;
  svg += placed(curves_of(*records.curves), first, 320);
  svg += placed(bar_chart(cpu, fmt::format("Time per document on a CPU, {} (logarithmic)",
                                           parameters_of(*records.cpu))),
                second, bars_height(cpu.size()));
  svg += placed(bar_chart(gpu, fmt::format("Time per window on {} and its host's CPU, {} (logarithmic){}",
                                           short_gpu(*records.gpu), parameters_of(*records.gpu),
                                           stale ? "; a part is stale" : "")),
                third, bars_height(gpu.size()));
  return standalone_svg(svg, height, "Loss curves and speed of every stage");
}

std::string render_picture(const FrontRecords& records) {
  return fmt::format(
      "![The losses of {} runs over each other, and each stage's time, on a CPU and on {}]({})\n",
      records.curves->rows.size(), short_gpu(*records.gpu), kPicture);
}

std::string render_first_build(const Record& record) {
  require(!record.rows.empty(), "record '{}' has no rows", record.name);
  const RecordRow& row = record.rows.front();
  return fmt::format(
      "The first build takes {:.0f} seconds of processor time, the tests behind it {:.0f} more ({}, {} "
      "cores).\n",
      field_of<double>(record, row, "build_seconds"), field_of<double>(record, row, "test_seconds"),
      record.machine.cpu, record.machine.cores);
}

}  // namespace ladder
