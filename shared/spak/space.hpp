// The points of a tuning space, and what the rules say of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shared/spak/system.hpp"

namespace ladder::spak {

/// All choices of one value for each axis. A point is a number from 0 to size() - 1: the last axis varies fastest.
class Space {
 public:
  /// Throws InputError naming an axis that has no values or stands twice, and for a product beyond 2^62.
  explicit Space(std::vector<Axis> axes);

  const std::vector<Axis>& axes() const { return axes_; }
  std::uint64_t size() const { return size_; }
  /// {"tile_m": 64, ...}, the axes in their order.
  Json point(std::uint64_t number) const;
  /// Which value of axis `axis` the point has.
  std::size_t choice(std::uint64_t number, std::size_t axis) const;
  /// The point whose choice on `axis` is another.
  std::uint64_t moved(std::uint64_t number, std::size_t axis, std::size_t choice) const;
  /// The point with this configuration; nothing where an axis is missing in it or has no such value.
  std::optional<std::uint64_t> number_of(const Json& configuration) const;

 private:
  std::vector<Axis> axes_;
  std::vector<std::uint64_t> strides_;
  std::uint64_t size_ = 1;
};

/// The axes of a loop: its parameters, or the tuning space for a loop without any.
std::vector<Axis> axes_of(const System& system, const EngineeringLoop& loop);
/// The space of these. Throws InputError naming the loop's place, too.
Space space_of(const System& system, const EngineeringLoop& loop);

/// What a rule leaves of an axis.
struct Narrowing {
  std::string axis;
  std::vector<Json> values;
  std::string rule, system;  ///< that recommends them
};

/// The axes with only the values that rules recommend: rules that hold for what is set, of at least `confidence`, the child's
/// before its parents'. Several rules of one system that recommend values of one axis leave all of them; a recommendation that
/// no value of the axis meets, or that lacks a name, leaves the axis as it is. `narrowings` gets what was narrowed.
std::vector<Axis> narrowed(std::vector<Axis> axes, const std::vector<System>& lineage, const Json& set,
                           std::vector<Narrowing>& narrowings, double confidence = 0.5);

/// Why a point is left out: "rule 'Wide tiles spill'", "invariant Heads", "constraint tile_m * tile_n <= 4096".
struct Pruning {
  std::string by, condition;
};

/// What forbids points: rules with `forbid` that apply and in which at least `confidence` is put, invariants that are
/// expressions, and constraints of the loop.
class Pruner {
 public:
  /// `set` gives names besides the point's own their values. All must outlive this.
  Pruner(const std::vector<System>& lineage, const EngineeringLoop* loop, const Json& set,
         double confidence = 0.5);
  /// The first thing that forbids this configuration; nothing where all leave it. What lacks a name forbids nothing.
  std::optional<Pruning> forbidden(const Json& configuration) const;

 private:
  const std::vector<System>& lineage_;
  const EngineeringLoop* loop_;
  const Json& set_;
  double confidence_;
};

}  // namespace ladder::spak
