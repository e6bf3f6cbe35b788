// Timing that can be believed: warm-up, contestants interleaved round-robin, medians with spread.
//
// Interleaving matters more than repetition: a machine that slows down for a second (another process, a lower clock)
// then slows every contestant of that round, and the ratios between them stay.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ladder {

/// Seconds per unit of work, one entry a round.
struct Timing {
  std::vector<double> samples;

  bool empty() const { return samples.empty(); }
  double median() const { return quantile(0.5); }
  double min() const { return quantile(0.0); }
  double q1() const { return quantile(0.25); }
  double q3() const { return quantile(0.75); }
  /// Linear interpolation between the sorted samples; throws InputError when there are none.
  double quantile(double fraction) const;
};

struct Contestant {
  std::string name;
  double units = 1.0;  ///< of work in one call of `slice`, in the unit that all contestants share
  std::function<void()> slice;
  /// Untimed, before every slice: puts the contestant back to where the work starts.
  std::function<void()> reset = [] {};
  /// For work that is timed elsewhere (another process): the seconds of the last slice. Empty: the clock around it.
  std::function<double()> seconds = {};
  int rounds = 0;  ///< at most; 0: as many as the race has
};

struct RaceSettings {
  int rounds = 7;
  int warmup = 1;  ///< untimed slices of each contestant before the first round
  /// Seconds: a faster slice is repeated (with reset) until a sample lasts this long.
  double at_least = 0.02;
  std::function<void(const std::string&)> progress = {};  ///< hears which contestant of which round runs
};

/// One Timing per contestant, in their order. Contestants with `seconds` are neither warmed up nor repeated.
std::vector<Timing> race(std::span<const Contestant> contestants, const RaceSettings& settings);

/// The median over rounds of slow / fast in the same round, with its quartiles: less noisy than the ratio of medians,
/// since both saw the same moment of the machine. Where one side has fewer rounds, its median stands for each round.
Timing ratios(const Timing& slow, const Timing& fast);

}  // namespace ladder
