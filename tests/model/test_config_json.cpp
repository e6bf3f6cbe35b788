#include <catch2/catch.hpp>

#include "shared/base/error.hpp"
#include "shared/model/config_json.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

TEST_CASE("settings survive the way through JSON") {
  GptConfig model;
  model.vocab_size = 27;
  model.n_layer = 3;
  model.n_embd = 24;
  model.n_head = 6;
  model.n_kv_head = 2;
  model.block_size = 9;
  CHECK(gpt_config_from_json(to_json(model), "f") == model);
  model.n_kv_head = 0;
  CHECK(gpt_config_from_json(to_json(model), "f") == model);
  TrainConfig train;
  train.steps = 123;
  train.learning_rate = 0.1 + 0.2;
  train.seed = 4294967295;
  train.dtype = Dtype::fp64;
  CHECK(to_json(train_config_from_json(to_json(train), "f")) == to_json(train));
  Json broken = to_json(train);
  broken.erase("beta2");
  CHECK_THROWS_WITH(train_config_from_json(broken, "file.x"), Contains("file.x") && Contains("beta2"));
}
