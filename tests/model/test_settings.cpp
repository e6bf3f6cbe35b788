// The table of settings: every member has its row, and each row reaches files, errors and defaults.
#include <catch2/catch.hpp>

#include <chrono>
#include <cmath>
#include <set>
#include <string>

#include "shared/base/error.hpp"
#include "shared/model/config_json.hpp"
#include "shared/model/settings.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

std::string error_of(const Json& train) {
  try {
    train_config_from_json(train, "a file");
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

GptConfig valid_model() {
  GptConfig model;
  model.vocab_size = 27;
  return model;
}

/// Sets every member through its row to a value that no default has.
template <class Config>
Config all_changed(Config config) {
  visit_settings<Config>([&](const auto& row) {
    using Value = typename std::decay_t<decltype(row)>::Value;
    if constexpr (std::is_same_v<Value, bool>)
      config.*row.member = !(config.*row.member);
    else if constexpr (std::is_arithmetic_v<Value>)
      config.*row.member += static_cast<Value>(7);
    else if constexpr (is_choice<Value>)
      config.*row.member = static_cast<Value>(1);
    else
      config.*row.member = Value::bf16;
  });
  return config;
}

template <class Config>
std::set<std::string> names() {
  std::set<std::string> found;
  std::size_t rows = 0;
  visit_settings<Config>([&](const auto& row) { found.insert(row.name), ++rows; });
  CHECK(found.size() == rows);
  return found;
}

}  // namespace

TEST_CASE("every setting has a row with a name of its own, and every row travels through JSON") {
  CHECK(names<GptConfig>() == std::set<std::string>{"vocab_size", "n_layer", "n_embd", "n_head", "n_kv_head",
                                                    "block_size", "architecture", "bias", "gelu", "dropout"});
  CHECK(names<TrainConfig>() ==
        std::set<std::string>{"steps", "schedule_steps", "batch_size", "grad_accum", "learning_rate", "beta1",
                              "beta2", "eps", "weight_decay", "clip", "seed", "dtype", "schedule",
                              "warmup_steps", "min_learning_rate", "eval_every", "eval_batches"});
  const auto model = all_changed(valid_model());
  CHECK(gpt_config_from_json(to_json(model), "f") == model);
  const auto train = all_changed(TrainConfig{});
  const TrainConfig again = train_config_from_json(to_json(train), "f");
  visit_settings<TrainConfig>([&](const auto& row) {
    INFO(row.name);
    CHECK(again.*row.member == train.*row.member);
    CHECK(to_json(train).at(row.name) != to_json(TrainConfig{}).at(row.name));
  });
}

TEST_CASE("files hold the value in force where 0 stands for another setting's") {
  CHECK(to_json(valid_model()).at("n_kv_head") == 4);
  TrainConfig train;
  train.steps = 12;
  CHECK(to_json(train).at("schedule_steps") == 12);
}

TEST_CASE("a file from before a setting means its default, but an older setting must be there") {
  Json json = to_json(TrainConfig{});
  CHECK(json.at("clip") == 0.0);
  json.erase("clip");
  CHECK(train_config_from_json(json, "f").clip == 0.0);
  json["clip"] = 1.5;
  CHECK(train_config_from_json(json, "f").clip == 1.5);
  json["clip"] = "much";
  CHECK_THROWS_WITH(train_config_from_json(json, "f"), Contains("f: 'clip'"));
  visit_settings<TrainConfig>([&](const auto& row) {
    Json without = to_json(TrainConfig{});
    without.erase(row.name);
    if (!row.later)
      CHECK_THROWS_WITH(train_config_from_json(without, "f"), Contains(fmt::format("'{}'", row.name)));
  });
}

TEST_CASE("a value out of range is named with what would be valid") {
  const auto refused = [](const char* message, auto change) {
    TrainConfig train;
    change(train);
    CHECK_THROWS_WITH(validate(train), message);
  };
  validate(TrainConfig{});
  refused("--steps is -1: it must be 0 or more", [](auto& t) { t.steps = -1; });
  refused("--grad-accum is 0: it must be 1 or more", [](auto& t) { t.grad_accum = 0; });
  refused("--lr is 1000001: it must be a number from 0 to 1000000",
          [](auto& t) { t.learning_rate = 1000001; });
  refused("--beta2 is 1: it must be a number from 0 to 1, below the upper end", [](auto& t) { t.beta2 = 1; });
  refused("--eps is inf: it must be a positive number", [](auto& t) { t.eps = INFINITY; });
  refused("--eps is 0: it must be a positive number", [](auto& t) { t.eps = 0; });
  refused("--clip is nan: it must be a finite number of 0 or more", [](auto& t) { t.clip = NAN; });
  refused("--clip is inf: it must be a finite number of 0 or more", [](auto& t) { t.clip = INFINITY; });
  refused("--clip is -1: it must be a finite number of 0 or more", [](auto& t) { t.clip = -1; });
  refused("--seed is 4294967296: it must be from 0 to 4294967295", [](auto& t) { t.seed = 4294967296; });
  GptConfig model;
  CHECK_THROWS_WITH(validate(model), "vocabulary size is 0: it must be 1 or more");
  model = valid_model();
  model.n_layer = 4096;
  CHECK_NOTHROW(validate(model));
  model.n_layer = 4097;
  CHECK_THROWS_WITH(validate(model), "--n-layer 4097: at most 4096");
  model = valid_model();
  model.n_head = 32768;  // beyond what attention's division by a multiplication is exact for
  CHECK_THROWS_WITH(validate(model), "--n-head 32768: at most 32767");
  model = valid_model();
  model.n_kv_head = -1;
  CHECK_THROWS_WITH(validate(model), "--n-kv-head is -1: it must be 1 or more");
  model.n_kv_head = 3;
  CHECK_THROWS_WITH(validate(model), "--n-head 4 is not divisible by --n-kv-head 3");
}

TEST_CASE(
    "settings are judged in the type that the update computes in: what is another number there is refused") {
  for (const Dtype dtype : kAllDtypes)
    for (const auto member :
         {&TrainConfig::learning_rate, &TrainConfig::min_learning_rate, &TrainConfig::eps,
          &TrainConfig::beta1, &TrainConfig::beta2, &TrainConfig::weight_decay, &TrainConfig::clip}) {
      TrainConfig train;
      train.dtype = dtype;
      train.learning_rate = 0.01;
      train.*member = 1e-50;  // 0 in fp32
      if (member == &TrainConfig::learning_rate) train.min_learning_rate = 0.0;
      INFO(name_of(dtype));
      if (dtype == Dtype::fp64)
        CHECK_NOTHROW(validate(train));
      else
        CHECK_THROWS_WITH(validate(train), Contains("is 1e-50, which is 0 in fp32"));
    }
  for (const auto& [member, value] :
       std::vector<std::pair<double TrainConfig::*, double>>{{&TrainConfig::beta1, 1 - 1e-12},
                                                             {&TrainConfig::beta2, 1 - 1e-12},
                                                             {&TrainConfig::eps, 1e300},
                                                             {&TrainConfig::weight_decay, 1e300},
                                                             {&TrainConfig::clip, 1e300}}) {
    TrainConfig train;
    train.*member = value;
    CHECK_THROWS_WITH(validate(train), Contains("in fp32"));
    train.dtype = Dtype::fp64;
    CHECK_NOTHROW(validate(train));
  }
  GptConfig model = valid_model();
  model.architecture = Architecture::gpt2;
  model.dropout = 1 - 0x1p-33;  // whose threshold would be 2^32, which a word does not hold
  CHECK_THROWS_WITH(validate(model), Contains("--dropout"));
}

TEST_CASE("a vocabulary may make a valid shape too large") {
  GptConfig model;
  model.vocab_size = 1;
  model.n_embd = 1000;
  validate(model);
  CHECK(with_vocabulary(model, 27).vocab_size == 27);
  CHECK_THROWS_WITH(with_vocabulary(model, 1000000),
                    "this shape has about 2.01e+09 parameters: the limit is 2e9");
}

TEST_CASE("presets are the recipes that they name") {
  const Preset& micro = find_preset("micro");  // the original program's numbers
  CHECK(micro.train.learning_rate == 0.01);
  CHECK(micro.train.min_learning_rate == 0.0);
  CHECK(micro.train.schedule == Schedule::linear);
  CHECK(micro.train.beta1 == 0.85);
  CHECK(micro.train.beta2 == 0.99);
  CHECK(micro.train.eps == 1e-8);
  CHECK(micro.train.steps == 1000);
  CHECK(micro.train.batch_size == 1);
  CHECK(micro.model.n_embd == 16);
  CHECK(micro.model.block_size == 16);

  const Preset& characters = find_preset("shakespeare_char");  // nanoGPT's config/train_shakespeare_char.py
  CHECK(characters.model.n_layer == 6);
  CHECK(characters.model.n_head == 6);
  CHECK(characters.model.n_embd == 384);
  CHECK(characters.model.block_size == 256);
  CHECK(characters.model.dropout == 0.2);
  CHECK_FALSE(characters.model.bias);
  CHECK(characters.train.batch_size == 64);
  CHECK(characters.train.learning_rate == 1e-3);
  CHECK(characters.train.min_learning_rate == 1e-4);
  CHECK(characters.train.beta1 == 0.9);
  CHECK(characters.train.beta2 == 0.99);
  CHECK(characters.train.weight_decay == 0.1);
  CHECK(characters.train.clip == 1.0);
  CHECK(characters.train.warmup_steps == 100);
  CHECK(characters.train.steps == 5000);
  CHECK(characters.train.eval_every == 250);
  CHECK(characters.train.eval_batches == 200);

  const Preset& gpt2 = find_preset("gpt2");  // nanoGPT's defaults
  CHECK(gpt2.train.learning_rate == 6e-4);
  CHECK(gpt2.train.min_learning_rate == 6e-5);
  CHECK(gpt2.train.beta2 == 0.95);
  CHECK(gpt2.train.schedule == Schedule::cosine);

  const Preset& tiny = find_preset("tiny");  // parity trains it beside micro, on a line to 0 as that
  CHECK(tiny.train.learning_rate == 1e-3);
  CHECK(tiny.train.min_learning_rate == 0.0);
  CHECK(tiny.train.schedule == Schedule::linear);
  CHECK(tiny.train.warmup_steps == 0);
  CHECK(tiny.train.eval_every == 0);
}

TEST_CASE("a type or a choice in a file that is none is shown on one line, and shortened") {
  for (const char* name : {"dtype", "schedule"}) {
    Json train = to_json(TrainConfig{});
    train[name] = "\x1b" + std::string(5000, 'x');
    const std::string told = error_of(train);
    CHECK_THAT(told, Contains("a file: '" + std::string(name) + "'") && Contains("(5001 characters in all)"));
    CHECK_THAT(told, Contains("\\x1b") && Contains("valid are "));
    CHECK(told.size() < 400);
  }
}

TEST_CASE("a width of two thousand million is refused at once, for its size") {
  GptConfig model = valid_model();
  model.n_embd = 2147483647;
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_WITH(validate(model), Contains("parameters") && Contains("limit"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
}
