// ladder probe: everything that parity compares of one sequence, as a file for other programs: the residual stream after
// every half block, the logits, the loss and the gradient of every parameter.
#include <memory>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/cli/commands.hpp"
#include "shared/cli/options.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/weights.hpp"
#include "shared/train/safetensors.hpp"

namespace ladder::cli {
namespace {

struct ProbeFlags {
  PlaceFlags place;
  WeightsFlags weights;
  std::string out;
  std::vector<std::int32_t> tokens;
};

/// The sequence whose targets are the tokens themselves, one further.
Sequence sequence_of(const std::vector<std::int32_t>& tokens, const GptConfig& model) {
  require(tokens.size() > 1, "--tokens: a loss needs two tokens at least");
  require(static_cast<int>(tokens.size()) - 1 <= model.block_size,
          "--tokens: {} were given, this model's block holds {} and the target of the last", tokens.size(),
          model.block_size);
  require_tokens(tokens, model);
  return {{tokens.begin(), tokens.end() - 1}, {tokens.begin() + 1, tokens.end()}};
}

void write_probe(const std::string& path, const Probe& probe, const Place& place) {
  NamedTensor loss("loss", {1}, Dtype::fp64);
  loss.set(0, probe.loss);
  std::vector<StoredTensor> tensors = {{"loss", &loss, Dtype::fp64}};
  const auto add = [&](const std::string& kind, const NamedTensor& tensor) {
    // fp32 holds every narrower type's values
    tensors.push_back(
        {kind + tensor.name, &tensor, tensor.dtype() == Dtype::fp64 ? Dtype::fp64 : Dtype::fp32});
  };
  for (const NamedTensor& tensor : probe.activations) add("activation.", tensor);
  for (const NamedTensor& tensor : probe.gradients) add("gradient.", tensor);
  write_safetensors(
      path, tensors,
      {{"stage", std::to_string(place.stage)}, {"dtype", std::string(name_of(place.options.dtype))}});
}

void run_probe(const ProbeFlags& flags) {
  const Place place = resolve_place(flags.place);
  require_outputs(model_files(flags.weights.path), {flags.out}, {});
  const SavedModel saved = load_weights(flags.weights, place);
  const Sequence sequence = sequence_of(flags.tokens, saved.model);
  const std::unique_ptr<Engine> engine = make_engine(place.stage, saved.model, place.options);
  engine->load_parameters(saved.parameters);
  const Probe probe =
      engine->probe(make_batch(std::span(&sequence, 1), engine->layout(), saved.model.block_size));
  require_finite(probe.activations, flags.weights.path);
  require_finite({{"loss", {1}, std::vector{probe.loss}}}, flags.weights.path);
  require_finite(probe.gradients, flags.weights.path);
  fmt::print("loss {}\n", probe.loss);
  for (const NamedTensor& tensor : probe.activations) fmt::print("activation.{}\n", tensor.name);
  for (const NamedTensor& tensor : probe.gradients) fmt::print("gradient.{}\n", tensor.name);
  Outputs outputs;
  outputs.try_to([&] { write_probe(flags.out, probe, place); });
  outputs.finish();
}

}  // namespace

void add_probe(CLI::App& app) {
  const auto flags = std::make_shared<ProbeFlags>();
  add_weights_flags(app, flags->weights);
  add_numbers(app, "--tokens", flags->tokens,
              "token numbers of one sequence, each the target of the one before: 1,2,3")
      .required();
  add_place_flags(app, flags->place);
  add_text(app, "--out", flags->out, "the safetensors file to write").type("FILE").required();
  set_footer(app, "Prints the loss and the names of what the file holds, in fp64 or fp32.");
  set_action(app, [flags] { run_probe(*flags); });
}

}  // namespace ladder::cli
