#include "shared/tile/block_log.hpp"

#include <cmath>
#include <string_view>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"
#include "shared/tile/checks.hpp"

namespace ladder::tile {
namespace {

BlockLog* current = nullptr;

/// JSON has no infinities and no NaN: they are written as strings.
Json number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

}  // namespace

BlockLog::BlockLog(Index id, std::string kernel) : block_(id), only_(std::move(kernel)), kernel_(only_) {
  require(current == nullptr, "the tile model is already following a block");
  current = this;
}

BlockLog::~BlockLog() { current = nullptr; }

BlockLog* current_log() { return current; }

double* BlockLog::add(const char* operation, const TileType& type, std::initializer_list<std::uint32_t> from,
                      const std::int64_t* at) {
  Step step{};
  step.id = last_id() + 1;
  step.operation = operation;
  step.from = from;
  step.type = type.element;
  step.shape.assign(type.extents, type.extents + type.rank);
  if (at != nullptr) step.at.assign(at, at + type.rank);
  step.values.resize(type.size);
  steps_.push_back(std::move(step));
  return steps_.back().values.data();
}

bool BlockLog::concerns(const char* kernel) const {
  return std::string_view(kernel).substr(0, only_.size()) == only_;
}

bool BlockLog::follows(const char* kernel, Index id) const {
  return id.x == block_.x && id.y == block_.y && id.z == block_.z && concerns(kernel);
}

void BlockLog::launched(const Launch& launch) {
  if (!concerns(launch.name)) return;
  kernel_ = launch.name;
  grid_ = launch.grid;
  hints_ = launch.hints;
}

void BlockLog::add_tensor(const void* data, std::vector<std::int64_t> extents) {
  steps_.back().tensor = buffer_name(data);
  steps_.back().extents = std::move(extents);
}

std::string BlockLog::json() const {
  Json steps = Json::array();
  for (const Step& step : steps_) {
    Json values = Json::array();
    for (double value : step.values) values.push_back(number(value));
    Json one = {{"id", step.id},     {"op", step.operation}, {"from", step.from},
                {"type", step.type}, {"shape", step.shape},  {"values", values}};
    if (!step.at.empty()) one["at"] = step.at;
    if (!step.extents.empty()) one["extents"] = step.extents;
    if (!step.tensor.empty()) one["tensor"] = step.tensor;
    steps.push_back(std::move(one));
  }
  const Json hints = {{"worker_warps", hints_.worker_warps}, {"occupancy", hints_.occupancy}};
  Json whole = {{"format", "ladder-tile-trace/1"},
                {"kernel", kernel_},
                {"hints", hints},
                {"block", {block_.x, block_.y, block_.z}},
                {"grid", {grid_.x, grid_.y, grid_.z}}};
  whole["steps"] = std::move(steps);
  return sorted(std::move(whole)).dump(1);
}

}  // namespace ladder::tile
