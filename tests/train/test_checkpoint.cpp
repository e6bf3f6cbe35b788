#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <random>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"
#include "shared/stages.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/safetensors.hpp"
#include "shared/train/sample.hpp"
#include "shared/train/train.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

struct Case {
  int stage;
  Dtype dtype;
  bool stream;
  Embedded embedded = Embedded::names;
};

const std::vector<Case> kCases = {{0, Dtype::fp64, false},
                                  {1, Dtype::fp64, false},
                                  {1, Dtype::fp32, false},
                                  {1, Dtype::fp32, true},
                                  {1, Dtype::fp32, true, Embedded::source}};

Run run_for(const Case& c, std::int64_t steps = 40) {
  TrainConfig train;
  train.steps = steps;
  train.batch_size = 2;
  train.grad_accum = 2;
  train.dtype = c.dtype;
  return prepare_run({}, train, {"", c.stream, c.embedded});
}

std::unique_ptr<Engine> engine_for(const Case& c, const Run& run) {
  EngineOptions options;
  options.dtype = c.dtype;
  options.max_batch = run.train.batch_size;
  return make_engine(c.stage, run.model, options);
}

/// A run of `stop` steps, as a checkpoint.
Checkpoint checkpoint_after(const Case& c, std::int64_t stop) {
  const Run run = run_for(c);
  const auto engine = engine_for(c, run);
  engine->load_parameters(run.initial);
  std::int64_t done = 0;
  TrainHooks hooks;
  hooks.on_step = [&](const StepReport& report) { done = report.done; };
  hooks.should_stop = [&] { return done == stop; };
  const TrainResult result = train(*engine, *run.source, run.train, hooks);
  return make_checkpoint(c.stage, run, *engine, result);
}

bool equal(const TensorList& a, const TensorList& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const NamedTensor& x, const NamedTensor& y) {
    return x.name == y.name && x.shape == y.shape && x.dtype() == y.dtype() && x.values() == y.values();
  });
}

/// The file of a run of three steps.
const std::string& small_checkpoint() {
  static const std::string bytes = [] {
    const TemporaryFolder folder;
    save_checkpoint(checkpoint_file(folder.path()), checkpoint_after({1, Dtype::fp64, false}, 3));
    return test::text_of(checkpoint_file(folder.path()));
  }();
  return bytes;
}

/// The file's tensors and metadata, changed by `change`, as a checkpoint folder that must be refused.
void refused(const std::function<void(Safetensors&)>& change, const char* what) {
  const TemporaryFolder folder;
  test::write_text(checkpoint_file(folder.path()), small_checkpoint());
  Safetensors file = read_safetensors(checkpoint_file(folder.path()));
  change(file);
  std::vector<StoredTensor> stored;
  for (const NamedTensor& tensor : file.tensors) stored.push_back({tensor.name, &tensor, Dtype::fp64});
  write_safetensors(checkpoint_file(folder.path()), stored, file.metadata);
  CHECK_THROWS_WITH(load_checkpoint(folder.path()), Contains("checkpoint.safetensors") && Contains(what));
}

}  // namespace

TEST_CASE("a checkpoint reads back as it was written") {
  for (const Case& c : kCases) {
    const TemporaryFolder folder;
    const Checkpoint saved = checkpoint_after(c, 5);
    save_checkpoint(checkpoint_file(folder.path()), saved);
    const Checkpoint back = load_checkpoint(folder.path());
    CHECK(back.stage == saved.stage);
    CHECK(back.model == saved.model);
    CHECK(back.train.dtype == saved.train.dtype);
    CHECK(back.train.steps == saved.train.steps);
    CHECK(back.history.loss == saved.history.loss);
    CHECK(back.random == saved.random);
    CHECK(*back.tokenizer == *saved.tokenizer);
    CHECK(back.token_hash == saved.token_hash);
    CHECK(back.data_hash == saved.data_hash);
    CHECK(back.data.character_stream == c.stream);
    CHECK(back.data.embedded == c.embedded);
    CHECK(equal(back.parameters, saved.parameters));
    CHECK(equal(back.moments.m, saved.moments.m));
    CHECK(equal(back.moments.v, saved.moments.v));
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  }
}

