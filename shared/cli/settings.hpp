// The settings that describe one run, from flags over presets (or over the checkpoint that is resumed).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "shared/data/data.hpp"
#include "shared/model/config.hpp"
#include "shared/stages.hpp"
#include "shared/train/checkpoint.hpp"

namespace CLI {
class App;
}

namespace ladder::cli {

/// Where a model runs; what train, sample, logits and profile share.
struct PlaceFlags {
  std::optional<int> stage;
  std::string dtype;
  Device device = Device::automatic;
  int threads = 0;
};

void add_place_flags(CLI::App& app, PlaceFlags& flags);

/// What was given of a place, as flags: " --dtype bf16 --device gpu"; "", automatic and 0 stand for not given.
std::string place_words(const std::string& dtype, Device device, int threads);

/// A stage, what it computes in and on which device.
struct Place {
  int stage;
  EngineOptions options;
};

/// Throws InputError for a --threads that can be no number of threads.
void require_threads(int threads);

/// Throws InputError for a --rounds that is no number of rounds of a race.
void require_rounds(int rounds);

/// Defaults: stage 1; the stage's own default type (fp64 at stage 0, otherwise fp32). Throws InputError for a stage or
/// a type that is not there.
Place resolve_place(const PlaceFlags& flags);

/// The settings of Config (GptConfig or TrainConfig) that the command line names.
template <class Config>
struct Given {
  Config values;
  std::set<std::string_view> flags;  ///< whose `values` were given, by name

  /// " --n-layer 2 --n-embd 32", in the order of the table of settings; "" for none.
  std::string words() const;
};

/// Flags of model, training and data; what is not given comes from the preset.
struct RunFlags {
  std::string preset, data;
  Given<GptConfig> model;
  Given<TrainConfig> train;

  /// What was given besides the preset, as flags: " --n-layer 2 --data tinyshakespeare.txt". Of the data only the last
  /// part of the path: no path of this machine.
  std::string words() const;
};

/// Of all presets, as --preset takes them.
std::vector<std::string> preset_names();
/// Of all types, as --dtype takes them.
std::vector<std::string> dtype_names();

/// The last part of the path of a text, or of a folder of token files: no path of this machine.
std::string data_name(const std::string& path);
/// The same data under that name, for what is written down.
DataOptions without_folder(DataOptions data);

/// --data; `path` must outlive the parsing.
void add_data_flag(CLI::App& app, std::string& path);
/// --preset, --data and all settings; `flags` must outlive the parsing.
void add_run_flags(CLI::App& app, RunFlags& flags);
/// Of the settings, those with these flags.
void add_setting_flags(CLI::App& app, RunFlags& flags, const std::set<std::string_view>& only);
void add_setting_flags(CLI::App& app, Given<GptConfig>& model, const std::set<std::string_view>& only);

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
/// "1 layer, width 16, 4 heads, 16 positions, 27 tokens: 4192 parameters", and of a GPT-2 first its choices: "GPT-2, GELU
/// by erf, without biases, dropout 0.2: 6 layers, ..."
std::string describe(const GptConfig& model);
/// "1000 steps of 1 sequence, lr 0.01 falling to 0 over 1000 steps, betas 0.85 0.99, eps 1e-08, seed 42", and
/// what the table of settings adds for one that is on: ", clipped at norm 1"
std::string describe(const TrainConfig& train);

}  // namespace ladder::cli
