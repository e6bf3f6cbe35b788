// From traces to knowledge: what measurements show, as facts and rules that a system file can hold.
#pragma once

#include <string>
#include <vector>

#include "shared/spak/analysis.hpp"

namespace ladder::spak {

enum class Kind : std::uint8_t {
  best,       ///< a fact: the configuration to take in a situation
  dead,       ///< a fact: an axis that makes no difference there
  matters,    ///< a fact: one that does; written only against an older fact that calls it dead
  cliff,      ///< a rule: a value that is much worse, or fails
  crossover,  ///< a rule: the best value of an axis on one side of a number of the situation
};
const char* name_of(Kind kind);

/// A fact or rule that measurements speak for.
struct Proposal {
  Kind kind = Kind::best;
  std::string name, description;
  std::string when;  ///< the situation as a condition
  Json situation = Json::object(), set = Json::object();
  std::string recommend, forbid;    ///< assignments; an expression
  std::string axis;                 ///< of all but best
  Json value;                       ///< of that axis, of a cliff or crossover
  std::vector<Json> winners;        ///< of best: all that tie with the choice, at most kShownWinners
  std::size_t winning = 0, of = 0;  ///< of best: how many tie, of how many measured
  double effect = 1;                ///< a ratio: how many times as much the worse costs
  bool fails = false;               ///< a cliff of failures: there is no ratio
  double spread = 0;                ///< relative width of a middle half; of the ratios where there are pairs
  std::size_t count = 0;            ///< points (best), pairs (dead, cliff), situations (crossover)
  double samples = 0;               ///< behind it
  double confidence = 0;
  std::string date, device, toolkit, driver, sources;
  bool is_static = false;
  std::vector<std::uint32_t> items;   ///< behind it: indices into Evidence::sources
  std::vector<std::string> evidence;  ///< links to their trace lines
  std::string trace;                  ///< the first trace's file
  std::string loop;

  bool is_rule() const { return kind == Kind::cliff || kind == Kind::crossover; }
};
inline constexpr std::size_t kShownWinners = 1000;
inline constexpr std::size_t kShownEvidence = 6;

/// How sure measurements make us, from 0 to 1: the product of
///   - the effect against its spread: e / (e + 2 s), e = effect - 1, s the relative width of the middle half; 1 for a failure;
///     of a dead parameter, whose effect is to be small: 1 - e / 2%, but no less than 0.5;
///   - how often it was seen: n / (n + 2), n the samples behind it; 1 for what a compiler says, which says it each time;
///   - how widely: 1 - 0.2 / d, d the number of days on which it was measured. Another device is another situation.
double confidence_of(const Proposal& proposal, std::size_t days);

struct Crystallized {
  std::vector<Proposal> proposals;         ///< the older evidence first
  std::size_t situations = 0, silent = 0;  ///< in all; those in which nothing is told apart
  std::size_t noiseless =
      0;  ///< those without repeated samples, in which nothing can be concluded but failures
};

/// What the evidence shows. Links to trace lines are relative to `folder`, where the system file is.
Crystallized crystallize(const EvidenceWanted& wanted, const Evidence& evidence,
                         const std::filesystem::path& folder);

/// What a proposal has from the situation that it speaks of.
Proposal proposal_of(Kind kind, const EngineeringLoop& loop, const Group& group);
/// Which lines say it, without a claim: date, toolkit, driver, sources, device and evidence of items of a situation.
Proposal record_of_items(const EvidenceWanted& wanted, const Evidence& evidence, const Group& group,
                         const std::vector<std::uint32_t>& items, const std::filesystem::path& folder);
/// Crossovers alone, between situations that differ in one number. Where the winners of the situations up to one number
/// share a value of an axis, and none of the next situation's winners has it, the best value changes between the two: the rules
/// are split at their geometric mean, rounded where both are whole.
std::vector<Proposal> crossovers_of(const EngineeringLoop& loop, const std::vector<Analysis>& analyses);

/// "device == 'H200' && rows == 64", without the member `but`; of names that no condition can ask for nothing.
std::string condition_of(const Json& situation, std::string_view but = {});
/// "tile_m = 64, warps = 4": the members that can be written so.
std::string assignments_of(const Json& configuration);
/// A value as an expression has it: 64, true, 'online'; "" for a list, an object or text that no string can hold.
std::string literal_of(const Json& value);
/// Of a text, what a name may hold; the rest as '_'.
std::string slug_of(const Json& situation);

}  // namespace ladder::spak
