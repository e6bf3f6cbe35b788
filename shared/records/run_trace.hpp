// Run records: the ladder-trace/1 file that a training run leaves for plots, tables and comparisons.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "shared/base/json.hpp"
namespace ladder {

/// {"format": "ladder-trace/1", "config": {...}, "machine": {...}, "loss": [...], "ms": [...], "samples": [...],
/// "items": [...], "learning_rate": [...], "gradient_norm": [...], "evaluations": [...]}; losses and learning rates one
/// per step, printed so that reading gives the same double again; norms of the gradients of as many steps as `ms`, or
/// none. Files of earlier programs lack the last three.
struct Trace {
  Json config = Json::object();
  Json machine = Json::object();
  std::vector<double> loss, ms;
  std::vector<std::string> samples;
  Json items = Json::array();
  std::vector<double> learning_rate, gradient_norm;
  Json evaluations = Json::array();  ///< {"step", "training", "held_out"} each
};

/// Completely or not at all (see files.hpp).
void write_trace(const std::filesystem::path& path, const Trace& trace);

/// Throws InputError naming the file and the member that is missing or of another kind.
Trace read_trace(const std::filesystem::path& path);

}  // namespace ladder
