#include "shared/speed/model_flops.hpp"

#include <array>

#include "shared/model/parameters.hpp"

namespace ladder {
namespace {

/// TFLOP/s.
struct Card {
  std::string_view name;  ///< what the card's own begins with
  double fp64, fp32, tf32, narrow;
};

/// NVIDIA's data sheets of A100, H100 and H200, the SXM boards.
constexpr std::array kCards{Card{"NVIDIA A100-SXM", 19.5, 19.5, 156, 312},
                            Card{"NVIDIA H100 80GB HBM3", 67, 67, 494.5, 989},
                            Card{"NVIDIA H200", 67, 67, 494.5, 989}};

double of(const Card& card, Dtype dtype) {
  switch (dtype) {
    case Dtype::fp64:
      return card.fp64;
    case Dtype::fp32:
      return card.fp32;
    case Dtype::tf32:
      return card.tf32;
    default:
      return card.narrow;
  }
}

}  // namespace

double flops_per_token(const GptConfig& config) {
  const double scores = 1.0 * config.n_layer * config.n_embd * config.block_size;
  return 6.0 * static_cast<double>(parameter_count(config)) + 6.0 * scores;
}

std::optional<double> peak_flops(std::string_view card, Dtype dtype) {
  for (const Card& known : kCards)
    if (card.starts_with(known.name)) return 1e12 * of(known, dtype);
  return {};
}

}  // namespace ladder
