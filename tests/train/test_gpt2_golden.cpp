// Weights written by PyTorch's libraries, against what PyTorch computes with them (tests/golden/gpt2/make_gpt2_golden.py).
#include <catch2/catch.hpp>

#include "shared/base/files.hpp"
#include "shared/base/json.hpp"
#include "shared/check/tolerances.hpp"
#include "shared/stages.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/gpt2_weights.hpp"
#include "shared/train/sample.hpp"
#include "tests/support/models.hpp"

using namespace ladder;
using namespace ladder::testing;

namespace {

using Tokens = std::vector<std::int32_t>;

/// One model of the goldens, and what PyTorch made of it.
struct Golden {
  explicit Golden(const std::string& name)
      : folder(LADDER_SOURCE_DIR "/tests/golden/gpt2/" + name),
        saved(load_model(folder)),
        json(Json::parse(read_file(folder + "/golden.json"))),
        tokens(json["tokens"].get<Tokens>()) {}

  std::string folder;
  SavedModel saved;
  Json json;
  Tokens tokens;

  NamedTensor tensor(const std::string& name) const {
    const SafetensorsFile file(folder + "/golden.safetensors");
    return file.copy(*file.find(name));
  }
  /// In the order and the layout of the model's parameters: they are read as if they were weights.
  TensorList gradients() const {
    Gpt2Settings known;
    known.n_head = saved.model.n_head;
    return read_gpt2_weights(SafetensorsFile(folder + "/gradients.safetensors"), known).parameters;
  }
  Sequence sequence() const {
    Tokens targets(tokens.begin() + 1, tokens.end());
    targets.push_back(json["last_target"].get<std::int32_t>());
    return {tokens, targets};
  }
};

void check_against_pytorch(const Golden& golden, int stage, Dtype dtype) {
  INFO(golden.folder << ", stage " << stage << " " << name_of(dtype));
  const auto engine = make_engine(stage, golden.saved.model, {dtype, 1, Device::automatic, 1});
  engine->load_parameters(golden.saved.parameters);
  const Comparison logits = compare(engine->logits(golden.tokens), golden.tensor("logits_fp64").values(),
                                    find_tolerance("activations", dtype));
  INFO(logits.describe());
  CHECK(logits.passed());
  const Sequence sequence = golden.sequence();
  const Probe probe =
      engine->probe(make_batch(std::span(&sequence, 1), engine->layout(), golden.saved.model.block_size));
  const double loss = golden.tensor("loss")[0];
  CHECK(compare(std::span(&probe.loss, 1), std::span(&loss, 1), find_tolerance("losses", dtype)).passed());
  check_tensors(probe.gradients, golden.gradients(), find_tolerance("gradients", dtype), "gradients");
}

/// Past the end of the block, where the context is cropped.
void check_greedy(const Golden& golden, int stage, Dtype dtype) {
  INFO(golden.folder << ", stage " << stage << " " << name_of(dtype));
  const auto engine = make_engine(stage, golden.saved.model, {dtype, 1, Device::automatic, 1});
  engine->load_parameters(golden.saved.parameters);
  const Tokens prompt = golden.json["prompt"].get<Tokens>(), want = golden.json["greedy"].get<Tokens>();
  SampleOptions options;
  options.greedy = true;
  options.max_tokens = static_cast<int>(want.size() - prompt.size());
  Random random(1);
  Tokens got = prompt;
  for (const std::int32_t token : sample_tokens(*engine, prompt, -1, options, random)) got.push_back(token);
  CHECK(static_cast<int>(got.size()) > 2 * golden.saved.model.block_size);
  CHECK(got == want);
}

}  // namespace

TEST_CASE("PyTorch's weights arrive with its settings") {
  const Golden hf("hf"), nano("nanogpt");
  CHECK(hf.saved.model.bias);
  CHECK(hf.saved.model.gelu == Gelu::tanh);
  CHECK(hf.saved.model.n_layer == 2);
  CHECK(!nano.saved.model.bias);
  CHECK(nano.saved.model.gelu == Gelu::erf);
  CHECK(hf.saved.assumed.empty());
  CHECK(nano.saved.assumed.empty());
}

TEST_CASE("logits, loss, gradients and greedy text are PyTorch's, on every stage that runs GPT-2") {
  for (const char* name : {"hf", "nanogpt"}) {
    const Golden golden(name);
    for (const StageInfo& stage : stages()) {
      if (!stage.gpt2) continue;
      for (const Dtype dtype : {Dtype::fp64, Dtype::fp32}) {
        check_against_pytorch(golden, stage.number, dtype);
        check_greedy(golden, stage.number, dtype);
      }
    }
  }
}
