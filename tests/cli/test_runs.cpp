// The subcommands that train and sample, run as a user runs them.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "shared/base/files.hpp"
#include "shared/base/json.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

Json json_of(const std::filesystem::path& path) { return Json::parse(test::text_of(path)); }

test::Outcome succeed(const TemporaryFolder& folder, const std::vector<std::string>& arguments) {
  test::Outcome outcome = test::run_program(folder.path(), arguments);
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  return outcome;
}

/// The call would replace `file`, which it reads: it does not.
void refuses_to_replace(const TemporaryFolder& folder, const char* file,
                        const std::vector<std::string>& arguments) {
  const std::string before = test::text_of(folder / file);
  const test::Outcome outcome = test::run_program(folder.path(), arguments);
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains(std::string(file) + ": is read by this command"));
  CHECK(test::text_of(folder / file) == before);
}

}  // namespace

TEST_CASE("help names every subcommand and exits with 0") {
  const TemporaryFolder folder;
  const test::Outcome help = succeed(folder, {"--help"});
  for (const char* name : {"climb", "prepare", "train", "sample", "logits", "probe", "parity", "speedup",
                           "profile", "graph", "tile-trace", "info"}) {
    CHECK_THAT(help.out, Contains(name));
    CHECK_THAT(succeed(folder, {name, "--help"}).out, Contains(std::string("ladder ") + name));
  }
  CHECK_THAT(succeed(folder, {"--version"}).out, Contains("ladder"));
}

TEST_CASE("tile-trace prints, writes and draws one block") {
  const TemporaryFolder folder;
  const std::string out =
      succeed(folder, {"tile-trace", "matmul", "--block", "2", "--json", "t.json", "-o", "t.svg"}).out;
  CHECK_THAT(out, Contains("linear_forward in fp32, block (2, 0, 0) of 4 x 1 x 1") &&
                      Contains("load_masked") && Contains("x_ni (0, 2) of 28 x 40") &&
                      Contains("drawn in t.svg"));
  const Json json = json_of(folder / "t.json");
  CHECK(json.at("format") == "ladder-tile-trace/1");
  CHECK(json.at("block") == Json({2, 0, 0}));
  CHECK_THAT(test::text_of(folder / "t.svg"), Catch::Matchers::StartsWith("<svg") && Contains("w_oi (1, 2)"));
  CHECK_THAT(succeed(folder, {"tile-trace", "attention", "--all-keys", "--brief", "--query", "40"}).out,
             Contains("Query 40") && Contains("keys 3") && !Contains("load_masked"));
}

TEST_CASE("info says what runs here") {
  const TemporaryFolder folder;
  const std::string out = succeed(folder, {"info", "--json", "info.json", "--sources", "stage0"}).out;
  CHECK_THAT(out, Contains("scalar autograd") && Contains("CPU tensors") && Contains("machine") &&
                      Contains("build"));
  const Json json = json_of(folder / "info.json");
  CHECK(json["sources"]["set"].get<std::string>() == "stage0");
  CHECK(json["sources"]["hash"].get<std::string>().size() == 16);
  CHECK(json.at("stages").size() >= 2);
  CHECK(json.at("stages")[0].at("runs") == "yes");
  for (const Json& gpu : json.at("gpus")) {  // every card has a line of its own
    const std::string name = gpu.at("device").get<std::string>();
    const std::string text = gpu.at(gpu.at("usable").get<bool>() ? "name" : "reason").get<std::string>();
    CHECK_THAT(out, Contains("\n" + name) && Contains(text));
  }
  if (json.at("gpus").empty()) CHECK_THAT(out, Contains("\ngpu      none: "));
}

