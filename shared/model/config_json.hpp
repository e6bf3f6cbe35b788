// Settings as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string_view>

#include "shared/model/config.hpp"

namespace ladder {

/// All settings of a run, for traces, checkpoints and records; from_json throws InputError naming `source` and what
/// is missing.
nlohmann::json to_json(const GptConfig& config);
nlohmann::json to_json(const TrainConfig& config);
GptConfig gpt_config_from_json(const nlohmann::json& json, std::string_view source);
TrainConfig train_config_from_json(const nlohmann::json& json, std::string_view source);

}  // namespace ladder
