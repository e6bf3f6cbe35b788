// Settings as JSON.
#pragma once

#include <string_view>

#include "shared/base/json.hpp"
#include "shared/model/config.hpp"

namespace ladder {

/// All settings of a run, for traces, checkpoints and records; from_json throws InputError naming `source` and what
/// is missing.
Json to_json(const GptConfig& config);
Json to_json(const TrainConfig& config);
GptConfig gpt_config_from_json(const Json& json, std::string_view source);
TrainConfig train_config_from_json(const Json& json, std::string_view source);

}  // namespace ladder
