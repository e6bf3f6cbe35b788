// Every setting of a model and of a training run, one row each: what it is called in files and on the command line,
// what it means, and what is valid. Validation, JSON, flags and the check of a resumed run are made from these rows, so
// a new setting is a member in config.hpp and a row here.
#pragma once

#include <concepts>
#include <limits>
#include <tuple>
#include <type_traits>

#include "shared/base/error.hpp"
#include "shared/model/config.hpp"

namespace ladder {

/// What a number must be, and how an error says so. Whole numbers are judged as doubles, which hold every bound below.
struct Valid {
  bool (*holds)(double value);  ///< false for NaN
  const char* says;
};

inline constexpr Valid kOneOrMore{[](double v) { return v >= 1; }, "1 or more"};
inline constexpr Valid kZeroOrMore{[](double v) { return v >= 0; }, "0 or more"};
inline constexpr Valid kSeed{[](double v) { return v >= 0 && v <= 4294967295.0; }, "from 0 to 4294967295"};
inline constexpr Valid kRate{[](double v) { return v >= 0 && v <= 1e6; }, "a number from 0 to 1000000"};
inline constexpr Valid kDecay{[](double v) { return v >= 0 && v < 1; },
                              "a number from 0 to 1, below the upper end"};
inline constexpr Valid kPositive{[](double v) { return v > 0 && v <= std::numeric_limits<double>::max(); },
                                 "a positive number"};
inline constexpr Valid kNonNegative{
    [](double v) { return v >= 0 && v <= std::numeric_limits<double>::max(); },
    "a finite number of 0 or more"};
/// A word of dropout's draws has 32 bits: above the last, nothing would survive and all would count.
inline constexpr Valid kDropout{[](double v) { return v >= 0 && v < 1 - 0x1p-33; },
                                "a number from 0 to 1, below the upper end"};
inline constexpr Valid kAny{[](double) { return true; }, ""};

/// One setting of Config; T is the type of its member.
template <class Config, class T>
struct Setting {
  using Value = T;
  T Config::*member;
  const char* name;  ///< in JSON
  const char* flag;  ///< on the command line; "" where it comes from elsewhere
  const char* help;  ///< of the flag; without one, what errors call the setting
  Valid valid;
  T Config::*stands_for = nullptr;  ///< where the value is 0, this member's counts
  bool later = false;               ///< files of earlier programs lack it: its default counts
  const char* described = "";  ///< what a run's description adds where it is not the default; {}: the value

  /// What errors call the setting.
  const char* flag_or_help() const { return flag[0] == '\0' ? help : flag; }

  /// The value that counts.
  T in_force(const Config& config) const {
    if constexpr (std::is_arithmetic_v<T>)
      if (stands_for != nullptr && config.*member == T{}) return config.*stands_for;
    return config.*member;
  }

