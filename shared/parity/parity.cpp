#include "shared/parity/parity.hpp"
#include "shared/device/device_ops.hpp"

#include <algorithm>
#include <utility>

#include "shared/base/dtype_convert.hpp"
#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/parity/rounding.hpp"
#include "shared/train/safetensors.hpp"
#include "shared/train/sample.hpp"

namespace ladder {
namespace {

constexpr int kSamples = 20;

/// What a probe looks at: the first micro-batch of a step, with the step's dropout where the model has any.
Batch probe_batch(const Run& run, Layout layout, std::int64_t step) {
  Batch batch = run.source->step(step, layout).front();
  if (run.model.dropout > 0.0) batch.step = step_constants(run.train, step);
  return batch;
}

Finding make_finding(std::string level, std::string what, std::int64_t step, std::vector<int> shape,
                     const Tolerance& row, const Comparison& comparison) {
  return {std::move(level),
          std::move(what),
          step,
          std::move(shape),
          fmt::format("{} {}", row.what, name_of(row.dtype)),
          row.limit(),
          comparison};
}

/// The tensors after a journey through a file, as they move between stages and programs.
TensorList through_safetensors(const TensorList& tensors) {
  const TemporaryFolder folder;
  std::vector<StoredTensor> stored;
  for (const NamedTensor& tensor : tensors) stored.push_back({tensor.name, &tensor, Dtype::fp64});
  write_safetensors(folder / "weights.safetensors", stored, {});
  return read_safetensors(folder / "weights.safetensors").tensors;
}

/// Parameters of `lower`, carried over as a stage would get them from a file, and what came out on the other side.
void compare_weights(Engine& upper, Engine& lower, std::int64_t step, ParityReport& report) {
  const TensorList exported = lower.parameters();
  const TensorList carried = through_safetensors(exported);
  upper.load_parameters(carried);
  const TensorList imported = upper.parameters();
  const bool wide = upper.dtype() == Dtype::fp64;
  for (std::size_t i = 0; i < exported.size(); ++i) {
    std::vector<double> want = exported[i].values();
    if (!wide)
      for (double& value : want) value = static_cast<double>(static_cast<float>(value));
    const bool named = i < imported.size() && imported[i].name == exported[i].name;
    const Comparison comparison =
        compare(named ? imported[i].values() : std::vector<double>(), want, 0.0, Rule::bits);
    report.findings.push_back({"model", exported[i].name, step, exported[i].shape, "", 0.0, comparison});
  }
}

/// Adds the first weight that is not finite, of which both sides have nothing to compute; true when there is one.
bool add_not_finite(const TensorList& weights, std::int64_t step, ParityReport& report) {
  for (const NamedTensor& tensor : weights) {
    const auto bad = first_not_finite(tensor.dtype(), tensor.bytes());
    if (!bad) continue;
    const std::vector<double> values = tensor.values();
    report.findings.push_back({"model", "weights " + tensor.name, step, tensor.shape, "", 0.0,
                               compare(values, values, 0.0, Rule::bits)});
    return true;
  }
  return false;
}

void compare_tensors(const TensorList& upper, const TensorList& lower, const std::string& prefix,
                     const std::string& level, std::int64_t step, const Tolerance& row,
                     ParityReport& report) {
  for (std::size_t i = 0; i < lower.size(); ++i) {
    const bool named = i < upper.size() && upper[i].name == lower[i].name;
    const std::vector<double> got = named ? upper[i].values() : std::vector<double>();
    report.findings.push_back(make_finding(level, prefix + lower[i].name, step, lower[i].shape, row,
                                           compare(got, lower[i].values(), row)));
  }
}

}  // namespace

// ---- sides and rungs -----------------------------------------------------------------------------------------

Device device_of(int stage, Device device) { return find_stage(stage).gpu ? device : Device::automatic; }

Side side_of(int stage, Dtype dtype, Device device, int threads, const Variant* variant) {
  const std::vector<Dtype>& known = find_stage(stage).dtypes;
  require(std::find(known.begin(), known.end(), dtype) != known.end(), "stage {} does not compute in {}",
          stage, name_of(dtype));
  const std::string row = variant == nullptr ? "" : variant->row;
  const EngineOptions options = {dtype, 1, device_of(stage, device), threads,
                                 variant == nullptr ? "" : variant->name};
  const auto for_batch = [options](int max_batch) {
    EngineOptions asked = options;
    asked.max_batch = max_batch;
    return asked;
  };
  return {fmt::format("stage {} {}{}{}", stage, name_of(dtype), row.empty() ? "" : ", ", row), dtype,
          [=](const GptConfig& config, int max_batch) {
            return make_engine(stage, config, for_batch(max_batch));
          },
          row,
          [=](const GptConfig& config, int max_batch) {
            return engine_needs(stage, config, for_batch(max_batch));
          }};
}

namespace {

/// The rungs of one stage: what each is compared with is found among those `before`.
void add_rungs(const StageInfo& stage, Device device, int threads, Architecture architecture,
               std::vector<Rung>& before) {
  const auto find = [&](int number, Dtype dtype) {
    for (std::size_t i = 0; i < before.size(); ++i)
      if (before[i].stage == number && before[i].side.dtype == dtype) return static_cast<int>(i);
    return -1;
  };
  const auto add = [&](Dtype dtype, int below) {
    before.push_back({stage.number, side_of(stage.number, dtype, device, threads), below});
  };
  if (stage.number == 0) return add(Dtype::fp64, -1);
  if (stage.number == 1) {
    add(Dtype::fp64, find(0, Dtype::fp64));
    return add(Dtype::fp32, find(1, Dtype::fp64));
  }
  const auto add_on_gpu_stage = [&](Dtype dtype) {
    const bool above_stage3 = stage.number == 4 && architecture == Architecture::microgpt;
    add(dtype, above_stage3 ? find(3, dtype) : find(1, Dtype::fp64));
  };
  add_on_gpu_stage(stage.dtypes.front());
  // The type that tensor cores are for; on the CPU model, which rounds number by number, it would only cost time.
  const bool narrow = std::count(stage.dtypes.begin(), stage.dtypes.end(), Dtype::bf16) > 0;
  if (narrow && runs_on_gpu(device)) add_on_gpu_stage(Dtype::bf16);
}

}  // namespace

std::vector<Rung> rungs(Device device, int threads, Architecture architecture) {
  std::vector<Rung> chain;
  for (const StageInfo& stage : stages())
    if (architecture == Architecture::microgpt || stage.gpt2)
      add_rungs(stage, device, threads, architecture, chain);
  return chain;
}

// ---- training from the start ---------------------------------------------------------------------------------

Moments zero_moments(const GptConfig& config) {
  const TensorList zeros = zeros_of(parameter_specs(config));
  return {zeros, zeros};
}

void restart(Engine& engine, const Run& run) {
  engine.load_parameters(run.initial);
  engine.load_moments(zero_moments(run.model));
}

std::vector<double> train_curve(Engine& engine, const Run& run, std::int64_t steps,
                                const std::function<void(std::int64_t)>& before_step) {
  restart(engine, run);
  std::vector<double> losses;
  for (std::int64_t s = 0; s < steps; ++s) {
    if (before_step) before_step(s);
    losses.push_back(engine.train_step(run.source->step(s, engine.layout()), step_constants(run.train, s)));
  }
  return losses;
}

TensorList as_stored(TensorList parameters, Dtype dtype) {
  for (NamedTensor& tensor : parameters) tensor = tensor.in(Precision::of(dtype).parameter);
  return parameters;
}

// ---- comparing -----------------------------------------------------------------------------------------------

void compare_probes(const Probe& upper, const Probe& lower, Dtype dtype, std::int64_t step,
                    const ParityLevels& levels, ParityReport& report) {
  TensorList upper_blocks = upper.activations, lower_blocks = lower.activations, upper_logits, lower_logits;
  const auto split = [](TensorList& blocks, TensorList& logits) {
    if (blocks.empty() || blocks.back().name != "logits") return;
    logits.push_back(std::move(blocks.back()));
    blocks.pop_back();
  };
  split(upper_blocks, upper_logits);
  split(lower_blocks, lower_logits);
  // What is compared of gradients is along the same branches of every ReLU; that these agree is compared here.
  const std::size_t both = std::min(upper.hidden.size(), lower.hidden.size());
  upper_blocks.insert(upper_blocks.end(), upper.hidden.begin(),
                      upper.hidden.begin() + static_cast<std::ptrdiff_t>(both));
  lower_blocks.insert(lower_blocks.end(), lower.hidden.begin(),
                      lower.hidden.begin() + static_cast<std::ptrdiff_t>(both));
  const Tolerance& activations = find_tolerance("activations", dtype);
  if (levels.block) compare_tensors(upper_blocks, lower_blocks, "", "block", step, activations, report);
  if (!levels.model) return;
  compare_tensors(upper_logits, lower_logits, "", "model", step, activations, report);
  compare_tensors(upper.gradients, lower.gradients, "gradient of ", "model", step,
                  find_tolerance("gradients", dtype), report);
}

void compare_engines(Engine& upper, Engine& lower, const Run& run, std::int64_t step,
                     const ParityLevels& levels, ParityReport& report) {
  const TensorList weights = lower.parameters();
  if (add_not_finite(weights, step, report)) return;
  if (levels.model)
    compare_weights(upper, lower, step, report);
  else
    upper.load_parameters(weights);
  compare_from_equal_weights(upper, lower, run, step, levels, report);
  lower.load_parameters(weights);
}

void compare_from_equal_weights(Engine& upper, Engine& lower, const Run& run, std::int64_t step,
                                const ParityLevels& levels, ParityReport& report) {
  const TensorList stored = as_stored(upper.parameters(), upper.dtype());
  upper.load_parameters(stored);
  lower.load_parameters(stored);
  const Probe got = upper.probe(probe_batch(run, upper.layout(), step));
  const Probe want = lower.probe_along(probe_batch(run, lower.layout(), step), got.hidden);
  const std::size_t first = report.findings.size();
  compare_probes(got, want, upper.dtype(), step, levels, report);
  const Pass pass{run.model, stored, probe_batch(run, Layout::packed, step)};
  allow_for_rounding(pass, got, want, upper.dtype(), first, report);
}

std::vector<std::string> texts_after_training(Engine& engine, const Run& run) {
  Random random = run.random;
  return sample_texts(engine, run.source->tokenizer(), kSamples, SampleOptions{}, random);
}

void compare_with_interpreter(std::span<const double> stage0, std::span<const double> interpreter,
                              ParityReport& report) {
  const Tolerance& row = find_tolerance("baseline losses", Dtype::fp64);
  report.findings.push_back(make_finding("loss", "losses", static_cast<std::int64_t>(interpreter.size()),
                                         {static_cast<int>(interpreter.size())}, row,
                                         compare(stage0, interpreter, row)));
}

void compare_samples(const std::vector<std::string>& upper, const std::vector<std::string>& lower,
                     Dtype dtype, ParityReport& report) {
  std::size_t same = 0;
  while (same < std::min(upper.size(), lower.size()) && upper[same] == lower[same]) ++same;
  const bool equal = upper == lower;
  if (!equal && dtype != Dtype::fp64 && dtype != Dtype::fp32) {
    report.notes.push_back(fmt::format("samples differ from number {} on, as this type may", same + 1));
    return;
  }
  Comparison comparison;
  comparison.got_size = upper.size();
  comparison.want_size = lower.size();
  if (!equal) {
    comparison.verdict = Verdict::too_far;
    comparison.first = comparison.worst = {same, 0.0, 0.0, 0.0};
    comparison.max_error = 1.0;
    const auto text = [&](const std::vector<std::string>& texts) {
      return same < texts.size() ? texts[same] : "nothing";
    };
    report.notes.push_back(fmt::format("sample {}: got '{}', want '{}'", same + 1, text(upper), text(lower)));
  }
  report.findings.push_back({"loss", "samples", 0, {static_cast<int>(lower.size())}, "", 0.0, comparison});
}

ParityReport compare_sides(const Side& upper, const Side& lower, const Run& run, const ParityLevels& levels) {
  ParityReport report{upper.name, lower.name, run.train.steps, {}, {}};
  const auto upper_engine = upper.make(run.model, run.train.batch_size);
  const auto lower_engine = lower.make(run.model, run.train.batch_size);
  restart(*lower_engine, run);
  if (levels.block || levels.model) compare_engines(*upper_engine, *lower_engine, run, 0, levels, report);
  if (run.train.steps == 0) return report;
  const Training want = training_of(*lower_engine, run);
  if (levels.loss) compare_training(upper, lower, run, training_of(*upper_engine, run), want, report);
  // Trained weights are harder than fresh ones: their activations are larger and their attention is sharper.
  if (levels.block || levels.model)
    compare_engines(*upper_engine, *lower_engine, run, run.train.steps, levels, report);
  return report;
}

}  // namespace ladder
