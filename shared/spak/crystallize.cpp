#include "shared/spak/crystallize.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "shared/spak/tune.hpp"

namespace ladder::spak {

namespace fs = std::filesystem;

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::best:
      return "best";
    case Kind::dead:
      return "dead";
    case Kind::matters:
      return "matters";
    case Kind::cliff:
      return "cliff";
    default:
      return "crossover";
  }
}

double confidence_of(const Proposal& proposal, std::size_t days) {
  const double effect = proposal.effect - 1;
  double certain = 1;
  if (proposal.kind == Kind::dead)
    certain = std::max(0.5, 1 - std::max(effect, 0.0) / kNearBest);
  else if (!proposal.fails)
    certain = effect > 0 ? effect / (effect + 2 * proposal.spread) : 0;
  const double seen = proposal.is_static ? 1 : proposal.samples / (proposal.samples + 2);
  const double wide = 1 - 0.2 / static_cast<double>(std::max<std::size_t>(days, 1));
  return std::round(certain * seen * wide * 100) / 100;
}

std::string literal_of(const Json& value) {
  if (value.is_number() || value.kind() == Json::Kind::boolean) return value.dump();
  if (!value.is_string()) return "";
  std::string literal = "'";
  for (const char c : value.get<std::string>()) {
    if (c == '\n' || c == '\t')
      literal += c == '\n' ? "\\n" : "\\t";
    else if (c == '\'' || c == '\\')
      literal += {'\\', c};
    else
      literal += c;
  }
  return literal + "'";
}

namespace {

/// Whether an expression can ask for this name: "tile-m" would be a difference.
bool is_askable(const std::string& name) {
  const auto expression = expression_in(name + " == 1");
  return expression && expression->names() == std::vector<std::string>{name};
}

}  // namespace

std::string condition_of(const Json& situation, std::string_view but) {
  std::string condition;
  for (const auto& [name, value] : situation.items()) {
    const std::string literal = literal_of(value);
    if (name == but || literal.empty() || !is_askable(name)) continue;
    condition += fmt::format("{}{} == {}", condition.empty() ? "" : " && ", name, literal);
  }
  return condition;
}

std::string assignments_of(const Json& configuration) {
  std::string all;
  for (const auto& [name, value] : configuration.items()) {
    const std::string literal = literal_of(value);
    if (!literal.empty() && is_askable(name))
      all += fmt::format("{}{} = {}", all.empty() ? "" : ", ", name, literal);
  }
  return all;
}

std::string slug_of(const Json& situation) {
  std::string slug;
  for (const auto& [name, value] : situation.items()) {
    slug += '_';
    for (const char c : value_text(value)) {
      const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
      if (is_plain || slug.back() != '_') slug += is_plain ? c : '_';
    }
    while (slug.ends_with('_')) slug.pop_back();
  }
  return slug;
}

Proposal proposal_of(Kind kind, const EngineeringLoop& loop, const Group& group) {
  Proposal proposal;
  proposal.kind = kind;
  proposal.loop = loop.name;
  proposal.situation = group.situation;
  proposal.set = group.set;
  proposal.when = condition_of(group.situation);
  proposal.date = group.date;
  proposal.device = group.device;
  proposal.toolkit = group.toolkit;
  proposal.driver = group.driver;
  proposal.sources = group.sources;
  proposal.is_static = group.is_static;
  return proposal;
}

namespace {

/// The trace's file as it is found from the folder of the system file.
std::string file_of(const Trace& trace, const fs::path& folder) {
  const fs::path file = fs::absolute(trace.name).lexically_normal().lexically_relative(folder);
  return file.empty() ? trace.name : file.generic_string();
}

std::string link_of(const Source& source, const fs::path& folder) {
  const std::string link = source.trace->link(source.item);
  const std::size_t line = source.trace->lines[source.item];
  const std::string bare = fmt::format("{}:{}", fs::path(source.trace->name).filename().string(), line);
  return link == bare ? fmt::format("{}:{}", file_of(*source.trace, folder), line) : link;
}

/// Names the lines of its items.
void add_links(const Evidence& evidence, const fs::path& folder, Proposal& proposal) {
  for (const std::uint32_t item : proposal.items) {
    const std::string link = link_of(evidence.sources[item], folder);
    if (std::find(proposal.evidence.begin(), proposal.evidence.end(), link) == proposal.evidence.end() &&
        proposal.evidence.size() < kShownEvidence)
      proposal.evidence.push_back(link);
  }
  if (!proposal.items.empty())
    proposal.trace = file_of(*evidence.sources[proposal.items.front()].trace, folder);
}

}  // namespace

Proposal record_of_items(const EvidenceWanted& wanted, const Evidence& evidence, const Group& group,
                         const std::vector<std::uint32_t>& items, const fs::path& folder) {
  Proposal proposal = proposal_of(Kind::best, wanted.loop, group);
  proposal.items = items;
  add_links(evidence, fs::absolute(folder).lexically_normal(), proposal);
  return proposal;
}

namespace {

class Crystallizer {
 public:
  Crystallizer(const EvidenceWanted& wanted, const Evidence& evidence, const fs::path& folder)
      : wanted_(wanted), evidence_(evidence), folder_(fs::absolute(folder).lexically_normal()) {}

