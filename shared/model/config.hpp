// The shape of a GPT and the settings of one training run, with presets and their validation.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/dtype.hpp"
#include "shared/base/shown.hpp"

namespace ladder {

/// Which model text: microgpt.cpp (RMSNorm, ReLU, no biases, a head of its own) or gpt2.cpp (LayerNorm, GELU, a head
/// tied to the embedding; nanoGPT's model and GPT-2's).
enum class Architecture { microgpt, gpt2 };

/// GELU of a value u: u Phi(u), Phi the integral of the normal distribution. erf: exact, u (1 + erf(u / sqrt 2)) / 2, as
/// nanoGPT computes it. tanh: GPT-2's approximation, u (1 + tanh(sqrt(2/pi) (u + 0.044715 u^3))) / 2.
enum class Gelu { tanh, erf };

/// How the learning rate goes from its peak, behind the warm-up, to its end (model/optimizer.hpp): along a line, along
/// half a cosine, as nanoGPT's, or not at all.
enum class Schedule { linear, cosine, constant };

/// Which of the texts inside the program a run trains on when it names none: one name a line, or the program's own
/// source, as one long text.
enum class Embedded { names, source };

/// The names of a setting's choices, in the order of their numbers.
template <class Choice>
inline constexpr std::array<std::string_view, 0> names_of_choice{};
template <>
inline constexpr std::array<std::string_view, 2> names_of_choice<Architecture>{"microgpt", "gpt2"};
template <>
inline constexpr std::array<std::string_view, 2> names_of_choice<Gelu>{"tanh", "erf"};
template <>
inline constexpr std::array<std::string_view, 3> names_of_choice<Schedule>{"linear", "cosine", "constant"};
template <>
inline constexpr std::array<std::string_view, 2> names_of_choice<Embedded>{"names", "source"};

template <class T>
inline constexpr bool is_choice = names_of_choice<T>.size() > 0;

template <class Choice>
requires is_choice<Choice>
constexpr std::string_view name_of(Choice choice) {
  return names_of_choice<Choice>[static_cast<std::size_t>(choice)];
}

/// Throws InputError: "WHAT is 'x': valid are tanh, erf".
template <class Choice>
Choice parse_choice(std::string_view name, std::string_view what) {
  std::string valid;
  for (std::size_t i = 0; i < names_of_choice<Choice>.size(); ++i) {
    if (name == names_of_choice<Choice>[i]) return static_cast<Choice>(i);
    valid += fmt::format("{}{}", i == 0 ? "" : ", ", names_of_choice<Choice>[i]);
  }
  throw InputError(fmt::format("{} is '{}': valid are {}", what, shown(name), valid));
}

/// The architecture. Legend: C = n_embd, H = n_head, K = n_kv_head, D = head_dim(), T = block_size, V = vocab_size.
struct GptConfig {
  int vocab_size = 0;  ///< set by the tokenizer
  int n_layer = 1;
  int n_embd = 16;
  int n_head = 4;
  int n_kv_head = 0;  ///< key/value heads; 0 means n_head (plain multi-head attention)
  int block_size = 16;
  Architecture architecture = Architecture::microgpt;
  // What only GPT-2 has:
  bool bias = false;  ///< of linear layers and LayerNorms alike
  Gelu gelu = Gelu::tanh;
  double dropout = 0.0;  ///< the probability at every site (model/dropout.hpp), in training

  int kv_heads() const { return n_kv_head == 0 ? n_head : n_kv_head; }
  int head_dim() const { return n_embd / n_head; }
  int kv_dim() const { return kv_heads() * head_dim(); }
  int qkv_dim() const { return n_embd + 2 * kv_dim(); }  ///< width of the packed query, key, value row
  bool operator==(const GptConfig&) const = default;
};

/// One training run. `steps` is also the length of the learning rate's schedule, unless schedule_steps says otherwise.
struct TrainConfig {
  std::int64_t steps = 1000;
  std::int64_t schedule_steps = 0;  ///< 0: same as steps
  int batch_size = 1;               ///< documents (or windows) in one micro-batch
  int grad_accum = 1;               ///< micro-batches in one step
  double learning_rate = 0.01;      ///< its peak
  Schedule schedule = Schedule::linear;
  std::int64_t warmup_steps = 0;   ///< in which it rises to the peak, part of the schedule
  double min_learning_rate = 0.0;  ///< what it falls to
  double beta1 = 0.85;
  double beta2 = 0.99;
  double eps = 1e-8;
  double weight_decay = 0.0;    ///< of GPT-2's matrices and embeddings
  double clip = 0.0;            ///< largest norm of a step's gradients; 0: no clipping
  std::int64_t seed = 42;       ///< 0 .. 2^32-1 as CPython's random.seed(int)
  std::int64_t eval_every = 0;  ///< steps between evaluations; 0: none
  int eval_batches = 0;         ///< of batch_size sequences, of each part of the data, in one evaluation
  Dtype dtype = Dtype::fp32;

  std::int64_t decay_steps() const { return schedule_steps == 0 ? steps : schedule_steps; }
};

/// A named starting point: `micro`, `small`, `shakespeare_char`, ... (see presets()).
struct Preset {
  std::string name;
  std::string summary;
  GptConfig model;
  TrainConfig train;
  /// Trains on random windows of one long text instead of one line per document.
  bool character_stream = false;
  Embedded embedded = Embedded::names;
};

const std::vector<Preset>& presets();

/// Throws InputError with the list of valid names when there is no such preset.
const Preset& find_preset(std::string_view name);

/// Throws InputError naming the first setting that is out of range (settings.hpp has the ranges)
/// and what would be valid. Numbers of a training run are judged in the type of its update, too: an epsilon of 1e-50 is
/// 0 in fp32.
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
