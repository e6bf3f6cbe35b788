#include "shared/speed/chain.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "shared/base/checked_size.hpp"
#include "shared/base/error.hpp"
#include "shared/base/text_table.hpp"
#include "shared/device/gpu.hpp"
#include "shared/parity/rounding.hpp"
#include "shared/records/machine.hpp"
#include "shared/speed/pytorch_rows.hpp"
#include "shared/train/engine_memory.hpp"

namespace ladder {
namespace {

/// A row on its way through the race: what it runs on besides what it reports.
struct Entry {
  ChainRow row;
  const Run* run = nullptr;
  Side side;
  std::unique_ptr<Engine> engine;
  std::vector<std::vector<Batch>> batches;  ///< of the slice's steps, cut before the clock starts
  InterpreterResult interpreter;

  std::int64_t steps(std::int64_t documents) const {
    return documents / (run->train.batch_size * run->train.grad_accum);
  }
};

/// Seconds that a scalar rung needs for one document: its cost is one small multiple of weights times positions.
double scalar_seconds(const Run& run, double seconds_per_product) {
  const double positions = static_cast<double>(run.source->sequence(0, 0).tokens.size());
  return seconds_per_product * positions * static_cast<double>(parameter_count(run.model));
}

/// The same for a rung of matrix products on CPU cores: 6 FLOPs a weight and position, at a modest rate. Emulated
/// kernels reach a twentieth of it.
double tensor_seconds(const Run& run, Dtype dtype, bool emulated, int threads) {
  const int cores = threads == 0 ? this_machine().cores : threads;
  const double rate = (emulated ? 1e9 : dtype == Dtype::fp64 ? 1e10 : 2e10) * cores;
  return scalar_seconds(run, 6.0 / rate);
}

std::string too_slow(double seconds_per_document, double documents, double patience) {
  const double slice = seconds_per_document * documents;
  if (slice <= patience) return {};
  return fmt::format("too slow here: about {} for {:.0f} documents", format_seconds(slice), documents);
}

/// Why a rung is not even begun; empty where it is.
std::string left_out(const Entry& entry, const ChainSettings& settings) {
  const bool reference = entry.row.stage == 1 && entry.side.dtype == Dtype::fp64;  // what proves the others
  if (settings.only && entry.side.dtype != *settings.only && !reference)
    return fmt::format("left out: only {} was asked for", name_of(*settings.only));
  const bool gpu = find_stage(entry.row.stage).gpu, emulated = gpu && !runs_on_gpu(settings.device);
  if (gpu && !emulated) return {};
  const double seconds = entry.row.stage == 0
                             ? scalar_seconds(*entry.run, 6e-9)
                             : tensor_seconds(*entry.run, entry.side.dtype, emulated, settings.threads);
  return too_slow(seconds, static_cast<double>(settings.documents), settings.patience);
}

void prepare_engine(Entry& entry, const ChainSettings& settings) {
  try {
    entry.row.not_run = left_out(entry, settings);
    if (!entry.row.not_run.empty()) return;
    entry.engine = entry.side.make(entry.run->model, entry.run->train.batch_size);
    entry.row.emulated = entry.engine->emulated();
    const bool on_gpu = find_stage(entry.row.stage).gpu && !entry.row.emulated;
    entry.row.sources = source_set_of(entry.row.stage, on_gpu);
    if (on_gpu) entry.row.device = gpu_report(settings.device.ordinal).device;
    const TrainConfig& train = entry.run->train;
    require_host_memory(
        checked_product({static_cast<std::size_t>(entry.steps(settings.documents)),
                         step_batches_bytes(entry.run->model, train.batch_size, train.grad_accum)},
                        "the batches of a round"),
        "the batches of a round");
    for (std::int64_t s = 0; s < entry.steps(settings.documents); ++s)
      entry.batches.push_back(entry.run->source->step(s, entry.engine->layout()));
  } catch (const MachineError& error) {
    entry.row.not_run = error.what();
  } catch (const InputError& error) {
    entry.row.not_run = error.what();  // a stage that does not know a setting of this model
  }
}

void prepare_interpreter(Entry& entry, const ChainSettings& settings) {
  entry.row.not_run = interpreter_refuses(*entry.run);
  if (entry.row.not_run.empty())
    entry.row.not_run = too_slow(scalar_seconds(*entry.run, 4e-6), static_cast<double>(settings.documents),
                                 settings.patience);
  if (!entry.row.not_run.empty()) entry.row.not_run = "not run: " + entry.row.not_run;
}

Contestant contestant_of(Entry& entry, const ChainSettings& settings) {
  Contestant contestant{entry.row.name, static_cast<double>(settings.documents), {}, {}, {}, 0};
  if (entry.row.stage == kInterpreterStage) {
    contestant.slice = [&entry, &settings] {
      entry.interpreter = run_interpreter(*entry.run, settings.documents, 0);
    };
    contestant.seconds = [&entry] {
      return std::accumulate(entry.interpreter.ms.begin(), entry.interpreter.ms.end(), 0.0) / 1000.0;
    };
    contestant.reset = [] {};
    contestant.rounds = settings.interpreter_rounds;
    return contestant;
  }
  contestant.reset = [&entry] {
    restart(*entry.engine, *entry.run);
    entry.row.loss.clear();
  };
  contestant.slice = [&entry] {
    for (std::size_t s = 0; s < entry.batches.size(); ++s)
      entry.row.loss.push_back(entry.engine->train_step(
          entry.batches[s], step_constants(entry.run->train, static_cast<std::int64_t>(s))));
  };
  return contestant;
}

/// The entry whose speed one of `stage` in `dtype` is compared with: of the nearest stage below, as it is, that in the
/// same type, or else the last, its fastest; -1 for none.
int stage_below(const std::vector<Entry>& entries, int stage, Dtype dtype) {
  int found = -1;
  for (int i = static_cast<int>(entries.size()) - 1; i >= 0; --i) {
    const ChainRow& row = entries[static_cast<std::size_t>(i)].row;
    if (row.stage >= stage || !row.variant.empty()) continue;
    if (found >= 0 && row.stage != entries[static_cast<std::size_t>(found)].row.stage) break;
    if (found < 0 || row.dtype == dtype) found = i;
  }
  return found;
}

/// Puts the interpreter first, then one entry per rung, then the rows at another batch size with their own reference.
std::vector<Entry> entries_of(const ChainSettings& settings, const std::vector<Rung>& chain,
                              bool with_interpreter, const Run& run, const Run* batched) {
  std::vector<Entry> entries;
  const auto add = [&](std::string name, std::string sources, const Run& on, const Side& side, int stage,
                       int below, int ladder_below) -> Entry& {
    Entry& entry = entries.emplace_back();
    entry.row.name = std::move(name);
    entry.row.sources = std::move(sources);
    entry.row.stage = stage;
    entry.row.dtype = side.dtype;
    entry.row.variant = side.variant;
    entry.row.parameters = parameter_count(on.model);
    entry.row.below = below;
    entry.row.ladder_below = ladder_below;
    entry.run = &on;
    entry.side = side;
    return entry;
  };
  const int first = with_interpreter ? 1 : 0;
  if (with_interpreter) add("interpreter", "interpreter", run, {}, -1, -1, -1);
  for (const Rung& rung : chain) {
    const int below = rung.below >= 0 ? rung.below + first : (with_interpreter ? 0 : -1);
    const bool on_gpu = runs_on_gpu(settings.device);
    add(rung.side.name, source_set_of(rung.stage, on_gpu), run, rung.side, rung.stage, below,
        stage_below(entries, rung.stage, rung.side.dtype));
  }
  if (batched == nullptr) return entries;
  const int reference = static_cast<int>(entries.size());
  const int all_threads = this_machine().cores;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const Rung& rung = chain[i];
    const std::string at_batch = fmt::format("batch {}", settings.batch);
    if (rung.stage == 0)
      add(rung.side.name + ", " + at_batch, "stage0", *batched, rung.side, 0, -1, -1).row.shown = false;
    else if (rung.side.dtype == Dtype::fp32 && rung.stage == 1) {
      const int speed_below = entries[i + static_cast<std::size_t>(first)].row.ladder_below;
      for (int threads : {1, all_threads}) {
        if (threads != 1 && all_threads == 1) continue;
        Side side = side_of(1, Dtype::fp32, settings.device, threads);
        side.variant = fmt::format("{}, {} {}", at_batch, threads, threads == 1 ? "thread" : "threads");
        add(rung.side.name + ", " + side.variant, "stage1", *batched, side, 1, reference, speed_below);
      }
    }
  }
  return entries;
}

/// The row to compare with: the one below, or where that did not run, the next stage below it that did; null for none.
/// The interpreter stands in for nobody: only stage 0 has its bits.
const ChainRow* below_of(const std::vector<ChainRow>& rows, const ChainRow& row) {
  const auto at = [&](int index) { return index < 0 ? nullptr : &rows[static_cast<std::size_t>(index)]; };
  const ChainRow* below = at(row.below);
  while (below != nullptr && !below->not_run.empty()) {
    below = at(below->below);
    if (below != nullptr && below->stage == kInterpreterStage) return nullptr;
  }
  return below;
}

void compare_row(ChainRow& row, const std::vector<ChainRow>& rows, const Run& run) {
  if (!row.not_run.empty() || row.below < 0) return;
  const ChainRow* below = below_of(rows, row);
  if (below == nullptr) return;
  row.compared_with = below->name;
  if (below->stage == kInterpreterStage) {
    const Tolerance& bits = find_tolerance("baseline losses", row.dtype);
    row.limit = bits.limit();
    row.parity = compare(row.loss, below->loss, bits);
    return;
  }
  const JudgedCurve curve = judge_curve(row.loss, below->loss, row.dtype, run);
  row.limit = curve.decisive().limit;
  row.parity = curve.decisive().comparison;
  row.steady_steps = curve.steady_steps;
}

/// The last entry that runs, on what it is for, in the type asked for and in no other way than its stage does; nullptr
/// for none.
const Entry* partner_of(const std::vector<Entry>& entries, std::optional<Dtype> only) {
  const Entry* partner = nullptr;
  for (const Entry& entry : entries)
    if (entry.engine != nullptr && !entry.row.emulated && entry.row.variant.empty() &&
        (!only || entry.side.dtype == *only))
      partner = &entry;
  return partner;
}

/// The fastest row of PyTorch in the type of this one; nullptr for none.
const ChainRow* pytorch_of(const std::vector<ChainRow>& rows, const ChainRow& row) {
  const ChainRow* fastest = nullptr;
  for (const ChainRow& other : rows)
    if (other.stage == kPytorchStage && other.dtype == row.dtype && other.device == row.device &&
        !other.time.empty() && (fastest == nullptr || other.time.median() < fastest->time.median()))
      fastest = &other;
  return fastest;
}

}  // namespace

