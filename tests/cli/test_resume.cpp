// Interrupted runs: killed, stopped with Ctrl-C, resumed; the result must equal the uninterrupted run bit for bit.
#include <catch2/catch.hpp>

#include <iterator>
#include <random>
#include <sstream>

#include "shared/base/json.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

struct Case {
  const char* stage;
  const char* dtype;
  const char* steps;  ///< so many that there is time to interrupt the run
};

const std::vector<Case> kCases = {{"0", "fp64", "3000"}, {"1", "fp64", "20000"}, {"1", "fp32", "20000"}};

std::vector<std::string> train_call(const Case& c, std::vector<std::string> more) {
  std::vector<std::string> call = {"train",   "--stage", c.stage,     "--dtype", c.dtype,
                                   "--steps", c.steps,   "--threads", "1"};
  call.insert(call.end(), more.begin(), more.end());
  return call;
}

Json trace_of(const std::filesystem::path& path) {
  const Json json = Json::parse(test::text_of(path));
  return {{"loss", json.at("loss")}, {"samples", json.at("samples")}};
}

/// Losses and samples of the run that nothing interrupts.
Json uninterrupted(const TemporaryFolder& folder, const Case& c) {
  REQUIRE(test::run_program(folder.path(), train_call(c, {"--trace", "whole.json"})).code == 0);
  return trace_of(folder / "whole.json");
}

