#include "shared/baseline/interpreter.hpp"

#include <filesystem>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/process.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/data/embedded_names.hpp"
#include "shared/records/machine.hpp"
#include "shared/records/run_trace.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> call_of(const Run& run, std::int64_t steps, int samples, const fs::path& script,
                                 const fs::path& data, const fs::path& trace) {
  const GptConfig& m = run.model;
  const TrainConfig& t = run.train;
  std::vector<std::string> call = {"python3", script};
  const auto add = [&](const char* flag, const auto& value) {
    call.emplace_back(flag);
    call.push_back(fmt::format("{}", value));  // of a double all its digits
  };
  add("--data", data.string());
  add("--trace", trace.string());
  add("--seed", t.seed);
  add("--n-layer", m.n_layer);
  add("--n-embd", m.n_embd);
  add("--n-head", m.n_head);
  add("--block-size", m.block_size);
  add("--steps", steps);
  add("--schedule-steps", t.decay_steps());
  add("--samples", samples);
  add("--lr", t.learning_rate);
  add("--beta1", t.beta1);
  add("--beta2", t.beta2);
  add("--eps", t.eps);
  return call;
}

}  // namespace

std::string interpreter_refuses(const Run& run) {
  if (run.data.character_stream) return "it trains on lines, not on windows";
  if (run.train.clip > 0.0) return "it does not clip gradients";
  if (run.train.schedule != Schedule::linear || run.train.warmup_steps > 0 ||
      run.train.min_learning_rate != 0.0)
    return "its learning rate falls in a straight line to 0";
  if (run.train.batch_size != 1 || run.train.grad_accum != 1) return "it takes one document a step";
  if (run.model.kv_heads() != run.model.n_head) return "it has no grouped-query attention";
  if (output_of({"python3", "-c", "import sys; print(sys.version_info >= (3, 9))"}) != "True")
    return "no python3 of version 3.9 or newer";
  return {};
}

InterpreterResult run_interpreter(const Run& run, std::int64_t steps, int samples) {
  InterpreterResult result;
  result.not_run = interpreter_refuses(run);
  if (!result.ran()) return result;
  const TemporaryFolder folder;
  write_file(folder / "microgpt.py", interpreter_script);
  if (run.data.path.empty()) write_file(folder / "names.txt", embedded_names);
  const fs::path data = run.data.path.empty() ? folder / "names.txt" : fs::absolute(run.data.path);
  if (output_of(call_of(run, steps, samples, folder / "microgpt.py", data, folder / "trace.json")).empty()) {
    result.not_run = "python3 ended with an error";
    return result;
  }
  const Trace trace = read_trace(folder / "trace.json");
  result.loss = trace.loss;
  result.ms = trace.ms;
  result.samples = trace.samples;
  result.version = trace.machine.value("implementation", "python") + " " + trace.machine.value("python", "");
  return result;
}

}  // namespace ladder
