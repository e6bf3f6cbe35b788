// Traces that nobody measured: what was planted in them must be found, and of noise nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "shared/spak/crystallize.hpp"

namespace ladder::test {

using spak::Space;
using spak::System;
using spak::Trace;

/// A system with one loop and its lineage.
struct Lab {
  std::vector<System> lineage;
  const spak::EngineeringLoop& loop() const { return lineage.front().loops.front(); }
  Space space() const { return spak::space_of(lineage.front(), loop()); }
};

inline const char* const kParameters =
    "parameter tile: [32, 64, 128] parameter warps: [2, 4, 8, 16] parameter engine: [\"inline\", 'bulk'] ";

inline std::string lab_text(const std::string& knowledge = "", const std::string& parameters = kParameters,
                            const std::string& more = "") {
  return "system Lab {\n    knowledge {\n" + knowledge + "    }\n    engineering_loop L {\n        " +
         parameters + "\n        " + more +
         "\n        measure { cmd: \"true\" metric: \"us\" objective: \"minimize\" }\n    }\n}\n";
}

inline Lab lab_of(const std::string& text) {
  Lab lab;
  lab.lineage.push_back(System::of(spak::Document::parse(text, "lab.spak")));
  return lab;
}

/// What one point costs; 0 or less: it fails.
using Cost = std::function<double(const Json& configuration)>;

struct Sampling {
  int samples = 9;
  double noise = 0.01;  ///< relative deviation of one sample
  double outliers = 0;  ///< share of samples that take twice as long
  Json set = Json{{"device", "card"}};
  std::string date = "2026-11-01", toolkit = "13.3";
  std::string failure = "failure";
};

inline double quantile_of(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below));
}

/// Appends an item for each point of the space.
inline void sweep(Trace& trace, const Space& space, const Cost& cost, std::mt19937& random,
                  const Sampling& sampling = {}) {
  std::normal_distribution<double> normal(0, sampling.noise);
  for (std::uint64_t point = 0; point < space.size(); ++point) {
    const Json configuration = space.point(point);
    Json item = {{"type", "Performance"},
                 {"system", "Lab"},
                 {"loop", "L"},
                 {"configuration", configuration},
                 {"set", sampling.set},
                 {"toolkit", sampling.toolkit},
                 {"evidence", "measured"},
                 {"when", sampling.date + "T10:00:00Z"}};
    const double true_cost = cost(configuration);
    item["outcome"] = true_cost > 0 ? "measured" : sampling.failure;
    if (true_cost > 0) {
      std::vector<double> samples;
      for (int i = 0; i < sampling.samples; ++i) {
        const double sample = true_cost * std::exp(normal(random));
        const bool is_outlier = static_cast<double>(random() % 1000) < sampling.outliers * 1000;
        samples.push_back(is_outlier ? 2 * sample : sample);
      }
      std::sort(samples.begin(), samples.end());
      item["us"] = quantile_of(samples, 0.5);
      item["us_low"] = quantile_of(samples, 0.25);
      item["us_high"] = quantile_of(samples, 0.75);
      item["samples"] = sampling.samples;
    }
    trace.items.push_back(std::move(item));
    trace.lines.push_back(trace.items.size());
  }
}

inline Trace trace_of(const Space& space, const Cost& cost, unsigned seed = 1,
                      const Sampling& sampling = {}) {
  Trace trace{"traces/t.jsonl", {}, {}};
  std::mt19937 random(seed);
  sweep(trace, space, cost, random, sampling);
  return trace;
}

inline spak::Crystallized crystals_of(const Lab& lab, const std::vector<Trace>& traces) {
  const Space space = lab.space();
  const spak::EvidenceWanted wanted{space, lab.loop(), "Lab"};
  return spak::crystallize(wanted, spak::evidence_of(wanted, traces), ".");
}

inline std::vector<spak::Proposal> of_kind(const spak::Crystallized& found, spak::Kind kind) {
  std::vector<spak::Proposal> all;
  for (const spak::Proposal& proposal : found.proposals)
    if (proposal.kind == kind) all.push_back(proposal);
  return all;
}

/// Costs in which tile 64 is best by 20% and warps make no difference.
inline double tile_counts(const Json& configuration) {
  return configuration["tile"] == Json(64) ? 100 : configuration["tile"] == Json(32) ? 120 : 125;
}

}  // namespace ladder::test