TEST_CASE("a run prints its configuration first, then progress, then samples") {
  const TemporaryFolder folder;
  const std::string out = succeed(folder, {"train", "--stage", "0", "--steps", "20", "--samples", "3"}).out;
  CHECK_THAT(out, Catch::Matchers::StartsWith("stage     0 (scalar autograd), fp64"));
  for (const char* part : {"preset    micro", "lr 0.01", "seed 42", "step 0 has hash", "step 20/20",
                           "ETA 0:00:00", "sample  1:", "sample  3:"})
    CHECK_THAT(out, Contains(part));
  CHECK_THAT(out, !Contains("sample  4:"));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a prepared text trains as the text itself does, and resumes") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 3000; ++i) text += i % 31 == 30 ? '\n' : static_cast<char>('a' + i * i % 23);
  test::write_text(folder / "text", text);
  const test::Outcome prepared = succeed(folder, {"prepare", "text", "--out", "data", "--json", "p.json"});
  CHECK_THAT(prepared.out, Contains("3000 characters, 13 of them distinct") &&
                               Contains("2700 tokens in train.bin, 300 in val.bin"));
  CHECK(json_of(folder / "p.json").at("train_tokens") == 2700);
  const auto losses = [&](const char* data, std::vector<std::string> more) {
    std::vector<std::string> call = {"train",    "--preset",     "small",    "--n-layer", "1",
                                     "--n-embd", "16",           "--n-head", "4",         "--block-size",
                                     "8",        "--batch-size", "2",        "--steps",   "6",
                                     "--trace",  "t.json",       "--data",   data};
    call.insert(call.end(), more.begin(), more.end());
    const test::Outcome outcome = succeed(folder, call);
    CHECK_THAT(outcome.out, Contains("held out  "));
    return std::make_pair(json_of(folder / "t.json").at("loss"),
                          outcome.out.substr(outcome.out.rfind("held out  ")));
  };
  const auto of_text = losses("text", {});
  CHECK(losses("data", {}) == of_text);
  CHECK(losses("data/train.bin", {"--checkpoint", "run"}) == of_text);
  succeed(folder, {"train", "--checkpoint", "run", "--resume"});
  succeed(folder, {"train", "--checkpoint", "run", "--resume", "--data", "text"});
  refuses_to_replace(
      folder, "data/train.bin",
      {"train", "--preset", "small", "--n-layer", "1", "--n-embd", "16", "--n-head", "4", "--block-size", "8",
       "--batch-size", "2", "--steps", "2", "--data", "data", "--save-weights", "data/train.bin"});
}

TEST_CASE("tokens without a text are trained on and sampled as numbers") {
  const TemporaryFolder folder;
  std::string tokens;
  for (int i = 0; i < 600; ++i) tokens += {static_cast<char>(i % 5), '\0'};
  test::write_text(folder / "train.bin", tokens);
  const test::Outcome trained =
      succeed(folder, {"train", "--preset", "small", "--n-layer", "1", "--n-embd", "8", "--n-head", "2",
                       "--block-size", "8", "--batch-size", "4", "--steps", "3", "--data", "train.bin",
                       "--save-weights", "w"});
  CHECK_THAT(trained.err, Contains("no text"));
  CHECK_THAT(trained.out, Contains("none held out") && !Contains("held out  "));
  const std::string sampled =
      succeed(folder, {"sample", "--weights", "w", "--tokens", "1,2", "--max-tokens", "3"}).out;
  CHECK_THAT(sampled, Catch::Matchers::StartsWith("1 2 "));
  CHECK(std::count(sampled.begin(), sampled.end(), ' ') == 5);
  CHECK(succeed(folder, {"sample", "--weights", "w", "--tokens", "+1,+2", "--max-tokens", "3"}).out ==
        sampled);
  CHECK(test::run_program(folder.path(), {"sample", "--weights", "w", "--prompt", "ab"}).code == 2);
  refuses_to_replace(folder, "w", {"sample", "--weights", "w", "--tokens", "1,2", "--json", "w"});
  refuses_to_replace(folder, "w", {"logits", "--weights", "w", "--tokens", "1,2", "--json", "w"});
  refuses_to_replace(
      folder, "w",
      {"train", "--preset", "small", "--n-layer", "1", "--n-embd", "8", "--n-head", "2", "--block-size", "8",
       "--data", "train.bin", "--init-weights", "w", "--save-weights", "w"});
}

TEST_CASE("a record of a profile names every flag that decides its work, and no path") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "private");
  test::write_text(folder / "private" / "words", "ab\nba\n");
  const auto command = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), "profile");
    flags.insert(flags.end(), {"--json", "p.json"});
    succeed(folder, flags);
    return json_of(folder / "p.json").at("command").get<std::string>();
  };
  CHECK(command({"--stage", "0", "--batch-size", "2", "--data", "private/words", "--steps", "2", "--n-embd",
                 "8"}) ==
        "./ladder profile --stage 0 --n-embd 8 --batch-size 2 --data words --steps 2 --record");
  CHECK(command({"--decode", "--dtype", "fp64", "--threads", "1", "--preset", "micro", "--steps", "1"}) ==
        "./ladder profile --stage 1 --decode --dtype fp64 --threads 1 --preset micro --steps 1 --record");
}

TEST_CASE("a climb races no more steps than it trains") {
  const TemporaryFolder folder;
  const test::Outcome outcome =
      succeed(folder, {"climb", "--steps", "3", "--rounds", "1", "--json", "c.json"});
  CHECK_THAT(outcome.out, Contains("the same 3 steps"));
  CHECK_THAT(outcome.out, Contains("stage 1 fp64: not proven, nothing stands below it"));  // of GPT-2
  CHECK(json_of(folder / "c.json").at("passed") == true);
}

