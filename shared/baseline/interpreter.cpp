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

std::string command_for(const Run& run, std::int64_t steps, int samples, const fs::path& script,
                        const fs::path& data, const fs::path& trace) {
  const GptConfig& m = run.model;
  const TrainConfig& t = run.train;
  return fmt::format(
      "python3 {} --data {} --trace {} --seed {} --n-layer {} --n-embd {} --n-head {} --block-size {} "
      "--steps {} "
      "--schedule-steps {} --samples {} --lr {:.17g} --beta1 {:.17g} --beta2 {:.17g} --eps {:.17g} && echo "
      "done",
      shell_quoted(script.string()), shell_quoted(data.string()), shell_quoted(trace.string()), t.seed,
      m.n_layer, m.n_embd, m.n_head, m.block_size, steps, t.decay_steps(), samples, t.learning_rate, t.beta1,
      t.beta2, t.eps);
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
  if (output_of("python3 -c 'import sys; print(sys.version_info >= (3, 9))'") != "True")
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
  const std::string command =
      command_for(run, steps, samples, folder / "microgpt.py", data, folder / "trace.json");
  if (output_of(command).empty()) {
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
