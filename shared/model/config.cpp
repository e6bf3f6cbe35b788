#include "shared/model/config.hpp"

#include "shared/model/settings.hpp"

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

template <class Config>
void validate_each(const Config& config) {
  visit_settings<Config>([&](const auto& row) { row.require_valid(row.in_force(config)); });
}

void require_parameter_limit(const GptConfig& config) {
  const double parameters = 12.0 * config.n_layer * config.n_embd * config.n_embd +
                            (2.0 * config.vocab_size + config.block_size) * config.n_embd;
  require(parameters < 2e9, "this shape has about {:.3g} parameters: the limit is 2e9", parameters);
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
  validate_each(config);
  require(config.n_head < 1 << 15, "--n-head {}: at most 32767", config.n_head);
  require(config.n_embd % config.n_head == 0, "--n-embd {} is not divisible by --n-head {}", config.n_embd,
          config.n_head);
  require(config.n_head % config.kv_heads() == 0, "--n-head {} is not divisible by --n-kv-head {}",
          config.n_head, config.kv_heads());
  require_parameter_limit(config);
}

GptConfig with_vocabulary(GptConfig config, int vocab_size) {
  config.vocab_size = vocab_size;
  require_parameter_limit(config);
  return config;
}

void validate(const TrainConfig& config) { validate_each(config); }

}  // namespace ladder
