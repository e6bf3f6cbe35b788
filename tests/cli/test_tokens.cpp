// A byte-level vocabulary from a text to the text of a trained model, as a user goes that way.
#include <catch2/catch.hpp>

#include <algorithm>

#include "tests/support/small_bpe.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

const std::vector<std::string> kTrain = {"train", "--stage",      "1", "--preset", "small", "--n-layer",
                                         "1",     "--n-embd",     "8", "--n-head", "2",     "--block-size",
                                         "8",     "--batch-size", "2"};

test::Outcome run(const TemporaryFolder& folder, std::vector<std::string> call) {
  return test::run_program(folder.path(), call);
}

test::Outcome succeed(const TemporaryFolder& folder, const std::vector<std::string>& call) {
  test::Outcome outcome = run(folder, call);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return outcome;
}

std::vector<std::string> train(std::vector<std::string> more) {
  std::vector<std::string> call = kTrain;
  call.insert(call.end(), more.begin(), more.end());
  return call;
}

/// A vocabulary in bpe/, a text, and what prepare makes of both in data/.
void fill(const TemporaryFolder& folder) {
  test::bpe_texts(test::some_merges()).write(folder / "bpe");
  std::string text;
  for (int i = 0; i < 60; ++i) text += i % 3 == 0 ? "the aa the\xC3\xA9 abab\n" : "bc 12 the !! a\n";
  test::write_text(folder / "text", text);
  succeed(folder, {"prepare", "text", "--tokenizer", "bpe", "--out", "data", "--json", "p.json"});
}

}  // namespace

TEST_CASE("print-ids prints a file's tokens and nothing else") {
  const TemporaryFolder folder;
  fill(folder);
  test::write_text(folder / "odd", "the\r\n\xFF aa");
  const test::Outcome outcome = succeed(folder, {"prepare", "--tokenizer", "bpe", "--print-ids", "odd"});
  CHECK(outcome.out == "258 13 10 255 32 261\n");
  CHECK(outcome.err.empty());
  test::write_text(folder / "none", "");
  CHECK(succeed(folder, {"prepare", "none", "--print-ids", "--tokenizer", "bpe"}).out == "\n");
  std::string long_text;
  for (int i = 0; i < 40000; ++i) long_text += "x,";
  test::write_text(folder / "long", long_text);  // more tokens than are printed at once
  const std::string ids = succeed(folder, {"prepare", "long", "--print-ids", "--tokenizer", "bpe"}).out;
  CHECK(std::count(ids.begin(), ids.end(), ' ') == 79999);
  CHECK(ids.find("  ") == std::string::npos);
}

TEST_CASE(
    "a model trains on such tokens, resumes, and its checkpoint decodes without the vocabulary's files") {
  const TemporaryFolder folder;
  fill(folder);
  const Json numbers = Json::parse(test::text_of(folder / "p.json"));
  CHECK(numbers.at("vocab_size") == 276);
  CHECK(numbers.at("train_tokens").get<std::size_t>() * 2 ==
        std::filesystem::file_size(folder / "data/train.bin"));
  const std::string out =
      succeed(folder, train({"--data", "data", "--steps", "4", "--checkpoint", "run", "--samples", "1"})).out;
  CHECK_THAT(out, Contains("276 tokens") && Contains("held out  ") && Contains("sample  1: "));
  succeed(folder, {"train", "--checkpoint", "run", "--resume"});
  for (const char* gone : {"bpe", "data", "text"}) std::filesystem::remove_all(folder / gone);
  succeed(folder,
          {"sample", "--weights", "run", "--prompt", "the\xC3\xA9", "--max-tokens", "5", "--json", "s.json"});
  const Json json = Json::parse(test::text_of(folder / "s.json"));
  CHECK(json.at("prompt_tokens") == Json(std::vector<int>{258, 267}));
  CHECK_THAT(json.at("samples")[0].at("text").get<std::string>(), Catch::Matchers::StartsWith("the\xC3\xA9"));
  succeed(folder, {"sample", "--weights", "run", "--max-tokens", "2", "--json", "s.json"});
  CHECK(Json::parse(test::text_of(folder / "s.json")).at("prompt_tokens") == Json(std::vector<int>{275}));
}

TEST_CASE("prepared tokens are offered to the models that fit them") {
  const TemporaryFolder folder;
  fill(folder);
  const std::string bpe = succeed(folder, {"prepare", "text", "--tokenizer", "bpe", "--out", "pieces"}).out;
  CHECK_THAT(bpe, Contains("ladder train --preset tiny --data pieces") &&
                      Contains("--stage 4 --dtype bf16 --preset gpt2 --data pieces"));
  const std::string letters = succeed(folder, {"prepare", "text", "--out", "letters"}).out;
  CHECK_THAT(letters, Contains("ladder train --preset tiny --data letters") &&
                          Contains("--stage 4 --dtype bf16 --preset shakespeare_char --data letters") &&
                          !Contains("gpt2"));
}

