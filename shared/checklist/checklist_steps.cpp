#include "shared/checklist/checklist_steps.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/utf8.hpp"
#include "shared/parity/kernel_parity.hpp"
#include "shared/parity/model_walk.hpp"
#include "shared/train/evaluate.hpp"
#include "shared/train/sample.hpp"

namespace ladder {
namespace {

constexpr std::size_t kPromptTokens = 8;

/// Of held-out losses of two programs whose dropout masks, or roundings, differ.
constexpr double kHeldOutLimit = 0.02;
/// Of losses without dropout: of each of the first steps in fp32 and fp64; of means of many in narrow types.
constexpr double kFirstLosses = 1e-3, kMeanLosses = 0.01;
constexpr std::size_t kFirstSteps = 50, kMeanOver = 100, kNarrowSteps = 500;
/// Of the held-out loss of the same weights in two programs.
constexpr double kSameWeights = 1e-3, kSameWeightsNarrow = 0.01;

bool is_narrow(Dtype dtype) { return dtype != Dtype::fp64 && dtype != Dtype::fp32; }

Side side_in(const ChecklistState& state, Dtype dtype) {
  const ChecklistSettings& s = state.settings;
  return side_of(s.stage, dtype, s.device, s.threads);
}

Side reference_side(const ChecklistState& state) {
  return side_of(1, Dtype::fp64, Device::automatic, state.settings.threads);
}

ChecklistStep step_of(int number, const char* title, Cells figures) {
  ChecklistStep step;
  step.number = number;
  step.title = title;
  step.figures = std::move(figures);
  return step;
}

void conclude(ChecklistStep& step, bool passed, std::string summary) {
  step.outcome = passed ? ChecklistStep::Outcome::passed : ChecklistStep::Outcome::failed;
  step.summary = std::move(summary);
}

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

/// Tokens that nobody trained on: the first of the data's held-out part.
std::vector<std::int32_t> held_out_tokens(const ChecklistState& state, std::size_t count) {
  std::vector<std::int32_t> tokens = state.run.source->evaluation_sequence(DataPart::held_out, 0).tokens;
  if (tokens.size() > count) tokens.resize(count);
  return tokens;
}

// ---- step 1 -------------------------------------------------------------------------------------------------------

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

// ---- step 3 -------------------------------------------------------------------------------------------------------

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
  const auto file = folder / "golden.json";
  const Json json = Json::try_parse(read_file(file));
  const std::string source = file.filename().string();
  Imported imported{"trained by PyTorch, committed",
                    load_model(folder / "model.safetensors"),
                    {},
                    member_of<std::vector<std::int32_t>>(json, "prompt", source),
                    member_of<std::vector<std::int32_t>>(json, "tokens", source)};
  imported.answer.version = member_of<std::string>(json, "version", source);
  imported.answer.greedy = member_of<std::vector<std::int32_t>>(json, "greedy", source);
  for (const Json& row : member_of<Json>(json, "logits", source))
    for (const Json& logit : row) imported.answer.logits.push_back(logit.get<double>());
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

// ---- steps 4 and 5 ------------------------------------------------------------------------------------------------

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double mean_of_last(const std::vector<double>& loss) {
  return mean_of(std::span(loss).last(std::min(loss.size(), kFirstSteps)));
}

std::vector<std::string> training_line(const Trained& trained, const TrainConfig& train, int positions) {
  const double tokens = 1.0 * train.batch_size * train.grad_accum * positions;
  return {trained.name,
          fmt::format("{:.3g}", trained.median_ms),
          fmt::format("{:.3g} k", tokens / trained.median_ms),
          fmt::format("{:.4f}", trained.loss.front()),
          fmt::format("{:.4f}", mean_of_last(trained.loss)),
          fmt::format("{:.4f}", trained.best())};
}

/// How far two curves without dropout are apart: in fp32 and fp64 each of the first losses, else the means of many.
struct CurveDifference {
  double largest = 0.0, limit = 0.0;  ///< relative to the other side's
  std::string of;                     ///< "the first 50 losses"

