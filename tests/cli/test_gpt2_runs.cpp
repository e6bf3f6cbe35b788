// GPT-2's weights from other programs, through the program: sampling, logits, comparing, and nanoGPT's export.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include "shared/base/json.hpp"
#include "shared/base/process.hpp"
#include "shared/train/checkpoint.hpp"
#include "tests/support/fake_python.hpp"
#include "tests/support/gpt2_files.hpp"

using namespace ladder;
using namespace ladder::testing;
using Catch::Matchers::Contains;

namespace {

std::string golden(const std::string& name) { return LADDER_SOURCE_DIR "/tests/golden/gpt2/" + name; }

test::Outcome succeed(const TemporaryFolder& folder, const std::vector<std::string>& arguments) {
  test::Outcome outcome = test::run_program(folder.path(), arguments);
  INFO(arguments[0] << " stderr: " << outcome.err);
  CHECK(outcome.code == 0);
  return outcome;
}

Json json_of(const std::filesystem::path& path) { return Json::parse(test::text_of(path)); }

}  // namespace

TEST_CASE("greedy text of weights without a tokenizer is tokens, as other programs want them") {
  const TemporaryFolder folder;
  for (const char* name : {"hf", "nanogpt"}) {
    const Json want = json_of(golden(name) + "/golden.json");
    const auto outcome = succeed(folder, {"sample", "--weights", golden(name), "--tokens", "3,28,0,11,11",
                                          "--greedy", "--max-tokens", "32", "--json", "s.json"});
    CHECK(json_of(folder / "s.json")["tokens"] == want["greedy"]);
    CHECK(outcome.err.empty());
    CHECK_THAT(outcome.out, Catch::Matchers::StartsWith("3 28 0 11 11 "));
    succeed(folder, {"sample", "--weights", golden(name) + "/model.safetensors", "--tokens", "3,28,0,11,11",
                     "--temperature", "0", "--max-tokens", "32", "--json", "t.json"});
    CHECK(json_of(folder / "t.json")["tokens"] == want["greedy"]);
  }
}

TEST_CASE("GPT-2 is sampled at 0.8 from 200, several texts one after the other, the same for the same seed") {
  const TemporaryFolder folder;
  const auto sample = [&](std::vector<std::string> more) {
    std::vector<std::string> call = {"sample",       "--weights", golden("hf"), "--tokens", "1",
                                     "--max-tokens", "40",        "--json",     "s.json"};
    call.insert(call.end(), more.begin(), more.end());
    return succeed(folder, call).out;
  };
  const std::string three = sample({"--num-samples", "3"});
  const Json json = json_of(folder / "s.json");
  CHECK(json["temperature"].get<double>() == 0.8);
  CHECK(json["top_k"].get<int>() == 200);
  CHECK(json["samples"].size() == 3);
  CHECK(std::count(three.begin(), three.end(), '\n') == 3);
  CHECK(sample({"--num-samples", "3"}) == three);
  CHECK(sample({"--num-samples", "3", "--seed", "7"}) != three);
  CHECK(three.starts_with(sample({})));
  CHECK(sample({"--top-k", "1"}) == sample({"--greedy"}));
  CHECK(test::run_program(folder.path(), {"sample", "--weights", golden("hf"), "--prompt", "text"}).code ==
        2);
  CHECK(test::run_program(folder.path(), {"sample", "--weights", golden("hf"), "--tokens", "29"}).code == 2);
}

TEST_CASE("logits of GPT-2's weights are written for other programs") {
  const TemporaryFolder folder;
  succeed(folder, {"logits", "--weights", golden("hf"), "--tokens", "1,2,3", "--stage", "1", "--dtype",
                   "fp32", "--json", "l.json"});
  const Json logits = json_of(folder / "l.json")["logits"];
  REQUIRE(logits.size() == 3);
  for (const Json& row : logits) CHECK(row.size() == 29);
  CHECK(test::run_program(folder.path(), {"logits", "--weights", golden("hf"), "--tokens", "1,29"}).code ==
        2);
}

TEST_CASE("a position's largest logit is of the token that greedy text goes on with") {
  const TemporaryFolder folder;
  const Json golden_greedy = json_of(golden("hf") + "/golden.json")["greedy"];
  std::vector<int> text;
  for (const Json& token : golden_greedy) text.push_back(token.get<int>());
  constexpr std::size_t kPrompt = 5, kBlock = 16;
  std::string tokens = std::to_string(text.at(0));
  for (std::size_t i = 1; i < kBlock; ++i) tokens += "," + std::to_string(text.at(i));
  succeed(folder, {"logits", "--weights", golden("hf"), "--tokens", tokens, "--json", "l.json"});
  const Json logits = json_of(folder / "l.json")["logits"];
  for (std::size_t t = kPrompt - 1; t < kBlock; ++t) {
    const auto row = logits[t].get<std::vector<double>>();
    CHECK(std::max_element(row.begin(), row.end()) - row.begin() == text.at(t + 1));
  }
}

