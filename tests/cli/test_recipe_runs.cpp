// Runs of nanoGPT's recipe as a user starts them: killed, resumed, evaluated, logged line by line.
#include <catch2/catch.hpp>

#include <random>
#include <sstream>

#include "shared/base/json.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

using Words = std::vector<std::string>;

Words joined(Words first, const Words& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// A GPT-2 with all that a resumed run must find again: dropout, evaluations, warm-up, decay; small, so that a step is
/// some milliseconds.
Words recipe(const std::string& stage, const std::string& dtype, const std::string& steps) {
  return {"train",  "--stage",      stage, "--dtype",      dtype,    "--device",       "cpu", "--preset",
          "tiny",   "--n-layer",    "1",   "--dropout",    "0.2",    "--steps",        steps, "--batch-size",
          "2",      "--grad-accum", "2",   "--schedule",   "cosine", "--warmup-steps", "10",  "--min-lr",
          "0.0001", "--threads",    "1",   "--eval-every", "15",     "--eval-batches", "2"};
}

/// Losses and evaluations of a trace.
Json history_of(const std::filesystem::path& path) {
  const Json json = Json::parse(test::text_of(path));
  return {
      {"loss", json.at("loss")}, {"evaluations", json.at("evaluations")}, {"samples", json.at("samples")}};
}

std::vector<Json> lines_of(const std::filesystem::path& path) {
  std::vector<Json> lines;
  std::istringstream text(test::text_of(path));
  for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
  return lines;
}

}  // namespace

TEST_CASE("a recipe that is killed at random moments ends as if nothing had happened") {
  std::mt19937 generator(std::random_device{}());
  struct Case {
    const char *stage, *dtype, *steps;
  };
  for (const Case& c : {Case{"1", "fp32", "400"}, {"4", "fp16", "60"}}) {
    const TemporaryFolder folder;
    const Words call = recipe(c.stage, c.dtype, c.steps);
    REQUIRE(
        test::run_program(folder.path(), joined(call, {"--trace", "whole.json", "--save-weights", "whole"}))
            .code == 0);
    const Words checkpoint = {"--checkpoint", "run"};
    {
      test::Program program(folder.path(), joined(joined(call, checkpoint), {"--checkpoint-every", "7"}));
      REQUIRE(program.wait_until([&] { return exists(folder / "run/checkpoint.safetensors"); }));
      program.send(SIGKILL);
      program.wait();
    }
    const Words again = joined({"train", "--resume", "--device", "cpu", "--threads", "1"}, checkpoint);
    for (int kills = 0; kills < 2; ++kills) {
      test::Program program(folder.path(), joined(again, {"--checkpoint-every", "3"}));
      REQUIRE(program.wait_until([&] { return program.out_so_far().find("step ") != std::string::npos; }));
      std::this_thread::sleep_for(std::chrono::milliseconds(generator() % 100));
      program.send(SIGKILL);
      program.wait();
    }
    const test::Outcome last = test::run_program(
        folder.path(), joined(again, {"--trace", "resumed.json", "--save-weights", "resumed"}));
    INFO(last.err);
    REQUIRE(last.code == 0);
    CHECK(history_of(folder / "resumed.json") == history_of(folder / "whole.json"));
    CHECK((test::text_of(folder / "resumed") == test::text_of(folder / "whole")));
    CHECK(exists(folder / "run/best.safetensors"));
    for (const auto& entry :
         std::filesystem::directory_iterator(folder / "run"))  // nor what a kill left of a save
      CHECK_FALSE(entry.path().filename().string().starts_with(".ladder-"));
  }
}

TEST_CASE("a run is logged line by line, and a resumed one goes on in the same file") {
  const TemporaryFolder folder;
  const Words call = joined(recipe("1", "fp32", "30"), {"--schedule-steps", "40", "--checkpoint", "run"});
  REQUIRE(test::run_program(folder.path(), joined(call, {"--json-lines", "log.jsonl"})).code == 0);
  const std::vector<Json> lines = lines_of(folder / "log.jsonl");
  REQUIRE(lines.size() == 1 + 30 + 3);  // evaluations at 0, 15 and 30
  CHECK(lines[0].at("kind") == "run");
  CHECK(lines[0].at("schedule") == "cosine");
  CHECK(lines[1].at("kind") == "evaluation");
  CHECK(lines[1].at("best") == true);
  CHECK(lines[2].at("kind") == "step");
  for (const char* member : {"loss", "ms", "tokens_per_second", "learning_rate", "gradient_norm"})
    CHECK(lines[2].at(member).is_number());
  CHECK(lines[2].at("learning_rate").get<double>() == Approx(1e-3 / 11));
  const test::Outcome resumed = test::run_program(
      folder.path(), {"train", "--resume", "--checkpoint", "run", "--json-lines", "log.jsonl"});
  REQUIRE(resumed.code == 0);
  CHECK(lines_of(folder / "log.jsonl").size() == lines.size() + 1);  // nothing was left to do
}

TEST_CASE("a run says what it evaluates, what it takes and what was best") {
  const TemporaryFolder folder;
  const test::Outcome run =
      test::run_program(folder.path(), joined(recipe("1", "fp32", "30"), {"--json", "summary.json"}));
  REQUIRE(run.code == 0);
  CHECK_THAT(run.out, Contains("falling to 0.0001 by a cosine over 30 steps, the first 10 rising"));
  CHECK_THAT(run.out, Contains("evaluates every 15 steps, 4 sequences of each part"));
  CHECK_THAT(run.out, Contains("memory    parameters ") && Contains("AdamW ") && Contains("that are free"));
  CHECK_THAT(run.out, Contains("evaluated after step 15: training ") && Contains("best      "));
  CHECK_THAT(run.out, Contains(" tokens/s  lr ") && Contains("  norm "));
  const Json summary = Json::parse(test::text_of(folder / "summary.json"));
  CHECK(summary.at("best_held_out").is_number());
}

TEST_CASE("what a recipe cannot be is one line and exit code 2, and leaves nothing") {
  const std::vector<std::pair<Words, const char*>> bad = {
      {{"--preset", "tiny", "--warmup-steps", "101"}, "--warmup-steps 101"},
      {{"--preset", "tiny", "--min-lr", "0.5"}, "--min-lr 0.5"},
      {{"--preset", "tiny", "--schedule", "exponential"}, "--schedule"},
      {{"--preset", "tiny", "--eval-every", "5"}, "--eval-batches"},
      {{"--eval-every", "5", "--eval-batches", "1"}, "held out"},
      {{"--preset", "shakespeare_char", "--data", "short.txt"}, "short.txt"},
      {{"--json-lines", "missing/log.jsonl"}, "missing/log.jsonl"}};
  for (const auto& [words, message] : bad) {
    const TemporaryFolder folder;
    test::write_text(folder / "short.txt", "too short for a block\n");
    const test::Outcome outcome = test::run_program(
        folder.path(), joined({"train", "--stage", "1", "--steps", "100", "--checkpoint", "run"}, words));
    INFO(outcome.err << outcome.out);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains(message));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK_FALSE(exists(folder / "run"));
  }
}