Json resumed(const TemporaryFolder& folder, const std::string& checkpoint) {
  const test::Outcome outcome = test::run_program(
      folder.path(), {"train", "--checkpoint", checkpoint, "--resume", "--trace", "resumed.json"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  CHECK_THAT(outcome.out, Contains("resumes   after step"));
  return trace_of(folder / "resumed.json");
}

/// A checkpoint's bytes as an earlier program wrote them, which knew no checksum.
std::string without_checksum(std::string bytes) {
  const std::string key = "\"checksum\"";
  const std::size_t at = bytes.find(key);
  REQUIRE(at != std::string::npos);
  return bytes.replace(at, key.size(), "\"not_read\"");
}

}  // namespace

TEST_CASE("after kill -9 at a random moment, resume equals the uninterrupted run") {
  std::mt19937 generator(std::random_device{}());
  for (const Case& c : kCases) {
    const TemporaryFolder folder;
    const Json expected = uninterrupted(folder, c);
    {
      test::Program program(folder.path(),
                            train_call(c, {"--checkpoint", "run", "--checkpoint-every", "25"}));
      REQUIRE(program.wait_until([&] { return exists(folder / "run/checkpoint.safetensors"); }));
      std::this_thread::sleep_for(std::chrono::milliseconds(generator() % 60));
      program.send(SIGKILL);
      const int signal = program.wait().signal;
      CHECK((signal == SIGKILL || signal == 0));  // 0: it was faster than the kill
    }
    CHECK(resumed(folder, "run") == expected);
  }
}

TEST_CASE("Ctrl-C saves, says how to resume, and resuming equals the uninterrupted run") {
  for (const Case& c : kCases) {
    const TemporaryFolder folder;
    const Json expected = uninterrupted(folder, c);
    test::Program program(folder.path(), train_call(c, {"--checkpoint", "run"}));
    REQUIRE(program.wait_until([&] { return program.out_so_far().find("ms/step") != std::string::npos; }));
    program.send(SIGINT);
    const test::Outcome outcome = program.wait();
    if (outcome.signal != 0) {  // otherwise it was faster than the signal, and resume only samples again
      CHECK(outcome.signal == SIGINT);
      CHECK_THAT(outcome.out,
                 Contains("stopped after step") && Contains("ladder train --checkpoint run --resume"));
    }
    CHECK(resumed(folder, "run") == expected);
  }
}

namespace {

/// A run of stage 3 on the CPU model, trained by one of its variants.
std::vector<std::string> variant_call(const std::string& variant, std::vector<std::string> more) {
  std::vector<std::string> call = {"train", "--stage", "3", "--variant", variant, "--device", "cpu"};
  call.insert(call.end(), more.begin(), more.end());
  return call;
}

}  // namespace

TEST_CASE("a run of fused steps that was stopped resumes by itself as such, bit for bit") {
  const TemporaryFolder folder;
  REQUIRE(test::run_program(folder.path(),
                            variant_call("fused-step", {"--steps", "400", "--trace", "whole.json"}))
              .code == 0);
  test::Program program(folder.path(), variant_call("fused-step", {"--steps", "400", "--checkpoint", "run"}));
  REQUIRE(program.wait_until([&] { return program.out_so_far().find("step 20/") != std::string::npos; }));
  program.send(SIGINT);
  const test::Outcome outcome = program.wait();
  if (outcome.signal != 0)  // otherwise it was faster than the signal
    CHECK_THAT(outcome.out, Contains("continue with: ladder train --checkpoint run --resume\n"));
  const test::Outcome again = test::run_program(
      folder.path(),
      {"train", "--checkpoint", "run", "--resume", "--device", "cpu", "--trace", "resumed.json"});
  REQUIRE(again.code == 0);
  CHECK_THAT(again.out, Contains("launches  two a step"));
  CHECK(trace_of(folder / "resumed.json") == trace_of(folder / "whole.json"));
}

TEST_CASE("a variant's checkpoint continues as the variant, with its flag or without, bit for bit") {
  for (const std::string variant : {"one-launch", "fused-step"}) {
    const TemporaryFolder folder;
    REQUIRE(
        test::run_program(folder.path(), variant_call(variant, {"--steps", "2000", "--trace", "whole.json"}))
            .code == 0);
    const Json whole = trace_of(folder / "whole.json");
    const std::vector<std::string> resume = {"train",    "--checkpoint", "run",     "--resume",
                                             "--device", "cpu",          "--trace", "resumed.json"};
    for (const bool flagged : {false, true}) {
      CAPTURE(variant, flagged);
      std::filesystem::remove_all(folder / "run");
      test::Program program(folder.path(), variant_call(variant, {"--steps", "2000", "--checkpoint", "run",
                                                                  "--checkpoint-every", "25"}));
      REQUIRE(program.wait_until([&] { return exists(folder / "run/checkpoint.safetensors"); }));
      program.send(SIGKILL);
      program.wait();  // killed, or faster than the kill: then resume only samples again
      std::vector<std::string> call = resume;
      if (flagged) call.push_back("--" + variant);
      const test::Outcome outcome = test::run_program(folder.path(), call);
      INFO(outcome.err);
      REQUIRE(outcome.code == 0);
      CHECK_THAT(outcome.out, Contains("launches  "));
      CHECK(trace_of(folder / "resumed.json") == whole);
      const Json config = Json::parse(test::text_of(folder / "resumed.json")).at("config");
      CHECK(config.at("variant").get<std::string>() == variant);
    }
    std::vector<std::string> other = resume;
    other.push_back(variant == "one-launch" ? "--fused-step" : "--one-launch");
    const test::Outcome outcome = test::run_program(folder.path(), other);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains("--resume: " + other.back()) && Contains("made with --" + variant) &&
                                Contains("leave it out"));
  }
}

TEST_CASE("a checkpoint from before variants were kept continues as its flag says, or as the stage itself") {
  const TemporaryFolder folder;
  const auto file = folder / "run/checkpoint.safetensors";
  REQUIRE(
      test::run_program(folder.path(), variant_call("fused-step", {"--steps", "20", "--checkpoint", "run"}))
          .code == 0);
  std::string bytes = without_checksum(test::text_of(file));
  const std::size_t at = bytes.find(R"(\"variant\")");
  REQUIRE(at != std::string::npos);
  bytes.replace(at, 9, R"(\"unknown)");  // the older program's files have no such member
  const std::vector<std::string> resume = {"train", "--checkpoint", "run", "--resume", "--device", "cpu"};
  std::vector<std::string> flagged = resume;
  flagged.emplace_back("--fused-step");
  test::write_text(file, bytes);
  CHECK_THAT(test::run_program(folder.path(), flagged).out, Contains("launches  two a step"));
  test::write_text(file, bytes);
  const test::Outcome plain = test::run_program(folder.path(), resume);
  CHECK(plain.code == 0);
  CHECK_THAT(plain.out, !Contains("launches"));
}

