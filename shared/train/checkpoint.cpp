#include "shared/train/checkpoint.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/json_member.hpp"
#include "shared/model/config_json.hpp"
#include "shared/train/safetensors.hpp"

namespace ladder {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpointFormat = "ladder-checkpoint/1";
constexpr const char* kWeightsFormat = "ladder-weights/1";
constexpr const char* kFirstMoment = "adam_m.";
constexpr const char* kSecondMoment = "adam_v.";

const std::string& metadata_value(const Safetensors& file, const char* key, const std::string& name) {
  const auto found = file.metadata.find(key);
  require(found != file.metadata.end(), "{}: its metadata have no '{}': not written by this program", name,
          key);
  return found->second;
}

Json metadata_json(const Safetensors& file, const char* key, const std::string& name) {
  Json json = Json::try_parse(metadata_value(file, key, name));
  require(json.is_object(), "{}: its metadata '{}' are not a JSON object", name, key);
  return json;
}

std::uint64_t parse_hex64(const std::string& text, const std::string& name) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value, 16);
  require(parsed.ec == std::errc() && parsed.ptr == end, "{}: '{}' is not a hash", name, text);
  return value;
}

// ---- metadata ------------------------------------------------------------------------------------------------

/// What every file says about the model whose parameters it holds; saved_model_of reads it.
std::map<std::string, std::string> model_metadata(const char* format, const GptConfig& model,
                                                  const Tokenizer& tokenizer) {
  return {{"format", format}, {"model", to_json(model).dump()}, {"tokenizer", tokenizer.to_json().dump()}};
}

std::string run_text(const Checkpoint& checkpoint) {
  Json json = {{"stage", checkpoint.stage},
               {"step", checkpoint.steps_done()},
               {"train", to_json(checkpoint.train)},
               {"data_path", checkpoint.data.path},
               {"character_stream", checkpoint.data.character_stream},
               {"token_hash", hex64(checkpoint.token_hash)},
               {"data_hash", hex64(checkpoint.data_hash)},
               {"random_words", checkpoint.random.words}};
  if (checkpoint.random.next_gauss) json["random_next_gauss"] = *checkpoint.random.next_gauss;
  if (checkpoint.variant) json["variant"] = *checkpoint.variant;
  return sorted(std::move(json)).dump();
}

void read_run(const Json& json, const std::string& name, Checkpoint& checkpoint) {
  checkpoint.stage = member_of<int>(json, "stage", name);
  checkpoint.train = train_config_from_json(member_of<Json>(json, "train", name), name);
  checkpoint.data = {member_of<std::string>(json, "data_path", name),
                     member_of<bool>(json, "character_stream", name)};
  checkpoint.token_hash = parse_hex64(member_of<std::string>(json, "token_hash", name), name);
  checkpoint.data_hash = parse_hex64(member_of<std::string>(json, "data_hash", name), name);
  checkpoint.random.words = member_of<std::vector<std::uint32_t>>(json, "random_words", name);
  if (json.contains("random_next_gauss"))
    checkpoint.random.next_gauss = member_of<double>(json, "random_next_gauss", name);
  if (json.contains("variant")) checkpoint.variant = member_of<std::string>(json, "variant", name);
}

// ---- tensors -------------------------------------------------------------------------------------------------

/// The parameters of `model` among the tensors of a file, in their order, under names that begin with `prefix`.
TensorList take_parameters(Safetensors& file, const GptConfig& model, const std::string& prefix,
                           const std::string& name) {
  std::map<std::string, NamedTensor*> by_name;
  for (NamedTensor& tensor : file.tensors) by_name[tensor.name] = &tensor;
  TensorList result;
  for (const ParameterSpec& spec : parameter_specs(model)) {
    const auto found = by_name.find(prefix + spec.name);
    require(found != by_name.end(), "{}: the tensor '{}{}' is missing", name, prefix, spec.name);
    NamedTensor& tensor = *found->second;
    require(tensor.shape == spec.shape, "{}: the tensor '{}' has another shape than the model's [{}]", name,
            tensor.name, extents_of(spec.shape));
    result.push_back(std::move(tensor));
    result.back().name = spec.name;
  }
  return result;
}

void append_stored(std::vector<StoredTensor>& stored, const TensorList& tensors, const std::string& prefix,
                   Dtype dtype) {
  for (const NamedTensor& tensor : tensors) stored.push_back({prefix + tensor.name, &tensor, dtype});
}

GptConfig model_of(const Safetensors& file, const std::string& name) {
  const GptConfig model = gpt_config_from_json(metadata_json(file, "model", name), name);
  naming_source(name, [&] { validate(model); });
  return model;
}

