#include "shared/speed/profile.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "shared/base/error.hpp"
#include "shared/base/text_table.hpp"
#include "shared/device/ceilings.hpp"
#include "shared/device/worker_pool.hpp"
#include "shared/model/ops_decorators.hpp"
#include "shared/records/machine.hpp"
#include "shared/speed/model_flops.hpp"
#include "shared/speed/race.hpp"
#include "shared/train/ops_engine.hpp"

namespace ladder {
namespace {

template <class Work>
double seconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The fastest of several tries: a ceiling is what the machine can do, not what it usually does.
template <class Work>
double fastest(int tries, Work&& work) {
  double best = seconds_of(work);
  for (int i = 1; i < tries; ++i) best = std::min(best, seconds_of(work));
  return best;
}

double median(std::vector<double> values) { return Timing{std::move(values)}.median(); }

/// The rate of copies of `bytes` bytes (so twice as many move) on `threads` threads, 0: those that there are. Small
/// copies run on one, as small operations do, and are repeated so that the clock sees at least some ten microseconds.
CopyCeiling copy_ceiling(std::size_t bytes, int threads) {
  std::vector<char> from(bytes, 1), to(bytes, 2);
  WorkerPool workers(bytes < (std::size_t{1} << 20) ? 1 : threads);
  const int parts = workers.threads();
  const int repeats = static_cast<int>(std::max<std::size_t>(1, (std::size_t{1} << 19) / bytes));
  const auto copy_part = [&](int part) {
    const std::size_t size = bytes / static_cast<std::size_t>(parts),
                      begin = size * static_cast<std::size_t>(part);
    for (int i = 0; i < repeats; ++i) {
      std::memcpy(to.data() + begin, from.data() + begin, size);
      __asm__ volatile("" : : "r"(to.data()) : "memory");  // else a compiler may keep only the last copy
    }
  };
  const double seconds = fastest(7, [&] { workers.for_each(parts, copy_part); });
  const double moved = 2.0 * static_cast<double>(bytes);
  return {moved, moved * repeats / seconds};
}

std::vector<CopyCeiling> copy_ceilings(int threads) {
  std::vector<CopyCeiling> ceilings;
  // From a few cache lines to more than the last-level cache of today's servers.
  for (std::size_t bytes = std::size_t{1} << 10; bytes <= std::size_t{1} << 29; bytes <<= 3)
    ceilings.push_back(copy_ceiling(bytes, threads));
  ceilings.push_back(copy_ceiling(std::size_t{1} << 29, threads));
  return ceilings;
}

double product_rate(Ops& ops, int size) {
  const std::size_t count = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
  const Dtype dtype = ops.dtype();
  const auto make = [&] { return ops.allocate(count * size_of(Precision::of(dtype).master)); };
  const LinearForward product{size,
                              size,
                              size,
                              {make(), Precision::of(dtype).activation},
                              {make(), Precision::of(dtype).parameter},
                              {make(), Precision::of(dtype).activation}};
  const double seconds = fastest(8, [&] {
    ops.run(product);
    ops.synchronize();
  });
  const double n = size;
  return 2.0 * n * n * n / seconds;
}

Profile profile_scalar(const Run& run, int steps) {
  const auto engine = make_engine(0, run.model, {Dtype::fp64, run.train.batch_size, Device::automatic, 1});
  engine->load_parameters(run.initial);
  std::vector<double> forward, once, twice;
  for (int s = -5; s < steps; ++s) {  // five steps of warm-up
    std::vector<Batch> batches = run.source->step(std::max(s, 0), Layout::packed);
    batches.resize(1);
    const StepConstants adam = step_constants(run.train, 0);
    const double f = seconds_of([&] { engine->loss(batches.front()); });
    const double a = seconds_of([&] { engine->train_step(batches, adam); });
    batches.push_back(batches.front());
    const double b = seconds_of([&] { engine->train_step(batches, adam); });
    if (s < 0) continue;
    forward.push_back(f);
    once.push_back(a);
    twice.push_back(b);
  }
  Profile profile;
  profile.step_seconds = profile.parts_seconds = median(once);
  const double passes = median(twice) - median(once), adam = median(once) - passes;
  for (const auto& [name, seconds] : std::vector<std::pair<std::string, double>>{
           {"forward", median(forward)}, {"order and backward", passes - median(forward)}, {"adam", adam}})
    profile.rows.push_back({name, 1.0, seconds, seconds / profile.step_seconds, 0.0, 0.0, 0.0, 0.0, ""});
  return profile;
}

}  // namespace

double Ceilings::bytes_per_second(double bytes) const {
  require(!copies.empty(), "no copy was measured");
  if (bytes <= copies.front().bytes) return copies.front().bytes_per_second;
  for (std::size_t i = 1; i < copies.size(); ++i) {
    const CopyCeiling &low = copies[i - 1], &high = copies[i];
    if (bytes > high.bytes) continue;
    const double part = std::log(bytes / low.bytes) / std::log(high.bytes / low.bytes);
    return low.bytes_per_second + part * (high.bytes_per_second - low.bytes_per_second);
  }
  return copies.back().bytes_per_second;
}

std::string bound_of(double copy_share, double arithmetic_share, double seconds) {
  // a GPU launch with a clock around it takes some 10 us whatever it computes
  constexpr double kShort = 30e-6;
  if (std::max(copy_share, arithmetic_share) < 0.1 && seconds < kShort) return "launch";
  return copy_share > arithmetic_share ? "copy" : "arithmetic";
}

std::string largest_gaps(const Profile& profile, std::size_t count) {
  std::vector<ProfileRow> rows;
  for (const ProfileRow& row : profile.rows)
    if (row.bytes > 0.0) rows.push_back(row);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ProfileRow& a, const ProfileRow& b) { return a.above_floor > b.above_floor; });
  if (rows.size() > count) rows.resize(count);
  std::string text;
  for (const ProfileRow& row : rows)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", row.name, format_seconds(row.above_floor));
  return text;
}