void keep_proven_times(std::vector<ChainRow>& rows) {
  for (ChainRow& row : rows) {  // rows below come first
    const bool ran = row.not_run.empty();
    const ChainRow* below = below_of(rows, row);
    row.reference = ran && row.below >= 0 && below == nullptr;
    row.proven = ran && !row.reference &&
                 (row.below < 0 || (row.parity.passed() && (below->proven || below->reference)));
    if (!row.proven && !row.reference) row.time.samples.clear();
  }
}

std::vector<ChainRow> run_chain(const ChainSettings& settings, const std::vector<Rung>& chain,
                                bool with_interpreter,
                                const std::function<void(const std::string&)>& progress) {
  const int own_batch = settings.train.batch_size * settings.train.grad_accum;
  require(settings.documents % own_batch == 0 &&
              (settings.batch == 0 || settings.documents % settings.batch == 0),
          "{} documents do not divide into batches of {} and {}", settings.documents, own_batch,
          settings.batch);
  const Run run = prepare_run(settings.model, settings.train, settings.data);
  TrainConfig batched_train = settings.train;
  batched_train.batch_size = settings.batch;
  std::optional<Run> batched;
  if (settings.batch > 0) batched = prepare_run(settings.model, batched_train, settings.data);
  std::vector<Entry> entries =
      entries_of(settings, chain, with_interpreter, run, batched ? &*batched : nullptr);
  std::vector<Contestant> contestants;
  std::vector<std::size_t> racing;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Entry& entry = entries[i];
    if (entry.row.stage == kInterpreterStage)
      prepare_interpreter(entry, settings);
    else
      prepare_engine(entry, settings);
    if (!entry.row.not_run.empty()) continue;
    contestants.push_back(contestant_of(entry, settings));
    racing.push_back(i);
  }
  std::optional<PytorchRows> pytorch;
  if (const Entry* partner = settings.pytorch ? partner_of(entries, settings.only) : nullptr) {
    if (progress) progress("PyTorch, compiling and proving it");
    pytorch.emplace(settings, run, partner->row, partner->side);
    for (Contestant& contestant : pytorch->contestants()) contestants.push_back(std::move(contestant));
  }
  auto timings = race(contestants, {settings.rounds, 1, 0.02, progress});
  for (std::size_t i = 0; i < racing.size(); ++i) {
    Entry& entry = entries[racing[i]];
    entry.row.time = timings[i];
    if (entry.row.stage == kInterpreterStage) {
      entry.row.not_run = entry.interpreter.not_run;
      entry.row.loss = entry.interpreter.loss;
    }
  }
  std::vector<ChainRow> rows;
  for (Entry& entry : entries) rows.push_back(std::move(entry.row));
  for (std::size_t i = 0; i < rows.size(); ++i) compare_row(rows[i], rows, *entries[i].run);
  keep_proven_times(rows);
  if (pytorch) {
    timings.erase(timings.begin(), timings.begin() + static_cast<std::ptrdiff_t>(racing.size()));
    for (ChainRow& row : pytorch->rows(timings)) rows.push_back(std::move(row));
    prove_by_pytorch(rows);
  }
  return rows;
}

