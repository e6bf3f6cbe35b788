// The weights that sample, logits and compare read, and what may be said of them on the command line.
#pragma once

#include <string>

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
SavedModel load_weights(const std::string& path, const Given<GptConfig>& shape);

/// Throws InputError naming the flag unless every token is of the model's vocabulary.
void require_tokens(const std::vector<std::int32_t>& tokens, const GptConfig& model);

}  // namespace ladder::cli
