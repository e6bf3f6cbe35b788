// In which order the points of a space are tried.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/spak/space.hpp"

namespace ladder::spak {

/// Proposes points, each at most once, and hears what each cost. The same seed and answers give the same points.
class Strategy {
 public:
  virtual ~Strategy() = default;
  /// The next point; nothing when all allowed ones were tried.
  virtual std::optional<std::uint64_t> next() = 0;
  /// What the point cost: the less, the better; nothing where it failed.
  virtual void told(std::uint64_t point, std::optional<double> cost) = 0;
};

/// Whether a point may be tried at all.
using Allowed = std::function<bool(std::uint64_t)>;

std::vector<std::string> strategy_names();

/// all: in the order of their numbers. random: in a random order. local: from a random point to the best of its neighbours
/// (one axis, one value further or back), until none is better; then from another random point. `space` must outlive it.
/// Throws InputError for another name.
std::unique_ptr<Strategy> make_strategy(std::string_view name, const Space& space, Allowed allowed,
                                        std::uint64_t seed);

}  // namespace ladder::spak
