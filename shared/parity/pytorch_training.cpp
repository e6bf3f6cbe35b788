#include "shared/parity/pytorch_training.hpp"

#include <cmath>

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

double number_or_nan(const Json& json) { return json.is_null() ? std::nan("") : json.get<double>(); }

PytorchTraining read_results(const fs::path& folder, bool compiled) {
  const Json json = Json::try_parse(read_file(folder / "results.json"));
  PytorchTraining training;
  training.version = fmt::format("PyTorch {}{}", member_of<std::string>(json, "torch", kSource),
                                 compiled ? ", compiled" : "");
  for (const Json& loss : member_of<Json>(json, "losses", kSource))
    training.loss.push_back(number_or_nan(loss));
  for (const Json& pair : member_of<Json>(json, "evaluations", kSource))
    training.evaluations.push_back({pair[0].get<std::int64_t>(), std::nan(""), number_or_nan(pair[1])});
  training.median_ms = member_of<double>(json, "median_ms", kSource);
  training.weights = folder / "pytorch.safetensors";
  return training;
}

}  // namespace

std::vector<std::string> pytorch_command(const Run& run, Dtype dtype, Device device, const fs::path& folder) {
  require(run.model.architecture == Architecture::gpt2, "it knows GPT-2 only");
  write_file(folder / "pytorch_baseline.py", pytorch_baseline_script);
  write_file(folder / "pytorch_gpt2.py", pytorch_gpt2_script);
  write_file(folder / "pytorch_race.py", pytorch_race_script);
  write_file(folder / "training_recipe.py", training_recipe_script);
  save_model(folder / "initial.safetensors", {run.model, run.source->shared_tokenizer(), run.initial},
             Dtype::fp32);
  const TrainConfig& t = run.train;
  std::vector<std::string> command;
  const auto add = [&](const char* flag, std::string_view value) {
    command.emplace_back(flag);
    command.emplace_back(value);
  };
  const auto whole = [](std::int64_t value) { return fmt::format("{}", value); };
  const auto number = [](double value) { return fmt::format("{:.17g}", value); };
  if (device.ordinal > 0) add("env", fmt::format("CUDA_VISIBLE_DEVICES={}", device.ordinal));
  add("python3", (folder / "pytorch_baseline.py").string());
  add("--weights", (folder / "initial.safetensors").string());
  add("--dtype", name_of(dtype));
  add("--device", runs_on_gpu(device) ? "cuda" : "cpu");
  add("--pad-vocabulary", "128");
  add("--batch-size", whole(t.batch_size));
  add("--grad-accum", whole(t.grad_accum));
  add("--schedule", name_of(t.schedule));
  add("--schedule-steps", whole(t.decay_steps()));
  add("--warmup-steps", whole(t.warmup_steps));
  add("--lr", number(t.learning_rate));
  add("--min-lr", number(t.min_learning_rate));
  add("--beta1", number(t.beta1));
  add("--beta2", number(t.beta2));
  add("--eps", number(t.eps));
  add("--weight-decay", number(t.weight_decay));
  add("--clip", number(t.clip));
  add("--seed", whole(t.seed));
  return command;
}

PytorchTraining train_with_pytorch(const Run& run, Dtype dtype, Device device, bool compiled,
                                   const fs::path& folder,
                                   const std::function<void(const std::string&)>& progress) {
  std::vector<std::string> command = pytorch_command(run, dtype, device, folder);
  const auto add = [&](std::initializer_list<std::string> words) { command.insert(command.end(), words); };
  add({"--data", data_folder(run, folder).string(), "--steps", fmt::format("{}", run.train.steps)});
  if (run.train.eval_every > 0)
    add({"--eval-every", fmt::format("{}", run.train.eval_every), "--eval-batches",
         fmt::format("{}", run.train.eval_batches)});
  add({"--save-weights", (folder / "pytorch.safetensors").string(), "--out",
       (folder / "results.json").string()});
  if (compiled) add({"--compile"});
  Companion python(command, folder / "log.txt");
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
