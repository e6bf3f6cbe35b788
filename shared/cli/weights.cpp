#include "shared/cli/weights.hpp"

#include <vector>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/utf8.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/standard_streams.hpp"
#include "shared/model/settings.hpp"

namespace ladder::cli {
namespace {

/// What the command line says, each value judged by itself.
Gpt2Settings said_by(const Given<GptConfig>& shape) {
  visit_settings<GptConfig>([&](const auto& row) {
    if (shape.flags.contains(row.flag)) row.require_valid(shape.values.*row.member);
  });
  Gpt2Settings said;
  const auto take = [&](const char* flag, auto member, auto& setting) {
    if (shape.flags.contains(flag)) setting = shape.values.*member;
  };
  take("--n-layer", &GptConfig::n_layer, said.n_layer);
  take("--n-head", &GptConfig::n_head, said.n_head);
  take("--n-embd", &GptConfig::n_embd, said.n_embd);
  take("--block-size", &GptConfig::block_size, said.block_size);
  take("--bias", &GptConfig::bias, said.bias);
  take("--gelu", &GptConfig::gelu, said.gelu);
  return said;
}

}  // namespace

void add_shape_flags(CLI::App& app, Given<GptConfig>& shape) {
  add_setting_flags(app, shape, {"--n-layer", "--n-head", "--n-embd", "--block-size", "--bias", "--gelu"});
}

void add_weights_flags(CLI::App& app, WeightsFlags& flags) {
  add_text(app, "--weights", flags.path,
           "a checkpoint, a safetensors file of ladder train, GPT-2's as Hugging Face or nanoGPT name its "
           "tensors, or a folder with one of them")
      .type("FILE")
      .required();
  add_shape_flags(app, flags.shape);
}

SavedModel load_weights(const std::string& path, const Given<GptConfig>& shape, const AcceptModel& accept) {
  SavedModel saved = load_model(path, said_by(shape), accept);
  for (const std::string& assumed : saved.assumed) notice(path + ": " + assumed);
  return saved;
}

SavedModel load_weights(const WeightsFlags& flags, const Place& place) {
  SavedModel saved = load_weights(
      flags.path, flags.shape, [&](const GptConfig& model) { require_places(model, std::span(&place, 1)); });
  require_holds(place, saved.parameters, flags.path);
  return saved;
}

void require_holds(const Place& place, const TensorList& parameters, const std::string& source) {
  require_finite_in(Precision::of(place.options.dtype).parameter, parameters, source);
}

void require_places(const GptConfig& model, std::span<const Place> places) {
  std::vector<EngineNeeds> engines;
  for (const Place& place : places) engines.push_back(engine_needs(place.stage, model, place.options));
  require_room(engines, 0, places.size() == 1 ? "this model" : "this model on both sides");
}

std::u32string decode_prompt(const std::string& prompt) {
  const std::size_t valid = valid_utf8_length(prompt);
  require(valid == prompt.size(),
          "--prompt: byte 0x{:02x} at offset {} is not UTF-8: a prompt is a text in UTF-8",
          static_cast<unsigned char>(valid < prompt.size() ? prompt[valid] : 0), valid);
  return decode_utf8(prompt, "--prompt");
}

void require_tokens(const std::vector<std::int32_t>& tokens, const GptConfig& model) {
  for (const std::int32_t token : tokens)
    require(token >= 0 && token < model.vocab_size,
            "--tokens: {} is not in the vocabulary: valid are 0 to {}", token, model.vocab_size - 1);
}

}  // namespace ladder::cli
