// The weights that sample, logits and compare read, and what may be said of them on the command line.
#pragma once

#include <span>
#include <string>

#include "shared/base/error.hpp"
#include "shared/cli/settings.hpp"

namespace ladder::cli {

/// Of GPT-2's weights from other programs: what goes before the config.json beside them.
void add_shape_flags(CLI::App& app, Given<GptConfig>& shape);

struct WeightsFlags {
  std::string path;
  Given<GptConfig> shape;
};

/// --weights, which must be given, and the flags of the shape.
void add_weights_flags(CLI::App& app, WeightsFlags& flags);

/// load_model(), with what it had to assume told on stderr.
SavedModel load_weights(const std::string& path, const Given<GptConfig>& shape,
                        const AcceptModel& accept = {});
/// The same for an engine at `place`: what cannot run there is refused before the weights are read, and weights that its
/// type does not hold afterwards.
SavedModel load_weights(const WeightsFlags& flags, const Place& place);
/// Throws InputError naming `source` and the first weight that is not finite in the type of a parameter at `place`.
void require_holds(const Place& place, const TensorList& parameters, const std::string& source);

/// Throws where `model` cannot run at these places at once, or where their memory is not there.
void require_places(const GptConfig& model, std::span<const Place> places);

/// Calls body(); a CheckError of it, which says what the weights gave, then begins with `source`, their file.
template <class Body>
auto naming_weights(const std::string& source, const Body& body) {
  try {
    return body();
  } catch (const CheckError& error) {
    throw CheckError(fmt::format("{}: {}", source, error.what()));
  }
}

/// The text of --prompt. Throws InputError for bytes that are not UTF-8.
std::u32string decode_prompt(const std::string& prompt);

/// Throws InputError naming the flag unless every token is of the model's vocabulary.
void require_tokens(const std::vector<std::int32_t>& tokens, const GptConfig& model);

}  // namespace ladder::cli
