// What is doubtful about a system file: knowledge that nothing stands behind, values that nothing reaches.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "shared/spak/system.hpp"

namespace ladder::spak {

/// What is said of a place: "FILE:LINE:COLUMN: ...".
struct Lint {
  std::string place, text;
};

/// The notes of reading, and of the first system of the lineage:
///   - a rule without evidence, source or reason; a fact without a source;
///   - a confidence that is no number from 0 to 1;
///   - an axis value that no rule, invariant or constraint leaves reachable, and conditions or recommendations that name a
///     value which the axis does not have;
///   - a source that names a file which is neither beside the system file nor below `root`;
///   - "always", "never" and the like on a single observation;
///   - an inherited_from that names neither a parent, its file, nor one of its facts;
///   - names that stand twice; predicates about fields that the trace schema does not declare; a loop without a metric.
std::vector<Lint> lints_of(const std::vector<System>& lineage, const std::filesystem::path& root);

}  // namespace ladder::spak
