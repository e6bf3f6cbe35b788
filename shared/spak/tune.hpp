// A sweep: the points of an engineering loop, minus what rules forbid, each measured once, in an order that a strategy gives.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "shared/spak/measure.hpp"
#include "shared/spak/space.hpp"
#include "shared/spak/strategy.hpp"
#include "shared/spak/trace.hpp"

namespace ladder::spak {

/// What forbids points, and how many each thing forbids; a point counts for the first that does.
struct Pruned {
  Pruning pruning;
  std::uint64_t points = 0;
};

/// Which of the points are left to try.
class Plan {
 public:
  /// A space of more points is not walked through without --limit.
  static constexpr std::uint64_t kMostWalked = 1'000'000;

  /// Of the loop's parameters, or of the tuning space for a loop without any. All must outlive this. Throws InputError as
  /// Space does.
  Plan(const std::vector<System>& lineage, const EngineeringLoop& loop, const Json& set, bool prune = true);
  /// The same of other axes than the loop's: what narrowed() left of them.
  Plan(std::vector<Axis> axes, const std::vector<System>& lineage, const EngineeringLoop& loop,
       const Json& set, bool prune);

  const Space& space() const { return space_; }
  /// Walks through the space: how many points are left, and what forbids the others.
  std::uint64_t count(std::vector<Pruned>& pruned) const;
  bool allowed(std::uint64_t point) const { return !prune_ || !pruner_.forbidden(space_.point(point)); }

 private:
  Space space_;
  Pruner pruner_;
  bool prune_;
};

/// One of several processes that share a sweep: every of-th point is its own. From 0.
struct Shard {
  std::uint64_t number = 0, of = 1;
};
/// "2/4" (from 1), or nothing for what the launcher says: Open MPI's, Slurm's or a job array's variables; alone without any.
/// Throws InputError for what is no share.
Shard shard_of(const std::string& written);

struct TuneOptions {
  std::string strategy = "all";
  std::uint64_t seed = 42;
  std::uint64_t budget = UINT64_MAX;  ///< points to measure at most, in this call
  Shard shard;
};

/// One point that was tried.
struct Tried {
  std::uint64_t point;
  std::optional<double> cost;
};

/// Asks the strategy for points and `measure` for their items until the budget is spent or nothing is left. Points that
/// `known` holds are told to the strategy and not measured again.
std::vector<Tried> tune(const Plan& plan, const TuneOptions& options,
                        const std::map<std::uint64_t, std::optional<double>>& known,
                        const std::function<std::optional<double>(std::uint64_t)>& measure);

/// Which point of the loop's space a measured configuration is. A loop's entry `configuration` says how the sweep calls it:
///   configuration: { tile: "{{rows}}x{{columns}}" warps: "{{warps}}" head: 64 }
/// whose texts hold values of the point; a text that is one {{name}} is that value itself. Without the entry a configuration is
/// the point.
class Configurations {
 public:
  /// Both must outlive this. Throws InputError for an entry that is no object or asks for a name that is no parameter, and for
  /// a space of more points than Plan::kMostWalked with such an entry.
  Configurations(const Space& space, const EngineeringLoop& loop);
  Json of(std::uint64_t point) const;
  std::optional<std::uint64_t> point_of(const Json& configuration) const;

 private:
  const Space& space_;
  const Json* entry_;
  std::unordered_map<std::string, std::uint64_t> points_;
};

/// Whether an item was measured for this loop: it names the system, the loop and the same settings; or, as the items of stage
/// 3's sweep, the loop's `operation`, and of its work, device and other members what is set: --set device="NVIDIA H200".
bool belongs_to(const Json& item, const EngineeringLoop& loop, const Measuring& measuring);

/// The point that an item of this loop is of; nothing for an item of another, or of a point that the space does not have.
std::optional<std::uint64_t> point_of(const Json& item, const EngineeringLoop& loop,
                                      const Measuring& measuring, const Configurations& configurations);

/// The points of the space that items of the trace belong to, with their costs. An item of a point that the space does not
/// have counts for nothing; of several the last counts.
std::map<std::uint64_t, std::optional<double>> known_points(const Space& space, const EngineeringLoop& loop,
                                                            const Measuring& measuring, const Trace& trace);

/// How a strategy does on recorded results, for one seed.
struct Replayed {
  std::uint64_t needed = 0;  ///< points until one is within 2% of the best of all
  std::uint64_t failed = 0;  ///< of them, those that failed
};
inline constexpr double kNearBest = 0.02;

/// Runs a strategy against `known` instead of measuring: only points that are recorded are proposed, and of those only such as
/// the plan allows. Nothing where no recorded point that it allows is within 2% of the best of all recorded.
std::optional<Replayed> replay(const Plan& plan, const std::map<std::uint64_t, std::optional<double>>& known,
                               const std::string& strategy, std::uint64_t seed);

}  // namespace ladder::spak
