#include "shared/model/config.hpp"

#include <cmath>

namespace ladder {
namespace {

Preset make_preset(std::string name, std::string summary, GptConfig model, TrainConfig train, bool stream) {
  return {std::move(name), std::move(summary), model, train, stream};
}

std::vector<Preset> build_presets() {
  GptConfig micro;
  GptConfig wide = micro;
  wide.n_embd = 64;
  TrainConfig batch64;
  batch64.batch_size = 64;
  GptConfig small;
  small.n_layer = 6;
  small.n_embd = 384;
  small.n_head = 6;
  small.block_size = 256;
  TrainConfig small_train = batch64;
  small_train.learning_rate = 1e-3;
  small_train.steps = 20;
  return {
      make_preset("micro", "the original: 1 layer, width 16, 16 positions, one document a step", micro, {},
                  false),
      make_preset("micro-batch", "1 layer, width 64, 64 documents a step", wide, batch64, false),
      make_preset("small", "6 layers, width 384, 256 positions, 64 windows of character data a step", small,
                  small_train, true),
  };
}

void require_positive(std::int64_t value, std::string_view name) {
  require(value > 0, "{} is {}: it must be 1 or more", name, value);
}

void require_finite_range(double value, double low, double high, bool high_open, std::string_view name) {
  const bool inside = std::isfinite(value) && value >= low && (high_open ? value < high : value <= high);
  require(inside, "{} is {}: it must be a number from {} to {}{}", name, value, low, high,
          high_open ? ", below the upper end" : "");
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = build_presets();
  return all;
}

const Preset& find_preset(std::string_view name) {
  std::string valid;
  for (const Preset& preset : presets()) {
    if (preset.name == name) return preset;
    valid += valid.empty() ? preset.name : ", " + preset.name;
  }
  throw InputError(fmt::format("unknown preset '{}': valid are {}", name, valid));
}

void validate(const GptConfig& config) {
  require_positive(config.vocab_size, "vocabulary size");
  require_positive(config.n_layer, "--n-layer");
  require_positive(config.n_embd, "--n-embd");
  require_positive(config.n_head, "--n-head");
  require(config.n_head < 1 << 15, "--n-head {}: at most 32767", config.n_head);
  require_positive(config.block_size, "--block-size");
  require(config.n_embd % config.n_head == 0, "--n-embd {} is not divisible by --n-head {}", config.n_embd,
          config.n_head);
  require(config.n_kv_head >= 0, "--n-kv-head is {}: it must be 1 or more", config.n_kv_head);
  require(config.n_head % config.kv_heads() == 0, "--n-head {} is not divisible by --n-kv-head {}",
          config.n_head, config.kv_heads());
  const double parameters = 12.0 * config.n_layer * config.n_embd * config.n_embd +
                            (2.0 * config.vocab_size + config.block_size) * config.n_embd;
  require(parameters < 2e9, "this shape has about {:.3g} parameters: the limit is 2e9", parameters);
}

void validate(const TrainConfig& config) {
  require(config.steps >= 0, "--steps is {}: it must be 0 or more", config.steps);
  require(config.schedule_steps >= 0, "--schedule-steps is {}: it must be 0 or more", config.schedule_steps);
  require_positive(config.batch_size, "--batch-size");
  require_positive(config.grad_accum, "--grad-accum");
  require(config.seed >= 0 && config.seed <= 0xffffffffLL, "--seed is {}: it must be from 0 to 4294967295",
          config.seed);
  require_finite_range(config.learning_rate, 0.0, 1e6, false, "--lr");
  require_finite_range(config.beta1, 0.0, 1.0, true, "--beta1");
  require_finite_range(config.beta2, 0.0, 1.0, true, "--beta2");
  require(std::isfinite(config.eps) && config.eps > 0, "--eps is {}: it must be a positive number",
          config.eps);
}

}  // namespace ladder
