// The one table of tolerances: every comparison of the project takes its limit from here.
//
// A row says what is compared, in which type, by which rule; the ceiling that the project allows itself at most; the
// largest error measured so far; and the limit in force, which follows from the two: the smaller of the ceiling and ten
// times the measured maximum. Measured over: losses, 1,000 steps of preset micro on names.txt and on the embedded names
// with four seeds, also in batches of 5 accumulated twice, with 3 layers, and at width 12 with blocks of 5; tensors,
// those runs' first 300 steps, each from equal weights; operations, every case of shared/check. Built by g++ with
// -march=native and by clang++ without. tf32, fp16 and bf16: the same tensors with stage 3 on the CPU model of its
// tiles; curves of losses over 100 steps, of the runs with one layer and one sequence a step. So a change that loses a
// decimal digit fails, even far below the ceiling.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/dtype.hpp"
#include "shared/check/check.hpp"

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
  int steps = 0;  ///< of a curve of losses: how many from the start the row speaks for; 0: all

  /// min(ceiling, 10 x measured); the ceiling where nothing has been measured.
  double limit() const;
};

const std::vector<Tolerance>& tolerances();

/// The largest relative error of rounding a number to nearest: half a unit in the last place.
double unit_roundoff(Dtype dtype);

/// Throws InputError when the table has no such row.
const Tolerance& find_tolerance(std::string_view what, Dtype dtype);

/// The row, or nullptr where the table has none.
const Tolerance* look_up_tolerance(std::string_view what, Dtype dtype);

/// The limits on a curve of losses in that type: "losses", and for narrow types "mean of losses" as well.
std::vector<Tolerance> curve_tolerances(Dtype dtype);

/// compare() by the rule and the limit of a row, over the steps that it speaks for.
Comparison compare(std::span<const double> got, std::span<const double> want, const Tolerance& tolerance);

}  // namespace ladder
