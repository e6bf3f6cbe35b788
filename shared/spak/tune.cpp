#include "shared/spak/tune.hpp"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "shared/base/error.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/shown.hpp"
#include "shared/spak/situation.hpp"

namespace ladder::spak {

Plan::Plan(const std::vector<System>& lineage, const EngineeringLoop& loop, const Json& set, bool prune)
    : Plan(axes_of(lineage.front(), loop), lineage, loop, set, prune) {}

Plan::Plan(std::vector<Axis> axes, const std::vector<System>& lineage, const EngineeringLoop& loop,
           const Json& set, bool prune)
    : space_(
          naming_source(lineage.front().document.where(*loop.node), [&] { return Space(std::move(axes)); })),
      pruner_(lineage, &loop, set),
      prune_(prune) {}

std::uint64_t Plan::count(std::vector<Pruned>& pruned) const {
  std::uint64_t left = 0;
  for (std::uint64_t point = 0; point < space_.size(); ++point) {
    const auto pruning = prune_ ? pruner_.forbidden(space_.point(point)) : std::nullopt;
    if (!pruning) {
      ++left;
      continue;
    }
    const auto same = [&](const Pruned& each) {
      return each.pruning.by == pruning->by && each.pruning.condition == pruning->condition;
    };
    auto found = std::find_if(pruned.begin(), pruned.end(), same);
    if (found == pruned.end()) found = pruned.insert(pruned.end(), {*pruning, 0});
    ++found->points;
  }
  return left;
}

namespace {

std::optional<std::uint64_t> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  const std::string_view whole(text);
  const auto end = std::from_chars(whole.begin(), whole.end(), number);
  if (end.ec != std::errc{} || end.ptr != whole.end()) return std::nullopt;
  return number;
}

/// What a launcher calls the number of a process, and how many there are.
struct Launcher {
  const char *number, *of, *first;
};
constexpr std::array kLaunchers = {
    Launcher{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", nullptr},
    Launcher{"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"},
    Launcher{"SLURM_PROCID", "SLURM_NTASKS", nullptr}, Launcher{"PMI_RANK", "PMI_SIZE", nullptr}};

}  // namespace

Shard shard_of(const std::string& written) {
  if (!written.empty()) {
    Shard shard;
    const char* end = written.data() + written.size();
    auto read = std::from_chars(written.data(), end, shard.number);
    const bool has_slash = read.ec == std::errc{} && read.ptr != end && *read.ptr == '/';
    if (has_slash) read = std::from_chars(read.ptr + 1, end, shard.of);
    require(has_slash && read.ec == std::errc{} && read.ptr == end && shard.number >= 1 &&
                shard.number <= shard.of,
            "--shard {}: K/N with K from 1 to N is needed", shown(written));
    --shard.number;
    return shard;
  }
  for (const Launcher& launcher : kLaunchers) {
    const auto number = number_in(launcher.number), of = number_in(launcher.of);
    const std::uint64_t first = launcher.first == nullptr ? 0 : number_in(launcher.first).value_or(0);
    if (number && of && *number >= first && *number - first < *of) return {*number - first, *of};
  }
  return {};
}

std::vector<Tried> tune(const Plan& plan, const TuneOptions& options,
                        const std::map<std::uint64_t, std::optional<double>>& known,
                        const std::function<std::optional<double>(std::uint64_t)>& measure) {
  std::vector<Tried> tried;
  std::uint64_t measured = 0;
  const auto allowed = [&](std::uint64_t point) {
    return point % options.shard.of == options.shard.number && plan.allowed(point);
  };
  const auto strategy = make_strategy(options.strategy, plan.space(), allowed, options.seed);
  while (measured < options.budget) {
    stop_if_interrupted();
    const auto point = strategy->next();
    if (!point) break;
    const auto found = known.find(*point);
    const std::optional<double> cost = found != known.end() ? found->second : (++measured, measure(*point));
    strategy->told(*point, cost);
    tried.push_back({*point, cost});
  }
  return tried;
}

namespace {

/// The text with the point's values put in; a text that is one {{name}} becomes the value itself.
Json filled(const Json& written, const Json& point, std::string_view where) {
  if (!written.is_string()) return written;
  const std::string text = written.get<std::string>();
  std::string out;
  std::size_t done = 0;
  for (std::size_t open; (open = text.find("{{", done)) != std::string::npos;) {
    const std::size_t end = std::min(text.find("}}", open), text.size());
    const std::string name = text.substr(open + 2, end - open - 2);
    const Json* value = point.find(name);
    require(value != nullptr, "{}: its configuration asks for '{}', which is no parameter", where,
            shown(name));
    if (open == 0 && end + 2 == text.size()) return *value;
    out += text.substr(done, open - done) + value_text(*value);
    done = std::min(end + 2, text.size());
  }
  return out + text.substr(done);
}

}  // namespace

Configurations::Configurations(const Space& space, const EngineeringLoop& loop)
    : space_(space), entry_(loop.entries.find("configuration")) {
  if (entry_ == nullptr) return;
  require(entry_->is_object(), "engineering_loop '{}': its configuration is no object", shown(loop.name));
  require(space.size() <= Plan::kMostWalked,
          "engineering_loop '{}': {} points are too many for a configuration of their own", shown(loop.name),
          space.size());
  for (std::uint64_t point = 0; point < space.size(); ++point) points_.emplace(of(point).dump(), point);
}

Json Configurations::of(std::uint64_t point) const {
  Json values = space_.point(point);
  if (entry_ == nullptr) return values;
  Json configuration = Json::object();
  for (const auto& [name, written] : entry_->items())
    configuration[name] = filled(written, values, "engineering_loop");
  return configuration;
}

std::optional<std::uint64_t> Configurations::point_of(const Json& configuration) const {
  if (entry_ == nullptr) return space_.number_of(configuration);
  Json asked = Json::object();
  for (const auto& [name, written] : entry_->items()) {
    const Json* value = configuration.find(name);
    if (value == nullptr) return std::nullopt;
    asked[name] = *value;
  }
  const auto found = points_.find(asked.dump());
  return found == points_.end() ? std::nullopt : std::optional(found->second);
}

bool belongs_to(const Json& item, const EngineeringLoop& loop, const Measuring& measuring) {
  const Json* configuration = item.find("configuration");
  if (configuration == nullptr || !configuration->is_object()) return false;
  if (item.contains("loop")) {
    const Json* set = item.find("set");
    return item["loop"] == Json(measuring.loop) && item.value("system", "") == measuring.system &&
           (set == nullptr ? Json::object() : *set) == measuring.set;
  }
  const Json* operation = loop.entries.find("operation");
  if (operation == nullptr || !(item.value("operation", "") == *operation)) return false;
  for (const auto& [name, value] : measuring.set.items()) {
    const Json* of_item = field_of(item, name);
    if (of_item == nullptr || !(*of_item == value)) return false;
  }
  return true;
}

std::optional<std::uint64_t> point_of(const Json& item, const EngineeringLoop& loop,
                                      const Measuring& measuring, const Configurations& configurations) {
  return belongs_to(item, loop, measuring) ? configurations.point_of(item["configuration"]) : std::nullopt;
}

std::map<std::uint64_t, std::optional<double>> known_points(const Space& space, const EngineeringLoop& loop,
                                                            const Measuring& measuring, const Trace& trace) {
  std::map<std::uint64_t, std::optional<double>> known;
  const Configurations configurations(space, loop);
  for (const Json& item : trace.items)
    if (const auto point = point_of(item, loop, measuring, configurations))
      known[*point] = cost_of(item, measuring.metric, measuring.maximize);
  return known;
}

std::optional<Replayed> replay(const Plan& plan, const std::map<std::uint64_t, std::optional<double>>& known,
                               const std::string& strategy, std::uint64_t seed) {
  double best = std::numeric_limits<double>::infinity();
  for (const auto& [point, cost] : known) best = std::min(best, cost.value_or(best));
  const double near = best + kNearBest * std::abs(best);
  const auto search = make_strategy(
      strategy, plan.space(),
      [&](std::uint64_t point) { return known.contains(point) && plan.allowed(point); }, seed);
  Replayed replayed;
  while (const auto point = search->next()) {
    const std::optional<double> cost = known.at(*point);
    ++replayed.needed;
    if (!cost) ++replayed.failed;
    if (cost && *cost <= near) return replayed;
    search->told(*point, cost);
  }
  return std::nullopt;
}

}  // namespace ladder::spak