TEST_CASE("every stage trains on the same tokens, and the flags override the preset") {
  const TemporaryFolder folder;
  std::vector<Json> traces;
  for (const char* stage : {"0", "1"}) {
    succeed(folder,
            {"train", "--stage", stage, "--preset", "micro-batch", "--n-embd", "8", "--n-head", "2",
             "--steps", "3", "--batch-size", "5", "--seed", "9", "--trace", "t.json", "--samples", "0"});
    traces.push_back(json_of(folder / "t.json"));
  }
  CHECK(traces[0].at("config").at("token_hash") == traces[1].at("config").at("token_hash"));
  for (const Json& trace : traces) {
    CHECK(trace.at("format") == "ladder-trace/1");
    CHECK(trace.at("config").at("n_embd") == 8);
    CHECK(trace.at("config").at("batch_size") == 5);
    CHECK(trace.at("loss").size() == 3);
    CHECK(trace.at("ms").size() == 3);
    CHECK(trace.at("items").empty());
    CHECK(trace.at("machine").contains("cpu"));
  }
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(std::abs(traces[0].at("loss")[i].get<double>() - traces[1].at("loss")[i].get<double>()) < 1e-5);
}

TEST_CASE("a setting that is on shows in the configuration and in its records, one that is off does not") {
  const TemporaryFolder folder;
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> call = {"train", "--steps", "2", "--samples", "0", "--trace", "t.json"};
    call.insert(call.end(), more.begin(), more.end());
    return succeed(folder, call).out;
  };
  CHECK_THAT(run({}), !Contains("clipped"));
  CHECK(json_of(folder / "t.json").at("config").at("clip") == 0.0);
  CHECK_THAT(run({"--clip", "2.5"}), Contains("seed 42, clipped at norm 2.5\n"));
  CHECK(json_of(folder / "t.json").at("config").at("clip") == 2.5);
}

TEST_CASE("the same command gives the same losses, another seed gives others") {
  const TemporaryFolder folder;
  const auto losses = [&](const std::string& seed) {
    succeed(folder, {"train", "--steps", "10", "--seed", seed, "--trace", "t.json"});
    return json_of(folder / "t.json").at("loss");
  };
  const Json first = losses("1");
  CHECK(losses("1") == first);
  CHECK(losses("2") != first);
}

TEST_CASE("the summary has the configuration, the losses and the samples") {
  const TemporaryFolder folder;
  succeed(folder, {"train", "--steps", "10", "--samples", "2", "--json", "run.json"});
  const Json json = json_of(folder / "run.json");
  CHECK(json.at("config").at("stage") == 1);
  CHECK(json.at("steps") == 10);
  CHECK(json.at("samples").size() == 2);
  CHECK(json.at("first_loss").is_number());
  CHECK(json.at("median_ms").is_number());
}

TEST_CASE("a character stream trains and reports the held-out loss") {
  const TemporaryFolder folder;
  const std::string out =
      succeed(folder, {"train", "--preset", "small", "--n-layer", "1", "--n-embd", "16", "--n-head", "2",
                       "--block-size", "12", "--batch-size", "4", "--steps", "5"})
          .out;
  CHECK_THAT(out, Contains("a stream of") && Contains("held out") && !Contains("sample"));
}

TEST_CASE("a long document is announced once") {
  const TemporaryFolder folder;
  test::write_text(folder / "long", "abcdefghijklmnop\nab\n");
  const test::Outcome outcome =
      succeed(folder, {"train", "--data", "long", "--block-size", "4", "--steps", "50", "--samples", "0"});
  CHECK_THAT(outcome.err, Contains("1 of 2 documents"));
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
}

TEST_CASE("text of any script trains and samples") {
  const TemporaryFolder folder;
  test::write_text(folder / "text", "\xC3\xA9t\xC3\xA9\r\n\xE6\x97\xA5\xE6\x9C\xAC\r\n\xF0\x9F\x98\x80\n");
  CHECK_THAT(succeed(folder, {"train", "--data", "text", "--steps", "5"}).out, Contains("6 tokens"));
}

