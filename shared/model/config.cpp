#include "shared/model/config.hpp"

#include <algorithm>
#include <type_traits>

#include "shared/model/dropout.hpp"
#include "shared/model/settings.hpp"

namespace ladder {
namespace {

Preset make_preset(std::string name, std::string summary, GptConfig model, TrainConfig train, bool stream,
                   Embedded embedded = Embedded::names) {
  return {std::move(name), std::move(summary), model, train, stream, embedded};
}

GptConfig gpt2_shape(int layers, int heads, int width, int positions) {
  GptConfig model;
  model.architecture = Architecture::gpt2;
  model.n_layer = layers;
  model.n_head = heads;
  model.n_embd = width;
  model.block_size = positions;
  model.bias = true;
  return model;
}

/// nanoGPT's recipe, for runs of some thousand steps.
TrainConfig gpt2_train(int batch_size) {
  TrainConfig train;
  train.batch_size = batch_size;
  train.learning_rate = 6e-4;
  train.schedule = Schedule::cosine;
  train.min_learning_rate = 6e-5;
  train.warmup_steps = 100;
  train.eval_every = 250;
  train.eval_batches = 20;
  train.beta1 = 0.9;
  train.beta2 = 0.95;
  train.weight_decay = 0.1;
  train.clip = 1.0;
  return train;
}

/// On a line to 0, as microGPT's: parity trains it beside that.
TrainConfig tiny_train() {
  TrainConfig train = gpt2_train(8);
  train.learning_rate = 1e-3;
  train.schedule = Schedule::linear;
  train.warmup_steps = 0;
  train.min_learning_rate = 0.0;
  train.eval_every = 0;
  train.eval_batches = 0;
  train.steps = 100;
  return train;
}

GptConfig shakespeare() {
  GptConfig model = gpt2_shape(6, 6, 384, 256);
  model.bias = false;
  model.gelu = Gelu::erf;  // what nanoGPT's code computes
  model.dropout = 0.2;
  return model;
}

TrainConfig shakespeare_train() {
  TrainConfig train = gpt2_train(64);
  train.learning_rate = 1e-3;
  train.min_learning_rate = 1e-4;
  train.beta2 = 0.99;
  train.steps = 5000;
  train.eval_batches = 200;
  return train;
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
      make_preset("tiny", "GPT-2 for tests and parity: 2 layers, width 32, 32 positions",
                  gpt2_shape(2, 2, 32, 32), tiny_train(), true),
      make_preset("shakespeare_char",
                  "nanoGPT's: 6 layers, width 384, 256 positions, dropout 0.2, characters", shakespeare(),
                  shakespeare_train(), true, Embedded::source),
      make_preset("gpt2", "GPT-2, 124M parameters: 12 layers, width 768, 1024 positions",
                  gpt2_shape(12, 12, 768, 1024), gpt2_train(64), true, Embedded::source),
      make_preset("gpt2-medium", "350M parameters: 24 layers, width 1024", gpt2_shape(24, 16, 1024, 1024),
                  gpt2_train(64), true, Embedded::source),
      make_preset("gpt2-large", "774M parameters: 36 layers, width 1280", gpt2_shape(36, 20, 1280, 1024),
                  gpt2_train(64), true, Embedded::source),
      make_preset("gpt2-xl", "1558M parameters: 48 layers, width 1600", gpt2_shape(48, 25, 1600, 1024),
                  gpt2_train(64), true, Embedded::source),
      make_preset("small", "6 layers, width 384, 256 positions, 64 windows of character data a step", small,
                  small_train, true),
  };
}

/// Far beyond what trains: a file that claims more layers is damaged, or meant to hurt.
constexpr int kMostLayers = 4096;
static_assert(kMostLayers <= kMostDropoutLayers);

template <class Config>
void validate_each(const Config& config) {
  visit_settings<Config>([&](const auto& row) { row.require_valid(row.in_force(config)); });
}

/// What the update of a run in `dtype` computes with, where it is not what was given: 1e-50 is 0 in fp32.
void require_valid_in(Dtype dtype, const TrainConfig& config) {
  if (Precision::of(dtype).master == Dtype::fp64) return;
  visit_settings<TrainConfig>([&](const auto& row) {
    if constexpr (std::is_same_v<typename std::decay_t<decltype(row)>::Value, double>) {
      const double given = config.*row.member, used = static_cast<float>(given);
      require(row.valid.holds(used) && (used == 0.0) == (given == 0.0),
              "{} is {}, which is {} in fp32: there, too, it must be {}{}", row.flag, given, used,
              row.valid.says, used == 0.0 ? ", and no 0 that was not given" : "");
    }
  });
}

/// Of the width's divisors the message names those next to the number that was asked for.
void require_even_heads(const GptConfig& config) {
  if (config.n_embd % config.n_head == 0) return;
  int fewer = std::min(config.n_head, config.n_embd), more = config.n_head;
  while (config.n_embd % fewer != 0) --fewer;
  while (more < config.n_embd && config.n_embd % more != 0) ++more;
  const std::string or_more = more <= config.n_embd && more > fewer ? fmt::format(" or {}", more) : "";
  throw InputError(
      fmt::format("--n-head {} does not divide --n-embd {}, which the heads share evenly: choose {}{} heads, "
                  "or another width",
                  config.n_head, config.n_embd, fewer, or_more));
}

/// MicroGPT knows none of GPT-2's settings.
void require_one_architecture(const GptConfig& config) {
  if (config.architecture == Architecture::gpt2) return;
  const GptConfig plain;
  const auto only_gpt2 = [](const char* flag, bool as_is) {
    require(as_is, "{} is GPT-2's: add --model gpt2, or leave it out", flag);
  };
  only_gpt2("--bias", config.bias == plain.bias);
  only_gpt2("--gelu", config.gelu == plain.gelu);
  only_gpt2("--dropout", config.dropout == plain.dropout);
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
  require(config.n_layer <= kMostLayers, "--n-layer {}: at most {}", config.n_layer, kMostLayers);
  require_parameter_limit(config);  // before divisors of the width are sought, one by one
  require_even_heads(config);
  require(config.n_head % config.kv_heads() == 0, "--n-head {} is not divisible by --n-kv-head {}",
          config.n_head, config.kv_heads());
  require_one_architecture(config);
}

GptConfig with_vocabulary(GptConfig config, int vocab_size) {
  config.vocab_size = vocab_size;
  require_parameter_limit(config);
  return config;
}

void validate(const TrainConfig& config) {
  validate_each(config);
  require_valid_in(config.dtype, config);
  require(config.warmup_steps <= config.decay_steps(),
          "--warmup-steps {}: the schedule is over after {} steps, before the rate has risen",
          config.warmup_steps, config.decay_steps());
  require(config.min_learning_rate <= config.learning_rate,
          "--min-lr {} is above --lr {}: the rate falls to it", config.min_learning_rate,
          config.learning_rate);
  require(config.eval_every == 0 || config.eval_batches > 0,
          "--eval-every {} needs --eval-batches N: of how many batches an evaluation is", config.eval_every);
}

}  // namespace ladder