TEST_CASE("Ctrl-C without --checkpoint saves to a folder of its own") {
  const TemporaryFolder folder;
  for (const char* name : {"ladder-interrupted", "ladder-interrupted-2"}) {
    test::Program program(folder.path(), {"train", "--stage", "1", "--steps", "100000000", "--json-lines",
                                          std::string(name) + ".lines"});
    REQUIRE(program.wait_until(
        [&] { return Contains("\"step\"").match(test::text_of(folder / (std::string(name) + ".lines"))); }));
    program.send(SIGINT);
    const test::Outcome outcome = program.wait();
    CHECK(outcome.signal == SIGINT);
    CHECK_THAT(outcome.out, Contains(std::string("--checkpoint ") + name + " --resume"));
    CHECK(exists(folder / name / "checkpoint.safetensors"));
  }
}

TEST_CASE("a finished run resumes to its own samples") {
  for (const char* steps : {"50", "0"}) {  // 0: as after a Ctrl-C that came before the first step
    const TemporaryFolder folder;
    const Case c = {"1", "fp64", steps};
    REQUIRE(test::run_program(folder.path(), train_call(c, {"--checkpoint", "run", "--trace", "whole.json"}))
                .code == 0);
    CHECK(resumed(folder, "run") == trace_of(folder / "whole.json"));
  }
}

TEST_CASE("a folder that holds a checkpoint is not overwritten by a new run") {
  const TemporaryFolder folder;
  const std::vector<std::string> call = train_call({"1", "fp64", "20"}, {"--checkpoint", "run"});
  REQUIRE(test::run_program(folder.path(), call).code == 0);
  const std::string saved = test::text_of(folder / "run/checkpoint.safetensors");
  const test::Outcome outcome = test::run_program(folder.path(), call);
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains("--resume") && Contains("run"));
  CHECK(test::text_of(folder / "run/checkpoint.safetensors") == saved);
}

TEST_CASE("a resumed run refuses settings that are not its own") {
  const TemporaryFolder folder;
  test::write_text(folder / "other", "ann\nbob\n");
  REQUIRE(test::run_program(folder.path(), train_call({"1", "fp64", "20"}, {"--checkpoint", "run"})).code ==
          0);
  const std::string saved = test::text_of(folder / "run/checkpoint.safetensors");
  struct Other {
    std::vector<std::string> flags;
    const char* named;
  };
  for (const Other& other : std::vector<Other>{{{"--n-embd", "32"}, "--n-embd 32"},
                                               {{"--steps", "40"}, "steps 40"},
                                               {{"--seed", "1"}, "seed 1"},
                                               {{"--lr", "0.5"}, "--lr 0.5"},
                                               {{"--clip", "2.5"}, "clip 2.5"},
                                               {{"--stage", "0"}, "stage 0"},
                                               {{"--dtype", "fp32"}, "--dtype fp32 was"},
                                               {{"--preset", "small"}, "preset"},
                                               {{"--data", "other"}, "other data"},
                                               {{"--fused-step"}, "without it"},
                                               {{"--init-weights", "run"}, "--init-weights"}}) {
    std::vector<std::string> call = {"train", "--checkpoint", "run", "--resume"};
    call.insert(call.end(), other.flags.begin(), other.flags.end());
    const test::Outcome outcome = test::run_program(folder.path(), call);
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains(other.named));
  }
  CHECK(test::text_of(folder / "run/checkpoint.safetensors") == saved);
  CHECK(
      test::run_program(folder.path(), {"train", "--checkpoint", "run", "--resume", "--steps", "20"}).code ==
      0);
}

