// Hostile and mistaken files and texts, through the program: one line that names what is wrong, and nothing written.
#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#include "shared/base/json.hpp"
#include "shared/base/utf8.hpp"
#include "shared/train/checkpoint.hpp"
#include "shared/train/safetensors.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kPlain = "ann\nbob\ncarla\ndora\n";

/// A model of one layer, width 8, and the tokens of `text`, trained for no step.
std::string weights_of(const std::string& text = kPlain) {
  const TemporaryFolder folder;
  test::write_text(folder / "text", text);
  const test::Outcome made = test::run_program(
      folder.path(), {"train", "--data", "text", "--n-embd", "8", "--n-head", "2", "--block-size", "8",
                      "--steps", "1", "--samples", "0", "--save-weights", "w"});
  INFO(made.err);
  REQUIRE(made.code == 0);
  return test::text_of(folder / "w");
}

std::string with_header(const std::string& header, const std::string& data) {
  std::string prefix(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(prefix.data(), &size, 8);
  return prefix + header + data;
}

/// The file with `change` made to its header, the text.
std::string changed(const std::string& bytes, const std::function<void(std::string&)>& change) {
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  std::string header = bytes.substr(8, size);
  change(header);
  return with_header(header, bytes.substr(8 + size));
}

/// The file with the values of its tensors made by `value` of each tensor's name and the element's number.
std::string with_values(const std::string& bytes,
                        const std::function<double(const std::string&, std::size_t, double)>& value) {
  const TemporaryFolder folder;
  test::write_text(folder / "w", bytes);
  const SafetensorsFile file(folder / "w");
  TensorList tensors;
  for (const TensorView& view : file.tensors()) {
    tensors.push_back(file.copy(view).in(Dtype::fp64));
    for (std::size_t i = 0; i < tensors.back().size(); ++i)
      tensors.back().set(i, value(view.name, i, tensors.back()[i]));
  }
  std::vector<StoredTensor> stored;
  for (const NamedTensor& tensor : tensors) stored.push_back({tensor.name, &tensor, Dtype::fp64});
  auto metadata = file.metadata();
  metadata.erase("checksum");  // it would be the first to tell of any change
  write_safetensors(folder / "new", stored, metadata);
  return test::text_of(folder / "new");
}

std::size_t megabytes(std::size_t count) { return count * 1'000'000; }
std::string brackets(std::size_t in_megabytes) { return std::string(megabytes(in_megabytes), '['); }

/// One line that a terminal only shows, of no more than 2,000 characters, with these parts.
void check_line(const test::Outcome& outcome, int code, const std::vector<std::string>& named) {
  INFO("stderr: " << outcome.err << "\nstdout: " << outcome.out.substr(0, 500));
  CHECK(outcome.code == code);
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  CHECK(outcome.err.size() < 4000);
  CHECK(valid_utf8_length(outcome.err) == outcome.err.size());
  CHECK(std::none_of(outcome.err.begin(), outcome.err.end(), [](char c) {
    return c != '\n' && (static_cast<unsigned char>(c) < 0x20 || c == 0x7F);
  }));
  for (const std::string& part : named) CHECK_THAT(outcome.err, Contains(part));
}

/// Every command that reads weights refuses the file "w", and writes nothing.
void check_weights(const std::string& bytes, const std::vector<std::string>& named, int code = 2) {
  const TemporaryFolder folder;
  test::write_text(folder / "w", bytes);
  test::write_text(folder / "text", kPlain);
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"sample", "--weights", "w", "--json", "new"},
           {"logits", "--weights", "w", "--tokens", "0", "--json", "new"},
           {"probe", "--weights", "w", "--tokens", "0,1", "--out", "new"},
           {"compare", "w", "--json", "new"},
           {"train", "--data", "text", "--n-embd", "8", "--n-head", "2", "--block-size", "8",
            "--init-weights", "w", "--steps", "1", "--save-weights", "new"}}) {
    INFO(arguments[0]);
    const test::Outcome outcome = test::run_program(folder.path(), arguments);
    check_line(outcome, code, named);
    CHECK(outcome.out.empty());
    CHECK(!std::filesystem::exists(folder / "new"));
  }
}

