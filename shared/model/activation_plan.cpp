#include "shared/model/activation_plan.hpp"

#include "shared/base/checked_size.hpp"

namespace ladder {

void ActivationPlan::add(std::string name, std::size_t rows, std::size_t width, Dtype dtype) {
  constexpr std::size_t alignment = 256;
  const std::string what = fmt::format("activation '{}'", name);
  const std::size_t bytes = checked_product({rows, width, size_of(dtype)}, what);
  by_name_.emplace(name, specs_.size());
  specs_.push_back({std::move(name), rows, width, dtype, bytes_});
  bytes_ = checked_sum({bytes_, checked_round_up(bytes, alignment, what)}, "the activations");
}

const ActivationSpec& ActivationPlan::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  require(found != by_name_.end(), "the activation plan has no tensor '{}'", name);
  return specs_[found->second];
}

}  // namespace ladder
