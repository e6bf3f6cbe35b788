// Steps 1 to 3: does it compute the same?
#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/checklist/checklist_steps.hpp"
#include "shared/parity/kernel_parity.hpp"
#include "shared/parity/model_walk.hpp"
#include "shared/train/sample.hpp"

namespace ladder {
namespace {

/// "3.1e-07 of 1.0e-05", of the finding that is worst on a level.
std::string worst_of(const ParityReport& report, const char* level) {
  const Finding* worst = report.worst(level);
  if (worst == nullptr) return {};
  return fmt::format("{:.1e} of {:.1e}{}", worst->comparison.max_error, worst->limit,
                     worst->comparison.passed() ? "" : " FAILED");
}

/// The first difference that a report found, if this is the first report that found one.
void keep_difference(const ParityReport& report, std::string& difference) {
  if (report.passed() || !difference.empty()) return;
  difference =
      fmt::format("{} differs from {}: {}", report.upper, report.lower, report.divergence()->describe());
}

/// Every level of both stages on a preset's run, shortened.
ParityReport parity_on(const ChecklistState& state, const char* preset, Dtype dtype) {
  const ChecklistSettings& s = state.settings;
  const Preset& found = find_preset(preset);
  TrainConfig train = found.train;
  train.steps = std::min<std::int64_t>(train.steps, s.parity_steps);
  const Run run = prepare_run(found.model, train, {"", found.character_stream, found.embedded});
  ParityReport report =
      compare_sides(side_in(state, dtype), reference_side(state), run, {false, true, true, true});
  compare_kernels(s.stage, found.model.architecture, {dtype, 1, device_of(s.stage, s.device), s.threads},
                  report);
  return report;
}

/// A model, what PyTorch said of it in double, and the tokens that it was asked about.
struct Imported {
  std::string name;
  SavedModel saved;
  PytorchAnswer answer;
  std::vector<std::int32_t> prompt, tokens;
};

std::vector<std::int32_t> greedy_text(Engine& engine, const std::vector<std::int32_t>& prompt, int count) {
  SampleOptions options = default_sampling(engine.config());
  options.greedy = true;
  options.max_tokens = count;
  Random random(0);
  std::vector<std::int32_t> text = prompt;
  const auto more = sample_tokens(engine, prompt, -1, options, random);
  text.insert(text.end(), more.begin(), more.end());
  return text;
}

/// The committed weights that PyTorch trained, with its answer (tests/golden/gpt2/make_trained_golden.sh).
Imported committed_weights() {
  const auto folder = source_folder() / "tests/golden/gpt2/pytorch_trained";
  if (!std::filesystem::exists(folder))
    throw MachineError(
        fmt::format("{} is not there: the weights that it holds come with the sources", folder.string()));
  const auto file = folder / "golden.json";
  const std::string source = file.filename().string();
  const Json json = json_object(read_file(file), source);
  Imported imported{"trained by PyTorch, committed",
                    load_model(folder / "model.safetensors"),
                    {},
                    member_of<std::vector<std::int32_t>>(json, "prompt", source),
                    member_of<std::vector<std::int32_t>>(json, "tokens", source)};
  imported.answer.version = member_of<std::string>(json, "version", source);
  imported.answer.greedy = member_of<std::vector<std::int32_t>>(json, "greedy", source);
  for (const auto& row : member_of<std::vector<std::vector<double>>>(json, "logits", source))
    imported.answer.logits.insert(imported.answer.logits.end(), row.begin(), row.end());
  return imported;
}

/// Those that PyTorch trained just now.
Imported fresh_weights(const ChecklistState& state) {
  require_pytorch();
  const auto tokens = held_out_tokens(state, static_cast<std::size_t>(state.run.model.block_size));
  const auto prompt = held_out_tokens(state, kPromptTokens);
  const Trained& other = *state.other;
  return {"trained by PyTorch, just now", other.weights,
          ask_pytorch(other.file, state.run.model, prompt, state.settings.greedy_tokens, tokens), prompt,
          tokens};
}

void add_imported(const ChecklistState& state, const Imported& imported, ChecklistStep& step,
                  std::string& difference) {
  const Side side = side_in(state, Dtype::fp32);
  const auto engine = side.make(imported.saved.model, 1);
  engine->load_parameters(imported.saved.parameters);
  const int count = static_cast<int>(imported.answer.greedy.size() - imported.prompt.size());
  const GreedyPair greedy{greedy_text(*engine, imported.prompt, count), imported.answer.greedy};
  const ParityReport report =
      compare_with_pytorch(side, imported.saved, imported.answer, imported.tokens, greedy);
  step.figures.push_back(
      {imported.name, report.lower, worst_of(report, "model"), describe(greedy, imported.prompt.size())});
  keep_difference(report, difference);
}

}  // namespace

ChecklistStep check_parity(const ChecklistState& state) {
  ChecklistStep step;
  std::vector<RecordRow> rows;
  std::string difference;
  std::size_t comparisons = 0;
  for (const Dtype dtype : state.settings.types)
    for (const char* preset : {"micro", "tiny"}) {
      if (state.progress) state.progress(fmt::format("parity in {}, preset {}", name_of(dtype), preset));
      const ParityReport report = parity_on(state, preset, dtype);
      const bool gpt2 = find_preset(preset).model.architecture == Architecture::gpt2;
      rows.push_back(
          {fmt::format("{}, {}", gpt2 ? "GPT-2" : "microGPT", name_of(dtype)), "", "", summary_of(report)});
      comparisons += report.findings.size();
      keep_difference(report, difference);
    }
  step.figures = parity_cells(rows, {});
  conclude(step, difference.empty(),
           difference.empty() ? fmt::format("{} comparisons within their limits", comparisons) : difference);
  return step;
}

ChecklistStep check_trained_weights(const ChecklistState& state) {
  ChecklistStep step;
  step.figures = {{"", "blocks", "gradients, logits", "greedy text"}};
  WalkOptions options;
  options.prompt = held_out_tokens(state, kPromptTokens);
  options.max_tokens = state.settings.greedy_tokens;
  options.samples = 0;
  std::string difference;
  for (const Dtype dtype : state.settings.types) {
    if (state.progress) state.progress(fmt::format("trained weights in {}", name_of(dtype)));
    const ModelWalk walk =
        walk_model(side_in(state, dtype), reference_side(state), state.own->weights, options);
    step.figures.push_back({fmt::format("{} against {}", walk.report.upper, walk.report.lower),
                            worst_of(walk.report, "block"), worst_of(walk.report, "model"),
                            describe(walk.greedy, options.prompt.size())});
    keep_difference(walk.report, difference);
  }
  conclude(step, difference.empty(),
           difference.empty() ? "block by block, and the same text, from the weights of step 4" : difference);
  return step;
}

ChecklistStep check_imported_weights(const ChecklistState& state) {
  ChecklistStep step;
  step.figures = {{"", "against", "logits", "greedy text"}};
  std::string difference, left_out;
  add_imported(state, committed_weights(), step, difference);
  if (state.other_is_pytorch) try {
      add_imported(state, fresh_weights(state), step, difference);
    } catch (const MachineError& error) {
      left_out = fmt::format("; those of step 4 were not asked about: {}", error.what());
    }
  else
    left_out = fmt::format("; none were trained just now: {}", state.why_no_other);
  conclude(step, difference.empty(),
           (difference.empty() ? "PyTorch's logits, and its text" : difference) + left_out);
  return step;
}

}  // namespace ladder