std::string replaced(const std::string& text, const std::string& from, const std::string& to) {
  REQUIRE(text.find(from) != std::string::npos);
  std::string result = text;
  return result.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE(
    "headers: no bytes behind a NUL, no name twice, no deeper than the format, no number of another kind") {
  const std::string good = weights_of();
  const auto header = [&](const std::function<std::string(const std::string&)>& change) {
    return changed(good, [&](std::string& text) { text = change(text); });
  };
  check_weights(
      header([](const std::string& text) { return text + std::string("\0 then anything {{{", 19); }),
      {"w: not a safetensors file", "is 0"});
  check_weights(header([](const std::string& text) { return replaced(text, "{", R"({"wte":{},)"); }),
                {"'wte' occurs twice"});
  check_weights(header([](const std::string& text) { return replaced(text, "{", R"({"x":{"y":[[]]},)"); }),
                {"more than 3 arrays"});
  std::string nested(100'000, '[');
  nested += std::string(100'000, ']');
  check_weights(
      header([&](const std::string& text) { return replaced(text, "{", "{\"x\":" + nested + ","); }),
      {"more than 3 arrays"});
  check_weights(with_header(brackets(20), ""), {"more than 3 arrays"});
  check_weights(header([](const std::string& text) { return replaced(text, "[32,8]", "[32,8.0]"); }),
                {"'shape': item 1: expected a whole number", "8"});
  check_weights(header([](const std::string& text) { return replaced(text, "[32,8]", "[true,256]"); }),
                {"'shape': item 0", "true"});
  check_weights(header([](const std::string& text) {
                  return replaced(text, "\"data_offsets\":[0,", "\"data_offsets\":[0.0,");
                }),
                {"'data_offsets': item 0"});
  for (const char* layers : {"4294967297", "1.5", "1.0", "true", "1e300", "-1", "10000000"})
    check_weights(header([&](const std::string& text) {
                    return replaced(text, "\\\"n_layer\\\":1", std::string("\\\"n_layer\\\":") + layers);
                  }),
                  {"w: ", "layer"});
}

TEST_CASE("names out of a file are escaped and shortened") {
  check_weights(
      with_header(
          R"({"\u001b]0;pwned\u0007\r\u001b[2Kall good":{"dtype":"I64","shape":[1],"data_offsets":[0,4]}})",
          "1234"),
      {"\\x1b]0;pwned\\x07\\r\\x1b[2Kall good"});
  check_weights(
      with_header("{\"" + std::string(60'000, 'x') + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})",
                  "12345678"),
      {"60000 characters in all", "shape and dtype need 4"});
}

TEST_CASE(
    "weights that are not finite, in the file or in the type of the run, are refused with their tensor") {
  const std::string good = weights_of();
  for (const double bad : {std::nan(""), HUGE_VAL})
    check_weights(
        with_values(good, [&](const std::string& name, std::size_t i,
                              double value) { return name == "layer0.mlp_fc1" && i == 77 ? bad : value; }),
        {"w: tensor 'layer0.mlp_fc1' is", "element 77 of [32, 8]"});
  check_weights(with_values(good, [](const std::string& name, std::size_t i,
                                     double value) { return name == "wpe" && i == 3 ? 1e300 : value; }),
                {"tensor 'wpe' is 1e+300 at element 3", "inf in fp32", "--dtype"});
}

TEST_CASE("a run whose numbers leave their range ends with exit code 1 and writes no file") {
  const std::string good = weights_of();
  const TemporaryFolder folder;
  test::write_text(folder / "text", kPlain);
  test::write_text(folder / "w", with_values(good, [](const std::string& name, std::size_t i, double value) {
                     return name == "lm_head" ? (i % 2 == 0 ? 3e38 : -3e38) : value;
                   }));
  for (const char* stage : {"1", "2", "3"}) {
    INFO("stage " << stage);
    const test::Outcome outcome = test::run_program(
        folder.path(),
        {"train",    "--stage",        stage, "--data",         "text", "--n-embd", "8",        "--n-head",
         "2",        "--block-size",   "8",   "--init-weights", "w",    "--steps",  "1",        "--samples",
         "0",        "--save-weights", "new", "--checkpoint",   "ck",   "--json",   "new.json", "--trace",
         "new.trace"});
    check_line(outcome, 1, {});
    for (const char* file :
         {"new", "ck/checkpoint.safetensors", "ck/best.safetensors", "new.json", "new.trace"})
      CHECK(!std::filesystem::exists(folder / file));
    std::filesystem::remove_all(folder / "ck");
  }
  const test::Outcome logits =
      test::run_program(folder.path(), {"logits", "--weights", "w", "--tokens", "0,1", "--json", "n"});
  check_line(logits, 1, {"tensor 'logits' is"});
  CHECK(!std::filesystem::exists(folder / "n"));
}

TEST_CASE("settings that are another number in the run's type are refused before step 1, at every stage") {
  const TemporaryFolder folder;
  for (const char* stage : {"1", "2", "3"})
    for (const auto& [flag, value] : std::vector<std::pair<const char*, const char*>>{
             {"--eps", "1e-50"}, {"--lr", "1e-60"}, {"--beta1", "0.999999999999"}, {"--clip", "1e300"}}) {
      const test::Outcome outcome = test::run_program(
          folder.path(), {"train", "--stage", stage, flag, value, "--steps", "1", "--save-weights", "new"});
      check_line(outcome, 2, {flag, "in fp32"});
      CHECK(outcome.out.empty());
    }
  const test::Outcome wide = test::run_program(
      folder.path(), {"train", "--stage", "0", "--eps", "1e-50", "--steps", "1", "--samples", "0"});
  CHECK(wide.code == 0);
  CHECK(!std::filesystem::exists(folder / "new"));
}

TEST_CASE("a checkpoint that says what cannot be is refused by --resume with its file and field") {
  const TemporaryFolder folder;
  test::write_text(folder / "text", kPlain);
  const test::Outcome made = test::run_program(
      folder.path(), {"train", "--data", "text", "--n-embd", "8", "--n-head", "2", "--block-size", "8",
                      "--steps", "3", "--samples", "0", "--checkpoint", "ck"});
  REQUIRE(made.code == 0);
  const auto file = checkpoint_file(folder / "ck");
  const std::string good = test::text_of(file);
  const auto check = [&](const std::string& from, const std::string& to,
                         const std::vector<std::string>& named) {
    test::write_text(file, changed(good, [&](std::string& header) {
                       header = replaced(replaced(header, from, to), "\"checksum\"", "\"former\"");
                     }));
    const test::Outcome outcome =
        test::run_program(folder.path(), {"train", "--resume", "--checkpoint", "ck"});
    check_line(outcome, 2, named);
    CHECK(outcome.out.empty());
  };
  const std::string path = "ck/checkpoint.safetensors";
  check(R"(\"stage\":1)", R"(\"stage\":1.0)", {path, "'stage'", "found 1"});
  check(R"(\"stage\":1)", R"(\"stage\":4294967297)", {path, "'stage'", "4294967297"});
  check(R"(\"stage\":1)", R"(\"stage\":77)", {path, "77"});
  check(R"(\"batch_size\":1)", R"(\"batch_size\":true)", {path, "'batch_size'", "true"});
  check(R"(\"batch_size\":1)", R"(\"batch_size\":8.9)", {path, "'batch_size'", "8.9"});
  check(R"(\"steps\":3)", R"(\"steps\":2)", {path, "'step' is 3", "2 steps"});
  check(R"(\"random_words\":[)", R"(\"random_words\":[4294967299,)", {path, "'random_words'", "4294967299"});
  check(R"(\"eps\":1e-08)", R"(\"eps\":1e-50)", {path, "--eps", "fp32"});
  test::write_text(file, good);
  CHECK(test::run_program(folder.path(), {"train", "--resume", "--checkpoint", "ck"}).code == 0);
}

TEST_CASE(
    "JSON beside weights and data: 20 MB of brackets, a byte 0 and a name twice are refused wherever it is "
    "read") {
  using namespace std::string_literals;
  const std::string weights =
      with_header(R"({"wte.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}})", "\0\0\0\0"s);
  for (const auto& [text, named] : std::vector<std::pair<std::string, std::string>>{
           {brackets(20), "arrays and objects within each other"},
           {"{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}",
            "arrays and objects within each other"},
           {"{}\0{"s, "is 0"},
           {"{\"vocab_size\": 3, \"vocab_size\": 4}", "'vocab_size' occurs twice"},
           {std::string(megabytes(70), ' '), "at most"}}) {
    const TemporaryFolder folder;
    test::write_text(folder / "model.safetensors", weights);
    test::write_text(folder / "config.json", text);
    check_line(test::run_program(folder.path(), {"sample", "--weights", "."}), 2, {"config.json", named});
    std::filesystem::create_directory(folder / "data");
    test::write_text(folder / "data/train.bin", std::string(200, '\0'));
    test::write_text(folder / "data/val.bin", std::string(200, '\0'));
    test::write_text(folder / "data/meta.json", text);
    check_line(
        test::run_program(folder.path(), {"train", "--preset", "tiny", "--data", "data", "--steps", "0"}), 2,
        {"meta.json", named});
    std::filesystem::create_directory(folder / "bpe");
    test::write_text(folder / "bpe/vocab.json", text);
    test::write_text(folder / "bpe/merges.txt", "");
    test::write_text(folder / "text", kPlain);
    check_line(test::run_program(folder.path(), {"prepare", "text", "--tokenizer", "bpe", "--out", "out"}), 2,
               {"vocab.json", named});
  }
}

TEST_CASE("pipes and devices in the place of files are refused at once, wherever a file is read") {
  using namespace std::string_literals;
  const std::string weights =
      with_header(R"({"wte.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}})", "\0\0\0\0"s);
  for (const bool pipe : {true, false}) {
    const TemporaryFolder folder;
    const auto make = [&](const std::filesystem::path& path) {
      if (pipe)
        REQUIRE(mkfifo(path.c_str(), 0600) == 0);
      else
        std::filesystem::create_symlink("/dev/zero", path);
    };
    for (const char* name : {"w", "data", "bpe", "ck", "hf"})
      std::filesystem::create_directory(folder / name);
    test::write_text(folder / "text", kPlain);
    test::write_text(folder / "hf/model.safetensors", weights);
    test::write_text(folder / "data/train.bin", std::string(200, '\0'));
    test::write_text(folder / "data/val.bin", std::string(200, '\0'));
    test::write_text(folder / "bpe/merges.txt", "");
    for (const char* name : {"w/model.safetensors", "hf/config.json", "data/meta.json", "bpe/vocab.json",
                             "ck/checkpoint.safetensors"})
      make(folder / name);
    check_line(test::run_program(folder.path(), {"sample", "--weights", "w"}), 2,
               {"w/model.safetensors", "device"});
    check_line(test::run_program(folder.path(), {"sample", "--weights", "hf"}), 2,
               {"hf/config.json", "device"});
    check_line(
        test::run_program(folder.path(), {"train", "--preset", "tiny", "--data", "data", "--steps", "0"}), 2,
        {"data/meta.json", "device"});
    check_line(test::run_program(folder.path(), {"prepare", "text", "--tokenizer", "bpe", "--out", "out"}), 2,
               {"bpe/vocab.json", "device"});
    check_line(test::run_program(folder.path(), {"train", "--resume", "--checkpoint", "ck"}), 2,
               {"ck/checkpoint.safetensors", "device"});
  }
}

