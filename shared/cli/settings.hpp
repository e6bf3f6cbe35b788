// The settings that describe one run, from flags over presets (or over the checkpoint that is resumed).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "shared/data/data.hpp"
#include "shared/model/config.hpp"
#include "shared/stages.hpp"
#include "shared/train/checkpoint.hpp"

namespace CLI {
class App;
}

namespace ladder::cli {

/// Where a model runs; what train, sample and logits share.
struct PlaceFlags {
  std::optional<int> stage;
  std::string dtype;
  Device device = Device::automatic;
  int threads = 0;
};

void add_place_flags(CLI::App& app, PlaceFlags& flags);

/// A stage, what it computes in and on which device.
struct Place {
  int stage;
  EngineOptions options;
};

/// Defaults: stage 1; the stage's own default type (fp64 at stage 0, otherwise fp32). Throws InputError for a stage or
/// a type that is not there.
Place resolve_place(const PlaceFlags& flags);

/// Flags of model, training and data; unset ones come from the preset.
struct RunFlags {
  std::string preset, data;
  std::optional<int> n_layer, n_embd, n_head, n_kv_head, block_size, batch_size, grad_accum;
  std::optional<std::int64_t> steps, schedule_steps, seed;
  std::optional<double> learning_rate, beta1, beta2, eps;
};

void add_run_flags(CLI::App& app, RunFlags& flags);

struct RunSettings {
  std::string preset;  ///< "" for a resumed run
  GptConfig model;
  TrainConfig train;
  DataOptions data;
};

/// The preset (micro unless named) with the flags over it.
RunSettings resolve_run(const RunFlags& flags);

/// The checkpoint's settings. Throws InputError for a flag that says something else than the checkpoint; only --data
/// may name another path (the data must be the same).
RunSettings resume_run(const RunFlags& flags, const PlaceFlags& place, const Checkpoint& checkpoint);

/// "1 (CPU tensors), fp32"
std::string describe(const Place& place);
/// "1 layer, width 16, 4 heads, 16 positions, 27 tokens: 4192 parameters"
std::string describe(const GptConfig& model);
/// "1000 steps of 1 sequence, lr 0.01 falling to 0 over 1000 steps, betas 0.85 and 0.99, eps 1e-08, seed 42"
std::string describe(const TrainConfig& train);

}  // namespace ladder::cli
