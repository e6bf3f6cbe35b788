// Checkpoints: one safetensors file with everything that a run needs to continue bit for bit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/random.hpp"
#include "shared/data/tokenizer.hpp"
#include "shared/train/engine.hpp"
#include "shared/train/hf_config.hpp"
#include "shared/train/history.hpp"
#include "shared/train/run.hpp"

namespace ladder {

/// The file holds the parameters under their names, Adam's moments as "adam_m.NAME" and "adam_v.NAME", the losses so
/// far as "loss", evaluations as rows of "evaluations" (step, loss of the training part, held-out loss), and as metadata
/// what is no tensor, with a checksum of everything.
struct Checkpoint {
  int stage = 0;
  GptConfig model;
  TrainConfig train;  ///< with the dtype
  DataOptions data;   ///< where the text was; relative paths stay relative
  std::uint64_t token_hash = 0, data_hash = 0;
  std::shared_ptr<const Tokenizer> tokenizer;
  Random::State random;  ///< where sampling continues after the last step
  TrainHistory history;
  TensorList parameters;
  Moments moments;
  /// The stage's variant that trained, "" for the stage itself; nothing in a file from before checkpoints kept it.
  std::optional<std::string> variant;

  std::int64_t steps_done() const { return history.steps_done(); }
};

/// DIR/checkpoint.safetensors: where the run stands.
std::filesystem::path checkpoint_file(const std::filesystem::path& folder);
/// DIR/best.safetensors: where it stood at the lowest held-out loss.
std::filesystem::path best_file(const std::filesystem::path& folder);

/// What `engine` and `run` are at after the steps of `history`.
Checkpoint make_checkpoint(int stage, const Run& run, const Engine& engine, const TrainHistory& history,
                           const std::string& variant = "");

/// Into one of the two files, completely or not at all: throws CheckError, and writes nothing, where a parameter, a
/// moment or a loss is not a finite number.
void save_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint);

/// Throws InputError naming the file and the reason when it is missing, truncated, of another program, or does not fit
/// together (tensors and model, losses and steps).
Checkpoint load_checkpoint(const std::filesystem::path& folder);

/// Throws InputError when `run`, prepared anew from the checkpoint's settings, does not read the same data.
void require_same_data(const Checkpoint& checkpoint, const Run& run, const std::filesystem::path& folder);

/// A model without its training state: what sampling needs.
struct SavedModel {
  GptConfig model;
  std::shared_ptr<const Tokenizer> tokenizer;  ///< of at most as many tokens as the model has
  TensorList parameters;
  std::vector<std::string> assumed = {};  ///< what the file does not say of itself, see Gpt2Weights
};

/// The file that load_model reads for `path`: in a folder its checkpoint, or else model.safetensors; `path` where that
/// is a file.
std::filesystem::path model_file(const std::filesystem::path& path);
/// All files that load_model looks at for `path`: none of them may be replaced meanwhile.
std::vector<std::filesystem::path> model_files(const std::filesystem::path& path);

/// From a checkpoint file, a file written by save_model, GPT-2's weights as Hugging Face or nanoGPT name them
/// (gpt2_weights.hpp), or a folder with one of these. `given` goes before what a config.json beside GPT-2's weights
/// says, and that before what their shapes say. Their tokenizer is the one in the file's metadata, or beside the file,
/// or else one of numbers; up to 127 tokens of the model, which round its vocabulary up, may have none.
/// Throws InputError naming the file and what is missing, or that its bytes are not those of its checksum. `accept`, if
/// any, is called with the model before its weights are read, and may throw.
SavedModel load_model(const std::filesystem::path& path, const Gpt2Settings& given = {},
                      const AcceptModel& accept = {});

/// Plain safetensors with the model's shape, characters and a checksum as metadata. `dtype` is fp64 or fp32. Numbers
/// that are not finite throw as save_checkpoint() does.
void save_model(const std::filesystem::path& path, const SavedModel& saved, Dtype dtype);

}  // namespace ladder