TEST_CASE("a resumed run equals an uninterrupted one bit for bit") {
  for (const Case& c : kCases) {
    INFO("stage " << c.stage << " " << name_of(c.dtype) << (c.stream ? " stream" : ""));
    Run whole = run_for(c);
    const auto straight = engine_for(c, whole);
    straight->load_parameters(whole.initial);
    const TrainResult expected = train(*straight, *whole.source, whole.train);

    const TemporaryFolder folder;
    save_checkpoint(checkpoint_file(folder.path()), checkpoint_after(c, 17));
    const Checkpoint checkpoint = load_checkpoint(folder.path());
    const Run resumed = prepare_run(checkpoint.model, checkpoint.train, checkpoint.data);
    require_same_data(checkpoint, resumed, folder.path());
    const auto engine = engine_for(c, resumed);
    engine->load_parameters(checkpoint.parameters);
    engine->load_moments(checkpoint.moments);
    const TrainResult result = train(*engine, *resumed.source, checkpoint.train, {}, checkpoint.history);
    CHECK(result.loss == expected.loss);
    CHECK(equal(engine->parameters(), straight->parameters()));

    Random random(checkpoint.random);
    const Tokenizer& tokenizer = *checkpoint.tokenizer;
    CHECK(sample_texts(*engine, tokenizer, 3, {}, random) ==
          sample_texts(*straight, tokenizer, 3, {}, whole.random));
  }
}

TEST_CASE("every variant resumes to the bits of the run that nothing interrupts") {
  TrainConfig settings;
  settings.steps = 24;
  settings.dtype = Dtype::fp32;
  const Run run = prepare_run({}, settings, {});
  for (const StageInfo& stage : stages())
    for (const Variant& variant : stage.variants) {
      INFO(variant.name);
      const auto make = [&] {
        return make_engine(
            stage.number, run.model,
            {.dtype = Dtype::fp32, .device = Device::cpu, .threads = 1, .variant = variant.name});
      };
      const auto straight = make(), saved = make(), resumed = make();
      straight->load_parameters(run.initial);
      const TrainResult expected = train(*straight, *run.source, settings);

      const TemporaryFolder folder;
      TrainHooks hooks;
      hooks.cut_every = 10;
      hooks.after_step = [&](const TrainResult& so_far) {
        if (so_far.steps_done() == 10)
          save_checkpoint(checkpoint_file(folder.path()),
                          make_checkpoint(stage.number, run, *saved, so_far, variant.name));
      };
      saved->load_parameters(run.initial);
      train(*saved, *run.source, settings, hooks);
      const Checkpoint checkpoint = load_checkpoint(folder.path());
      CHECK(checkpoint.variant == variant.name);
      resumed->load_parameters(checkpoint.parameters);
      resumed->load_moments(checkpoint.moments);
      CHECK(train(*resumed, *run.source, settings, {}, checkpoint.history).loss == expected.loss);
      CHECK(equal(resumed->parameters(), straight->parameters()));
      CHECK(equal(resumed->moments().v, straight->moments().v));
    }
}

TEST_CASE("a checkpoint says which variant made it; a file from before that says nothing") {
  const TemporaryFolder folder;
  Checkpoint saved = checkpoint_after({1, Dtype::fp32, false}, 1);
  CHECK(saved.variant == "");
  for (const std::optional<std::string>& variant :
       {std::optional<std::string>("fused-step"), std::optional<std::string>(""),
        std::optional<std::string>()}) {
    saved.variant = variant;
    save_checkpoint(checkpoint_file(folder.path()), saved);
    CHECK(load_checkpoint(folder.path()).variant == variant);
  }
}

TEST_CASE("without the moments a resumed run differs: the test above can fail") {
  const Case c = {1, Dtype::fp64, false};
  const Checkpoint checkpoint = checkpoint_after(c, 17);
  const Run run = run_for(c);
  const auto engine = engine_for(c, run), straight = engine_for(c, run);
  straight->load_parameters(run.initial);
  engine->load_parameters(checkpoint.parameters);
  CHECK(train(*engine, *run.source, run.train, {}, checkpoint.history).loss !=
        train(*straight, *run.source, run.train).loss);
}

TEST_CASE("a missing, truncated or foreign checkpoint is refused with its reason") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(load_checkpoint(folder.path()), Contains("there is no checkpoint"));
  save_checkpoint(checkpoint_file(folder.path()), checkpoint_after({0, Dtype::fp64, false}, 1));
  const std::string good = test::text_of(checkpoint_file(folder.path()));
  for (std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{100}, good.size() / 2, good.size() - 1}) {
    test::write_text(checkpoint_file(folder.path()), good.substr(0, size));
    CHECK_THROWS_AS(load_checkpoint(folder.path()), InputError);
  }
  test::write_text(checkpoint_file(folder.path()),
                   "PK\x03\x04 this is a zip file, as other programs write them");
  CHECK_THROWS_AS(load_checkpoint(folder.path()), InputError);
}