TEST_CASE("what a file does not say is assumed aloud, on stderr") {
  const TemporaryFolder folder;
  test::write_text(folder / "w", file_bytes(as_nanogpt(gpt2_parameters(small_gpt2()))));
  const auto outcome = succeed(folder, {"sample", "--weights", "w", "--n-head", "2", "--max-tokens", "2"});
  CHECK_THAT(outcome.err, Contains("erf") && Contains("--gelu"));
}

TEST_CASE("several files are compared in turn, and what differs ends with exit code 1") {
  const TemporaryFolder folder;
  const auto outcome = succeed(folder, {"compare", golden("hf"), golden("nanogpt"), "--to", "1", "--tokens",
                                        "3,28", "--json", "c.json"});
  CHECK_THAT(outcome.out, Contains("hf: GPT-2, GELU by tanh, with biases, no dropout: 2 layers") &&
                              Contains("nanogpt: GPT-2, ") && Contains("passed") &&
                              Contains("50 tokens identical"));
  const Json files = json_of(folder / "c.json")["files"];
  REQUIRE(files.size() == 2);
  for (const Json& file : files) {
    CHECK(file["greedy"]["identical"].get<bool>());
    CHECK(file["report"]["passed"].get<bool>());
    CHECK(file["samples"]["upper"] == file["samples"]["lower"]);
  }
  const test::FakePython liar(folder,
                              "case $1 in -c) echo 1;; *) echo '{\"version\": \"liar\", \"logits\": [[0]], "
                              "\"greedy\": [3]}' >\"$3\"; echo done;; esac\n");
  const auto differs = test::run_program(
      folder.path(), {"compare", golden("hf"), "--to", "1", "--tokens", "3,28", "--with", "pytorch"});
  CHECK(differs.code == 1);
  CHECK_THAT(differs.err, Contains("liar") && Contains("logits"));
}

TEST_CASE("without PyTorch comparing with it is one line and exit code 3") {
  const TemporaryFolder folder;
  {
    const test::FakePython without(folder, "exit 1\n");
    const auto outcome = test::run_program(folder.path(), {"compare", golden("hf"), "--with", "pytorch"});
    CHECK(outcome.code == 3);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("torch, transformers and safetensors") && Contains("pip install"));
  }
  const TemporaryFolder second;
  const test::FakePython fails(second, "case $1 in -c) echo 1;; *) echo 'KeyError: wte';; esac\n");
  const auto outcome =
      test::run_program(second.path(), {"compare", golden("hf"), "--to", "1", "--with", "pytorch"});
  CHECK(outcome.code == 3);
  CHECK_THAT(outcome.err, Contains("KeyError: wte"));
}

TEST_CASE("weights that are not numbers are refused by logits and probe, with the tensor named") {
  const TemporaryFolder folder;
  TensorList parameters = gpt2_parameters(small_gpt2());
  for (const double bad : {NAN, INFINITY}) {
    parameters[3].set(5, bad);
    parameters.back().set(0, bad);  // a later one
    test::write_text(folder / "w", file_bytes(as_nanogpt(parameters)));
    const std::vector<std::string> model = {"--weights", "w",   "--n-head", "2",
                                            "--gelu",    "erf", "--tokens", "1,2"};
    for (std::vector<std::string> call :
         {std::vector<std::string>{"logits", "--json", "new"}, {"probe", "--out", "new"}}) {
      call.insert(call.end(), model.begin(), model.end());
      const auto outcome = test::run_program(folder.path(), call);
      INFO(call[0] << ": " << outcome.err);
      CHECK(outcome.code == 2);
      CHECK(outcome.out.empty());
      CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
      CHECK_THAT(outcome.err, Contains("'" + parameters[3].name + "' is ") && Contains("at element 5"));
      CHECK(!std::filesystem::exists(folder / "new"));
    }
  }
}

TEST_CASE("weights that give no numbers end sample and compare with exit code 1 and the name of the file") {
  const TemporaryFolder folder;
  TensorList parameters = gpt2_parameters(small_gpt2());
  test::write_text(folder / "good", file_bytes(as_nanogpt(parameters)));
  for (std::size_t i = 0; i < parameters.back().size(); ++i) parameters.back().set(i, 3e38);
  test::write_text(folder / "bad", file_bytes(as_nanogpt(parameters)));
  for (std::vector<std::string> call :
       {std::vector<std::string>{"sample", "--weights", "bad"}, {"compare", "good", "bad", "--to", "1"}}) {
    call.insert(call.end(), {"--n-head", "2", "--gelu", "erf", "--tokens", "1,2", "--json", "new"});
    const auto outcome = test::run_program(folder.path(), call);
    INFO(call[0] << ": " << outcome.err);
    CHECK(outcome.code == 1);
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    const std::string side = call[0] == "compare" ? "stage 1 fp32: " : "";
    CHECK_THAT(outcome.err,
               Catch::Matchers::StartsWith("ladder: bad: " + side + "the logit of token 0 is nan"));
    CHECK(!std::filesystem::exists(folder / "new"));
  }
}

