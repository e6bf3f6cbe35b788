#include "shared/spak/measure.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "shared/base/error.hpp"
#include "shared/base/shown.hpp"
#include "shared/records/machine.hpp"
#include "shared/spak/situation.hpp"
#include "shared/spak/trace.hpp"

namespace ladder::spak {

namespace {

/// Calls each(name, begin, end) for every {{name}} of the text.
template <class Each>
void for_each_placeholder(const std::string& text, const Each& each) {
  for (std::size_t at = 0; (at = text.find("{{", at)) != std::string::npos;) {
    const std::size_t end = text.find("}}", at);
    if (end == std::string::npos) return;
    std::string name = text.substr(at + 2, end - at - 2);
    name.erase(0, std::min(name.find_first_not_of(' '), name.size()));
    name.erase(name.find_last_not_of(' ') + 1);
    each(name, at, end + 2);
    at = end + 2;
  }
}

double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below));
}

/// Why a run gave no result; "" for one that ended well.
std::string failure_of(const LimitedRun& run, double limit) {
  if (run.timed_out) return fmt::format("ended after {} s", limit);
  if (run.too_long) return "ended because it printed without end";
  const std::string words = run.last_words.empty() ? "" : ": " + run.last_words;
  if (!run.started) return "does not start" + words;
  if (run.signal != 0) return fmt::format("ended by signal {}{}", run.signal, words);
  if (run.code != 0) return fmt::format("exit code {}{}", run.code, words);
  return "";
}

/// What all runs of one point said.
struct Said {
  Json item = Json::object();   ///< the members of their items, the last of a name counts
  std::vector<double> samples;  ///< of the metric
  std::string wrong, unusable;  ///< why the result is wrong; why a value cannot be one
};

void hear_item(const Json& heard, const Measuring& measuring, Said& said) {
  if (const Json* passed = heard.find("passed"); passed != nullptr && !(*passed == Json(true)))
    said.wrong = fmt::format("{}: passed is {}", heard.value("type", ""), passed->dump());
  // A program that says "passed" beside an error above its own limit is not believed.
  const Json* error = heard.find("max_error");
  const Json* limit = heard.find("limit");
  if (error != nullptr && limit != nullptr &&
      !(error->is_number() && limit->is_number() && error->get<double>() <= limit->get<double>()))
    said.wrong = fmt::format("max_error {} of {}", error->dump(), limit->dump());
  if (const Json* outcome = heard.find("outcome"); outcome != nullptr && !(*outcome == Json(kMeasured)))
    said.unusable =
        value_text(*outcome) + (heard.contains("reason") ? ": " + value_text(heard["reason"]) : "");
  const Json* value = measuring.metric == kOwnClock ? nullptr : heard.find(measuring.metric);
  if (value != nullptr) {
    const bool usable = value->is_number() && std::isfinite(value->get<double>()) && value->get<double>() > 0;
    if (usable)
      said.samples.push_back(value->get<double>());
    else
      said.unusable = fmt::format("{} is {}", measuring.metric, value->dump());
  }
  said.item.update(heard);
}

/// Times that add up to more than the run took by our clock were not measured in it.
void disbelieve_times(const Measuring& measuring, const LimitedRun& run, std::size_t before, Said& said) {
  double claimed = 0;
  for (std::size_t i = before; i < said.samples.size(); ++i)
    claimed += said.samples[i] * unit_of(measuring.metric);
  if (claimed > run.seconds)
    said.unusable = fmt::format("it says {:.3g} s and ran for {:.3g} s", claimed, run.seconds);
}

/// Names that are ours to fill, whatever a program says of them.
constexpr std::array kOurs = {"id",   "system",  "loop",    "set",      "outcome", "reason",
                              "when", "seconds", "samples", "evidence", "sources"};

}  // namespace

double unit_of(const std::string& metric) {
  const std::string unit = metric.substr(metric.rfind('_') + 1);  // npos + 1 is 0: the whole name
  return unit == "s" || unit == "seconds" ? 1
         : unit == "ms"                   ? 1e-3
         : unit == "us"                   ? 1e-6
         : unit == "ns"                   ? 1e-9
                                          : 0;
}

