#include "shared/train/checkpoint.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/finite.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"
#include "shared/data/bpe_vocabulary.hpp"
#include "shared/model/config_json.hpp"
#include "shared/train/checkpoint_run.hpp"
#include "shared/train/gpt2_weights.hpp"
#include "shared/train/safetensors.hpp"
#include "shared/train/tokenizer_beside.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpointFormat = "ladder-checkpoint/1";
constexpr const char* kWeightsFormat = "ladder-weights/1";
constexpr const char* kFirstMoment = "adam_m.";
constexpr const char* kSecondMoment = "adam_v.";

const std::string& metadata_value(const SafetensorsFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  require(found != file.metadata().end(), "{}: its metadata have no '{}': not written by this program",
          file.name(), key);
  return found->second;
}

Json metadata_json(const SafetensorsFile& file, const char* key) {
  return json_object(metadata_value(file, key), fmt::format("{}: its metadata '{}'", file.name(), key));
}

// ---- metadata ------------------------------------------------------------------------------------------------

/// What every file says about the model whose parameters it holds; saved_model_of reads it.
std::map<std::string, std::string> model_metadata(const char* format, const GptConfig& model,
                                                  const Tokenizer& tokenizer) {
  return {{"format", format}, {"model", to_json(model).dump()}, {"tokenizer", tokenizer.to_json().dump()}};
}

// ---- tensors -------------------------------------------------------------------------------------------------

/// The parameters of `model` among the tensors of a file, in their order, under names that begin with `prefix`.
TensorList copy_parameters(const SafetensorsFile& file, const GptConfig& model, const std::string& prefix) {
  std::map<std::string_view, const TensorView*> by_name;
  for (const TensorView& tensor : file.tensors()) by_name[tensor.name] = &tensor;
  const ParameterSpecs specs = parameter_specs(model);
  std::vector<const TensorView*> found;
  std::size_t bytes = 0;
  for (const ParameterSpec& spec : specs) {
    const auto tensor = by_name.find(prefix + spec.name);
    require(tensor != by_name.end(), "{}: the tensor '{}{}' is missing", file.name(), prefix, spec.name);
    found.push_back(tensor->second);
    require(found.back()->shape == spec.shape, "{}: the tensor '{}' has another shape than the model's [{}]",
            file.name(), found.back()->name, extents_of(spec.shape));
    bytes += found.back()->bytes.size();
  }
  require_memory(bytes, file.name());
  TensorList result;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    result.push_back(file.copy(*found[i]));
    result.back().name = specs[i].name;
  }
  return result;
}

/// Means of squares, which the update takes the roots of.
void require_not_negative(const TensorList& second_moments, const std::string& name) {
  for (const NamedTensor& tensor : second_moments) {
    const std::vector<double> values = tensor.values();
    const auto bad = std::ranges::find_if(values, [](double value) { return value < 0.0; });
    if (bad == values.end()) continue;
    throw InputError(
        fmt::format("{}: tensor '{}{}' is {} at element {} of [{}]: a mean of squares is 0 or more", name,
                    kSecondMoment, tensor.name, *bad, bad - values.begin(), extents_of(tensor.shape)));
  }
}

void append_stored(std::vector<StoredTensor>& stored, const TensorList& tensors, const std::string& prefix,
                   Dtype dtype) {
  for (const NamedTensor& tensor : tensors) stored.push_back({prefix + tensor.name, &tensor, dtype});
}

/// A file that cannot be read again is not written: throws CheckError naming the first tensor that is not all finite.
void require_finite(const std::vector<StoredTensor>& stored, const fs::path& file) {
  for (const StoredTensor& one : stored) {
    NamedTensor tensor = one.tensor->in(one.dtype);  // as it will lie there: fp32 does not hold every double
    tensor.name = one.name;
    if (const std::string words = not_finite_words(tensor); !words.empty())
      throw CheckError(fmt::format("{}: not written: {}", file.string(), words));
  }
}

// ---- checksum -----------------------------------------------------------------------------------------------------

constexpr const char* kChecksum = "checksum";

void add_texts(const Metadata& metadata, Checksum64& sum) {
  for (const auto& [key, text] : metadata) {
    if (key == kChecksum) continue;
    sum.add(key);
    sum.add(text);
  }
}

/// Of a file that is going to be written: its texts, and its tensors as they will be stored, by name: those without a
/// byte have no place of their own in a file.
std::string checksum_of(const Metadata& metadata, std::span<const StoredTensor> tensors) {
  std::map<std::string_view, const StoredTensor*> by_name;
  for (const StoredTensor& stored : tensors) by_name[stored.name] = &stored;
  Checksum64 sum;
  add_texts(metadata, sum);
  for (const auto& [name, stored] : by_name) {
    sum.add(name);
    if (stored->tensor->dtype() == stored->dtype) {
      sum.add(stored->tensor->bytes());
    } else {
      const NamedTensor rounded = stored->tensor->in(stored->dtype);
      sum.add(rounded.bytes());
    }
  }
  return hex64(sum.value());
}