TEST_CASE("finite weights whose values leave the type's range name the first result that does") {
  const TemporaryFolder folder;
  TensorList parameters = gpt2_parameters(small_gpt2());
  for (std::size_t i = 0; i < parameters.back().size(); ++i) parameters.back().set(i, 3e38);
  test::write_text(folder / "w", file_bytes(as_nanogpt(parameters)));
  const std::vector<std::string> model = {"--weights", "w",   "--n-head", "2",
                                          "--gelu",    "erf", "--tokens", "1,2"};
  for (std::vector<std::string> call :
       {std::vector<std::string>{"logits", "--json", "new"}, {"probe", "--out", "new"}}) {
    const std::string named = call[0] == "logits" ? "'logits' is " : "'layer0.";
    call.insert(call.end(), model.begin(), model.end());
    const auto outcome = test::run_program(folder.path(), call);
    INFO(call[0] << ": " << outcome.err);
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.err, Contains(named));
    CHECK(!std::filesystem::exists(folder / "new"));
  }
}

TEST_CASE("what cannot run is refused before anything is printed of the model") {
  const TemporaryFolder folder;
  for (const auto& [more, named] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--to", "2"}, "does not run GPT-2"},
           {{"--to", "1", "--dtype", "bf16"}, "stage 1 does not compute in bf16"},
           {{"--to", "1", "--from", "0"}, "does not run GPT-2"},
           {{"--tokens", "29"}, "not in the vocabulary"},
       }) {
    std::vector<std::string> call = {"compare", golden("hf")};
    call.insert(call.end(), more.begin(), more.end());
    const auto outcome = test::run_program(folder.path(), call);
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains(named));
  }
}

TEST_CASE("a temperature next to 0 gives the greedy text") {
  const TemporaryFolder folder;
  const auto sample = [&](const char* flag, const char* value) {
    std::vector<std::string> call = {"sample", "--weights",    golden("hf"), "--tokens",
                                     "1",      "--max-tokens", "9",          flag};
    if (value != nullptr) call.emplace_back(value);
    return succeed(folder, call).out;
  };
  CHECK(sample("--temperature", "1e-320") == sample("--greedy", nullptr));
}

TEST_CASE("tokens that only round a saved model's vocabulary up are never drawn") {
  const TemporaryFolder folder;
  save_model(folder / "w",
             {small_gpt2(), std::make_shared<NumberTokenizer>(3), gpt2_parameters(small_gpt2())},
             Dtype::fp32);
  for (const std::vector<std::string>& way :
       std::vector<std::vector<std::string>>{{"--temperature", "1000"}, {"--greedy"}}) {
    std::vector<std::string> call = {"sample",       "--weights", "w",      "--tokens", "1",
                                     "--max-tokens", "60",        "--json", "s.json"};
    call.insert(call.end(), way.begin(), way.end());
    succeed(folder, call);
    const Json json = json_of(folder / "s.json");
    CHECK(json.at("tokens").size() == 61);
    for (const Json& token : json.at("tokens")) CHECK(token.get<int>() < 3);
  }
}

TEST_CASE("a GPT-2 is described with its choices") {
  const TemporaryFolder folder;
  const auto described = [&](std::vector<std::string> more) {
    std::vector<std::string> call = {"train", "--preset", "tiny", "--steps", "0", "--samples", "0"};
    call.insert(call.end(), more.begin(), more.end());
    return succeed(folder, call).out;
  };
  CHECK_THAT(described({}), Contains("model     GPT-2, GELU by tanh, with biases, no dropout: 2 layers"));
  CHECK_THAT(described({"--gelu", "erf", "--bias", "0", "--dropout", "0.1"}),
             Contains("model     GPT-2, GELU by erf, without biases, dropout 0.1: 2 layers"));
  CHECK_THAT(succeed(folder, {"train", "--steps", "0", "--samples", "0"}).out,
             Contains("model     1 layer, "));
}

TEST_CASE("a short run on the CPU model of a GPU says nothing of how long it takes, a long one does") {
  const TemporaryFolder folder;
  const auto run = [&](const char* steps) {
    test::Program program(folder.path(), {"train", "--stage", "4", "--device", "cpu", "--preset", "tiny",
                                          "--samples", "0", "--steps", steps});
    program.wait_until([&] {
      return program.out_so_far().find("step 1/") != std::string::npos ||
             program.out_so_far().find("expects   about ") != std::string::npos;
    });
    return program.out_so_far();
  };
  CHECK_THAT(run("1"), !Contains("expects"));
  CHECK_THAT(run("1000000"), Contains("expects   about "));
}