TEST_CASE("the vocabulary beside weights is read, and never replaced") {
  const TemporaryFolder folder;
  fill(folder);
  succeed(folder, train({"--data", "data", "--steps", "0", "--checkpoint", "run", "--samples", "0"}));
  for (const char* name : {"vocab.json", "merges.txt", "encoder.json", "vocab.bpe"}) {
    const std::string file = std::string("run/") + name;
    for (const std::vector<std::string>& call : std::vector<std::vector<std::string>>{
             {"sample", "--weights", "run", "--json", file},
             {"probe", "--weights", "run", "--tokens", "1,2", "--out", file},
             {"logits", "--weights", "run/checkpoint.safetensors", "--tokens", "1", "--json", file},
             {"compare", "run", "--json", file}}) {
      const test::Outcome outcome = run(folder, call);
      INFO(call[0] << ' ' << name << ": " << outcome.err);
      CHECK(outcome.code == 2);
      CHECK_THAT(outcome.err, Contains(file) && Contains("replace"));
      CHECK(!std::filesystem::exists(folder / file));
    }
  }
}

TEST_CASE("an empty prompt is one") {
  const TemporaryFolder folder;
  fill(folder);
  succeed(folder, train({"--data", "data", "--steps", "0", "--save-weights", "w", "--samples", "0"}));
  const std::vector<std::string> call = {"sample", "--weights", "w", "--max-tokens", "3"};
  std::vector<std::string> empty = call;
  empty.insert(empty.end(), {"--prompt", ""});
  CHECK(succeed(folder, empty).out == succeed(folder, call).out);
}

TEST_CASE("a character that the tokens leave unfinished is shown as such") {
  const TemporaryFolder folder;
  fill(folder);
  succeed(folder, train({"--data", "data", "--steps", "1", "--save-weights", "w", "--samples", "0"}));
  succeed(folder, {"sample", "--weights", "w", "--tokens", "97,230,151", "--max-tokens", "1", "--greedy",
                   "--json", "s.json"});
  const std::string text =
      Json::parse(test::text_of(folder / "s.json")).at("samples")[0].at("text").get<std::string>();
  CHECK_THAT(text, Catch::Matchers::StartsWith("a\xEF\xBF\xBD"));
}

TEST_CASE("what does not fit a checkpoint of such tokens is one line and exit code 2") {
  const TemporaryFolder folder;
  fill(folder);
  succeed(folder, train({"--data", "data", "--steps", "1", "--checkpoint", "run", "--samples", "0"}));
  const auto refused = [&](const std::vector<std::string>& call, const char* part) {
    const test::Outcome outcome = run(folder, call);
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK_THAT(outcome.err, Contains(part));
  };
  const std::string weights = "run/checkpoint.safetensors";
  refused({"sample", "--weights", "run", "--tokens", "276"}, "276 is not in the vocabulary");
  refused({"sample", "--weights", "run", "--prompt", "a\xFF"},
          "--prompt: byte 0xff at offset 1 is not UTF-8: a prompt is a text");
  succeed(folder, {"prepare", "text", "--out", "letters"});
  refused(train({"--data", "letters", "--steps", "1", "--init-weights", weights}),
          "its tokenizer is not the one");
  test::bpe_texts({{"t", "h"}}).write(folder / "other");
  succeed(folder, {"prepare", "text", "--tokenizer", "other", "--out", "data"});
  refused({"train", "--checkpoint", "run", "--resume"}, "other data");
  std::string file = test::text_of(folder / weights);
  const std::size_t at = file.find("\\\"vocab_size\\\":276");
  REQUIRE(at != std::string::npos);
  test::write_text(folder / "damaged", file.replace(at, 18, "\\\"vocab_size\\\":275"));
  refused({"sample", "--weights", "damaged"}, "its tokenizer has 276 tokens, its model 275");
}

TEST_CASE("a run on a large file ends with one line at the window that holds no token of the vocabulary") {
  const TemporaryFolder folder;
  test::write_text(folder / "train.bin", std::string(1000, '\xFF'));
  std::filesystem::resize_file(folder / "train.bin", 10 << 20);
  test::write_text(folder / "val.bin", std::string(1000, '\xFF'));
  const test::Outcome outcome = run(folder, train({"--data", ".", "--steps", "1", "--samples", "0"}));
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains("token 65535 at position") && Contains("held out"));
}