std::vector<Rung> racing_rungs(Device device, int threads, Architecture architecture) {
  std::vector<Rung> chain = rungs(device, threads, architecture);
  std::vector<Rung> variants;
  for (const StageInfo& stage : stages()) {
    const auto plain = std::find_if(chain.begin(), chain.end(),
                                    [&](const Rung& rung) { return rung.stage == stage.number; });
    if (plain == chain.end()) continue;
    for (const Variant& variant : stage.variants)
      if (!variant.row.empty())
        variants.push_back({stage.number, side_of(stage.number, plain->side.dtype, device, threads, &variant),
                            plain->below});
  }
  chain.insert(chain.end(), variants.begin(), variants.end());
  return chain;
}

std::vector<ChainRow> run_chain(const ChainSettings& settings,
                                const std::function<void(const std::string&)>& progress) {
  const Architecture architecture = settings.model.architecture;
  return run_chain(settings, racing_rungs(settings.device, settings.threads, architecture),
                   architecture == Architecture::microgpt, progress);
}

std::vector<RecordRow> record_rows(const std::vector<ChainRow>& rows, bool hashes) {
  std::vector<RecordRow> records;
  for (const ChainRow& row : rows) {
    if (!row.shown) continue;
    const bool hashed = hashes && !row.sources.empty();  // PyTorch's depend on none that is timed
    RecordRow record{row.name, row.sources, hashed ? source_hash(row.sources) : "", {}};
    record.values = {{"emulated", row.emulated}, {"not_run", row.not_run}, {"proven", row.proven},
                     {"stage", row.stage},       {"variant", row.variant}, {"parameters", row.parameters}};
    if (row.stage != kInterpreterStage) record.values["dtype"] = name_of(row.dtype);
    if (!row.device.empty()) record.values["device"] = row.device;
    if (row.parity.want_size > 0) {
      record.values["compared_with"] = row.compared_with;
      record.values["parity_error"] = number_or_text(row.parity.max_error);
      record.values["parity_limit"] = row.limit;
      if (row.steady_steps > 0) record.values["steady_steps"] = row.steady_steps;
      if (!row.parity.passed()) record.values["parity_note"] = row.parity.describe();
    }
    if (row.reference) record.values["parity_note"] = "not proven: nothing below it ran";
    if (!row.time.empty()) {
      record.values["seconds"] = row.time.median();
      record.values["min"] = row.time.min();
      record.values["q1"] = row.time.q1();
      record.values["q3"] = row.time.q3();
      record.values["rounds"] = row.time.samples.size();
      const auto add_ratio = [&](const char* key, const ChainRow& other) {
        if (!other.time.empty() && &other != &row) record.values[key] = ratios(other.time, row.time).median();
      };
      if (rows.front().stage == kInterpreterStage) add_ratio("times_interpreter", rows.front());
      if (const ChainRow* pytorch = row.stage >= 0 && !row.emulated ? pytorch_of(rows, row) : nullptr)
        add_ratio("times_pytorch", *pytorch);
      if (row.ladder_below >= 0) add_ratio("times_below", rows[static_cast<std::size_t>(row.ladder_below)]);
    }
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace ladder
