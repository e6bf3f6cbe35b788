// What a parity report says: as text, as JSON, and which of its findings matter most.
#include <algorithm>
#include <cmath>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/json.hpp"
#include "shared/parity/parity.hpp"

namespace ladder {
namespace {

/// The layer a tensor name belongs to: "layer3.attn_wq" or "transformer.h.3.ln_1.weight" -> ", layer 3"; empty for
/// names of no layer.
std::string layer_of(const std::string& what) {
  for (const std::string prefix : {"layer", "transformer.h."}) {
    const std::size_t at = what.find(prefix);
    if (at == std::string::npos) continue;
    const std::size_t number = at + prefix.size(), dot = what.find('.', number);
    if (dot != std::string::npos) return ", layer " + what.substr(number, dot - number);
  }
  return {};
}

std::string place_in(const std::vector<int>& shape, std::size_t index) {
  if (shape.size() != 2 || shape[1] == 0) return fmt::format("element {}", index);
  const auto columns = static_cast<std::size_t>(shape[1]);
  return fmt::format("row {}, column {}", index / columns, index % columns);
}

double severity(const Finding& finding) {
  if (finding.comparison.passed() && finding.limit == 0.0) return 0.0;
  return finding.comparison.max_error / finding.limit;
}

/// "got ..., want ..., allowed error ...", or on which side there is no finite number.
std::string numbers_of(const Comparison& comparison) {
  const Element& e = comparison.first;
  const std::string numbers = fmt::format("got {:.17g}, want {:.17g}", printable(e.got), printable(e.want));
  if (comparison.verdict != Verdict::not_finite)
    return fmt::format("{}, allowed error {:.3g}", numbers, e.budget);
  return numbers + ", not finite " +
         (std::isfinite(e.want)  ? "on the side under test"
          : std::isfinite(e.got) ? "on the side of the reference"
                                 : "on both sides");
}

Json to_json(const Finding& finding) {
  const Comparison& c = finding.comparison;
  Json json = {{"level", finding.level},
               {"what", finding.what},
               {"step", finding.step + 1},
               {"passed", c.passed()},
               {"limit", number_or_text(finding.limit)},
               {"max_error", number_or_text(c.max_error)},
               {"tolerance", finding.tolerance}};
  if (c.passed()) return json;
  // All as text, so that what is not finite, and worth reading here, looks like the rest.
  json["element"] = c.first.index;
  json["got"] = fmt::format("{:.17g}", printable(c.first.got));
  json["want"] = fmt::format("{:.17g}", printable(c.first.want));
  json["allowed"] = number_or_text(c.first.budget);
  json["place"] = place_in(finding.shape, c.first.index);
  json["text"] = finding.describe();
  return json;
}

}  // namespace

ParityLevels ParityLevels::parse(const std::string& name) {
  if (name == "all") return {true, true, true, true};
  if (name == "kernel") return {true, false, false, false};
  if (name == "block") return {false, true, false, false};
  if (name == "model") return {false, false, true, false};
  if (name == "loss") return {false, false, false, true};
  throw InputError(fmt::format("unknown level '{}': valid are kernel, block, model, loss, all", name));
}

std::string Finding::describe() const {
  if (what == "samples" && comparison.verdict == Verdict::not_finite) return "not drawn";
  if (what == "samples")
    return comparison.passed() ? fmt::format("{} identical", comparison.want_size)
                               : fmt::format("number {} differs", comparison.first.index + 1);
  const bool placed = comparison.verdict == Verdict::too_far || comparison.verdict == Verdict::not_finite;
  if (what == "mean of losses" && comparison.verdict == Verdict::too_far)
    return fmt::format(
        "mean error of {} losses: {:.3g}, allowed {:.3g}; the worst is step {}: got {:.17g}, want {:.17g}",
        comparison.want_size, comparison.max_error, limit, comparison.worst.index + 1, comparison.worst.got,
        comparison.worst.want);
  if (placed && (what == "losses" || what == "mean of losses"))
    return fmt::format("loss of step {}: {}", comparison.first.index + 1, numbers_of(comparison));
  std::string text = level == "kernel" ? what : fmt::format("step {}{}, {}", step + 1, layer_of(what), what);
  if (!placed) return text + ": " + comparison.describe();
  return text + fmt::format(", {}: {}", place_in(shape, comparison.first.index), numbers_of(comparison));
}

bool ParityReport::passed() const {
  return !findings.empty() && std::all_of(findings.begin(), findings.end(),
                                          [](const Finding& f) { return f.comparison.passed(); });
}

const Finding* ParityReport::divergence() const {
  const Finding* first = nullptr;
  for (const Finding& finding : findings) {
    if (finding.comparison.passed()) continue;
    if (finding.level == "located") return &finding;
    if (first == nullptr) first = &finding;
  }
  return first;
}

const Finding* ParityReport::worst(const std::string& level) const {
  const Finding* worst = nullptr;
  for (const Finding& finding : findings)
    if (finding.level == level && finding.what != "samples" &&
        (worst == nullptr || severity(finding) > severity(*worst)))
      worst = &finding;
  return worst;
}

std::string verdict_of(const ParityReport& report) {
  const Finding* finding = report.divergence();
  if (finding == nullptr) return fmt::format("{} passed against {}", report.upper, report.lower);
  const bool no_reference =
      finding->comparison.verdict == Verdict::not_finite && !std::isfinite(finding->comparison.first.want);
  return fmt::format("{} {} {}: {}", report.upper, no_reference ? "cannot be held against" : "differs from",
                     report.lower, finding->describe());
}

std::string text_of(const ParityReport& report) {
  std::string text =
      fmt::format("{} against {}: {}\n", report.upper, report.lower, report.passed() ? "passed" : "FAILED");
  for (const char* level : {"kernel", "block", "model", "loss"}) {
    const Finding* worst = report.worst(level);
    if (worst == nullptr) continue;
    const auto count = std::count_if(report.findings.begin(), report.findings.end(),
                                     [&](const Finding& f) { return f.level == level; });
    text += fmt::format("  {:<7} {:3} compared, largest error {:.2g} where {:.2g} is allowed ({})\n", level,
                        count, worst->comparison.max_error, worst->limit, worst->what);
  }
  if (const Finding* finding = report.divergence())
    text += "  first divergence: " + finding->describe() + "\n";
  for (const std::string& note : report.notes) text += "  " + note + "\n";
  return text;
}

Json summary_of(const ParityReport& report) {
  Json summary = Json::object();
  for (const char* level : {"kernel", "block", "model", "loss"}) {
    const Finding* worst = report.worst(level);
    if (worst == nullptr) continue;
    const bool passed =
        std::all_of(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
          return finding.level != level || finding.what == "samples" || finding.comparison.passed();
        });
    // What is not finite, of a wrong length or of other bits has an infinite error.
    summary[level] = {{"error", number_or_text(worst->comparison.max_error)},
                      {"limit", number_or_text(worst->limit)},
                      {"passed", passed},
                      {"what", worst->what}};
  }
  for (const Finding& finding : report.findings)
    if (finding.what == "samples") summary["samples"] = finding.describe();
  return summary;
}

Json to_json(const ParityReport& report) {
  Json json = {{"upper", report.upper},     {"lower", report.lower}, {"steps", report.steps},
               {"passed", report.passed()}, {"notes", report.notes}, {"findings", Json::array()}};
  for (const Finding& finding : report.findings) json["findings"].push_back(to_json(finding));
  if (const Finding* first = report.divergence()) json["divergence"] = to_json(*first);
  return json;
}

}  // namespace ladder
