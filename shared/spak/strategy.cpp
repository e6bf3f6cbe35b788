#include "shared/spak/strategy.hpp"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "shared/base/error.hpp"
#include "shared/base/random.hpp"
#include "shared/base/shown.hpp"

namespace ladder::spak {

namespace {

class All : public Strategy {
 public:
  All(const Space& space, Allowed allowed) : size_(space.size()), allowed_(std::move(allowed)) {}
  std::optional<std::uint64_t> next() override {
    while (next_ < size_)
      if (const std::uint64_t point = next_++; allowed_(point)) return point;
    return std::nullopt;
  }
  void told(std::uint64_t, std::optional<double>) override {}

 private:
  std::uint64_t next_ = 0, size_;
  Allowed allowed_;
};

/// The numbers below `size` in a random order without a list of them: a random walk through a Fisher-Yates shuffle of which
/// only the places that were exchanged are kept.
class Shuffle {
 public:
  Shuffle(std::uint64_t size, std::uint64_t seed) : size_(size), random_(seed) {}
  std::optional<std::uint64_t> next() {
    if (done_ == size_) return std::nullopt;
    const std::uint64_t place = done_ + below(size_ - done_);
    const std::uint64_t drawn = at(place);
    exchanged_[place] = at(done_);
    exchanged_.erase(done_++);
    return drawn;
  }

 private:
  std::uint64_t at(std::uint64_t place) const {
    const auto found = exchanged_.find(place);
    return found == exchanged_.end() ? place : found->second;
  }
  /// Uniform in 0 .. n - 1: draws of 64 bits beyond the last whole multiple of n are thrown away.
  std::uint64_t below(std::uint64_t n) {
    const std::uint64_t whole = UINT64_MAX - UINT64_MAX % n;
    for (;;) {
      const std::uint64_t high = random_.next_u32();
      const std::uint64_t drawn = high << 32 | random_.next_u32();
      if (drawn < whole) return drawn % n;
    }
  }

  std::uint64_t done_ = 0, size_;
  Random random_;
  std::unordered_map<std::uint64_t, std::uint64_t> exchanged_;
};

class InRandomOrder : public Strategy {
 public:
  InRandomOrder(const Space& space, Allowed allowed, std::uint64_t seed)
      : shuffle_(space.size(), seed), allowed_(std::move(allowed)) {}
  std::optional<std::uint64_t> next() override {
    while (const auto point = shuffle_.next())
      if (allowed_(*point)) return point;
    return std::nullopt;
  }
  void told(std::uint64_t, std::optional<double>) override {}

 private:
  Shuffle shuffle_;
  Allowed allowed_;
};

class Local : public Strategy {
 public:
  Local(const Space& space, Allowed allowed, std::uint64_t seed)
      : space_(space), shuffle_(space.size(), seed), allowed_(std::move(allowed)) {}

  std::optional<std::uint64_t> next() override {
    if (waiting_.empty()) step();
    if (waiting_.empty()) return elsewhere();
    const std::uint64_t point = waiting_.front();
    waiting_.pop_front();
    return point;
  }

  void told(std::uint64_t point, std::optional<double> cost) override {
    if (!cost || (best_ && !(*cost < best_cost_))) return;
    best_ = point;
    best_cost_ = *cost;
  }

 private:
  /// The neighbours of the best point since the last start, once for each point that is it.
  void step() {
    if (!best_ || best_ == left_) return;
    left_ = best_;
    for (std::size_t axis = 0; axis < space_.axes().size(); ++axis) {
      const std::size_t here = space_.choice(*best_, axis), values = space_.axes()[axis].values.size();
      if (here > 0) propose(space_.moved(*best_, axis, here - 1));
      if (here + 1 < values) propose(space_.moved(*best_, axis, here + 1));
    }
  }
  void propose(std::uint64_t point) {
    if (allowed_(point) && seen_.insert(point).second) waiting_.push_back(point);
  }
  /// A new start, which knows nothing of what was best before.
  std::optional<std::uint64_t> elsewhere() {
    best_.reset();
    while (const auto point = shuffle_.next())
      if (allowed_(*point) && seen_.insert(*point).second) return point;
    return std::nullopt;
  }

  const Space& space_;
  Shuffle shuffle_;
  Allowed allowed_;
  std::unordered_set<std::uint64_t> seen_;
  std::deque<std::uint64_t> waiting_;
  std::optional<std::uint64_t> best_, left_;
  double best_cost_ = 0;
};

}  // namespace

std::vector<std::string> strategy_names() { return {"all", "random", "local"}; }

std::unique_ptr<Strategy> make_strategy(std::string_view name, const Space& space, Allowed allowed,
                                        std::uint64_t seed) {
  if (name == "all") return std::make_unique<All>(space, std::move(allowed));
  if (name == "random") return std::make_unique<InRandomOrder>(space, std::move(allowed), seed);
  require(name == "local", "there is no strategy '{}' (all, random, local)", shown(name));
  return std::make_unique<Local>(space, std::move(allowed), seed);
}

}  // namespace ladder::spak