TEST_CASE("a finished run's checkpoint from before a setting is read, and answers as it did") {
  const TemporaryFolder folder;
  const Case c = {"1", "fp64", "20"};
  const Json expected = uninterrupted(folder, c);
  REQUIRE(test::run_program(folder.path(), train_call(c, {"--checkpoint", "run"})).code == 0);
  const std::string saved = without_checksum(test::text_of(folder / "run/checkpoint.safetensors"));
  const std::string member = "\\\"clip\\\":0.0,";  // a text within the JSON of the header
  const std::size_t at = saved.find(member);
  REQUIRE(at != std::string::npos);
  std::string older = saved;
  older.erase(at, member.size());
  const std::size_t blanks = older.find_first_of('}', at);
  REQUIRE(blanks != std::string::npos);
  older.insert(blanks + 1, std::string(member.size(), ' '));  // the header keeps its length
  test::write_text(folder / "run/checkpoint.safetensors", older);
  CHECK(resumed(folder, "run") == expected);
}

TEST_CASE("a published size of GPT-2 trains on the program's own source, and its checkpoint keeps that") {
  const TemporaryFolder folder;
  std::istringstream words(
      "train --preset shakespeare_char --n-layer 1 --n-embd 8 --n-head 2 --block-size 16 --batch-size 2 "
      "--steps 2 --dropout 0 --checkpoint run --json run.json");
  const std::vector<std::string> call(std::istream_iterator<std::string>(words), {});
  const char* title = "data      this program's own source text: a stream of ";
  const test::Outcome first = test::run_program(folder.path(), call);
  INFO(first.err);
  REQUIRE(first.code == 0);
  CHECK_THAT(first.out, Contains(title) && Contains("held out"));
  CHECK(Json::parse(test::text_of(folder / "run.json")).at("config").at("data") ==
        "this program's own source text");
  const std::vector<std::string> resume = {"train", "--checkpoint", "run", "--resume"};
  const test::Outcome again = test::run_program(folder.path(), resume);
  CHECK(again.code == 0);
  CHECK_THAT(again.out, Contains(title) && Contains("resumes   after step 2"));

  std::string bytes = without_checksum(test::text_of(folder / "run/checkpoint.safetensors"));
  const std::size_t at = bytes.find(R"(\"embedded_text\")");
  REQUIRE(at != std::string::npos);
  bytes.replace(at, 17, R"(\"not_yet_known\")");  // a file of an earlier program, which had only the names
  test::write_text(folder / "run/checkpoint.safetensors", bytes);
  const test::Outcome earlier = test::run_program(folder.path(), resume);
  CHECK(earlier.code == 2);
  CHECK_THAT(earlier.err, Contains("other data than are now in the embedded names"));
}

TEST_CASE("a damaged checkpoint is refused and kept") {
  const TemporaryFolder folder;
  REQUIRE(test::run_program(folder.path(), train_call({"1", "fp64", "20"}, {"--checkpoint", "run"})).code ==
          0);
  const std::string good = test::text_of(folder / "run/checkpoint.safetensors");
  test::write_text(folder / "run/checkpoint.safetensors", good.substr(0, good.size() - 100));
  const test::Outcome outcome =
      test::run_program(folder.path(), {"train", "--checkpoint", "run", "--resume"});
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Contains("checkpoint.safetensors") && Contains("truncated"));
  CHECK(test::text_of(folder / "run/checkpoint.safetensors").size() == good.size() - 100);
}

TEST_CASE("a folder that a run works in is refused to a second one, which names the first") {
  const TemporaryFolder folder;
  test::Program first(folder.path(), train_call({"1", "fp32", "10000000"}, {"--checkpoint", "run"}));
  REQUIRE(first.wait_until([&] { return Contains("step ").match(first.out_so_far()); }));
  for (const std::vector<std::string>& call :
       {train_call(kCases[1], {"--checkpoint", "run"}),
        std::vector<std::string>{"train", "--checkpoint", "run", "--resume"}}) {
    const test::Outcome second = test::run_program(folder.path(), call);
    CHECK(second.code == 2);
    CHECK_THAT(second.err,
               Contains("another run works in this folder: process " + std::to_string(first.id())));
  }
  first.send(SIGKILL);
  first.wait();
  test::write_text(folder / "run/.ladder-00000001", "half a checkpoint");  // as a kill may leave it
  CHECK(test::run_program(folder.path(), {"train", "--stage", "1", "--steps", "2", "--checkpoint", "run"})
            .code == 0);
  CHECK_FALSE(exists(folder / "run/.ladder-00000001"));
}
