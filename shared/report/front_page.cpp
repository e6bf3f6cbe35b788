#include "shared/report/front_page.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "shared/base/error.hpp"
#include "shared/report/svg_plot.hpp"
#include "shared/report/tables.hpp"

namespace ladder {
namespace {

struct Lesson {
  const char *rows, *title, *link, *lesson;
};

/// The stages from the foot up: how their rows begin in a record, and what a stranger should know of them.
constexpr std::array<Lesson, 5> kLessons = {{
    {"interpreter", "interpreter", "shared/baseline/microgpt.py", "the whole algorithm in plain Python"},
    {"stage 0", "0: scalar autograd", "stage0_scalar_autograd/README.md",
     "a gradient is a walk backwards over a graph of scalars"},
    {"stage 1", "1: tensors on the CPU", "stage1_cpu_tensor/README.md",
     "the same derivatives, by hand, on whole matrices"},
    {"stage 2", "2: naive CUDA", "stage2_naive_cuda/README.md", "one thread owns one number of the result"},
    {"stage 3", "3: tiled kernels", "stage3_tiled_kernels/README.md",
     "one block owns a tile of the result and hands it to the tensor cores"},
}};

bool emulated(const RecordRow& row) { return row.values.value("emulated", false); }

/// The rows of one stage that show what it is worth: no emulated ones, no variants ("stage 3 fp32, fused step"), and double
/// precision only where the stage has no other.
std::vector<const RecordRow*> rows_of(const Record& record, const std::string& start) {
  std::vector<const RecordRow*> rows;
  for (const RecordRow& row : record.rows)
    if (row.name.rfind(start, 0) == 0 && !emulated(row) && row.name.find(',') == std::string::npos)
      rows.push_back(&row);
  if (rows.size() > 1)
    rows.erase(
        std::remove_if(rows.begin(), rows.end(),
                       [](const RecordRow* row) { return row->name.find("fp64") != std::string::npos; }),
        rows.end());
  return rows;
}

/// "stage 1 fp32": what stands behind the stage's number.
std::string type_of(const RecordRow& row) {
  const std::size_t space = row.name.find(' ', std::string("stage ").size());
  return space == std::string::npos ? "" : row.name.substr(space + 1);
}

/// "13.8 × as fast as stage 0": a row counts against the stage below, stage 0 against the interpreter.
std::string gain_of(const RecordRow& row) {
  if (!row.values.contains("times_below") || row.name.rfind("stage ", 0) != 0) return {};
  const int below = row.name[6] - '0' - 1;
  return format_count(row.values.at("times_below").get<double>()) + " × as fast as " +
         (below < 0 ? "the interpreter" : fmt::format("stage {}", below));
}

std::string cell_of(const Record& record, const std::string& start, const std::filesystem::path& folder) {
  std::string text;
  for (const RecordRow* row : rows_of(record, start)) {
    const std::string type = type_of(*row), gain = gain_of(*row);
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

/// "4192 parameters" out of "1 layer, ...: 4192 parameters; ...".
std::string parameters_of(const Record& record) {
  const std::size_t end = record.work.find(" parameters");
  const std::size_t start = end == std::string::npos ? end : record.work.rfind(' ', end - 1);
  require(start != std::string::npos, "record '{}' does not say how many parameters its model has",
          record.name);
  return format_count(std::stod(record.work.substr(start + 1, end - start - 1))) + " parameters";
}

std::vector<Bar> bars_of(const Record& record) {
  std::vector<Bar> bars;
  for (const Lesson& lesson : kLessons)
    for (const RecordRow* row : rows_of(record, lesson.rows)) {
      if (!row->values.contains("seconds")) continue;
      const double seconds = row->values.at("seconds").get<double>();
      const std::string gain = gain_of(*row), where = row->values.value("device", std::string());
      bars.push_back({row->name + (record.machine.gpu.empty() ? ""
                                   : where.empty()            ? ", CPU"
                                                              : ", GPU"),
                      format_seconds(seconds) + (gain.empty() ? "" : ", " + gain), seconds});
    }
  return bars;
}

constexpr const char* kStyle = R"css(<style>
svg { --text: #1d2327; --soft: #5c6670; --rule: #d9dcd6; --back: #fbfbf9; --series-0: #9fc9dc; --series-1: #f0b67f;
  --series-2: #5fb58a; --series-3: #ad1a72; --series-4: #2a2a5e; --series-5: #7a6a00 }
@media (prefers-color-scheme: dark) {
  svg { --text: #e6e8ea; --soft: #9aa4ad; --rule: #30363c; --back: #14171a; --series-0: #2f6f8c; --series-1: #b0713a;
    --series-2: #4fae80; --series-3: #ff7ac0; --series-4: #f2f0ff; --series-5: #e0cc5a } }
.page { fill: var(--back) }
text { font: 12px system-ui, sans-serif; fill: var(--text) }
.title { font-size: 14px; font-weight: 600 } .tick { fill: var(--soft); font-size: 11px }
.grid { stroke: var(--rule) } .line { fill: none; stroke-width: 2; stroke-linejoin: round }
</style>
)css";

/// A drawing of svg_plot put into a larger one.
std::string placed(const std::string& svg, double top, double height) {
  return fmt::format("<svg x='12' y='{}' width='760' height='{}'{}", top, height, svg.substr(4));
}

double bars_height(std::size_t count) { return 40 + 30 * static_cast<double>(count); }

/// The curve of the lowest stage is the widest stroke and each further one a narrower stroke on it, so that all are seen.
std::string curves_of(const Record& record) {
  std::vector<PlotLine> lines;
  double each = 0.0;
  const double count = static_cast<double>(record.rows.size());
  for (std::size_t i = 0; i < record.rows.size(); ++i) {
    const RecordRow& row = record.rows[i];
    each = row.values.at("steps_each").get<double>();
    lines.push_back({row.name + (emulated(row) ? ", its kernels on the CPU" : ""),
                     smoothed(row.values.at("loss").get<std::vector<double>>(), 5), static_cast<int>(i % 6),
                     false, false, 1.5 + 2.5 * (count - 1.0 - static_cast<double>(i))});
  }
  PlotSettings settings{
      fmt::format("One curve: the loss of {} stages, each drawn on the one below it", record.rows.size()),
      "step", "cross-entropy (nats)"};
  settings.steps_each = each;
  return line_plot(lines, settings);
}

/// The last but one number of the line that begins with `start`: the seconds of the newer commit.
double newer_seconds(const Record& record, const std::string& start) {
  for (const RecordRow& row : record.rows)
    for (const auto& line : row.values.value("lines", std::vector<std::string>())) {
      if (line.rfind(start, 0) != 0) continue;
      std::istringstream words(line.substr(start.size()));
      double older = 0.0, newer = 0.0;
      require(static_cast<bool>(words >> older >> newer), "record '{}': no two times in '{}'", record.name,
              line);
      return newer;
    }
  throw InputError(fmt::format("record '{}': no line begins with '{}'", record.name, start));
}

}  // namespace

Cells ladder_cells_of(const Record& cpu, const Record& gpu, const std::filesystem::path& folder) {
  Cells cells = {{"stage", "its lesson", fmt::format("on a CPU: {}", parameters_of(cpu)),
                  fmt::format("with a GPU: {}", parameters_of(gpu))}};
  for (const Lesson& lesson : kLessons)
    cells.push_back({fmt::format("[{}]({})", lesson.title, lesson.link), lesson.lesson,
                     cell_of(cpu, lesson.rows, folder), cell_of(gpu, lesson.rows, folder)});
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
    for (const RecordRow& row : record->rows) stale = stale || is_stale(row, folder);
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 784 {0:.0f}' width='784' role='img' "
      "aria-label='Loss curves and speed of every stage'>\n{1}<rect class='page' width='784' "
      "height='{0:.0f}'/>\n",
      height, kStyle);
  svg += placed(curves_of(*records.curves), first, 320);
  svg += placed(bar_chart(cpu, fmt::format("Time per document on a CPU, {} (logarithmic)",
                                           parameters_of(*records.cpu))),
                second, bars_height(cpu.size()));
  svg += placed(bar_chart(gpu, fmt::format("Time per window on {} and its host's CPU, {} (logarithmic){}",
                                           short_gpu(*records.gpu), parameters_of(*records.gpu),
                                           stale ? "; a part is stale" : "")),
                third, bars_height(gpu.size()));
  return svg + "</svg>\n";
}

std::string render_picture(const FrontRecords& records) {
  return fmt::format(
      "![The losses of {} stages over each other, and each stage's time, on a CPU and on {}]({})\n",
      records.curves->rows.size(), short_gpu(*records.gpu), kPicture);
}

std::string render_first_build(const Record& record) {
  const double build = newer_seconds(record, "./ladder info in a fresh clone"),
               tests = newer_seconds(record, "./ladder test after it");
  return fmt::format(
      "The first build takes {:.0f} seconds of processor time, the tests behind it {:.0f} more ({}, {} "
      "cores).\n",
      build, tests, record.machine.cpu, record.machine.cores);
}

}  // namespace ladder
