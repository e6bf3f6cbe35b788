#include "shared/speed/pytorch_rival.hpp"

#include <cmath>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/train/checkpoint.hpp"

namespace ladder {
namespace {

constexpr const char* kSource = "the answer of PyTorch";

/// The windows of the first steps as int32, one behind the other: block + 1 tokens each.
std::string windows_of(const Run& run, std::int64_t steps) {
  std::vector<std::int32_t> tokens;
  const int per_step = run.train.batch_size * run.train.grad_accum;
  for (std::int64_t s = 0; s < steps; ++s)
    for (int i = 0; i < per_step; ++i) {
      const Sequence sequence = run.source->sequence(s, i);
      require(static_cast<int>(sequence.tokens.size()) == run.model.block_size,
              "it trains on windows, not on lines");
      tokens.insert(tokens.end(), sequence.tokens.begin(), sequence.tokens.end());
      tokens.push_back(sequence.targets.back());
    }
  return {reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(std::int32_t)};
}

std::vector<std::string> command_of(const Run& run, Dtype dtype, Device device,
                                    const TemporaryFolder& folder) {
  const TrainConfig& t = run.train;
  std::vector<std::string> command;
  if (device.ordinal > 0) command = {"env", fmt::format("CUDA_VISIBLE_DEVICES={}", device.ordinal)};
  const auto add = [&](const char* flag, std::string_view value) {
    command.emplace_back(flag);
    command.emplace_back(value);
  };
  const auto number = [](double value) { return fmt::format("{:.17g}", value); };
  add("python3", (folder / "pytorch_baseline.py").string());
  add("--weights", (folder / "weights.safetensors").string());
  add("--serve", (folder / "windows.bin").string());
  add("--dtype", name_of(dtype));
  add("--device", runs_on_gpu(device) ? "cuda" : "cpu");
  add("--pad-vocabulary", "128");
  add("--batch-size", fmt::format("{}", t.batch_size));
  add("--grad-accum", fmt::format("{}", t.grad_accum));
  add("--schedule", name_of(t.schedule));
  add("--schedule-steps", fmt::format("{}", t.decay_steps()));
  add("--warmup-steps", fmt::format("{}", t.warmup_steps));
  add("--lr", number(t.learning_rate));
  add("--min-lr", number(t.min_learning_rate));
  add("--beta1", number(t.beta1));
  add("--beta2", number(t.beta2));
  add("--eps", number(t.eps));
  add("--weight-decay", number(t.weight_decay));
  add("--clip", number(t.clip));
  return command;
}

}  // namespace

PytorchRival::PytorchRival(const Run& run, std::int64_t steps, Dtype dtype, Device device) : steps_(steps) {
  require(run.model.architecture == Architecture::gpt2, "it knows GPT-2 only");
  write_file(folder_ / "windows.bin", windows_of(run, steps));
  save_model(folder_ / "weights.safetensors", {run.model, run.source->shared_tokenizer(), run.initial},
             Dtype::fp32);
  write_file(folder_ / "pytorch_baseline.py", pytorch_baseline_script);
  write_file(folder_ / "pytorch_gpt2.py", pytorch_gpt2_script);
  write_file(folder_ / "pytorch_race.py", pytorch_race_script);
  write_file(folder_ / "training_recipe.py", training_recipe_script);
  python_ = std::make_unique<Companion>(command_of(run, dtype, device, folder_), folder_ / "log.txt");
  version_ = member_of<std::string>(Json::try_parse(python_->read()), "version", kSource);
}

PytorchRival::Slice PytorchRival::train(bool compiled, bool dropout) {
  const Json request = {{"compiled", compiled}, {"dropout", dropout}, {"steps", steps_}};
  const Json answer = Json::try_parse(python_->ask(request.dump()));
  if (answer.contains("problem")) throw MachineError(member_of<std::string>(answer, "problem", kSource));
  Slice slice{{}, member_of<double>(answer, "seconds", kSource)};
  for (const Json& loss : member_of<Json>(answer, "losses", kSource))
    slice.loss.push_back(loss.is_null() ? std::nan("") : loss.get<double>());
  return slice;
}

}  // namespace ladder
