#include "shared/speed/race.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// One slice, by the contestant's own clock if it has one.
double timed_slice(const Contestant& contestant) {
  contestant.reset();
  const double elapsed = seconds_of(contestant.slice);
  return contestant.seconds ? contestant.seconds() : elapsed;
}

/// How many slices fill a sample, from one untimed try.
int repeats_for(const Contestant& contestant, double at_least) {
  if (contestant.seconds) return 1;
  const double one = std::max(timed_slice(contestant), 1e-7);
  return static_cast<int>(std::clamp(std::ceil(at_least / one), 1.0, 100000.0));
}

double sample(const Contestant& contestant, int repeats) {
  double total = 0.0;
  for (int i = 0; i < repeats; ++i) total += timed_slice(contestant);
  return total / (static_cast<double>(repeats) * contestant.units);
}

}  // namespace

double Timing::quantile(double fraction) const {
  require(!samples.empty(), "no timing samples: nothing was run");
  std::vector<double> sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  const double place = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

std::vector<Timing> race(std::span<const Contestant> contestants, const RaceSettings& settings) {
  require(settings.rounds >= 1, "{} rounds: it must be 1 or more", settings.rounds);
  std::vector<int> repeats;
  for (const Contestant& contestant : contestants) {
    for (int i = 0; i < settings.warmup && !contestant.seconds; ++i) timed_slice(contestant);
    repeats.push_back(repeats_for(contestant, settings.at_least));
  }
  std::vector<Timing> timings(contestants.size());
  for (int round = 0; round < settings.rounds; ++round)
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      if (contestants[i].rounds > 0 && round >= contestants[i].rounds) continue;
      if (settings.progress)
        settings.progress(fmt::format("round {} of {}: {}", round + 1, settings.rounds, contestants[i].name));
      timings[i].samples.push_back(sample(contestants[i], repeats[i]));
    }
  return timings;
}

Timing ratios(const Timing& slow, const Timing& fast) {
  Timing result;
  const bool slow_longer = slow.samples.size() > fast.samples.size();
  const bool fast_longer = fast.samples.size() > slow.samples.size();
  for (std::size_t i = 0; i < std::max(slow.samples.size(), fast.samples.size()); ++i) {
    const double a = fast_longer ? slow.median() : slow.samples[i];
    const double b = slow_longer ? fast.median() : fast.samples[i];
    result.samples.push_back(a / b);
  }
  return result;
}

}  // namespace ladder
