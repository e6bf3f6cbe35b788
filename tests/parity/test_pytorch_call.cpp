// The call of the script that trains in PyTorch: which card it is shown.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/temporary_folder.hpp"
#include "shared/parity/parity.hpp"
#include "shared/parity/pytorch_training.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/run.hpp"

using namespace ladder;

namespace {

constexpr const char* kList = "CUDA_VISIBLE_DEVICES";

/// The list of cards in this program's environment, for as long as it lives.
class Cards {
 public:
  explicit Cards(const char* list) {
    if (const char* now = getenv(kList); now != nullptr) before_ = now;
    set(list);
  }
  Cards(const Cards&) = delete;
  Cards& operator=(const Cards&) = delete;
  ~Cards() { set(before_ ? before_->c_str() : nullptr); }

 private:
  static void set(const char* list) { list == nullptr ? unsetenv(kList) : setenv(kList, list, 1); }
  std::optional<std::string> before_;
};

/// What the call adds to its environment for card `ordinal`; "if there is one", so that no machine needs it.
std::vector<std::string> variables_for(int ordinal) {
  const Preset& tiny = find_preset("tiny");
  const Run run = prepare_run(tiny.model, tiny.train, {"", tiny.character_stream, tiny.embedded});
  const TemporaryFolder folder;
  const Device card{Device::Kind::automatic, ordinal};
  return pytorch_call(run, {Dtype::fp32, card, 1}, folder.path()).variables;
}

}  // namespace

TEST_CASE("PyTorch is shown the card that the program counts by that number, and for the first one nothing") {
  const auto shown = [](const char* card) {
    return std::vector<std::string>{std::string(kList) + "=" + card};
  };
  for (const char* none : {static_cast<const char*>(nullptr), ""}) {
    const Cards cards(none);
    CHECK(variables_for(0).empty());
    CHECK(variables_for(1) == shown("1"));
  }
  const Cards cards("7,GPU-5,3");
  CHECK(variables_for(0).empty());
  CHECK(variables_for(1) == shown("GPU-5"));
  CHECK(variables_for(2) == shown("3"));
}

TEST_CASE("PyTorch is told each number of the run's recipe by its own flag, and the scripts lie beside it") {
  Preset tiny = find_preset("tiny");
  tiny.train.batch_size = 3;
  tiny.train.grad_accum = 5;
  tiny.train.steps = 7;
  tiny.train.schedule_steps = 70;
  tiny.train.warmup_steps = 11;
  tiny.train.learning_rate = 0.1 + 0.2;  // all its digits
  tiny.train.min_learning_rate = 0.25;
  tiny.train.beta1 = 0.5;
  tiny.train.beta2 = 0.75;
  tiny.train.eps = 0.125;
  tiny.train.weight_decay = 0.0625;
  tiny.train.clip = 2.5;
  tiny.train.seed = 13;
  tiny.train.schedule = Schedule::cosine;
  const Run run = prepare_run(tiny.model, tiny.train, {"", tiny.character_stream, tiny.embedded});
  const TemporaryFolder folder;
  const PytorchCall call = pytorch_call(run, {Dtype::bf16, Device::cpu, 6}, folder.path());
  const auto value = [&](const char* flag) -> std::string {
    CHECK(std::count(call.words.begin(), call.words.end(), flag) == 1);
    const auto at = std::find(call.words.begin(), call.words.end(), flag);
    return at == call.words.end() || at + 1 == call.words.end() ? "" : at[1];
  };
  const std::pair<const char*, const char*> told[] = {
      {"--batch-size", "3"},      {"--grad-accum", "5"},        {"--schedule", "cosine"},
      {"--schedule-steps", "70"}, {"--warmup-steps", "11"},     {"--lr", "0.30000000000000004"},
      {"--min-lr", "0.25"},       {"--beta1", "0.5"},           {"--beta2", "0.75"},
      {"--eps", "0.125"},         {"--weight-decay", "0.0625"}, {"--clip", "2.5"},
      {"--seed", "13"},           {"--dtype", "bf16"},          {"--device", "cpu"},
      {"--threads", "6"},         {"--pad-vocabulary", "128"}};
  for (const auto& [flag, what] : told) {
    INFO(flag);
    CHECK(value(flag) == what);
  }
  const SavedModel weights = load_model(value("--weights"));
  CHECK(weights.model == run.model);
  const TensorList stored = as_stored(run.initial, Dtype::fp32);
  for (std::size_t i = 0; i < stored.size(); ++i)
    CHECK(weights.parameters.at(i).values() == stored[i].values());
  for (const char* script :
       {"pytorch_baseline.py", "pytorch_gpt2.py", "pytorch_race.py", "training_recipe.py"})
    CHECK(std::filesystem::file_size(folder / script) > 100);
  const Run micro = prepare_run({}, {}, {});
  CHECK_THROWS_WITH(pytorch_call(micro, {}, folder.path()), "it knows GPT-2 only");
}