TEST_CASE(
    "a checkpoint with one bit turned round is refused; one without a checksum is of an earlier program") {
  const TemporaryFolder folder;
  const auto file = checkpoint_file(folder.path());
  save_checkpoint(file, checkpoint_after({1, Dtype::fp32, false}, 3));
  const std::string good = test::text_of(file);
  CHECK_NOTHROW(load_checkpoint(folder.path()));
  std::uint64_t header = 0;
  std::memcpy(&header, good.data(), sizeof header);
  std::mt19937 generator(1);
  for (int i = 0; i < 300; ++i) {
    std::string bad = good;
    const std::size_t data = sizeof header + header, at = data + generator() % (good.size() - data);
    bad[at] = static_cast<char>(bad[at] ^ (1 << generator() % 8));
    test::write_text(file, bad);
    CHECK_THROWS_AS(load_checkpoint(folder.path()), InputError);
  }
  const auto changed = [&](const char* key, const std::string& from, const std::string& to) {
    test::write_text(file, good);
    Safetensors parts = read_safetensors(file);
    std::string& text = parts.metadata.at(key);
    text.replace(text.find(from), from.size(), to);
    std::vector<StoredTensor> stored;
    for (const NamedTensor& tensor : parts.tensors) stored.push_back({tensor.name, &tensor, tensor.dtype()});
    write_safetensors(file, stored, parts.metadata);
  };
  test::write_text(file, good);
  const std::string word =
      Json::parse(read_safetensors(file).metadata.at("run")).at("random_words")[5].dump();
  changed("run", word, word == "7" ? "8" : "7");  // the generator's
  CHECK_THROWS_WITH(load_checkpoint(folder.path()), Contains("damaged"));
  test::write_text(file, good);
  Safetensors parts = read_safetensors(file);
  parts.metadata.erase("checksum");
  std::vector<StoredTensor> stored;
  for (const NamedTensor& tensor : parts.tensors) stored.push_back({tensor.name, &tensor, tensor.dtype()});
  write_safetensors(file, stored, parts.metadata);
  CHECK_NOTHROW(load_checkpoint(folder.path()));
}

TEST_CASE("checkpoints whose parts do not fit together are refused") {
  refused([](Safetensors& f) { f.metadata.clear(); }, "format");
  refused([](Safetensors& f) { f.metadata["format"] = "ladder-checkpoint/9"; }, "ladder-checkpoint/9");
  refused([](Safetensors& f) { f.metadata.erase("run"); }, "run");
  refused([](Safetensors& f) { f.metadata["run"] = "{"; }, "run");
  refused([](Safetensors& f) { f.metadata["model"] = "{}"; }, "vocab_size");
  refused([](Safetensors& f) { f.metadata["tokenizer"] = R"({"characters": "ba", "bos": true})"; }, "order");
  refused([](Safetensors& f) { f.metadata["tokenizer"] = R"({"characters": "ab", "bos": true})"; }, "tokens");
  refused([](Safetensors& f) { f.tensors.pop_back(); }, "missing");
  refused([](Safetensors& f) { std::erase_if(f.tensors, [](auto& t) { return t.name == "loss"; }); }, "loss");
  refused([](Safetensors& f) { std::erase_if(f.tensors, [](auto& t) { return t.name == "adam_v.wpe"; }); },
          "adam_v.wpe");
  const auto change_json = [](const char* key, const char* member, const Json& value) {
    return [=](Safetensors& f) {
      Json json = Json::parse(f.metadata[key]);
      json[member] = value;
      f.metadata[key] = json.dump();
    };
  };
  refused(change_json("model", "n_embd", 32), "shape");
  refused(change_json("model", "n_head", 0), "--n-head");
  refused(change_json("model", "n_layer", 2), "layer1");
  refused(change_json("run", "step", 4), "'loss' has the shape [3], but 'step' is 4");
  refused(change_json("run", "token_hash", "xyz"), "hash");
  refused(change_json("run", "random_words", "none"), "random_words");
  refused(change_json("run", "variant", 3), "variant");
  refused(change_json("run", "embedded_text", "poems"),
          "'embedded_text' is 'poems': valid are names, source");
}

