#include "shared/report/run_picture.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "shared/base/error.hpp"
#include "shared/report/svg_plot.hpp"
#include "shared/report/tables.hpp"

namespace ladder {
namespace {

/// Of `count` values that stand for `each` steps: between two evaluations the straight line, outside of them nothing.
std::vector<double> between_evaluations(const Json& evaluations, std::size_t count, double each) {
  std::vector<double> values(count, std::nan(""));
  for (std::size_t i = 1; i < evaluations.size(); ++i) {
    const double from = evaluations[i - 1][0].get<double>(), to = evaluations[i][0].get<double>();
    const double low = double_of(evaluations[i - 1][2]), high = double_of(evaluations[i][2]);
    for (std::size_t v = 0; v < count; ++v) {
      const double at = (static_cast<double>(v) + 0.5) * each;
      if (at >= from && at <= to && to > from) values[v] = low + (high - low) * (at - from) / (to - from);
    }
  }
  return values;
}

/// Points of a recorded curve: enough for a picture.
constexpr std::size_t kPoints = 200;

std::vector<double> means_of(const std::vector<double>& loss, std::size_t each) {
  std::vector<double> means;
  for (std::size_t first = 0; first + each <= loss.size(); first += each) {
    const auto start = loss.begin() + static_cast<std::ptrdiff_t>(first);
    const double mean =
        std::accumulate(start, start + static_cast<std::ptrdiff_t>(each), 0.0) / static_cast<double>(each);
    means.push_back(std::round(1e4 * mean) / 1e4);
  }
  return means;
}

/// Null stands for what was not measured.
Json if_measured(double value) { return std::isnan(value) ? Json(nullptr) : number_or_text(value); }

std::string whole(double value) {
  return value < 1000.0 ? fmt::format("{:.0f}", value) : format_count(value);
}

std::string four_digits(double value) { return fmt::format("{:.4f}", value); }

}  // namespace

Json run_values(const TrainedRun& run) {
  const std::size_t each = std::max<std::size_t>(1, run.loss.size() / kPoints);
  Json values = {{"emulated", run.emulated},     {"steps", run.loss.size()},
                 {"parameters", run.parameters}, {"resumed_after", run.resumed_after},
                 {"steps_each", each},           {"loss", numbers_or_texts(means_of(run.loss, each))},
                 {"samples", run.samples}};
  values["evaluations"] = Json::array();
  const Evaluation* best = nullptr;
  for (const Evaluation& one : run.evaluations) {
    values["evaluations"].push_back({one.step, if_measured(one.training), number_or_text(one.held_out)});
    if (best == nullptr || one.held_out < best->held_out) best = &one;
  }
  if (best != nullptr)
    values["best_held_out"] = number_or_text(best->held_out), values["best_step"] = best->step;
  if (run.median_ms <= 0.0) return values;
  const double tokens = 1e3 / run.median_ms * static_cast<double>(run.tokens_a_step);
  values["median_ms"] = run.median_ms;
  values["tokens_per_second"] = std::round(tokens);
  if (run.share_of_tokens) values["share_of_peak"] = tokens * *run.share_of_tokens;
  return values;
}

Cells run_cells(const std::vector<RecordRow>& rows, const std::vector<bool>& stale) {
  Cells cells = {{"", "steps", "a step", "tokens/s", "of the peak", "mean loss at the end", "best held out",
                  "after step"}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Json& values = rows[i].values;
    const auto number = [&](const char* key, auto format) {
      return values.contains(key) ? format(double_of(values.at(key))) : std::string();
    };
    const std::vector<double> loss = doubles_of(values.at("loss"));
    cells.push_back(
        {marked_name(rows[i], i < stale.size() && stale[i]), number("steps", whole),
         number("median_ms", [](double ms) { return format_seconds(ms / 1e3); }),
         number("tokens_per_second", format_count),
         number("share_of_peak", [](double share) { return fmt::format("{:.1f}%", 100.0 * share); }),
         loss.empty() ? "" : four_digits(loss.back()), number("best_held_out", four_digits),
         number("best_step", whole)});
  }
  return cells;
}

std::string run_picture(const Record& record) {
  constexpr double kHeight = 344;
  std::vector<PlotLine> lines;
  double each = 1.0;
  for (const RecordRow& row : record.rows) {
    const std::vector<double> loss = doubles_of(row.values.at("loss"));
    each = row.values.at("steps_each").get<double>();
    const int color = static_cast<int>(2 * lines.size() % 6);
    lines.push_back({row.name + ", trained on", loss, color, false, false});
    lines.push_back({row.name + ", held out",
                     between_evaluations(row.values.at("evaluations"), loss.size(), each), color + 3, false,
                     true});
  }
  require(!lines.empty() && !lines.front().values.empty(), "record '{}' has no losses to draw", record.name);
  PlotSettings settings{fmt::format("Loss, means over {:.0f} steps; held out: between evaluations", each),
                        "step", "cross-entropy (nats)"};
  settings.steps_each = each;
  return standalone_svg(placed(line_plot(lines, settings), 12, 320), kHeight, "Losses of a training run");
}

}  // namespace ladder