/// Throws InputError where the file's bytes are not those that were written. Files of earlier programs have no checksum.
void require_checksum(const SafetensorsFile& file) {
  const auto told = file.metadata().find(kChecksum);
  if (told == file.metadata().end()) return;
  std::map<std::string_view, std::span<const std::byte>> by_name;
  for (const TensorView& tensor : file.tensors()) by_name[tensor.name] = tensor.bytes;
  Checksum64 sum;
  add_texts(file.metadata(), sum);
  for (const auto& [name, bytes] : by_name) {
    sum.add(name);
    sum.add(bytes);
  }
  require(told->second == hex64(sum.value()),
          "{}: its checksum is {}, its bytes give {}: it has been damaged", file.name(), told->second,
          hex64(sum.value()));
}

// ---- models -------------------------------------------------------------------------------------------------------

GptConfig model_of(const SafetensorsFile& file) {
  const GptConfig model = gpt_config_from_json(metadata_json(file, "model"), file.name());
  naming_source(file.name(), [&] { validate(model); });
  return model;
}

constexpr int kPaddedTo = 128;  ///< vocabularies are rounded up to a multiple of at most this

/// A model may know numbers behind the tokenizer's last, which are never drawn.
void require_vocabulary(const SafetensorsFile& file, const Tokenizer& tokenizer, int vocab_size) {
  const int tokens = tokenizer.vocab_size();
  require(tokens <= vocab_size && vocab_size - tokens < kPaddedTo,
          "{}: its tokenizer has {} tokens, its model {}", file.name(), tokens, vocab_size);
}

SavedModel saved_model_of(const SafetensorsFile& file, const AcceptModel& accept = {}) {
  const std::string& format = metadata_value(file, "format");
  require(format == kCheckpointFormat || format == kWeightsFormat,
          "{}: its format is '{}', which this program does not know", file.name(), shown(format));
  SavedModel saved{
      model_of(file), tokenizer_from_json(metadata_json(file, "tokenizer"), file.name()), {}, {}};
  require_vocabulary(file, *saved.tokenizer, saved.model.vocab_size);
  if (accept) accept(saved.model);
  saved.parameters = copy_parameters(file, saved.model, "");
  return saved;
}

// ---- GPT-2's weights from other programs ---------------------------------------------------------------------

fs::path other_model_in(const fs::path& folder) { return folder / "model.safetensors"; }

/// Says of a folder that holds neither file that a model may be in.
void require_model_in(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return;
  const fs::path own = checkpoint_file(path), other = other_model_in(path);
  require(fs::exists(own, ignored) || fs::exists(other, ignored),
          "{}: there is neither {} nor {} in this folder", path.string(), own.filename().string(),
          other.filename().string());
}

fs::path hf_config_beside(const fs::path& weights) { return weights.parent_path() / "config.json"; }

std::shared_ptr<const Tokenizer> tokenizer_of_gpt2(const SafetensorsFile& file, int vocab_size) {
  std::shared_ptr<const Tokenizer> tokenizer;
  if (file.metadata().contains("tokenizer"))
    tokenizer = tokenizer_from_json(metadata_json(file, "tokenizer"), file.name());
  else
    tokenizer = tokenizer_beside(file.name());
  if (tokenizer == nullptr) return std::make_shared<NumberTokenizer>(vocab_size);
  require_vocabulary(file, *tokenizer, vocab_size);
  return tokenizer;
}

SavedModel gpt2_model_of(const SafetensorsFile& file, const Gpt2Settings& given, const AcceptModel& accept) {
  const fs::path config = hf_config_beside(file.name());
  std::error_code ignored;
  const Gpt2Settings beside = fs::exists(config, ignored) ? read_hf_config(config) : Gpt2Settings{};
  Gpt2Weights weights = read_gpt2_weights(file, given, beside, accept);
  return {weights.model, tokenizer_of_gpt2(file, weights.model.vocab_size), std::move(weights.parameters),
          std::move(weights.assumed)};
}

}  // namespace

fs::path checkpoint_file(const fs::path& folder) { return folder / "checkpoint.safetensors"; }
fs::path best_file(const fs::path& folder) { return folder / "best.safetensors"; }

Checkpoint make_checkpoint(int stage, const Run& run, const Engine& engine, const TrainHistory& history,
                           const std::string& variant) {
  return {stage,
          run.model,
          run.train,
          run.data,
          run.source->token_hash(),
          run.source->data_hash(),
          run.source->shared_tokenizer(),
          run.random.state(),
          history,
          engine.parameters(),
          engine.moments(),
          variant};
}

