#include "shared/parity/pytorch_training.hpp"

#include <cmath>
#include <cstdlib>
#include <sstream>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/process.hpp"
#include "shared/data/token_files.hpp"
#include "shared/data/token_stream.hpp"
#include "shared/train/checkpoint.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSource = "the results of pytorch_baseline.py";

/// A folder with the run's tokens as raw files: its own, or one that is made of its text.
fs::path data_folder(const Run& run, const fs::path& folder) {
  if (may_be_token_files(run.data.path)) {
    const fs::path path = run.data.path;
    return fs::is_directory(path) ? path : path.parent_path();
  }
  require(run.data.character_stream, "it trains on windows, not on lines");
  fs::path made = folder / "data";
  fs::create_directory(made);
  write_token_files(made, read_stream(run.data, run.model.block_size));
  return made;
}

PytorchTraining read_results(const fs::path& folder, bool compiled) {
  const Json json = json_object(read_file(folder / "results.json"), kSource);
  PytorchTraining training;
  training.version = fmt::format("PyTorch {}{}", member_of<std::string>(json, "torch", kSource),
                                 compiled ? ", compiled" : "");
  training.loss = doubles_of(member_of<Json>(json, "losses", kSource));
  for (const Json& pair : member_of<Json>(json, "evaluations", kSource))
    training.evaluations.push_back({pair[0].get<std::int64_t>(), std::nan(""), double_of(pair[1])});
  training.median_ms = member_of<double>(json, "median_ms", kSource);
  training.weights = folder / "pytorch.safetensors";
  return training;
}

void write_scripts(const fs::path& folder) {
  write_file(folder / "pytorch_baseline.py", pytorch_baseline_script);
  write_file(folder / "pytorch_gpt2.py", pytorch_gpt2_script);
  write_file(folder / "pytorch_race.py", pytorch_race_script);
  write_file(folder / "training_recipe.py", training_recipe_script);
}

/// PyTorch takes the first card that it sees: for another one, the environment shows it that one alone. A list that is
/// there already is the one whose numbers the program counts, too.
std::vector<std::string> variables_of(Device device) {
  if (device.ordinal == 0) return {};
  std::string card = fmt::format("{}", device.ordinal);
  if (const char* list = std::getenv("CUDA_VISIBLE_DEVICES"); list != nullptr && *list != '\0') {
    std::istringstream cards(list);
    for (int i = 0; i <= device.ordinal; ++i) std::getline(cards, card, ',');
  }
  return {"CUDA_VISIBLE_DEVICES=" + card};
}

template <class Add>
void add_recipe(const TrainConfig& train, const Add& add) {
  const auto whole = [](std::int64_t value) { return fmt::format("{}", value); };
  const auto number = [](double value) { return fmt::format("{:.17g}", value); };
  add("--batch-size", whole(train.batch_size));
  add("--grad-accum", whole(train.grad_accum));
  add("--schedule", name_of(train.schedule));
  add("--schedule-steps", whole(train.decay_steps()));
  add("--warmup-steps", whole(train.warmup_steps));
  add("--lr", number(train.learning_rate));
  add("--min-lr", number(train.min_learning_rate));
  add("--beta1", number(train.beta1));
  add("--beta2", number(train.beta2));
  add("--eps", number(train.eps));
  add("--weight-decay", number(train.weight_decay));
  add("--clip", number(train.clip));
  add("--seed", whole(train.seed));
}

}  // namespace

PytorchCall pytorch_call(const Run& run, const PytorchPlace& place, const fs::path& folder) {
  require(run.model.architecture == Architecture::gpt2, "it knows GPT-2 only");
  write_scripts(folder);
  const fs::path weights = folder / "initial.safetensors";
  save_model(weights, {run.model, run.source->shared_tokenizer(), run.initial}, Dtype::fp32);
  PytorchCall call{{"python3", (folder / "pytorch_baseline.py").string(), "--weights", weights.string()},
                   variables_of(place.device)};
  const auto add = [&](const char* flag, std::string_view value) {
    call.words.emplace_back(flag);
    call.words.emplace_back(value);
  };
  add("--dtype", name_of(place.dtype));
  add("--device", runs_on_gpu(place.device) ? "cuda" : "cpu");
  add("--threads", fmt::format("{}", place.threads));
  add("--pad-vocabulary", "128");
  add_recipe(run.train, add);
  return call;
}

PytorchTraining train_with_pytorch(const Run& run, const PytorchPlace& place, bool compiled,
                                   const fs::path& folder,
                                   const std::function<void(const std::string&)>& progress) {
  PytorchCall call = pytorch_call(run, place, folder);
  const auto add = [&](std::initializer_list<std::string> words) {
    call.words.insert(call.words.end(), words);
  };
  add({"--data", data_folder(run, folder).string(), "--steps", fmt::format("{}", run.train.steps)});
  if (run.train.eval_every > 0)
    add({"--eval-every", fmt::format("{}", run.train.eval_every), "--eval-batches",
         fmt::format("{}", run.train.eval_batches)});
  add({"--save-weights", (folder / "pytorch.safetensors").string(), "--out",
       (folder / "results.json").string()});
  if (compiled) add({"--compile"});
  Companion python(call.words, folder / "log.txt", call.variables);
  try {
    while (true) {
      const std::string line = python.read();
      if (progress) progress(line);
    }
  } catch (const MachineError&) {  // it has ended: well, where its results are there
    if (!fs::exists(folder / "results.json")) throw;
  }
  return read_results(folder, compiled);
}

}  // namespace ladder