  Crystallized run() {
    for (const Group& group : evidence_.groups)
      analyses_.emplace_back(wanted_.space, group, evidence_.groups.size());
    result_.situations = analyses_.size();
    for (const Analysis& analysis : analyses_) {
      if (analysis.group().freedom == 0) ++result_.noiseless;
      if (!analysis.differs()) ++result_.silent;
      add_best(analysis);
      add_axes(analysis);
      add_cliffs(analysis);
    }
    for (Proposal& proposal : crossovers_of(wanted_.loop, analyses_)) add(std::move(proposal), 1);
    return std::move(result_);
  }

 private:
  void add(Proposal proposal, std::size_t days) {
    add_links(evidence_, folder_, proposal);
    proposal.confidence = confidence_of(proposal, days);
    result_.proposals.push_back(std::move(proposal));
  }

  Proposal start(Kind kind, const Analysis& analysis, const std::string& what) const {
    Proposal proposal = proposal_of(kind, wanted_.loop, analysis.group());
    proposal.name =
        fmt::format("{}{}_{}{}{}", proposal.is_static ? "static_" : "", name_of(kind),
                    slug_of(Json{{"loop", wanted_.loop.name}}).substr(1),
                    what.empty() ? "" : slug_of(Json{{"axis", what}}), slug_of(analysis.group().situation));
    return proposal;
  }

  void add_best(const Analysis& analysis) {
    const PointEvidence* choice = analysis.choice();
    if (choice == nullptr) return;
    Proposal proposal = start(Kind::best, analysis, "");
    const Effect advantage = analysis.advantage();
    const Json configuration = wanted_.space.point(choice->point);
    proposal.recommend = assignments_of(configuration);
    for (const PointEvidence* each : analysis.winners())
      if (proposal.winners.size() < kShownWinners)
        proposal.winners.push_back(wanted_.space.point(each->point));
    proposal.winning = analysis.winners().size();
    proposal.of = proposal.count = analysis.group().measured();
    proposal.effect = advantage.ratio;
    proposal.spread = std::exp(choice->high - choice->low) - 1;
    proposal.samples = choice->samples;
    proposal.items = choice->items;
    proposal.items.insert(proposal.items.end(), advantage.items.begin(), advantage.items.end());
    proposal.description = fmt::format(
        "{}: {}; {} of {} configurations cannot be told apart here, the rest costs {:.2f} times as "
        "much",
        wanted_.loop.name, proposal.recommend, proposal.winning, proposal.of, proposal.effect);
    add(std::move(proposal), analysis.group().days);
  }

  void add_axes(const Analysis& analysis) {
    const std::vector<AxisFound> found = analysis.axes();
    for (std::size_t axis = 0; axis < found.size(); ++axis) {
      if (found[axis].verdict == AxisVerdict::open) continue;
      const bool is_dead = found[axis].verdict == AxisVerdict::dead;
      const std::string& name = wanted_.space.axes()[axis].name;
      Proposal proposal = start(is_dead ? Kind::dead : Kind::matters, analysis, name);
      proposal.axis = name;
      take(proposal, found[axis].effect);
      proposal.description =
          is_dead ? fmt::format("{}: {} makes no difference beyond noise: {:.1f}% at most, in {} pairs",
                                wanted_.loop.name, name, (proposal.effect - 1) * 100, proposal.count)
                  : fmt::format("{}: {} matters: {:.2f} times between two of its values", wanted_.loop.name,
                                name, proposal.effect);
      add(std::move(proposal), analysis.group().days);
    }
  }

  static void take(Proposal& proposal, const Effect& effect) {
    proposal.effect = effect.ratio;
    proposal.spread = effect.high / effect.low - 1;
    proposal.count = effect.pairs;
    proposal.samples = effect.samples;
    proposal.items = effect.items;
  }

  void add_cliffs(const Analysis& analysis) {
    for (const CliffFound& cliff : analysis.cliffs()) {
      const Axis& axis = wanted_.space.axes()[cliff.axis];
      Proposal proposal = start(Kind::cliff, analysis, axis.name);
      proposal.axis = axis.name;
      proposal.value = axis.values[cliff.choice];
      proposal.fails = !cliff.outcome.empty();
      take(proposal, cliff.effect);
      const std::string value = literal_of(proposal.value);
      if (value.empty() || !is_askable(axis.name)) continue;  // nothing that a rule could forbid
      proposal.forbid = fmt::format("{} == {}", axis.name, value);
      const std::string instead = literal_of(axis.values[cliff.better]);
      proposal.description =
          proposal.fails
              ? fmt::format("{} = {} fails ({}) in {} of {} neighbours of what works with {}", axis.name,
                            value, cliff.outcome, cliff.hits, cliff.effect.pairs, instead)
              : fmt::format(
                    "{} = {} costs {:.2f} times what its best neighbour does ({} of {} pairs by {} "
                    "times or more), mostly {}",
                    axis.name, value, proposal.effect, cliff.hits, cliff.effect.pairs, kCliff, instead);
      proposal.name = fmt::format("{}{}: {} = {}{}", proposal.is_static ? "static: " : "", wanted_.loop.name,
                                  axis.name, value, proposal.when.empty() ? "" : " where " + proposal.when);
      add(std::move(proposal), analysis.group().days);
    }
  }

  const EvidenceWanted& wanted_;
  const Evidence& evidence_;
  fs::path folder_;
  std::vector<Analysis> analyses_;
  Crystallized result_;
};

}  // namespace

Crystallized crystallize(const EvidenceWanted& wanted, const Evidence& evidence, const fs::path& folder) {
  return Crystallizer(wanted, evidence, folder).run();
}

}  // namespace ladder::spak
