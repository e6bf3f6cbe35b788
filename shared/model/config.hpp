// The shape of a GPT and the settings of one training run, with presets and their validation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/dtype.hpp"

namespace ladder {

/// The architecture. Legend: C = n_embd, H = n_head, K = n_kv_head, D = head_dim(), T = block_size, V = vocab_size.
struct GptConfig {
  int vocab_size = 0;  ///< set by the tokenizer
  int n_layer = 1;
  int n_embd = 16;
  int n_head = 4;
  int n_kv_head = 0;  ///< key/value heads; 0 means n_head (plain multi-head attention)
  int block_size = 16;

  int kv_heads() const { return n_kv_head == 0 ? n_head : n_kv_head; }
  int head_dim() const { return n_embd / n_head; }
  int kv_dim() const { return kv_heads() * head_dim(); }
  int qkv_dim() const { return n_embd + 2 * kv_dim(); }  ///< width of the packed query, key, value row
  bool operator==(const GptConfig&) const = default;
};

/// One training run. `steps` is also the length of the linear learning-rate decay, unless
/// schedule_steps says otherwise.
struct TrainConfig {
  std::int64_t steps = 1000;
  std::int64_t schedule_steps = 0;  ///< 0: same as steps
  int batch_size = 1;               ///< documents (or windows) in one micro-batch
  int grad_accum = 1;               ///< micro-batches in one step
  double learning_rate = 0.01;
  double beta1 = 0.85;
  double beta2 = 0.99;
  double eps = 1e-8;
  double clip = 0.0;       ///< largest norm of a step's gradients; 0: no clipping
  std::int64_t seed = 42;  ///< 0 .. 2^32-1 as CPython's random.seed(int)
  Dtype dtype = Dtype::fp32;

  std::int64_t decay_steps() const { return schedule_steps == 0 ? steps : schedule_steps; }
};

/// A named starting point: `micro`, `micro-batch`, `small` (see presets()).
struct Preset {
  std::string name;
  std::string summary;
  GptConfig model;
  TrainConfig train;
  /// Trains on random windows of one long text instead of one line per document.
  bool character_stream = false;
};

const std::vector<Preset>& presets();

/// Throws InputError with the list of valid names when there is no such preset.
const Preset& find_preset(std::string_view name);

/// Throws InputError naming the first setting that is out of range (settings.hpp has the ranges)
/// and what would be valid.
///
/// A shape is validated where it enters the program: prepare_run() for settings, load_checkpoint() and
/// load_model() for files. Whatever takes a GptConfig behind them (engines, kernels) takes a valid one, and checks
/// only what it alone demands.
void validate(const GptConfig& config);
void validate(const TrainConfig& config);

/// A valid shape with the vocabulary of its data, which must be 1 or more. Throws InputError when
/// that makes it too large.
GptConfig with_vocabulary(GptConfig config, int vocab_size);

}  // namespace ladder
