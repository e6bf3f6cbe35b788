// ladder spak map: knowledge as a graph, a sweep as a heat map.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/shown.hpp"
#include "shared/cli/graphviz.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/spak/common.hpp"
#include "shared/cli/spak/verbs.hpp"
#include "shared/report/heat_map.hpp"
#include "shared/spak/picture.hpp"
#include "shared/spak/situation.hpp"
#include "shared/spak/tune.hpp"

namespace ladder::cli {

namespace {

struct MapFlags : KnowledgeFlags {
  std::string output = "map.svg", loop, rows, columns;
};

/// What became of the points of one cell: the best cost, or how they failed.
struct Cell {
  std::optional<double> cost;
  std::map<std::string, int> failures;
};

std::size_t axis_number(const spak::Space& space, const std::string& wanted, std::size_t otherwise) {
  if (wanted.empty()) return otherwise;
  for (std::size_t i = 0; i < space.axes().size(); ++i)
    if (space.axes()[i].name == wanted) return i;
  throw InputError(fmt::format("there is no parameter '{}' in this loop", shown(wanted)));
}

GridCell drawn(const Cell& cell, double best, const spak::Measuring& measuring) {
  int failed = 0;
  std::string kinds;
  for (const auto& [kind, count] : cell.failures) {
    failed += count;
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count, kind);
  }
  if (!cell.cost)
    return {failed > 0 ? "rgb(190,160,190)" : "rgb(225,225,225)", "", failed > 0 ? kinds : "not measured"};
  // From the best to four times as slow, whichever way the metric counts.
  const double ratio = measuring.maximize ? best / *cell.cost : *cell.cost / best;
  const std::string times = ratio < 1.005 ? "best" : fmt::format("{:.2f} x", ratio);
  return {heat_color(std::log2(ratio) / 2), fmt::format("{:.4g}", std::abs(*cell.cost)),
          kinds.empty() ? times : times + "; " + kinds};
}

/// The best of each pair of values of two parameters, whatever the others are.
std::string sweep_map(const MapFlags& flags, const std::vector<spak::System>& lineage,
                      const spak::EngineeringLoop& loop) {
  spak::Measuring measuring{lineage.front().name, loop.name, loop.metric, loop.maximize};
  measuring.set = settings_of(flags);
  const spak::Plan plan(lineage, loop, measuring.set, false);
  const spak::Space& space = plan.space();
  const spak::Configurations configurations(space, loop);
  require(space.axes().size() >= 2, "a heat map needs a loop with two parameters");
  const std::size_t rows = axis_number(space, flags.rows, 0),
                    columns = axis_number(space, flags.columns, rows == 1 ? 0 : 1);
  require(rows != columns, "--rows and --columns name the same parameter");
  std::vector<std::vector<Cell>> cells(space.axes()[rows].values.size(),
                                       std::vector<Cell>(space.axes()[columns].values.size()));
  std::optional<double> best;
  std::size_t items = 0;
  for (const std::string& file : flags.traces)
    for (const Json& item : spak::read_trace(file).items) {
      const auto point = spak::point_of(item, loop, measuring, configurations);
      if (!point) continue;
      ++items;
      Cell& cell = cells[space.choice(*point, rows)][space.choice(*point, columns)];
      const auto cost = spak::cost_of(item, measuring.metric, measuring.maximize);
      if (!cost) ++cell.failures[item.value("outcome", "failure")];
      if (cost && (!cell.cost || *cost < *cell.cost)) cell.cost = cost;
      if (cost && (!best || *cost < *best)) best = cost;
    }
  require(items > 0, "the traces hold no point of '{}' with this space and these settings", shown(loop.name));
  HeatGrid grid{fmt::format("{} of {}: {}", loop.name, lineage.front().name, measuring.metric),
                fmt::format("{} down, {} across; the best of each cell, {} points", space.axes()[rows].name,
                            space.axes()[columns].name, items),
                {},
                {},
                {}};
  for (const Json& value : space.axes()[columns].values) grid.columns.push_back(spak::value_text(value));
  for (std::size_t r = 0; r < cells.size(); ++r) {
    grid.rows.push_back(spak::value_text(space.axes()[rows].values[r]));
    grid.cells.emplace_back();
    for (const Cell& cell : cells[r]) grid.cells.back().push_back(drawn(cell, best.value_or(0), measuring));
  }
  return heat_grid(grid);
}

void run_map(const MapFlags& flags) {
  require_picture_name(flags.output);
  std::vector<std::filesystem::path> inputs(flags.traces.begin(), flags.traces.end());
  inputs.emplace_back(flags.file);
  const bool is_sweep = !flags.traces.empty();
  require_distinct_outputs(inputs, {flags.output, is_sweep ? "" : dot_instead_of(flags.output)});
  require_writable_file(flags.output);
  require(
      is_sweep || (flags.loop.empty() && flags.rows.empty() && flags.columns.empty() && flags.set.empty()),
      "--loop, --rows, --columns and --set are of a sweep's map, which needs --trace");
  require(!is_sweep || std::filesystem::path(flags.output).extension() == ".svg",
          "-o {}: a heat map is an .svg", flags.output);
  const std::vector<spak::System> lineage = spak::read_lineage(flags.file);
  if (!is_sweep) return write_picture(flags.output, spak::dot_of(lineage));
  write_file(flags.output, sweep_map(flags, lineage, loop_of(lineage.front(), flags.loop)));
  fmt::print("wrote {}\n", shown(flags.output));
}

}  // namespace

void add_spak_map(CLI::App& app) {
  CLI::App& command =
      add_command(app, "map", "draw the knowledge as a graph, or with --trace a sweep as a heat map");
  const auto flags = std::make_shared<MapFlags>();
  add_knowledge_flags(command, *flags);
  add_text(command, "-o,--output", flags->output, "picture: .svg, or Graphviz's text: .dot or .gv")
      .shows_default();
  add_text(command, "--loop", flags->loop, "which loop's sweep").type("NAME");
  add_text(command, "--rows", flags->rows, "the parameter whose values are rows (default: the first)")
      .type("NAME");
  add_text(command, "--columns", flags->columns,
           "the parameter whose values are columns (default: the second)")
      .type("NAME");
  set_action(command, [flags] { run_map(*flags); });
}

}  // namespace ladder::cli