  /// Throws InputError: "--steps is -1: it must be 0 or more". Choices are judged where they are read.
  void require_valid(const T& value) const {
    if constexpr (std::is_arithmetic_v<T>)
      require(valid.holds(static_cast<double>(value)), "{} is {}: it must be {}", flag_or_help(), value,
              valid.says);
  }
};

template <class Config, class T>
constexpr Setting<Config, T> setting(T Config::*member, const char* name, const char* flag, const char* help,
                                     Valid valid) {
  return {member, name, flag, help, valid};
}

/// The same, for a setting whose 0 means the value of `other`.
template <class Config, class T>
constexpr Setting<Config, T> defaults_to(T Config::*other, Setting<Config, T> row) {
  row.stands_for = other;
  return row;
}

/// The same, for a setting that is off by default and came after the first checkpoints were written.
template <class Config, class T>
constexpr Setting<Config, T> added_later(const char* described, Setting<Config, T> row) {
  row.later = true;
  row.described = described;
  return row;
}

/// The rows in the order of --help.
inline constexpr std::tuple kModelSettings{
    setting(&GptConfig::vocab_size, "vocab_size", "", "vocabulary size", kOneOrMore),
    setting(&GptConfig::n_layer, "n_layer", "--n-layer", "layers", kOneOrMore),
    setting(&GptConfig::n_embd, "n_embd", "--n-embd", "width of the residual stream", kOneOrMore),
    setting(&GptConfig::n_head, "n_head", "--n-head", "attention heads; divides the width", kOneOrMore),
    defaults_to(&GptConfig::n_head,
                setting(&GptConfig::n_kv_head, "n_kv_head", "--n-kv-head",
                        "key/value heads, stage 1 and up; divides the heads (default: equal)", kOneOrMore)),
    setting(&GptConfig::block_size, "block_size", "--block-size", "positions the model sees", kOneOrMore),
    added_later("", setting(&GptConfig::architecture, "architecture", "--model", "the model's text", kAny)),
    added_later("", setting(&GptConfig::bias, "bias", "--bias",
                            "GPT-2's biases, of linear layers and norms: 1 or 0", kAny)),
    added_later("", setting(&GptConfig::gelu, "gelu", "--gelu", "GPT-2's GELU", kAny)),
    added_later(
        "", setting(&GptConfig::dropout, "dropout", "--dropout", "GPT-2's dropout in training", kDropout))};

inline constexpr std::tuple kTrainSettings{
    setting(&TrainConfig::steps, "steps", "--steps", "training steps", kZeroOrMore),
    defaults_to(&TrainConfig::steps,
                setting(&TrainConfig::schedule_steps, "schedule_steps", "--schedule-steps",
                        "length of the learning rate's schedule (default: steps)", kZeroOrMore)),
    added_later("", setting(&TrainConfig::schedule, "schedule", "--schedule",
                            "how the learning rate falls behind the warm-up", kAny)),
    added_later("", setting(&TrainConfig::warmup_steps, "warmup_steps", "--warmup-steps",
                            "steps in which the learning rate rises", kZeroOrMore)),
    added_later("", setting(&TrainConfig::min_learning_rate, "min_learning_rate", "--min-lr",
                            "what the learning rate falls to", kRate)),
    setting(&TrainConfig::batch_size, "batch_size", "--batch-size", "sequences in a micro-batch", kOneOrMore),
    setting(&TrainConfig::grad_accum, "grad_accum", "--grad-accum", "micro-batches in a step", kOneOrMore),
    setting(&TrainConfig::learning_rate, "learning_rate", "--lr", "learning rate, at its highest", kRate),
    setting(&TrainConfig::beta1, "beta1", "--beta1", "Adam's decay of the mean gradient", kDecay),
    setting(&TrainConfig::beta2, "beta2", "--beta2", "Adam's decay of the mean squared gradient", kDecay),
    setting(&TrainConfig::eps, "eps", "--eps", "Adam's epsilon", kPositive),
    added_later(", weight decay {}", setting(&TrainConfig::weight_decay, "weight_decay", "--weight-decay",
                                             "AdamW's weight decay, of GPT-2's matrices", kNonNegative)),
    added_later(", clipped at norm {}",
                setting(&TrainConfig::clip, "clip", "--clip",
                        "largest norm of a step's gradients; 0: no clipping", kNonNegative)),
    added_later("", setting(&TrainConfig::eval_every, "eval_every", "--eval-every",
                            "steps between evaluations; 0: none", kZeroOrMore)),
    added_later("", setting(&TrainConfig::eval_batches, "eval_batches", "--eval-batches",
                            "batches of each part of the data in an evaluation", kZeroOrMore)),
    setting(&TrainConfig::seed, "seed", "--seed", "0 to 4294967295, as random.seed of the original", kSeed),
    setting(&TrainConfig::dtype, "dtype", "", "type", kAny)};  // --dtype says where a model runs, too

/// Calls visit(row) for every setting of Config, GptConfig or TrainConfig.
template <class Config, class Visit>
void visit_settings(Visit&& visit) {
  const auto each = [&](const auto&... rows) { (visit(rows), ...); };
  if constexpr (std::same_as<Config, GptConfig>)
    std::apply(each, kModelSettings);
  else
    std::apply(each, kTrainSettings);
}

}  // namespace ladder
