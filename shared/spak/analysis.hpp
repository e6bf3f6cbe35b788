// What one situation's measurements show, and what may be nothing but noise.
//
// The level. From noise alone, a trace in which no configuration differs from any other, a conclusion may come in at most
// kFalseRate of all traces. Two gates stand before every conclusion, and each has half of it, divided by the number of
// situations in the traces (Bonferroni):
//   1. Homogeneity: are the points of this situation told apart at all? Either one point differs from the middle of all
//      by Student's t, divided by the number of points; or all of them together scatter more than their errors say (an F
//      test). Each has half again, and the difference must be kNearBest (2%) or more besides. Where nothing is told apart
//      nothing is concluded, dead parameters neither: a sweep that measures nothing looks just like that.
//   2. Failures need no clock: how often would a value fail by chance as often as it does, if failures were strewn over
//      all points at the rate of the others (a binomial tail, divided by the number of values)?
// Behind the first gate each comparison has its own t test at kFalseRate, divided by how many are made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/spak/evidence.hpp"

namespace ladder::spak {

inline constexpr double kFalseRate = 0.005;
inline constexpr double kCliff = 1.5;           ///< times worse
inline constexpr double kNearlyAll = 0.9;       ///< of the pairs
inline constexpr std::size_t kFewestPairs = 3;  ///< for a cliff or a dead parameter

/// Ratios between points that differ on one axis alone: how many times as much the one costs.
struct Effect {
  double ratio = 1;          ///< geometric mean
  double low = 1, high = 1;  ///< the middle half of them
  std::size_t pairs = 0;
  double samples = 0;                ///< behind them
  std::vector<std::uint32_t> items;  ///< some of those behind them: indices into Evidence::sources
};

/// A value of an axis that is much worse than the best of its neighbours, or fails where they do not.
struct CliffFound {
  std::size_t axis, choice;
  std::size_t better;    ///< the choice that is best beside it
  std::string outcome;   ///< "timeout" for one that fails; empty for one that is slow
  std::size_t hits = 0;  ///< pairs that show it, of effect.pairs
  Effect effect;
};

enum class AxisVerdict : std::uint8_t { open, dead, matters };
struct AxisFound {
  AxisVerdict verdict = AxisVerdict::open;
  Effect effect;  ///< of dead: between any of its values; of matters: between the best and the worst value
};

class Analysis {
 public:
  /// `situations`: how many there are in all. Both must outlive this.
  Analysis(const Space& space, const Group& group, std::size_t situations);

  const Group& group() const { return group_; }
  const Space& space() const { return space_; }
  /// Gate 1.
  bool differs() const { return differs_; }
  /// Points that cannot be told from the best: their middle halves overlap its middle half, or they are within 2% of it, or the
  /// difference can be noise. By number.
  const std::vector<const PointEvidence*>& winners() const { return winners_; }
  bool wins(std::uint64_t point) const;
  /// The winner that counts, of those that tie: the one with the smallest number, which is the first by the values of the
  /// space's first axis, then of its second, and so on, each in the order in which the axis lists them. Behind gate 1, and
  /// where something was measured that is no winner; otherwise nullptr.
  const PointEvidence* choice() const;
  /// How many times what the choice costs the others cost, those that are no winners.
  Effect advantage() const;

  /// By axis: does it matter? Dead is one of which every pair of values differs by less than 2% for certain (both ends of a 95%
  /// interval), with no pair of points told apart and no value failing where another does not.
  std::vector<AxisFound> axes() const;
  /// The same without gate 1: for verify.
  std::vector<AxisFound> axes_alone() const;
  /// A value of a configuration that wins is no cliff, whatever it does elsewhere.
  std::vector<CliffFound> cliffs() const;
  /// The same question about one value, without gates: for verify. Nothing where it has no neighbours.
  std::optional<CliffFound> cliff_at(std::size_t axis, std::size_t choice) const;

 private:
  struct Line;  ///< points that differ on one axis alone
  struct ValuePair;
  std::vector<Line> lines(std::size_t axis) const;
  bool differ_by(double difference, double error, double p) const;
  bool stands_out(double p) const;
  bool scatters(double p) const;
  void find_winners();
  AxisFound judge_axis(std::size_t axis, double tests) const;
  std::vector<ValuePair> value_pairs(std::size_t axis) const;
  std::optional<CliffFound> failing_at(std::size_t axis, std::size_t choice,
                                       const std::vector<Line>& lines) const;
  std::optional<CliffFound> slow_at(std::size_t axis, std::size_t choice,
                                    const std::vector<Line>& lines) const;
  bool is_chance(const CliffFound& cliff) const;
  bool has_winner(std::size_t axis, std::size_t choice) const;
  std::size_t values() const;

  const Space& space_;
  const Group& group_;
  double level_;
  bool differs_ = false;
  std::vector<const PointEvidence*> winners_;
};

}  // namespace ladder::spak