  bool passed() const { return largest <= limit; }
  std::string describe() const {
    return fmt::format("{} within {:.1e} of the {:.0e} allowed", of, largest, limit);
  }
};

double relative(double a, double b) {
  const double difference = std::abs(a - b) / std::abs(b);
  return std::isfinite(difference) ? difference : std::numeric_limits<double>::infinity();
}

CurveDifference difference_of(const Trained& own, const Trained& other) {
  const std::size_t steps = std::min(own.loss.size(), other.loss.size());
  const bool narrow = is_narrow(own.dtype);
  const std::size_t each = narrow ? std::min(steps, kMeanOver) : 1;
  const std::size_t last = narrow ? steps : std::min(steps, kFirstSteps);
  CurveDifference difference{
      0.0, narrow ? kMeanLosses : kFirstLosses,
      narrow ? fmt::format("means of {} of the first {} losses in {}", each, last, name_of(own.dtype))
             : fmt::format("the first {} losses in {}", last, name_of(own.dtype))};
  if (own.loss.size() != other.loss.size()) difference.largest = std::numeric_limits<double>::infinity();
  for (std::size_t s = 0; s + each <= last; s += each)
    difference.largest =
        std::max(difference.largest, relative(mean_of(std::span(own.loss).subspan(s, each)),
                                              mean_of(std::span(other.loss).subspan(s, each))));
  return difference;
}

/// The same run without dropout, its first steps.
Run without_dropout(const Run& run, std::int64_t steps) {
  GptConfig model = run.model;
  model.dropout = 0.0;
  TrainConfig train = run.train;
  train.schedule_steps = run.train.decay_steps();
  train.steps = std::min(run.train.steps, steps);
  train.eval_every = 0;
  return prepare_run(model, train, run.data);
}

/// Both sides' losses over each other. Where the run has dropout, whose masks differ, shorter runs without it.
std::vector<CurveDifference> curve_differences(const ChecklistState& state) {
  if (state.run.model.dropout == 0.0) return {difference_of(*state.own, *state.other)};
  if (!state.other_is_pytorch) return {};
  std::vector<CurveDifference> differences;
  std::vector<Dtype> types = {Dtype::fp32};
  if (state.settings.dtype != Dtype::fp32) types.push_back(state.settings.dtype);
  for (const Dtype dtype : types) {
    Run run = without_dropout(state.run, is_narrow(dtype) ? kNarrowSteps : kFirstSteps);
    run.train.dtype = dtype;
    const Side side = side_in(state, dtype);
    const bool on_gpu = find_stage(state.settings.stage).gpu && runs_on_gpu(state.settings.device);
    const TemporaryFolder folder;
    const Trained own = train_side(side, run, folder / "own.safetensors", state.progress);
    differences.push_back(
        difference_of(own, train_pytorch(run, dtype, on_gpu ? state.settings.device : Device::cpu, false,
                                         folder.path(), state.progress)));
  }
  return differences;
}

double held_out_of(const ChecklistState& state, Engine& engine) {
  const TrainConfig& train = state.run.train;
  return mean_loss(engine, *state.run.source, DataPart::held_out, train.eval_batches * train.batch_size,
                   train.batch_size);
}

std::vector<std::string> samples_of(const ChecklistState& state, Engine& engine) {
  const Tokenizer& tokenizer = state.run.source->tokenizer();
  SampleOptions options = default_sampling(state.run.model);
  options.max_tokens = state.settings.max_tokens;
  options.vocabulary = tokenizer.vocab_size();
  Random random(static_cast<std::uint64_t>(state.run.train.seed));
  const auto prompt = held_out_tokens(state, kPromptTokens);
  std::vector<std::string> texts;
  for (int i = 0; i < state.settings.samples; ++i) {
    std::vector<std::int32_t> text = prompt;
    const auto more = sample_tokens(engine, prompt, tokenizer.end(), options, random);
    text.insert(text.end(), more.begin(), more.end());
    texts.push_back(readable_utf8(tokenizer.decode(text)));
  }
  return texts;
}

void add_evaluations(const ChecklistState& state, ChecklistStep& step) {
  for (const Evaluation& one : state.own->evaluations) {
    std::string beside;
    if (state.other)
      for (const Evaluation& two : state.other->evaluations)
        if (two.step == one.step) beside = fmt::format("{:.4f}", two.held_out);
    step.figures.push_back(
        {fmt::format("{}", one.step), fmt::format("{:.4f}", one.held_out), std::move(beside)});
  }
}

}  // namespace

void train_both(ChecklistState& state) {
  const ChecklistSettings& s = state.settings;
  const Side side = side_in(state, s.dtype);
  state.own = train_side(side, state.run, state.folder / "own.safetensors", state.progress);
  const bool on_gpu = find_stage(s.stage).gpu && runs_on_gpu(s.device);
  state.why_no_other = "PyTorch was not asked for";
  if (s.pytorch) try {
      const Device device = on_gpu ? s.device : Device::cpu;
      state.other = train_pytorch(state.run, s.dtype, device, on_gpu, state.folder.path(), state.progress);
      state.other_is_pytorch = true;
      return;
    } catch (const std::runtime_error& error) {
      state.why_no_other = error.what();
    }
  if (on_gpu && s.dtype == Dtype::fp32) return;
  const Side other = on_gpu ? side_in(state, Dtype::fp32) : reference_side(state);
  state.other = train_side(other, state.run, state.folder / "other.safetensors", state.progress);
}

ChecklistStep check_parity(const ChecklistState& state) {
  ChecklistStep step = step_of(1, "expanded parity", {});
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
  ChecklistStep step =
      step_of(2, "trained weights on two sides", {{"", "blocks", "gradients, logits", "greedy text"}});
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
  ChecklistStep step = step_of(3, "weights that PyTorch trained", {{"", "against", "logits", "greedy text"}});
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

ChecklistStep check_training(const ChecklistState& state) {
  ChecklistStep step =
      step_of(4, "a whole training run",
              {{"", "ms a step", "tokens/s", "first loss", "mean of the last", "held out, best"}});
  const Trained& own = *state.own;
  step.figures.push_back(training_line(own, state.run.train, state.run.model.block_size));
  if (state.other)
    step.figures.push_back(training_line(*state.other, state.run.train, state.run.model.block_size));
  if (!(mean_of_last(own.loss) < own.loss.front())) {
    conclude(step, false, "the loss did not fall");
    return step;
  }
  if (!state.other) {
    conclude(step, true, fmt::format("the loss fell; nothing beside it: {}", state.why_no_other));
    return step;
  }
  const double apart = relative(own.best(), state.other->best());
  bool passed = apart <= kHeldOutLimit;
  std::string summary = fmt::format("held out within {:.1e} of the {:.0e} allowed", apart, kHeldOutLimit);
  for (const CurveDifference& difference : curve_differences(state)) {
    passed = passed && difference.passed();
    summary += fmt::format("; {}, without dropout", difference.describe());
  }
  if (!state.other_is_pytorch) summary += fmt::format("; no PyTorch: {}", state.why_no_other);
  conclude(step, passed, summary);
  return step;
}

ChecklistStep check_side_by_side(const ChecklistState& state, std::vector<SamplePair>& samples) {
  ChecklistStep step = step_of(5, "losses and samples side by side",
                               {{"after step", state.own->name, state.other ? state.other->name : ""}});
  add_evaluations(state, step);
  const Side side = side_in(state, state.settings.dtype);
  const auto engine = side.make(state.run.model, state.run.train.batch_size);
  engine->load_parameters(state.own->weights.parameters);
  for (std::string& text : samples_of(state, *engine)) samples.push_back({std::move(text), ""});
  if (!state.other) {
    conclude(step, true, fmt::format("one side only: {}", state.why_no_other));
    return step;
  }
  engine->load_parameters(state.other->weights.parameters);
  const double here = held_out_of(state, *engine), there = state.other->best();
  step.figures.push_back({fmt::format("{}'s weights, here and there", state.other->name),
                          fmt::format("{:.4f}", here), fmt::format("{:.4f}", there)});
  std::size_t i = 0;
  for (std::string& text : samples_of(state, *engine)) samples[i++].right = std::move(text);
  const double limit = is_narrow(side.dtype) ? kSameWeightsNarrow : kSameWeights;
  const bool same = std::abs(here - there) <= limit * there;
  conclude(step, same,
           fmt::format("the other side's weights have {:.4f} held out here, {:.4f} there{}", here, there,
                       same ? "" : fmt::format(": more than {:.1f}% apart", 100.0 * limit)));
  return step;
}

}  // namespace ladder
