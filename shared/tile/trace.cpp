#include "shared/tile/trace.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

#include "shared/error.hpp"

namespace ladder::tile {
namespace {

Trace* current = nullptr;

/// JSON has no infinities and no NaN: they are written as strings.
nlohmann::json number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

}  // namespace

Trace::Trace(Index id) : block_(id) {
  require(current == nullptr, "the tile model is already writing a trace");
  current = this;
}

Trace::~Trace() { current = nullptr; }

Trace* current_trace() { return current; }

std::uint32_t Trace::add(Step step) {
  step.id = static_cast<std::uint32_t>(steps_.size()) + 1;
  steps_.push_back(std::move(step));
  return steps_.back().id;
}

std::string Trace::json() const {
  nlohmann::json steps = nlohmann::json::array();
  for (const Step& step : steps_) {
    nlohmann::json values = nlohmann::json::array();
    for (double value : step.values) values.push_back(number(value));
    nlohmann::json one = {{"id", step.id},     {"op", step.operation}, {"from", step.from},
                          {"type", step.type}, {"shape", step.shape},  {"values", values}};
    if (!step.at.empty()) one["at"] = step.at;
    steps.push_back(one);
  }
  const nlohmann::json hints = {{"worker_warps", hints_.worker_warps}, {"occupancy", hints_.occupancy}};
  const nlohmann::json whole = {{"format", "ladder-tile-trace/1"},
                                {"kernel", kernel_},
                                {"hints", hints},
                                {"block", {block_.x, block_.y, block_.z}},
                                {"steps", steps}};
  return whole.dump(1);
}

}  // namespace ladder::tile