void save_checkpoint(const fs::path& file, const Checkpoint& checkpoint) {
  // The master weights and moments of every type but fp64 are fp32, which F32 holds exactly.
  const Dtype dtype = Precision::of(checkpoint.train.dtype).master;
  const std::vector<double>& losses = checkpoint.history.loss;
  const NamedTensor loss{"loss", {static_cast<int>(losses.size())}, losses};
  const NamedTensor evaluations = rows_of(checkpoint.history.evaluations);
  std::vector<StoredTensor> stored = {{"loss", &loss, Dtype::fp64},
                                      {"evaluations", &evaluations, Dtype::fp64}};
  append_stored(stored, checkpoint.parameters, "", dtype);
  append_stored(stored, checkpoint.moments.m, kFirstMoment, dtype);
  append_stored(stored, checkpoint.moments.v, kSecondMoment, dtype);
  auto metadata = model_metadata(kCheckpointFormat, checkpoint.model, *checkpoint.tokenizer);
  metadata["run"] = run_text(checkpoint);
  require_finite(stored, file);
  metadata[kChecksum] = checksum_of(metadata, stored);
  write_safetensors(file, stored, metadata);
}

Checkpoint load_checkpoint(const fs::path& folder) {
  const fs::path path = checkpoint_file(folder);
  const std::string name = path.string();
  std::error_code ignored;
  require(fs::exists(path, ignored), "{}: there is no checkpoint: give the folder that --checkpoint named",
          name);
  const SafetensorsFile file(path);
  const std::string& format = metadata_value(file, "format");
  require(format == kCheckpointFormat, "{}: its format is '{}', not {}", name, shown(format),
          kCheckpointFormat);
  Checkpoint checkpoint;
  const Json run = metadata_json(file, "run");
  read_run(run, name, checkpoint);
  SavedModel saved = saved_model_of(file);
  require(saved.tokenizer->vocab_size() == saved.model.vocab_size,  // its data give a model no padding
          "{}: its tokenizer has {} tokens, its model {}", name, saved.tokenizer->vocab_size(),
          saved.model.vocab_size);
  checkpoint.model = saved.model;
  checkpoint.tokenizer = std::move(saved.tokenizer);
  checkpoint.parameters = std::move(saved.parameters);
  checkpoint.moments.m = copy_parameters(file, checkpoint.model, kFirstMoment);
  checkpoint.moments.v = copy_parameters(file, checkpoint.model, kSecondMoment);
  require_not_negative(checkpoint.moments.v, name);
  read_history(file, run, checkpoint);
  require_checksum(file);
  return checkpoint;
}

void require_same_data(const Checkpoint& checkpoint, const Run& run, const fs::path& folder) {
  const std::string name = checkpoint_file(folder).string();
  const bool same = run.source->tokenizer() == *checkpoint.tokenizer &&
                    run.source->data_hash() == checkpoint.data_hash &&
                    run.source->token_hash() == checkpoint.token_hash;
  require(same, "{}: it was trained on other data than are now in {}: resume with the same file", name,
          source_name(run.data));
}

fs::path model_file(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  const fs::path own = checkpoint_file(path), other = other_model_in(path);
  return !fs::exists(own, ignored) && fs::exists(other, ignored) ? other : own;
}

std::vector<fs::path> model_files(const fs::path& path) {
  const fs::path file = model_file(path);
  std::vector<fs::path> files = {file, hf_config_beside(file)};
  for (const char* name : kVocabularyFiles) files.push_back(file.parent_path() / name);
  return files;
}

SavedModel load_model(const fs::path& path, const Gpt2Settings& given, const AcceptModel& accept) {
  require_model_in(path);
  const SafetensorsFile file(model_file(path));
  if (!file.metadata().contains("model") && has_gpt2_names(file)) return gpt2_model_of(file, given, accept);
  SavedModel saved = saved_model_of(file, accept);
  require_checksum(file);  // behind what names a field, and the size: a sum takes as long as the file
  require(given == Gpt2Settings{},
          "{}: it says itself what model it holds: leave out --n-layer, --n-head, --n-embd, --block-size, "
          "--bias, --gelu",
          file.name());
  return saved;
}

void save_model(const fs::path& path, const SavedModel& saved, Dtype dtype) {
  std::vector<StoredTensor> stored;
  append_stored(stored, saved.parameters, "", dtype);
  require_finite(stored, path);
  auto metadata = model_metadata(kWeightsFormat, saved.model, *saved.tokenizer);
  metadata[kChecksum] = checksum_of(metadata, stored);
  write_safetensors(path, stored, metadata);
}

}  // namespace ladder
