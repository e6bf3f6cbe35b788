#include "shared/train/checkpoint_run.hpp"

#include <charconv>
#include <cmath>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/escape.hpp"
#include "shared/base/hash.hpp"
#include "shared/base/json_member.hpp"
#include "shared/base/shown.hpp"
#include "shared/model/config_json.hpp"

namespace ladder {
namespace {

std::uint64_t parse_hex64(const std::string& text, const std::string& name) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value, 16);
  require(text.size() == 16 && parsed.ec == std::errc() && parsed.ptr == end, "{}: '{}' is not a hash", name,
          shown(text));
  return value;
}

/// Files of earlier programs lack it: their losses were not scaled, and the run begins to.
LossScale loss_scale_from(const Json& run, const std::string& name) {
  if (!run.contains("loss_scale")) return {};
  const Json json = member_of<Json>(run, "loss_scale", name);
  const LossScale scale{member_of<double>(json, "value", name), member_of<std::int64_t>(json, "good", name),
                        member_of<std::int64_t>(json, "left_out", name)};
  require(scale.value > 1.0 && std::isfinite(scale.value) && scale.good >= 0 && scale.left_out >= 0,
          "{}: a loss scale of {}, {} good steps, {} left out", name, scale.value, scale.good,
          scale.left_out);
  return scale;
}

/// One for each step done, of a run of `steps`.
std::vector<double> losses_of(const SafetensorsFile& file, std::int64_t steps_done, std::int64_t steps) {
  const TensorView* loss = file.find("loss");
  require(loss != nullptr, "{}: the tensor 'loss' is missing", file.name());
  require(loss->shape.size() == 1 && loss->shape[0] == steps_done,
          "{}: the tensor 'loss' has the shape [{}], but 'step' is {}", file.name(), extents_of(loss->shape),
          steps_done);
  require(steps_done <= steps, "{}: 'step' is {}, of a run of {} steps", file.name(), steps_done, steps);
  return file.copy(*loss).values();
}

/// None in a file of an earlier program.
std::vector<Evaluation> evaluations_of(const SafetensorsFile& file, std::int64_t steps_done) {
  const TensorView* tensor = file.find("evaluations");
  if (tensor == nullptr) return {};
  require(tensor->shape.size() == 2 && tensor->shape[1] == 3,
          "{}: the tensor 'evaluations' has not three columns", file.name());
  const std::vector<double> rows = file.copy(*tensor).values();
  std::vector<Evaluation> evaluations;
  for (std::size_t i = 0; i + 2 < rows.size(); i += 3) {
    require(rows[i] >= 0.0 && rows[i] == std::trunc(rows[i]) && rows[i] <= static_cast<double>(steps_done) &&
                (evaluations.empty() || rows[i] > static_cast<double>(evaluations.back().step)),
            "{}: an evaluation after step {}, of {} steps", file.name(), rows[i], steps_done);
    evaluations.push_back({static_cast<std::int64_t>(rows[i]), rows[i + 1], rows[i + 2]});
  }
  return evaluations;
}

}  // namespace

std::string run_text(const Checkpoint& checkpoint) {
  Json json = {{"stage", checkpoint.stage},
               {"step", checkpoint.steps_done()},
               {"train", to_json(checkpoint.train)},
               {"data_path", escaped_name(checkpoint.data.path)},
               {"character_stream", checkpoint.data.character_stream},
               {"embedded_text", name_of(checkpoint.data.embedded)},
               {"token_hash", hex64(checkpoint.token_hash)},
               {"data_hash", hex64(checkpoint.data_hash)},
               {"random_words", checkpoint.random.words}};
  if (checkpoint.random.next_gauss) json["random_next_gauss"] = *checkpoint.random.next_gauss;
  if (checkpoint.variant) json["variant"] = *checkpoint.variant;
  const LossScale& scale = checkpoint.history.scale;
  if (checkpoint.train.dtype == Dtype::fp16)
    json["loss_scale"] = {{"value", scale.value}, {"good", scale.good}, {"left_out", scale.left_out}};
  return sorted(std::move(json)).dump();
}

void read_run(const Json& json, const std::string& name, Checkpoint& checkpoint) {
  checkpoint.stage = member_of<int>(json, "stage", name);
  require(checkpoint.stage >= 0, "{}: 'stage' is {}: stages count from 0", name, checkpoint.stage);
  checkpoint.train = train_config_from_json(member_of<Json>(json, "train", name), name);
  naming_source(name + ": 'train'", [&] { validate(checkpoint.train); });
  checkpoint.data = {unescaped_name(member_of<std::string>(json, "data_path", name)),
                     member_of<bool>(json, "character_stream", name), Embedded::names};
  if (json.contains("embedded_text"))  // files of earlier programs, which had only the names, lack it
    checkpoint.data.embedded = parse_choice<Embedded>(member_of<std::string>(json, "embedded_text", name),
                                                      fmt::format("{}: 'embedded_text'", name));
  checkpoint.token_hash = parse_hex64(member_of<std::string>(json, "token_hash", name), name);
  checkpoint.data_hash = parse_hex64(member_of<std::string>(json, "data_hash", name), name);
  checkpoint.random.words = member_of<std::vector<std::uint32_t>>(json, "random_words", name);
  if (json.contains("random_next_gauss"))
    checkpoint.random.next_gauss = member_of<double>(json, "random_next_gauss", name);
  naming_source(name + ": 'random_words'", [&] { Random proof(checkpoint.random); });
  checkpoint.history.scale = loss_scale_from(json, name);
  if (json.contains("variant")) checkpoint.variant = member_of<std::string>(json, "variant", name);
}

NamedTensor rows_of(const std::vector<Evaluation>& evaluations) {
  std::vector<double> rows;
  for (const Evaluation& one : evaluations)
    rows.insert(rows.end(), {static_cast<double>(one.step), one.training, one.held_out});
  return {"evaluations", {static_cast<int>(evaluations.size()), 3}, rows};
}

void read_history(const SafetensorsFile& file, const Json& run, Checkpoint& checkpoint) {
  TrainHistory& history = checkpoint.history;
  history.loss = losses_of(file, member_of<std::int64_t>(run, "step", file.name()), checkpoint.train.steps);
  history.evaluations = evaluations_of(file, history.steps_done());
}

}  // namespace ladder