TEST_CASE(
    "numbers in a checkpoint are what they claim: of their kind, in their range, as many as the steps") {
  // `path`: the members down to the one that becomes `value`, JSON as it stands in the file.
  const auto change = [](const char* key, const std::vector<const char*>& path, const char* value) {
    return [=](Safetensors& f) {
      Json json = Json::parse(f.metadata[key]);
      Json* at = &json;
      for (const char* name : path) at = &(*at)[name];
      *at = Json::parse(value);
      f.metadata[key] = json.dump();
    };
  };
  for (const char* value :
       {"true", "1.0", "1.5", "-1", "4294967297", "1e300", "\"1\"", "null", "[1]", "{}"}) {
    INFO(value);
    refused(change("run", {"stage"}, value), "'stage'");
    refused(change("run", {"step"}, value), "'step'");
    refused(change("run", {"train", "batch_size"}, value), "batch");
    refused(change("model", {"n_layer"}, value), "layer");
    refused(change("model", {"n_embd"}, value), "embd");
    refused(change("model", {"vocab_size"}, value), "vocab");
  }
  for (const char* value : {"true", "8.9", "1e300", "\"1\"", "-1", "9223372036854775808"})
    for (const char* member : {"steps", "schedule_steps", "grad_accum", "seed", "warmup_steps", "eval_every"})
      refused(change("run", {"train", member}, value), "checkpoint.safetensors: '");
}

TEST_CASE("of a checkpoint, the generator's words, hashes, scales and lists are what they claim") {
  const auto run = [](const std::function<void(Json&)>& change) {
    return [=](Safetensors& f) {
      Json json = Json::parse(f.metadata["run"]);
      change(json);
      f.metadata["run"] = json.dump();
    };
  };
  for (const char* word : {"4294967299", "-1", "8.9", "3.0", "true", "1e300", "\"1\""})
    refused(run([=](Json& json) { json["random_words"][5] = Json::parse(word); }),
            "'random_words': item 5: expected a whole number");
  refused(run([](Json& json) { json["random_words"][624] = 625; }),
          "'random_words': generator state has index 625");
  refused(run([](Json& json) { json["random_words"].push_back(1); }),
          "'random_words': generator state has 626");
  refused(run([](Json& json) { json["random_next_gauss"] = true; }), "'random_next_gauss'");
  refused(run([](Json& json) { json["character_stream"] = 1; }), "'character_stream'");
  refused(run([](Json& json) { json["token_hash"] = "12"; }), "not a hash");
  refused(run([](Json& json) {
            json["loss_scale"] = {{"value", 2.0}, {"good", 1.5}, {"left_out", 0}};
          }),
          "'good'");
  refused(run([](Json& json) { json["train"]["steps"] = 2; }), "'step' is 3, of a run of 2 steps");
  refused([](Safetensors& f) { f.metadata["run"] += std::string("\0more", 5); }, "byte at offset");
  refused([](Safetensors& f) { f.metadata["run"].insert(1, "\"stage\":0,"); }, "'stage' occurs twice");
  const auto tensor = [](const char* name, const std::function<void(NamedTensor&)>& change) {
    return [=](Safetensors& f) {
      for (NamedTensor& one : f.tensors)
        if (one.name == name) change(one);
    };
  };
  refused(tensor("adam_v.wpe", [](NamedTensor& t) { t.set(3, -1e-9); }),
          "'adam_v.wpe' is -1e-09 at element 3");
  refused(tensor("evaluations", [](NamedTensor& t) { t = {"evaluations", {1, 3}, {1.5, 2.0, 2.0}}; }), "1.5");
  for (const char* name : {"wte", "adam_m.wte", "adam_v.wte", "loss"})
    for (const double bad : {std::nan(""), HUGE_VAL})
      refused(tensor(name, [=](NamedTensor& t) { t.set(1, bad); }), fmt::format("'{}' is", name).c_str());
}

TEST_CASE("a number that is not finite is never written: no file is made, an earlier one stays") {
  const TemporaryFolder folder;
  const auto file = checkpoint_file(folder.path());
  const Checkpoint good = checkpoint_after({1, Dtype::fp32, false}, 2);
  const auto not_written = [&](const std::function<void(Checkpoint&)>& change, const std::string& name) {
    Checkpoint bad = good;
    change(bad);
    CHECK_THROWS_WITH(save_checkpoint(file, bad), Contains("not written: tensor '" + name + "' is"));
    CHECK_THROWS_AS(save_checkpoint(file, bad), CheckError);
  };
  for (const double bad : {std::nan(""), HUGE_VAL, 1e300}) {  // of which the last is none in fp32
    not_written(
        [=](Checkpoint& c) {
          c.parameters[1] = NamedTensor("wpe", c.parameters[1].shape, Dtype::fp64),
          c.parameters[1].set(2, bad);
        },
        "wpe");
    CHECK(std::filesystem::is_empty(folder.path()));
  }
  save_checkpoint(file, good);
  const std::string before = test::text_of(file);
  not_written([](Checkpoint& c) { c.moments.m[0].set(0, HUGE_VAL); }, "adam_m.wte");
  not_written([](Checkpoint& c) { c.moments.v[0].set(0, std::nan("")); }, "adam_v.wte");
  not_written([](Checkpoint& c) { c.history.loss[1] = HUGE_VAL; }, "loss");
  not_written([](Checkpoint& c) { c.history.evaluations = {{1, 2.0, std::nan("")}}; }, "evaluations");
  CHECK(test::text_of(file) == before);
  SavedModel model{good.model, good.tokenizer, good.parameters, {}};
  model.parameters[0].set(5, std::nan(""));
  CHECK_THROWS_AS(save_model(folder / "w", model, Dtype::fp32), CheckError);
  CHECK(!std::filesystem::exists(folder / "w"));
}