Command::Command(const System& system, const EngineeringLoop& loop, const Json& set) : set_(set) {
  const std::string where = system.document.where(*loop.node);
  require(!loop.command.empty(), "{}: engineering_loop '{}' has no measure {{ cmd: }}", where,
          shown(loop.name));
  words_ = naming_source(where, [&] { return words_of_command(loop.command); });
  for (const std::string& word : words_)
    for_each_placeholder(word, [&](const std::string& name, std::size_t, std::size_t) {
      const bool is_parameter = std::any_of(loop.parameters.begin(), loop.parameters.end(),
                                            [&](const Axis& axis) { return axis.name == name; });
      require(is_parameter || set.contains(name),
              "{}: the command of '{}' asks for {{{{{}}}}}, which is no parameter of the loop (--set {}=... "
              "gives it a value)",
              where, shown(loop.name), shown(name), shown(name));
    });
}

std::vector<std::string> Command::words(const Json& configuration) const {
  std::vector<std::string> filled;
  for (const std::string& word : words_) {
    std::string text;
    std::size_t done = 0;
    for_each_placeholder(word, [&](const std::string& name, std::size_t begin, std::size_t end) {
      const Json* value = configuration.find(name);
      text += word.substr(done, begin - done) + value_text(value != nullptr ? *value : set_.at(name));
      done = end;
    });
    filled.push_back(text + word.substr(done));
  }
  return filled;
}

Json item_of_runs(const Measuring& measuring, const Json& configuration,
                  const std::vector<LimitedRun>& runs) {
  Said said;
  double seconds = 0;
  std::string failure;
  bool timed_out = false;
  for (const LimitedRun& run : runs) {
    seconds += run.seconds;
    failure = failure_of(run, measuring.seconds);
    timed_out = run.timed_out;
    const std::size_t before = said.samples.size();
    const std::vector<Json> items = items_of_output(run.out, measuring.loop);
    for (const Json& item : items) hear_item(item, measuring, said);
    if (failure.empty() && measuring.metric == kOwnClock) said.samples.push_back(run.seconds);
    if (measuring.metric != kOwnClock) disbelieve_times(measuring, run, before, said);
    require(!failure.empty() || said.samples.size() > before || !said.unusable.empty() || !said.wrong.empty(),
            "engineering_loop '{}' at {}: the command ended well and printed no {} item with '{}'",
            shown(measuring.loop), configuration.dump(), kTraceMark, shown(measuring.metric));
  }
  Json item = {{"type", said.item.value("type", "Performance")},
               {"system", measuring.system},
               {"loop", measuring.loop}};
  for (const char* name : kOurs) said.item.erase(name);
  said.item.erase("type");
  said.item.erase("configuration");
  item["configuration"] = configuration;
  if (!measuring.set.empty()) item["set"] = measuring.set;
  item.update(std::move(said.item));
  const std::string reason = !failure.empty() ? failure : !said.wrong.empty() ? said.wrong : said.unusable;
  item["outcome"] = timed_out                ? kTimeout
                    : !failure.empty()       ? kFailed
                    : !said.wrong.empty()    ? kWrong
                    : !said.unusable.empty() ? kFailed
                                             : kMeasured;
  if (!reason.empty()) {
    item["reason"] = reason;
    item.erase(measuring.metric);
  } else {
    std::sort(said.samples.begin(), said.samples.end());
    item[measuring.metric] = quantile(said.samples, 0.5);
    item[measuring.metric + "_low"] = quantile(said.samples, 0.25);
    item[measuring.metric + "_high"] = quantile(said.samples, 0.75);
    item["samples"] = said.samples.size();
  }
  if (measuring.metric != kOwnClock) item[kOwnClock] = seconds;
  item["evidence"] = measuring.evidence;
  if (!measuring.sources.empty()) item["sources"] = measuring.sources;
  item["when"] = utc_now();
  return item;
}

Json measure_point(const Command& command, const Measuring& measuring, const Json& configuration) {
  std::vector<LimitedRun> runs;
  for (int i = 0; i < measuring.repeats; ++i) {
    runs.push_back(run_limited(command.words(configuration), measuring.seconds));
    if (runs.back().code != 0) break;
  }
  return item_of_runs(measuring, configuration, runs);
}

std::optional<double> cost_of(const Json& item, const std::string& metric, bool maximize) {
  const Json* outcome = item.find("outcome");
  if (outcome != nullptr && !(*outcome == Json(kMeasured))) return std::nullopt;
  const Json* value = item.find(metric);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return maximize ? -value->get<double>() : value->get<double>();
}

}  // namespace ladder::spak
