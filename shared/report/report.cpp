#include "shared/report/report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "shared/base/markup.hpp"
#include "shared/base/text_table.hpp"
#include "shared/report/svg_plot.hpp"

namespace ladder {
namespace {

constexpr const char* kStyle = R"css(
:root { --back: #fbfbf9; --text: #1d2327; --soft: #5c6670; --rule: #d9dcd6; --card: #ffffff; --good: #1f7a4d; --bad: #b3261e;
  --series-0: #0b6e99; --series-1: #d9730d; --series-2: #2f8f5b; --series-3: #ad1a72; --series-4: #6940a5; --series-5: #7a6a00; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171a; --text: #e6e8ea; --soft: #9aa4ad; --rule: #30363c; --card: #1b1f23; --good: #57c98b; --bad: #ff8a80;
    --series-0: #5cb8e0; --series-1: #ffa657; --series-2: #6fd39b; --series-3: #ff7ac0; --series-4: #b79cf2; --series-5: #e0cc5a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.2rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; } h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); font-size: .92rem; }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 1rem; margin: .8rem 0; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .93rem; }
th, td { padding: .35rem .7rem; text-align: right; border-bottom: 1px solid var(--rule); }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; } tr:last-child td { border-bottom: 0; }
svg { display: block; width: 100%; height: auto; } svg text { font-family: inherit; fill: var(--text); font-size: 12px; }
svg .title { font-size: 14px; font-weight: 600; } svg .tick { fill: var(--soft); font-size: 11px; }
.grid { stroke: var(--rule); stroke-width: 1; } .line { fill: none; stroke-width: 2; stroke-linejoin: round; } .faint { stroke-width: 1; opacity: .35; }
.texts td { text-align: left; vertical-align: top; } pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }
.names { columns: 10rem; margin: 0; padding: 0; list-style: none; }
)css";