Ceilings measure_ceilings(int stage, const EngineOptions& options) {
  const auto ops = make_ops(stage, options);
  const bool on_cpu = !find_stage(stage).gpu || ops->emulated();
  if (!on_cpu) {
    const GpuCeilings gpu = measure_gpu_ceilings(options.dtype, options.device.ordinal);
    const bool tensor_cores = options.dtype != Dtype::fp64 && options.dtype != Dtype::fp32;
    const std::optional<double> peak =
        tensor_cores ? peak_flops(this_machine(options.device).gpu, options.dtype) : std::nullopt;
    return {{{2.0 * (std::size_t{1} << 30), gpu.bytes_per_second}},
            peak.value_or(gpu.flops_per_second),
            peak.has_value()};
  }
  const Dtype dtype = options.dtype == Dtype::fp64 ? Dtype::fp64 : Dtype::fp32;
  const auto eigen = make_ops(1, {dtype, 1, Device::automatic, options.threads});
  return {copy_ceilings(options.threads), product_rate(*eigen, 512)};
}

Profile profile_stage(int stage, const Run& run, const EngineOptions& options, int steps) {
  require(steps > 0, "--steps is {}: profiling needs 1 step or more", steps);
  if (stage == 0) return profile_scalar(run, steps);
  Profile profile;
  profile.ceilings = measure_ceilings(stage, options);
  auto profiling = std::make_unique<ProfilingOps>(make_ops(stage, options));
  ProfilingOps* profiler = profiling.get();  // stays readable while the engine owns it
  const auto watched = make_ops_engine(run.model, std::move(profiling), run.train.batch_size);
  const auto plain = make_engine(stage, run.model, options);
  profile.emulated = plain->emulated();
  for (Engine* engine : {watched.get(), plain.get()}) engine->load_parameters(run.initial);
  const auto step_of = [&](Engine& engine, std::int64_t s) {
    const auto batches = run.source->step(s, engine.layout());
    return seconds_of([&] { engine.train_step(batches, step_constants(run.train, 0)); });
  };
  for (std::int64_t s = 0; s < 3; ++s) step_of(*watched, s), step_of(*plain, s);
  profiler->reset();
  std::vector<double> undisturbed;
  for (std::int64_t s = 0; s < steps; ++s) {
    step_of(*watched, s);
    undisturbed.push_back(step_of(*plain, s));
  }
  profile.step_seconds = median(undisturbed);
  const auto parts = profiler->report();
  for (const OpProfile& part : parts) profile.parts_seconds += part.total_seconds / steps;
  for (const OpProfile& part : parts) {
    const double calls = part.calls, bytes = part.cost.bytes / calls, flops = part.cost.flops / calls;
    // costs are means over calls of several shapes, so is the rate
    const double mean = part.total_seconds / calls;
    const double copy = bytes / mean / profile.ceilings.bytes_per_second(bytes);
    const double arithmetic = flops / mean / profile.ceilings.flops_per_second;
    profile.rows.push_back({part.name, calls / steps, part.median_seconds,
                            part.total_seconds / steps / profile.parts_seconds, bytes, flops, copy,
                            arithmetic, bound_of(copy, arithmetic, part.median_seconds),
                            part.bytes_requested / calls,
                            part.total_seconds / steps * (1.0 - std::min(1.0, std::max(copy, arithmetic)))});
  }
  return profile;
}

std::vector<RecordRow> record_rows(const Profile& profile, int stage, bool hashes) {
  const std::string sources = source_set_of(stage, !profile.emulated);
  const std::string hash = hashes ? source_hash(sources) : "";
  std::vector<RecordRow> rows;
  for (const ProfileRow& row : profile.rows) {
    RecordRow record{row.name, sources, hash, {}};
    record.values = {{"launches", row.launches},
                     {"seconds", row.seconds},
                     {"share_of_step", row.share},
                     {"emulated", profile.emulated}};
    if (row.bytes > 0.0) {
      record.values["bytes"] = row.bytes;
      record.values["flops"] = row.flops;
      record.values["share_of_copy"] = row.copy_share;
      record.values["share_of_arithmetic"] = row.arithmetic_share;
      record.values["bound"] = row.bound;
      record.values["above_floor"] = row.above_floor;
      if (row.bytes_requested > 0.0) record.values["bytes_requested"] = row.bytes_requested;
    }
    rows.push_back(std::move(record));
  }
  return rows;
}

}  // namespace ladder