SavedModel saved_model_of(Safetensors& file, const std::string& name) {
  SavedModel saved{
      model_of(file, name), tokenizer_from_json(metadata_json(file, "tokenizer", name), name), {}};
  require(saved.tokenizer->vocab_size() == saved.model.vocab_size,
          "{}: its tokenizer has {} tokens, its model {}", name, saved.tokenizer->vocab_size(),
          saved.model.vocab_size);
  saved.parameters = take_parameters(file, saved.model, "", name);
  return saved;
}

}  // namespace

fs::path checkpoint_file(const fs::path& folder) { return folder / "checkpoint.safetensors"; }

Checkpoint make_checkpoint(int stage, const Run& run, const Engine& engine, const std::vector<double>& loss,
                           const std::string& variant) {
  return {stage,
          run.model,
          run.train,
          run.data,
          run.source->token_hash(),
          run.source->data_hash(),
          run.source->shared_tokenizer(),
          run.random.state(),
          loss,
          engine.parameters(),
          engine.moments(),
          variant};
}

void save_checkpoint(const fs::path& folder, const Checkpoint& checkpoint) {
  // The master weights and moments of every type but fp64 are fp32, which F32 holds exactly.
  const Dtype dtype = Precision::of(checkpoint.train.dtype).master;
  const NamedTensor loss{"loss", {static_cast<int>(checkpoint.loss.size())}, checkpoint.loss};
  std::vector<StoredTensor> stored = {{"loss", &loss, Dtype::fp64}};
  append_stored(stored, checkpoint.parameters, "", dtype);
  append_stored(stored, checkpoint.moments.m, kFirstMoment, dtype);
  append_stored(stored, checkpoint.moments.v, kSecondMoment, dtype);
  auto metadata = model_metadata(kCheckpointFormat, checkpoint.model, *checkpoint.tokenizer);
  metadata["run"] = run_text(checkpoint);
  write_safetensors(checkpoint_file(folder), stored, metadata);
}

Checkpoint load_checkpoint(const fs::path& folder) {
  const fs::path path = checkpoint_file(folder);
  const std::string name = path.string();
  std::error_code ignored;
  require(fs::exists(path, ignored), "{}: there is no checkpoint: give the folder that --checkpoint named",
          name);
  Safetensors file = read_safetensors(path);
  require(metadata_value(file, "format", name) == kCheckpointFormat, "{}: its format is '{}', not {}", name,
          file.metadata["format"], kCheckpointFormat);
  Checkpoint checkpoint;
  const Json run = metadata_json(file, "run", name);
  read_run(run, name, checkpoint);
  SavedModel saved = saved_model_of(file, name);
  checkpoint.model = saved.model;
  checkpoint.tokenizer = std::move(saved.tokenizer);
  checkpoint.parameters = std::move(saved.parameters);
  checkpoint.moments.m = take_parameters(file, checkpoint.model, kFirstMoment, name);
  checkpoint.moments.v = take_parameters(file, checkpoint.model, kSecondMoment, name);
  const auto loss =
      std::find_if(file.tensors.begin(), file.tensors.end(), [](auto& t) { return t.name == "loss"; });
  require(loss != file.tensors.end(), "{}: the tensor 'loss' is missing", name);
  checkpoint.loss = loss->values();
  require(member_of<std::int64_t>(run, "step", name) == checkpoint.steps_done(),
          "{}: it holds {} losses for {} steps", name, checkpoint.loss.size(),
          member_of<std::int64_t>(run, "step", name));
  return checkpoint;
}

void require_same_data(const Checkpoint& checkpoint, const Run& run, const fs::path& folder) {
  const std::string name = checkpoint_file(folder).string();
  const bool same = run.source->tokenizer() == *checkpoint.tokenizer &&
                    run.source->data_hash() == checkpoint.data_hash &&
                    run.source->token_hash() == checkpoint.token_hash;
  require(same, "{}: it was trained on other data than {} holds now: resume with the same file", name,
          run.data.path.empty() ? "the embedded list" : run.data.path);
}

fs::path model_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? checkpoint_file(path) : path;
}

SavedModel load_model(const fs::path& path) {
  const fs::path file_path = model_file(path);
  Safetensors file = read_safetensors(file_path);
  return saved_model_of(file, file_path.string());
}

void save_model(const fs::path& path, const SavedModel& saved, Dtype dtype) {
  std::vector<StoredTensor> stored;
  append_stored(stored, saved.parameters, "", dtype);
  write_safetensors(path, stored, model_metadata(kWeightsFormat, saved.model, *saved.tokenizer));
}

}  // namespace ladder
