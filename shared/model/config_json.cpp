#include "shared/model/config_json.hpp"

#include <string>

#include "shared/base/json_member.hpp"

namespace ladder {
Json to_json(const GptConfig& config) {
  return sorted({{"vocab_size", config.vocab_size},
                 {"n_layer", config.n_layer},
                 {"n_embd", config.n_embd},
                 {"n_head", config.n_head},
                 {"n_kv_head", config.kv_heads()},
                 {"block_size", config.block_size}});
}

Json to_json(const TrainConfig& config) {
  return sorted({{"steps", config.steps},
                 {"schedule_steps", config.decay_steps()},
                 {"batch_size", config.batch_size},
                 {"grad_accum", config.grad_accum},
                 {"learning_rate", config.learning_rate},
                 {"beta1", config.beta1},
                 {"beta2", config.beta2},
                 {"eps", config.eps},
                 {"seed", config.seed},
                 {"dtype", name_of(config.dtype)}});
}

GptConfig gpt_config_from_json(const Json& json, std::string_view source) {
  GptConfig config;
  config.vocab_size = member_of<int>(json, "vocab_size", source);
  config.n_layer = member_of<int>(json, "n_layer", source);
  config.n_embd = member_of<int>(json, "n_embd", source);
  config.n_head = member_of<int>(json, "n_head", source);
  config.n_kv_head = member_of<int>(json, "n_kv_head", source);
  if (config.n_kv_head == config.n_head)
    config.n_kv_head = 0;  // one way to say it, so that == compares models
  config.block_size = member_of<int>(json, "block_size", source);
  return config;
}

TrainConfig train_config_from_json(const Json& json, std::string_view source) {
  TrainConfig config;
  config.steps = member_of<std::int64_t>(json, "steps", source);
  config.schedule_steps = member_of<std::int64_t>(json, "schedule_steps", source);
  config.batch_size = member_of<int>(json, "batch_size", source);
  config.grad_accum = member_of<int>(json, "grad_accum", source);
  config.learning_rate = member_of<double>(json, "learning_rate", source);
  config.beta1 = member_of<double>(json, "beta1", source);
  config.beta2 = member_of<double>(json, "beta2", source);
  config.eps = member_of<double>(json, "eps", source);
  config.seed = member_of<std::int64_t>(json, "seed", source);
  config.dtype = parse_dtype(member_of<std::string>(json, "dtype", source));
  return config;
}

}  // namespace ladder
