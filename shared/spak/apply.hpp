// Writing what traces show into a system file, beside what it knows already.
#pragma once

#include <string>
#include <vector>

#include "shared/spak/crystallize.hpp"
#include "shared/spak/rewrite.hpp"

namespace ladder::spak {

/// An older statement that a newer one contradicts keeps this share of its confidence, once for each that does. Rules forbid
/// from 0.5 on, so that a rule which is contradicted prunes no more.
inline constexpr double kContradicted = 0.5;

/// What became of a proposal.
enum class Fate : std::uint8_t {
  added,
  known,      ///< it is in the file, with this evidence
  confirmed,  ///< it is in the file, with other evidence: that statement gets an entry `verified`
  left_out,   ///< nothing in the file calls for it (Kind::matters)
};
const char* name_of(Fate fate);

struct Change {
  std::string name;  ///< of the statement in the file
  Fate fate = Fate::added;
  std::vector<std::string> lowers;  ///< older statements of the file that it contradicts
  std::vector<std::string> beside;  ///< "fact 'x' of PARENT", which it contradicts and which stays as it is
};

struct Applied {
  std::string text;             ///< the file's
  std::vector<Change> changes;  ///< one a proposal
};

/// The text of the lineage's first file with the proposals as facts and rules; all else stays to the byte. Two statements
/// contradict each other where both speak of a situation and
///   - one recommends what is not among the configurations that tie for best,
///   - one forbids what the other chooses,
///   - one calls dead what the other calls a cliff, or shows to matter.
/// Both stay; of the older, by their dates, the confidence is lowered and `contradicted_by` names the newer. Statements
/// without a date are older. Applied to its own result, nothing changes.
Applied apply(std::vector<System> lineage, const std::vector<Proposal>& proposals);

/// What stands in a fact or rule for it: description, when, recommend or forbid, confidence; then, for programs,
///   crystallized   the kind: best, dead, matters, cliff, crossover
///   loop, axis     what it speaks of
///   winners, of    how many configurations tie, of how many measured
///   set            settings with which it was measured
///   effect         a ratio: how many times as much the worse costs; missing where the worse fails
///   spread, count  relative width of the middle half; points, pairs or situations behind it
///   device, date, toolkit, driver, sources, evidence_kind, trace, evidence, source
Written entries_of(const Proposal& proposal);
/// An entry `verified` or `refuted`: when, with which toolkit, driver and sources, and by which lines.
std::string record_of(const Proposal& proposal);
/// Whether one of these records, a single one or a list of them, stands on the proposal's lines.
bool is_recorded(const Json* records, const Proposal& proposal);

}  // namespace ladder::spak