TEST_CASE("a small file that claims ten million layers is refused with what it asks for") {
  const std::string good = weights_of();
  check_weights(changed(good,
                        [](std::string& text) {
                          text = replaced(text, R"(\"n_layer\":1)", R"(\"n_layer\":10000000)");
                        }),
                {"w: ", "10000000", "4096"});
  const TemporaryFolder folder;
  test::write_text(folder / "model.safetensors",
                   with_header(R"({"h.9999999.ln_1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                               R"("wte.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]},)"
                               R"("wpe.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}})",
                               std::string(12, '\0')));
  test::write_text(folder / "config.json", R"({"n_layer": 10000000, "n_head": 1})");
  check_line(test::run_program(folder.path(), {"sample", "--weights", "."}), 2, {"n_layer", "10000000"});
}

TEST_CASE(
    "a prompt or an alphabet of thousands of characters is shown by its ends, control characters escaped") {
  std::string all;
  for (char32_t c = 0x4E00; c < 0x4E00 + 15'000; ++c) all += encode_utf8(c);
  const TemporaryFolder folder;
  test::write_text(folder / "w", weights_of("a\n" + all + "\n"));
  check_line(test::run_program(folder.path(), {"sample", "--weights", "w", "--prompt", "hello"}), 2,
             {"'h' (U+0068)", "15001 characters in all"});
  check_line(test::run_program(folder.path(), {"sample", "--weights", "w", "--prompt", "\x1b[2J"}), 2,
             {"'\\x1b' (U+001B)"});
  check_line(test::run_program(folder.path(), {"sample", "--weights", "missing\x1b[2J"}), 2,
             {"missing\\x1b[2J"});
  check_line(test::run_program(folder.path(), {"train", "--data", std::string(200, 'x') + "\r\x1b[K"}), 2,
             {"\\r\\x1b[K"});
}

TEST_CASE(
    "a model of 4,000 layers is trained, saved, read and resumed in a time that grows with its layers") {
  const TemporaryFolder folder;
  test::write_text(folder / "text", kPlain);
  const auto code = [&](const std::vector<std::string>& arguments) {
    const test::Outcome outcome = test::run_program(folder.path(), arguments);
    INFO(outcome.err);
    CHECK(outcome.err.empty());
    return outcome.code;
  };
  for (const std::string model : {"microgpt", "gpt2"}) {
    INFO(model);
    const std::string checkpoint = "ck-" + model;
    CHECK(code({"train", "--data", "text", "--model", model, "--n-layer", "4000", "--n-embd", "4", "--n-head",
                "1", "--block-size", "8", "--steps", "1", "--samples", "0", "--checkpoint", checkpoint}) ==
          0);
    CHECK(code({"logits", "--weights", checkpoint, "--tokens", "0"}) == 0);
    CHECK(code({"train", "--resume", "--checkpoint", checkpoint, "--samples", "0"}) == 0);
  }
}

TEST_CASE("on a terminal samples show control characters, in a pipe they are what the model said") {
  const std::string control = "\x1b\x07\n";
  const TemporaryFolder folder;
  test::write_text(folder / "w", weights_of("\x1b\n\x07\n\x1b\x07\n"));
  const std::vector<std::string> call = {"sample", "--weights",    "w", "--num-samples",
                                         "20",     "--max-tokens", "8"};
  const test::Outcome piped = test::run_program(folder.path(), call);
  REQUIRE(piped.code == 0);
  CHECK(piped.out.find('\x1b') != std::string::npos);
  const std::string shown = test::on_terminal(folder.path(), call);
  CHECK(shown.find('\x1b') == std::string::npos);
  CHECK(shown.find('\x07') == std::string::npos);
  CHECK_THAT(shown, Contains("\\x1b"));
}

TEST_CASE("graph: an expression may begin with a minus, and a gradient that is not finite is said") {
  const TemporaryFolder folder;
  const auto graph = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "graph");
    arguments.insert(arguments.end(), {"-o", "g.dot", "--json", "g.json"});
    return test::run_program(folder.path(), arguments);
  };
  const auto gradient = [&] {
    return Json::parse(test::text_of(folder / "g.json")).at("values").at("x").at("grad");
  };
  for (const auto& [expression, wanted] : std::vector<std::pair<const char*, double>>{
           {"-x", -1.0}, {"-x*2", -2.0}, {"--(x)", 1.0}, {"-(x+1)", -1.0}, {"-2*x", -2.0}, {"x^0", 0.0}}) {
    const test::Outcome outcome = graph({expression, "--values", "x=0"});
    INFO(expression << ": " << outcome.err);
    CHECK(outcome.code == 0);
    CHECK(gradient() == wanted);
    CHECK(outcome.out.find("not finite") == std::string::npos);
  }
  const test::Outcome infinite = graph({"x^0.5", "--values", "x=0"});
  CHECK(infinite.code == 0);
  CHECK_THAT(infinite.out, Contains("x: data 0, grad inf, which is not finite"));
  CHECK(gradient() == "inf");
  CHECK_THAT(test::run_program(folder.path(), {"graph", "-h"}).out, Contains("Usage"));
  CHECK_THAT(test::run_program(folder.path(), {"graph", "--help"}).out, Contains("Usage"));
  check_line(test::run_program(folder.path(), {"graph", "--vales", "a=1"}), 2, {"--vales", "--values"});
  check_line(test::run_program(folder.path(), {"graph", "a − b", "--values", "a=1,b=2"}), 2,
             {"position 3: '−'"});
}