std::string html_table(const Cells& cells) {
  std::string html = "<div class='card'><table>\n";
  for (std::size_t r = 0; r < cells.size(); ++r) {
    const char* tag = r == 0 ? "th" : "td";
    html += "<tr>";
    for (const std::string& cell : cells[r]) {
      const bool failed = cell.find("FAILED") != std::string::npos;
      html += fmt::format("<{}{}>{}</{}>", tag, failed ? " class='bad'" : "", html_escaped(cell), tag);
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n";
}

std::string card(const std::string& inside) { return "<div class='card'>\n" + inside + "</div>\n"; }

/// All curves lie on top of each other when the stages agree, so each is drawn with dashes further apart in phase.
std::string loss_plot(const ReportModel& model) {
  std::vector<PlotLine> lines;
  const int window = 25;
  if (!model.curves.empty()) lines.push_back({"", model.curves.front().loss, 0, true, false});
  for (std::size_t i = 0; i < model.curves.size(); ++i)
    lines.push_back({model.curves[i].name, smoothed(model.curves[i].loss, window), static_cast<int>(i % 6),
                     false, i > 0});
  return line_plot(
      lines, {fmt::format("Loss of every stage, mean over {} steps; faint: single steps", window), "step",
              "cross-entropy (nats)", false, 0.0});
}

std::string difference_plot(const ReportModel& model) {
  std::vector<PlotLine> lines;
  for (std::size_t i = 0; i < model.curves.size(); ++i) {
    const ReportCurve& curve = model.curves[i];
    if (curve.below.size() != curve.loss.size() || curve.loss.empty()) continue;
    PlotLine line{curve.name, {}, static_cast<int>(i % 6), false, false};
    for (std::size_t s = 0; s < curve.loss.size(); ++s)
      line.values.push_back(std::abs(curve.loss[s] - curve.below[s]));
    lines.push_back(std::move(line));
    lines.push_back(
        {"", std::vector<double>(curve.loss.size(), curve.limit), static_cast<int>(i % 6), true, true});
  }
  if (lines.empty()) return {};
  return card(line_plot(
      lines, {"Difference of each loss from the rung below (dashed: its limit; gaps: exactly equal)", "step",
              "absolute difference", true, 0.35}));
}

std::string bars(const Report& report) {
  std::vector<Bar> all;
  for (const RecordRow& row : report.rows)
    if (row.values.contains("seconds")) {
      const double seconds = row.values["seconds"].get<double>();
      all.push_back({row.name + (row.values.value("emulated", false) ? " (emulated)" : ""),
                     format_seconds(seconds), seconds});
    }
  return all.empty() ? std::string() : card(bar_chart(all, "Time per document, logarithmic"));
}

std::string samples(const ReportModel& model) {
  if (model.curves.empty() || model.curves.front().samples.empty()) return {};
  const std::vector<std::string>& first = model.curves.front().samples;
  std::string html =
      "<h3>Samples</h3>\n<p class='soft'>Drawn after training by " + html_escaped(model.curves.front().name);
  for (std::size_t i = 1; i < model.curves.size(); ++i)
    html += fmt::format("; {}: {}", html_escaped(model.curves[i].name),
                        model.curves[i].samples == first ? "the same" : "<span class='bad'>others</span>");
  html += ".</p>\n<div class='card'><ul class='names'>\n";
  for (const std::string& text : first) html += "<li>" + html_escaped(text) + "</li>\n";
  return html + "</ul></div>\n";
}

std::string sample_pairs(const ReportChecklist& checklist) {
  if (checklist.samples.empty()) return {};
  std::string html =
      fmt::format("<h3>Samples</h3>\n<div class='card'><table><tr><th>{}</th><th>{}</th></tr>\n",
                  html_escaped(checklist.left), html_escaped(checklist.right));
  for (const SamplePair& pair : checklist.samples)
    html += fmt::format("<tr class='texts'><td><pre>{}</pre></td><td><pre>{}</pre></td></tr>\n",
                        html_escaped(pair.left), html_escaped(pair.right));
  return html + "</table></div>\n";
}

std::string training_plot(const ReportChecklist& checklist) {
  std::vector<PlotLine> lines;
  const int window = 25;
  for (std::size_t i = 0; i < checklist.runs.size(); ++i)
    lines.push_back({checklist.runs[i].name, smoothed(checklist.runs[i].loss, window), static_cast<int>(i),
                     false, i > 0});
  if (lines.empty()) return {};
  return card(line_plot(lines, {fmt::format("Training loss of both sides, mean over {} steps", window),
                                "step", "cross-entropy (nats)", false, 0.0}));
}

/// The five steps, what each measured, and both trainings.
std::string section(const ReportChecklist& checklist) {
  std::string html = "<h2>Checklist</h2>\n<p>" + html_escaped(checklist.work) + "</p>\n";
  for (const ChecklistStep& step : checklist.steps) {
    using Outcome = ChecklistStep::Outcome;
    const char* mark = step.outcome == Outcome::passed   ? "good"
                       : step.outcome == Outcome::failed ? "bad"
                                                         : "soft";
    html += fmt::format("<h3>{} {} <span class='{}'>{}</span></h3>\n<p class='soft'>{}</p>\n", step.number,
                        html_escaped(step.title), mark, name_of(step.outcome), html_escaped(step.summary));
    if (step.figures.size() > 1) html += html_table(step.figures);
  }
  return html + training_plot(checklist) + sample_pairs(checklist);
}

/// What the stages made of one model: curves, parity, samples.
std::string section(const ReportModel& model) {
  return "<h2>" + html_escaped(model.name) + "</h2>\n<p>" + html_escaped(model.work) + "</p>\n" +
         card(loss_plot(model)) + difference_plot(model) +
         "<h3>Parity</h3>\n<p class='soft'>Largest difference of the limit for it, each stage against the "
         "one "
         "below.</p>\n" +
         html_table(model.parity) + samples(model);
}

std::string headline(const Report& report) {
  const auto text = [](bool good, const char* words) {
    return fmt::format("<span class='{}'>{}</span>", good ? "good" : "bad", words);
  };
  if (!report.models.empty())
    return report.passed
               ? text(true, "Every stage agrees with the one below it.")
               : text(false, "A stage differs from the one below it, or a step failed: see the tables.");
  if (!report.passed) return text(false, "A step of the checklist failed.");
  const bool all =
      report.checklist && std::ranges::all_of(report.checklist->steps, [](const ChecklistStep& step) {
        return step.outcome == ChecklistStep::Outcome::passed;
      });
  return all ? text(true, "All five steps passed.") : "No step failed; some could not be run here.";
}

std::string speed_section(const Report& report) {
  return "<h2>Speed of the first model</h2>\n"
         "<p class='soft'>The same steps on the same data, taken in turns; medians. A time is printed only "
         "where the parity of that run passed.</p>\n" +
         html_table(report.speedup) + bars(report);
}

}  // namespace

std::string_view name_of(ChecklistStep::Outcome outcome) {
  switch (outcome) {
    case ChecklistStep::Outcome::passed:
      return "passed";
    case ChecklistStep::Outcome::failed:
      return "FAILED";
    default:
      return "not run";
  }
}

bool ReportChecklist::passed() const {
  return std::ranges::none_of(
      steps, [](const ChecklistStep& step) { return step.outcome == ChecklistStep::Outcome::failed; });
}

std::string html_of(const Report& report) {
  std::string html =
      "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>\n"
      "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
      "<meta name='color-scheme' content='light dark'>\n<title>ladder report</title>\n<style>";
  const char* title =
      report.models.empty() ? "One stage, checked in five steps" : "One GPT, climbed stage by stage";
  html += fmt::format("{}</style></head>\n<body><main>\n<h1>{}</h1>\n", kStyle, title);
  html += "<p>" + headline(report);
  html += "</p>\n<p class='soft'>" + html_escaped(describe(report.machine)) + "<br>" +
          html_escaped(describe(report.build)) + "<br>" + html_escaped(report.date) + "</p>\n";
  for (const ReportModel& model : report.models) html += section(model);
  if (report.checklist) html += section(*report.checklist);
  if (!report.models.empty()) html += speed_section(report);
  if (!report.notes.empty()) {
    html += "<h2>Notes</h2>\n";
    for (const std::string& note : report.notes) html += "<p>" + html_escaped(note) + "</p>\n";
  }
  return html + "</main></body></html>\n";
}

}  // namespace ladder
