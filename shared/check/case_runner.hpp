// Runner: a case in the memory of an Ops, between sentinels. For this room's own files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "shared/base/dtype_convert.hpp"
#include "shared/check/cases.hpp"

namespace ladder::cases {

inline constexpr std::size_t kGuard = 256;  ///< bytes before and after every tensor
inline constexpr std::byte kSentinel{0xA5};

/// What a tensor of this role is stored as on an Ops that computes in `compute`.
inline Dtype dtype_of(Role role, Dtype compute) {
  const Precision precision = Precision::of(compute);
  switch (role) {
    case Role::activation:
      return precision.activation;
    case Role::parameter:
      return precision.parameter;
    case Role::gradient:
      return precision.gradient;
    case Role::master:
      return precision.master;
    case Role::statistic:
      return precision.statistic;
  }
  return compute;
}

/// Places a case in the memory of an Ops, and looks at that memory afterwards.
class Runner {
 public:
  Runner(const OpCase& c, Ops& ops, const Values& values) : case_(c), ops_(ops) {
    for (const TensorSpec& tensor : c.tensors) place(tensor, values.at(tensor.name));
    if (c.step_constants) {
      void* step = ops.allocate(sizeof(StepConstants));
      ops.upload(step, &*c.step_constants, sizeof(StepConstants));
      bound_.step_constants = static_cast<const StepConstants*>(step);
    }
    if (c.batch) place_batch(*c.batch);
    if (c.scratch_heads > 0) {
      const std::size_t bytes = ops.attention_scratch_bytes(c.first + c.batch->rows(), c.scratch_heads,
                                                            c.first + c.batch->max_length);
      bound_.scratch = bytes > 0 ? ops.allocate(bytes) : nullptr;
    }
  }

  const Bound& bound() const { return bound_; }

  /// Every place once, also where two names stand for it.
  void tell(const Placed& placed) const {
    for (const TensorSpec& tensor : case_.tensors) {
      const Bound::Place& place = bound_.places_.at(tensor.name);
      const auto owns = [&](const Region& region) { return region.name == tensor.name; };
      if (std::any_of(regions_.begin(), regions_.end(), owns))
        placed(tensor, place.data, case_.values.at(tensor.name).size(), place.dtype);
    }
  }

  void write(const std::string& name, const std::vector<double>& values) {
    const Bound::Place& place = bound_.places_.at(name);
    std::vector<std::byte> raw(values.size() * size_of(place.dtype));
    encode(place.dtype, values, raw.data());
    if (!raw.empty()) ops_.upload(place.data, raw.data(), raw.size());
  }

  std::vector<double> read(const std::string& name) const {
    const Bound::Place& place = bound_.places_.at(name);
    std::vector<double> values(case_.values.at(name).size());
    std::vector<std::byte> raw(values.size() * size_of(place.dtype));
    ops_.download(raw.data(), place.data, raw.size());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = decode(place.dtype, raw.data(), i);
    return values;
  }

  /// Names what the operation should not have touched but did.
  std::string damage() const {
    for (const Region& region : regions_) {
      std::vector<std::byte> now(region.before.size());
      ops_.download(now.data(), region.memory, now.size());
      const auto differs = [&](std::size_t from, std::size_t to) {
        return !std::equal(now.begin() + static_cast<std::ptrdiff_t>(from),
                           now.begin() + static_cast<std::ptrdiff_t>(to),
                           region.before.begin() + static_cast<std::ptrdiff_t>(from));
      };
      if (differs(0, kGuard)) return "wrote before the start of " + region.name;
      if (differs(now.size() - kGuard, now.size())) return "wrote behind the end of " + region.name;
      if (region.use == Use::input && differs(0, now.size())) return "changed its input " + region.name;
    }
    return {};
  }

 private:
  struct Region {
    std::string name;
    Use use;
    void* memory;
    std::vector<std::byte> before;
  };

  void place(const TensorSpec& tensor, const std::vector<double>& values) {
    const Dtype dtype = dtype_of(tensor.role, ops_.dtype());
    // Where parameters need no master copy, both names stand for the same memory (see Adam).
    const bool alias =
        tensor.role == Role::parameter && bound_.places_.count("master") != 0 && size_of(dtype) > 2;
    if (alias) {
      bound_.places_[tensor.name] = bound_.places_.at("master");
      return;
    }
    std::vector<std::byte> raw(2 * kGuard + values.size() * size_of(dtype), kSentinel);
    if (tensor.use == Use::output || tensor.use == Use::work)
      std::fill(raw.begin() + kGuard, raw.end() - kGuard, std::byte{0xFF});  // NaN in every type
    else
      encode(dtype, values, raw.data() + kGuard);
    void* memory = ops_.allocate(raw.size());
    ops_.upload(memory, raw.data(), raw.size());
    bound_.places_[tensor.name] = {static_cast<std::byte*>(memory) + kGuard, dtype};
    regions_.push_back({tensor.name, tensor.use, memory, std::move(raw)});
  }

  void place_batch(const Batch& batch) {
    const auto integers = [&](const std::vector<std::int32_t>& values) {
      void* memory = ops_.allocate(std::max<std::size_t>(values.size(), 1) * sizeof(std::int32_t));
      if (!values.empty()) ops_.upload(memory, values.data(), values.size() * sizeof(std::int32_t));
      return static_cast<const std::int32_t*>(memory);
    };
    bound_.batch = batch.view();
    bound_.batch.tokens_n = integers(batch.tokens_n);
    bound_.batch.targets_n = integers(batch.targets_n);
    bound_.batch.sequence_n = integers(batch.sequence_n);
    bound_.batch.starts_b = integers(batch.starts_b);
    bound_.batch.lengths_b = integers(batch.lengths_b);
    bound_.batch.order_n = integers(batch.order_n);
    bound_.batch.first = case_.first;
    bound_.batch.step = bound_.step_constants;
  }

  const OpCase& case_;
  Ops& ops_;
  Bound bound_;
  std::vector<Region> regions_;
};

}  // namespace ladder::cases
