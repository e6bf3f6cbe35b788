#include "shared/model/config_json.hpp"

#include <string>

#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"
#include "shared/model/settings.hpp"

namespace ladder {
namespace {

Json stored(Dtype dtype) { return name_of(dtype); }
Json stored(Architecture value) { return name_of(value); }
Json stored(Gelu value) { return name_of(value); }
Json stored(Schedule value) { return name_of(value); }
Json stored(bool value) { return value; }
Json stored(double value) { return value; }
Json stored(int value) { return value; }
Json stored(std::int64_t value) { return value; }

void read(const Json& json, const char* name, std::string_view source, Dtype& value) {
  // Shown as a message may show it: what is no type stays none.
  const std::string text = shown(member_of<std::string>(json, name, source), 40).str();
  value = naming_source(fmt::format("{}: '{}'", source, name), [&] { return parse_dtype(text); });
}

template <class T>
void read(const Json& json, const char* name, std::string_view source, T& value) {
  if constexpr (is_choice<T>)
    value =
        parse_choice<T>(member_of<std::string>(json, name, source), fmt::format("{}: '{}'", source, name));
  else
    value = member_of<T>(json, name, source);
}

template <class Config>
Json all_to_json(const Config& config) {
  Json json;
  visit_settings<Config>([&](const auto& row) { json[row.name] = stored(row.in_force(config)); });
  return sorted(std::move(json));
}

template <class Config>
Config all_from_json(const Json& json, std::string_view source) {
  Config config;
  visit_settings<Config>([&](const auto& row) {
    if (!row.later || json.contains(row.name)) read(json, row.name, source, config.*row.member);
  });
  return config;
}

}  // namespace

Json to_json(const GptConfig& config) { return all_to_json(config); }
Json to_json(const TrainConfig& config) { return all_to_json(config); }

GptConfig gpt_config_from_json(const Json& json, std::string_view source) {
  auto config = all_from_json<GptConfig>(json, source);
  if (config.n_kv_head == config.n_head)
    config.n_kv_head = 0;  // one way to say it, so that == compares models
  return config;
}

TrainConfig train_config_from_json(const Json& json, std::string_view source) {
  return all_from_json<TrainConfig>(json, source);
}

}  // namespace ladder