TEST_CASE("trained weights give the same samples and logits when they are read again") {
  const TemporaryFolder folder;
  succeed(folder,
          {"train", "--stage", "0", "--steps", "50", "--save-weights", "w.safetensors", "--samples", "0"});
  const std::vector<std::string> sample = {"sample",        "--weights", "w.safetensors", "--stage", "0",
                                           "--num-samples", "4",         "--seed",        "3",       "--json",
                                           "s.json"};
  const std::string first = succeed(folder, sample).out;
  CHECK(succeed(folder, sample).out == first);
  CHECK(std::count(first.begin(), first.end(), '\n') == 4);
  CHECK(json_of(folder / "s.json").at("samples").size() == 4);

  const std::vector<std::string> logits = {"logits",   "--weights", "w.safetensors",
                                           "--tokens", "26,0,5",    "--json"};
  std::vector<Json> rows;
  for (const char* stage : {"0", "1"}) {
    std::vector<std::string> call = logits;
    call.insert(call.end(), {"l.json", "--stage", stage, "--dtype", "fp64"});
    const std::string out = succeed(folder, call).out;
    CHECK(std::count(out.begin(), out.end(), '\n') == 3);
    rows.push_back(json_of(folder / "l.json").at("logits"));
  }
  REQUIRE(rows[0].size() == 3);
  for (std::size_t t = 0; t < 3; ++t)
    for (std::size_t v = 0; v < rows[0][t].size(); ++v)
      CHECK(std::abs(rows[0][t][v].get<double>() - rows[1][t][v].get<double>()) < 1e-12);
}

TEST_CASE("sampling takes prompts, tokens, top-k and greedy") {
  const TemporaryFolder folder;
  succeed(folder, {"train", "--steps", "200", "--checkpoint", "run", "--samples", "0"});
  const auto sample = [&](std::vector<std::string> more) {
    std::vector<std::string> call = {"sample", "--weights", "run"};
    call.insert(call.end(), more.begin(), more.end());
    return succeed(folder, call).out;
  };
  CHECK_THAT(sample({"--prompt", "mar"}), Catch::Matchers::StartsWith("mar"));
  CHECK(sample({"--greedy", "--seed", "1"}) == sample({"--greedy", "--seed", "2"}));
  CHECK(sample({"--top-k", "1"}) == sample({"--greedy"}));
  CHECK(sample({"--tokens", "26,12,0", "--greedy"}) == "<BOS>" + sample({"--prompt", "ma", "--greedy"}));
  CHECK(sample({"--greedy", "--max-tokens", "1"}).size() <= 2);
  for (const std::vector<std::string>& bad : {std::vector<std::string>{"--prompt", "M\xC3\xA9"},
                                              {"--tokens", "27"},
                                              {"--tokens", "-1"},
                                              {"--prompt", "aaaaaaaaaaaaaaaaaaaaaa"}}) {
    std::vector<std::string> call = {"sample", "--weights", "run"};
    call.insert(call.end(), bad.begin(), bad.end());
    CHECK(test::run_program(folder.path(), call).code == 2);
  }
  CHECK(test::run_program(folder.path(), {"logits", "--weights", "run", "--tokens", "27"}).code == 2);
  CHECK(test::run_program(folder.path(),
                          {"logits", "--weights", "run", "--tokens", "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0"})
            .code == 2);
}

TEST_CASE("weights of another model or alphabet are not taken to start from") {
  const TemporaryFolder folder;
  test::write_text(folder / "text", "xyz\n");
  succeed(folder, {"train", "--steps", "5", "--save-weights", "w.safetensors", "--samples", "0"});
  succeed(folder, {"train", "--steps", "5", "--init-weights", "w.safetensors", "--samples", "0"});
  const auto other_model = test::run_program(
      folder.path(), {"train", "--init-weights", "w.safetensors", "--n-embd", "32", "--steps", "1"});
  CHECK(other_model.code == 2);
  CHECK_THAT(other_model.err, Contains("another model"));
  const auto other_text = test::run_program(
      folder.path(), {"train", "--init-weights", "w.safetensors", "--data", "text", "--steps", "1"});
  CHECK(other_text.code == 2);
  CHECK_THAT(other_text.err, Contains("tokenizer"));
}

TEST_CASE("a loss that is not finite ends with exit code 1, names the step and writes no weights") {
  const TemporaryFolder folder;
  const test::Outcome outcome = test::run_program(
      folder.path(), {"train", "--stage", "0", "--lr", "1e6", "--eps", "1e-300", "--beta1", "0.999",
                      "--steps", "300", "--save-weights", "w.safetensors", "--trace", "t.json"});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, Contains("the loss of step") && Contains("of 300 is") && Contains("--lr"));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("the smallest GPT-2 trains on stage 1, with and without dropout") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "abcdefgh "[(i * i + i / 7) % 9];
  test::write_text(folder / "text.txt", text);
  for (const char* dropout : {"0", "0.2"}) {
    succeed(folder, {"train", "--stage", "1", "--preset", "tiny", "--steps", "20", "--data", "text.txt",
                     "--dropout", dropout, "--trace", "trace.json"});
    const Json trace = json_of(folder / "trace.json");
    REQUIRE(trace.at("loss").size() == 20);
    const double first = trace.at("loss").at(0).get<double>(), last = trace.at("loss").at(19).get<double>();
    CHECK(first == Approx(std::log(9.0)).epsilon(0.05));  // small weights know nothing: 9 characters, alike
    CHECK(last < 0.97 * first);
  }
}
