// Measuring one point of a sweep: the command of a loop in a process of its own, and what is kept of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/base/limited_run.hpp"
#include "shared/spak/system.hpp"

namespace ladder::spak {

/// The outcomes of a measured point. What fails is a result, too, and kept with its "reason".
inline constexpr const char* kMeasured = "measured";
inline constexpr const char* kWrong = "wrong result";
inline constexpr const char* kTimeout = "timeout";
inline constexpr const char* kFailed = "failure";

/// The metric that our own clock takes: from the start of the process to its end.
inline constexpr const char* kOwnClock = "seconds";

/// A loop's command for points of its space.
class Command {
 public:
  /// `set` gives names that are no parameters their values. Throws InputError naming the place for a command that is empty,
  /// or asks for a {{name}} that is neither a parameter nor set.
  Command(const System& system, const EngineeringLoop& loop, const Json& set);
  /// Its words, the values put in: each is part of one word, whatever it holds.
  std::vector<std::string> words(const Json& configuration) const;

 private:
  std::vector<std::string> words_;
  const Json& set_;
};

/// What is measured, and how often.
struct Measuring {
  std::string system, loop, metric;
  bool maximize = true;
  double seconds = 60;  ///< time limit of one run
  int repeats = 1;      ///< runs of one point; their median counts
  Json set = Json::object();
  /// "measured" on a machine, or "static": what a compiler says of an architecture that may not be here.
  std::string evidence = "measured";
  std::string sources = {};  ///< a hash of the kernel's text (expiry.hpp); kept in the items
};

/// The item of a point after its runs, of which only the last may have failed: type Performance (or the type that the
/// program gave), system, loop, configuration, set, outcome, reason, when, seconds of the runs by our clock, and of what the
/// program said everything else. The metric is the median of what was printed, with METRIC_low and METRIC_high, the middle
/// half, and "samples". What the program says of names of ours does not count. The metric "seconds" is our clock's.
/// Throws InputError for a run that ended well and printed no item with the metric: the command measures nothing.
Json item_of_runs(const Measuring& measuring, const Json& configuration, const std::vector<LimitedRun>& runs);

/// Runs of one point, as many as asked, up to the first that fails; their item.
Json measure_point(const Command& command, const Measuring& measuring, const Json& configuration);

/// Seconds of one unit of the metric, where its name says that it is a time: step_ms, us, seconds. 0 where it does not.
double unit_of(const std::string& metric);

/// Whether the item is a measured value of the metric; what it cost then: the less, the better.
std::optional<double> cost_of(const Json& item, const std::string& metric, bool maximize);

}  // namespace ladder::spak
