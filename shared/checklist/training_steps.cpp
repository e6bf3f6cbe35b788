// Steps 4 and 5: does it train to the same?
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "shared/base/error.hpp"
#include "shared/base/utf8.hpp"
#include "shared/checklist/checklist_steps.hpp"
#include "shared/train/evaluate.hpp"
#include "shared/train/sample.hpp"

namespace ladder {
namespace {

/// Of held-out losses of two programs whose dropout masks, or roundings, differ.
constexpr double kHeldOutLimit = 0.02;
/// Of losses without dropout: of each of the first steps in fp32 and fp64; of means of many in narrow types.
constexpr double kFirstLosses = 1e-3, kMeanLosses = 0.01;
constexpr std::size_t kFirstSteps = 50, kMeanOver = 100, kNarrowSteps = 500;
/// Of the held-out loss of the same weights in two programs.
constexpr double kSameWeights = 1e-3, kSameWeightsNarrow = 0.01;

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double mean_of_last(const std::vector<double>& loss) {
  return mean_of(std::span(loss).last(std::min(loss.size(), kFirstSteps)));
}

PytorchPlace pytorch_place(const ChecklistState& state, Dtype dtype) {
  const ChecklistSettings& s = state.settings;
  return {dtype, runs_on_gpu(s) ? s.device : Device::cpu, s.threads};
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
Run start_without_dropout(const Run& run, std::int64_t steps) {
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
    Run run = start_without_dropout(state.run, is_narrow(dtype) ? kNarrowSteps : kFirstSteps);
    run.train.dtype = dtype;
    const Side side = side_in(state, dtype);
    const TemporaryFolder folder;
    const Trained own = train_side(side, run, folder / "own.safetensors", state.progress);
    differences.push_back(difference_of(
        own, train_pytorch(run, pytorch_place(state, dtype), false, folder.path(), state.progress)));
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
  const bool on_gpu = runs_on_gpu(s);
  state.why_no_other = "left out by --without-pytorch";
  if (s.pytorch) try {
      state.other = train_pytorch(state.run, pytorch_place(state, s.dtype), on_gpu, state.folder.path(),
                                  state.progress);
      state.other_is_pytorch = true;
      return;
    } catch (const std::runtime_error& error) {
      state.why_no_other = error.what();
    }
  if (on_gpu && s.dtype == Dtype::fp32) return;
  const Side other = on_gpu ? side_in(state, Dtype::fp32) : reference_side(state);
  state.other = train_side(other, state.run, state.folder / "other.safetensors", state.progress);
}

ChecklistStep check_training(const ChecklistState& state) {
  ChecklistStep step;
  step.figures = {{"", "ms a step", "tokens/s", "first loss", "mean of the last", "held out, best"}};
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
  ChecklistStep step;
  step.figures = {{"after step", state.own->name, state.other ? state.other->name : ""}};
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
