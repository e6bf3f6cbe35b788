// The one table of tolerances: every comparison of the project takes its limit from here.
//
// A row says what is compared, in which type, by which rule; the ceiling that the project allows itself at most; the
// largest error measured so far; and the limit in force, which follows from the two: the smaller of the
// ceiling and ten times the measured maximum. Measured over: losses, 1,000 steps of preset micro on names.txt and on the
// embedded names with four seeds, also in batches of 5 accumulated twice, with 3 layers, and at width 12 with blocks of
// 5; tensors, those runs' first 300 steps, each from equal weights; operations, every case of tests/ops. Built by
// g++ with -march=native and by clang++ without. So a change that loses a decimal digit fails, even far below the ceiling.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/check.hpp"
#include "shared/dtype.hpp"

namespace ladder {

struct Tolerance {
  /// "operation", "activations", "gradients", "losses", ...; with dtype, the key of the row
  std::string what;
  Dtype dtype;            ///< what the side under test computes in
  std::string reference;  ///< what it is compared with
  Rule rule;
  double ceiling;
  std::optional<double> measured;  ///< largest error so far; empty where no stage computes in that type yet
  std::string reason;

  /// min(ceiling, 10 x measured); the ceiling where nothing has been measured.
  double limit() const;
};

const std::vector<Tolerance>& tolerances();

/// Throws InputError when the table has no such row.
const Tolerance& find_tolerance(std::string_view what, Dtype dtype);

/// compare() by the rule and the limit of a row.
Comparison compare(std::span<const double> got, std::span<const double> want, const Tolerance& tolerance);

}  // namespace ladder
