// What rounding alone can do to a result: what a failed limit is held against before it counts.
//
// A gradient that is what remains when large terms cancel has fewer correct digits than its size promises: of a text
// that is learnt by heart, softmax - onehot is 1e-8 made of terms of size 1. So where a limit fails, stage 1 in fp64 is
// also compared with itself, once as it is and eight times with every number moved by a rounding of the upper type
// (rounding_ops.hpp). Ten times the largest such difference of a tensor is what rounding may do to it. The limit is then
// held against the size of the terms that were summed, which is that difference over the limit, and the report says so
// in a note. At the initial weights, and along the runs whose maxima the table holds, this never comes into play.
//
// Why ten times the largest of eight draws: over 900 random texts and settings (1 to 1,500 different letters, learning
// rates from 0.0001 to 100) the 1,700 tensors that needed it were off by a fifth of the largest draw or less in half of
// the cases, by up to twice it in 99 of 100, and by 5.5 times it at worst. A maximum over a few draws falls short of
// what can happen, and ten times is the margin for that.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "shared/parity/parity.hpp"

namespace ladder {

/// The weights, each moved up or down by a unit in the last place of `dtype`; `draw` says which way.
TensorList nudged(const TensorList& weights, Dtype dtype, std::uint32_t draw);

/// What both sides computed a pass of.
struct Pass {
  const GptConfig& config;
  const TensorList& weights;
  Batch batch;  ///< in the packed layout
};
/// Judges the failed findings from `first` on again, which compare_probes made of `upper`, in `dtype`, and `lower`.
/// Never excuses what is no number, nor anything where the roughly computed pass has none.
void allow_for_rounding(const Pass& pass, const Probe& upper, const Probe& lower, Dtype dtype,
                        std::size_t first, ParityReport& report);

/// What both sides took a training step from.
struct StepStart {
  const GptConfig& config;
  const TensorList& weights;
  const Moments& moments;
  std::vector<Batch> micro_batches;  ///< in the packed layout
  const StepConstants& adam;
};
/// The same for "first moment of ..." and "second moment of ..." after a step.
void allow_for_rounding(const StepStart& start, const Moments& upper, const Moments& lower, Dtype dtype,
                        std::size_t first, ParityReport& report);

/// The losses of a run's first steps, and how they come out with every number rounded to a type: several draws.
struct RoundedCurves {
  std::vector<double> exact;
  std::vector<std::vector<double>> rounded;
  /// Of each step, the largest distance of a rounded loss from the exact one so far; infinity from a loss on that is
  /// no number.
  std::vector<double> moved() const;
};
RoundedCurves rounded_curves(const Run& run, Dtype dtype, std::int64_t steps);

/// One limit on a curve of losses, and what came of it.
struct CurveLimit {
  Tolerance row;
  double limit = 0.0;
  Comparison comparison;
  std::string note = {};  ///< what it was held against besides the row's limit; empty: nothing
};

/// Losses held against the limits of a type.
struct JudgedCurve {
  std::vector<CurveLimit> limits;
  /// Only so many steps are compared, as rounding alone may grow later losses too far apart; 0: all.
  std::size_t steady_steps = 0;

  /// The first limit that fails, or else the first.
  const CurveLimit& decisive() const;
};

/// By curve_tolerances(dtype) alone.
JudgedCurve judge_curve(std::span<const double> got, std::span<const double> want, Dtype dtype);
/// The same with what rounding may do, where a limit fails. In fp64 and fp32, whose limits are on the differences:
/// loss_limit(), then only the steady_steps(), if there are any that pass. In narrow types, whose limits are wide: twice
/// what rounding does to the reference alone is added to what they allow.
JudgedCurve judge_curve(std::span<const double> got, std::span<const double> want, Dtype dtype,
                        const Run& run);

/// The row's limit on a loss, and at least what its sum over the vocabulary may be off by. A sum of V terms has V
/// roundings: terms that are each less than its last place, as those of unlikely tokens beside a likely one, are lost.
double loss_limit(const Tolerance& row, const GptConfig& model);

/// The first steps of a run, at most `steps`, in which every number may be rounded to `dtype` without the losses moving
/// by more than a tenth of `limit`: later ones say nothing about who is right.
std::size_t steady_steps(const Run& run, Dtype dtype, std::size_t steps, double limit);

// The pieces.

/// The tensors of a pass by the names that findings have.
using Named = std::map<std::string, const NamedTensor*>;
/// How far rounding moves an element of each of them.
using Moved = std::map<std::string, double>;

/// Raises `moved` to the largest |rounded - exact| of each tensor; to infinity where one is no number.
void widen(Moved& moved, const Named& rounded, const Named& exact);

/// Judges the failed findings from `first` on again, each with the size of its terms. Never excuses what is no number,
/// nor anything whose rounded tensor has none.
void judge_again(const Named& upper, const Named& lower, const Moved& moved, std::size_t first,
                 ParityReport& report);

}  // namespace ladder
