#include "shared/bench.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "shared/error.hpp"

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

/// Code points, not bytes: cells may hold "×" or "–".
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string space(width > width_of(text) ? width - width_of(text) : 0, ' ');
  return left ? text + space : space + text;
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

std::string format_seconds(double seconds) {
  const char* unit = seconds < 1e-6 ? "ns" : seconds < 1e-3 ? "us" : seconds < 1.0 ? "ms" : "s";
  const double value = seconds * (seconds < 1e-6 ? 1e9 : seconds < 1e-3 ? 1e6 : seconds < 1.0 ? 1e3 : 1.0);
  const int decimals = value < 10.0 ? 2 : value < 100.0 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, unit);
}

std::string format_count(double value) {
  if (value < 100.0) return fmt::format("{:.{}f}", value, value < 1.0 ? 2 : 1);
  std::string digits = fmt::format("{:.0f}", value);
  for (std::size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, ",");
  return digits;
}

std::string text_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c == widths.size()) widths.push_back(0);
      widths[c] = std::max(widths[c], width_of(row[c]));
    }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c)
      line += (c == 0 ? "" : "  ") + padded(row[c], widths[c], c == 0);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string markdown_table(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (const std::string& cell : rows[r]) text += "| " + cell + " ";
    text += "|\n";
    if (r > 0) continue;
    for (std::size_t c = 0; c < rows[r].size(); ++c) text += c == 0 ? "|---" : "|---:";
    text += "|\n";
  }
  return text;
}

}  // namespace ladder