TEST_CASE("other data than those of the checkpoint are refused") {
  const Checkpoint checkpoint = checkpoint_after({1, Dtype::fp32, false}, 2);
  const TemporaryFolder folder;
  test::write_text(folder / "names", "ann\nbob\n");
  const Run other = prepare_run({}, checkpoint.train, {(folder / "names").string(), false});
  CHECK_THROWS_WITH(require_same_data(checkpoint, other, folder.path()), Contains("other data"));
  CHECK_NOTHROW(require_same_data(checkpoint, run_for({1, Dtype::fp32, false}), folder.path()));
}

TEST_CASE(
    "a model with one bit turned round is refused, from a checkpoint and from a file of weights alone") {
  const TemporaryFolder folder;
  const Checkpoint checkpoint = checkpoint_after({1, Dtype::fp32, false}, 1);
  const auto file = checkpoint_file(folder.path()), weights = folder / "w.safetensors";
  save_checkpoint(file, checkpoint);
  save_model(weights, {checkpoint.model, checkpoint.tokenizer, checkpoint.parameters, {}}, Dtype::fp32);
  for (const auto& path : {file, weights}) {
    INFO(path);
    CHECK_NOTHROW(load_model(path));
    std::string text = test::text_of(path);
    std::uint64_t header = 0;
    std::memcpy(&header, text.data(), sizeof header);
    std::string later = text;  // a format of another version, whose bytes may mean something else
    later.replace(later.find(path == file ? "checkpoint/1" : "weights/1") + (path == file ? 11 : 8), 1, "9");
    test::write_text(path, later);
    CHECK_THROWS_WITH(load_model(path), Contains("which this program does not know"));
    for (const std::size_t at : {std::size_t{0}, std::size_t{1}, (text.size() - header) / 2}) {
      std::string bad = text;
      bad[sizeof header + header + at] ^= 1;  // the lowest bits of a number: it stays finite
      test::write_text(path, bad);
      CHECK_THROWS_WITH(load_model(path), Contains("damaged") && Contains(path.filename().string()));
    }
  }
}

TEST_CASE("weights come from a checkpoint, its folder or an exported file, in any stage") {
  const TemporaryFolder folder;
  const Checkpoint checkpoint = checkpoint_after({0, Dtype::fp64, false}, 3);
  save_checkpoint(checkpoint_file(folder.path()), checkpoint);
  const SavedModel a = load_model(folder.path()), b = load_model(checkpoint_file(folder.path()));
  save_model(folder / "w.safetensors", a, Dtype::fp64);
  const SavedModel c = load_model(folder / "w.safetensors");
  CHECK(equal(a.parameters, checkpoint.parameters));
  CHECK(equal(b.parameters, checkpoint.parameters));
  CHECK(equal(c.parameters, checkpoint.parameters));
  CHECK(c.model == checkpoint.model);
  CHECK(*c.tokenizer == *checkpoint.tokenizer);
  const auto engine = engine_for({1, Dtype::fp64, false}, run_for({1, Dtype::fp64, false}));
  engine->load_parameters(c.parameters);
  CHECK(equal(engine->parameters(), checkpoint.parameters));
}

TEST_CASE("of a folder's two files the checkpoint is the model") {
  const TemporaryFolder folder;
  save_checkpoint(checkpoint_file(folder.path()), checkpoint_after({1, Dtype::fp32, false}, 1));
  test::write_text(folder / "model.safetensors", "another program's");
  CHECK(model_file(folder.path()) == checkpoint_file(folder.path()));
  CHECK_NOTHROW(load_model(folder.path()));
}
