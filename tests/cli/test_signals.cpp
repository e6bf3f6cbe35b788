// Signals: SIGINT, SIGTERM and SIGHUP save what can be saved, say what is not, and leave nothing behind.
#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "shared/base/json.hpp"
#include "shared/base/process.hpp"
#include "tests/support/refused.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
using test::entries;

namespace {

constexpr auto kMoment = std::chrono::milliseconds(100);

const std::vector<int> kSignals = {SIGINT, SIGTERM, SIGHUP};

/// A run that ends by a signal only, beyond its first step when `lines` says so.
std::vector<std::string> endless(const std::filesystem::path& lines, std::vector<std::string> more = {}) {
  std::vector<std::string> call = {"train",      "--stage",      "1",           "--threads", "1", "--steps",
                                   "1000000000", "--json-lines", lines.string()};
  call.insert(call.end(), more.begin(), more.end());
  return call;
}

bool has_stepped(const std::filesystem::path& lines) {
  return test::text_of(lines).find("\"step\"") != std::string::npos;
}

/// Files for the run's lines lie beside the folder that it works in.
struct Folders {
  TemporaryFolder work, beside;
  std::filesystem::path lines = beside / "lines";
};

std::vector<std::string> words(const std::string& line) {
  std::vector<std::string> result;
  std::string word;
  for (const char c : line + " ")
    if (c == ' ') {
      if (!word.empty()) result.push_back(std::exchange(word, ""));
    } else {
      word += c;
    }
  return result;
}

Json losses_of(const std::filesystem::path& trace) {
  const Json json = Json::parse(test::text_of(trace));
  return {{"loss", json.at("loss")}, {"samples", json.at("samples")}};
}

}  // namespace

TEST_CASE("every signal saves where a checkpoint was asked for, and says how to resume") {
  for (const int signal : kSignals) {
    const Folders folders;
    test::Program program(folders.work.path(), endless(folders.lines, {"--checkpoint", "run"}));
    REQUIRE(program.wait_until([&] { return has_stepped(folders.lines); }));
    program.send(signal);
    const test::Outcome outcome = program.wait();
    CHECK(outcome.signal == signal);
    CHECK_THAT(outcome.out, Contains("stopped after step") &&
                                Contains("continue with: ladder train --checkpoint run --resume\n"));
    CHECK(outcome.err.empty());
    CHECK(entries(folders.work.path()) == 2);  // the folder and the checkpoint
  }
}

TEST_CASE("without a checkpoint Ctrl-C saves all the same, and other signals say that nothing is kept") {
  for (const int signal : kSignals) {
    const Folders folders;
    test::Program program(folders.work.path(), endless(folders.lines));
    REQUIRE(program.wait_until([&] { return has_stepped(folders.lines); }));
    program.send(signal);
    const test::Outcome outcome = program.wait();
    CHECK(outcome.signal == signal);
    CHECK(exists(folders.work / "ladder-interrupted/checkpoint.safetensors") == (signal == SIGINT));
    if (signal == SIGINT) continue;
    CHECK_THAT(outcome.err, Contains("stopped after step") && Contains("nothing is kept"));
    CHECK(entries(folders.work.path()) == 0);
  }
}

TEST_CASE("Ctrl-C in a folder that cannot be written to says that nothing is kept") {
  const Folders folders;
  test::Program program("/proc", endless(folders.lines));  // to the superuser, too
  REQUIRE(program.wait_until([&] { return has_stepped(folders.lines); }));
  program.send(SIGINT);
  const test::Outcome outcome = program.wait();
  CHECK(outcome.signal == SIGINT);
  CHECK_THAT(outcome.err, Contains("nothing is kept (ladder-interrupted: "));
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
}

TEST_CASE("a checkpoint that can no longer be saved is said, with the one that is there") {
  const Folders folders;
  test::Program program(folders.work.path(),
                        endless(folders.lines, {"--checkpoint", "run", "--checkpoint-every", "10"}));
  REQUIRE(program.wait_until([&] { return exists(folders.work / "run/checkpoint.safetensors"); }));
  std::filesystem::rename(folders.work / "run", folders.work / "elsewhere");
  test::write_text(folders.work / "run", "a file in the folder's place");
  program.send(SIGTERM);
  const test::Outcome outcome = program.wait();
  CHECK(outcome.signal == SIGTERM);
  CHECK_THAT(outcome.err, Contains("nothing is kept (run: is not a folder"));
}

TEST_CASE("a signal is heard within a step of a million micro-batches, on every native stage") {
  for (const char* stage : {"0", "1"}) {
    const TemporaryFolder folder;
    test::Program program(folder.path(), {"train", "--stage", stage, "--grad-accum", "1000000", "--steps",
                                          "3", "--threads", "1", "--checkpoint", "run"});
    REQUIRE(program.wait_until([&] { return program.out_so_far().find("memory") != std::string::npos; }));
    std::this_thread::sleep_for(3 * kMoment);
    program.send(SIGTERM);
    const test::Outcome outcome = program.wait();
    CHECK(outcome.signal == SIGTERM);
    CHECK_THAT(outcome.out, Contains("stopped after step 0 by SIGTERM, saved to run/"));
  }
}

TEST_CASE("a run that was stopped within a step resumes to the bits of the one that was not") {
  for (const char* stage : {"0", "1"}) {
    const TemporaryFolder folder;
    const std::vector<std::string> call =
        words("train --stage " + std::string(stage) + " --dtype fp64 --steps 4 --grad-accum " +
              (stage[0] == '0' ? "1000" : "8000") + " --threads 1");
    std::vector<std::string> whole = call, cut = call;
    whole.insert(whole.end(), {"--trace", "whole.json"});
    cut.insert(cut.end(), {"--checkpoint", "run"});
    REQUIRE(test::run_program(folder.path(), whole).code == 0);
    test::Program program(folder.path(), cut);
    REQUIRE(program.wait_until([&] { return program.out_so_far().find("step 1/4") != std::string::npos; }));
    std::this_thread::sleep_for(kMoment / 5);
    program.send(SIGTERM);
    program.wait();  // by the signal, or faster than it
    REQUIRE(test::run_program(folder.path(),
                              words("train --checkpoint run --resume --threads 1 --trace resumed.json"))
                .code == 0);
    CHECK(losses_of(folder / "resumed.json") == losses_of(folder / "whole.json"));
  }
}

TEST_CASE("a signal is heard while a run draws its texts: the trained run is kept") {
  for (const int signal : {SIGINT, SIGTERM}) {
    const TemporaryFolder folder;
    test::Program program(folder.path(), words("train --stage 0 --steps 5 --samples 100000 --checkpoint run "
                                               "--save-weights w.st --json j.json"));
    REQUIRE(program.wait_until([&] { return exists(folder / "w.st"); }));
    std::this_thread::sleep_for(kMoment);
    program.send(signal);
    const test::Outcome outcome = program.wait();
    CHECK(outcome.signal == signal);
    CHECK_THAT(outcome.out, Contains("stopped after step 5") && Contains("--checkpoint run --resume"));
    CHECK(exists(folder / "run/checkpoint.safetensors"));
  }
  const TemporaryFolder folder;
  test::Program program(folder.path(),
                        words("train --stage 0 --steps 5 --samples 100000 --save-weights w.st"));
  REQUIRE(program.wait_until([&] { return exists(folder / "w.st"); }));
  std::this_thread::sleep_for(kMoment);
  program.send(SIGHUP);
  CHECK_THAT(program.wait().err, Contains("only w.st is kept"));
}

TEST_CASE("a signal is heard while data are read: nothing is made") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; text.size() < 30'000'000; ++i) text += "line " + std::to_string(i) + "\n";
  test::write_text(folder / "text", text);
  for (const std::string call : {"train --data text --checkpoint run", "prepare text --out new",
                                 "climb --data text", "parity --data text --json j.json"}) {
    test::Program program(folder.path(), words(call));
    std::this_thread::sleep_for(kMoment);
    program.send(SIGTERM);
    const test::Outcome outcome = program.wait();
    INFO(call << ": " << outcome.out << outcome.err);
    CHECK(outcome.signal == SIGTERM);
    CHECK_THAT(outcome.err, Contains("ended by SIGTERM: nothing of this call is kept\n"));
    CHECK(entries(folder.path()) == 1);
  }
}

TEST_CASE("a second signal ends a run at once, in the middle of a launch of many steps") {
  bool seen = false;  // not where a launch happened to end between the two
  for (int attempt = 0; attempt < 10 && !seen; ++attempt) {
    const TemporaryFolder folder;
    test::Program program(
        folder.path(), words("train --stage 3 --variant one-launch --device cpu --steps 1000000 --threads 1 "
                             "--checkpoint run --checkpoint-every 1000000"));
    REQUIRE(program.wait_until([&] { return program.out_so_far().find("launches") != std::string::npos; }));
    std::this_thread::sleep_for(3 * kMoment);
    program.send(SIGTERM);
    std::this_thread::sleep_for(kMoment / 10);
    program.send(SIGINT);
    const test::Outcome outcome = program.wait();
    if (outcome.signal == SIGTERM) continue;
    seen = true;
    CHECK(outcome.signal == SIGINT);
    CHECK_THAT(outcome.err, Contains("the second signal"));
    CHECK_FALSE(exists(folder / "run"));  // which was empty
  }
  CHECK(seen);
}

TEST_CASE("a signal that was ignored when the program began stays ignored") {
  for (const int signal : kSignals) {
    const Folders folders;
    std::vector<std::string> call = endless(folders.lines);
    call[6] = "20000";
    test::Program program(folders.work.path(), call, [signal] { ::signal(signal, SIG_IGN); });
    REQUIRE(program.wait_until([&] { return has_stepped(folders.lines); }));
    program.send(signal);
    CHECK(program.wait().code == 0);
  }
}

TEST_CASE("a signal ends any subcommand, and its temporary folder and programs with it") {
  for (const std::string call :
       {"parity --interpreter-steps 1000", "climb --interpreter-steps 1000 --steps 1000",
        "speedup --rounds 1000", "crossover --sizes micro --rounds 1000", "checklist --steps 100000",
        "profile --steps 1000000", "sample --weights run --max-tokens 2000000000"}) {
    const TemporaryFolder folder, temporary;
    REQUIRE(test::run_program(folder.path(), words("train --preset tiny --steps 2 --checkpoint run")).code ==
            0);
    const std::size_t before = entries(folder.path());
    test::Program program(folder.path(), words(call),
                          [&] { ::setenv("TMPDIR", temporary.path().c_str(), 1); });
    // Until there is something to leave behind, where the call is one that makes it.
    const bool folders = call.starts_with("parity") && output_of({"python3", "-c", "print(1)"}) == "1";
    if (folders) REQUIRE(program.wait_until([&] { return entries(temporary.path()) > 1; }));
    std::this_thread::sleep_for(3 * kMoment);
    program.send(SIGTERM);
    const test::Outcome outcome = program.wait();
    INFO(call << ": " << outcome.err);
    CHECK(outcome.signal == SIGTERM);
    CHECK_THAT(outcome.err, Contains("ended by SIGTERM: nothing of this call is kept\n"));
    CHECK(entries(temporary.path()) == 0);
    CHECK(entries(folder.path()) == before);
  }
}

TEST_CASE("the resume command that is printed is quoted for a shell") {
  for (const std::string name : {"a b", "it's", "$HOME", "-rf", "a;exit"}) {
    const Folders folders;
    test::Program program(folders.work.path(), endless(folders.lines, {"--checkpoint=" + name}));
    REQUIRE(program.wait_until([&] { return has_stepped(folders.lines); }));
    program.send(SIGINT);
    const std::string out = program.wait().out, begin = "continue with: ladder ";
    const std::size_t at = out.find(begin);
    REQUIRE(at != std::string::npos);
    const std::string arguments = out.substr(at + begin.size(), out.find('\n', at) - at - begin.size());
    const std::string read_back = output_of({"sh", "-c", "printf '%s|' " + arguments});
    CHECK(read_back == "train|--checkpoint|" + (name[0] == '-' ? "./" + name : name) + "|--resume|");
  }
}

namespace {

/// A pipe that is full, or empty, which the process holds open at both ends and nobody reads.
int unread_pipe(bool full) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) ::_exit(126);
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  const std::string block(4096, ' ');
  while (full && ::write(ends[1], block.data(), block.size()) > 0) continue;
  ::fcntl(ends[1], F_SETFL, 0);
  ::alarm(30);  // ends a program that goes on
  return ends[1];
}

}  // namespace

TEST_CASE("a signal ends a program whose standard output nobody reads on") {
  const TemporaryFolder folder;
  test::Program program(folder.path(),
                        words("train --stage 1 --threads 1 --steps 3 --samples 9000 --save-weights w.st"),
                        [] { ::dup2(unread_pipe(/*full=*/false), STDOUT_FILENO); });
  REQUIRE(program.wait_until([&] { return exists(folder / "w.st"); }));
  std::this_thread::sleep_for(10 * kMoment);  // it has drawn all its texts, and prints more than a pipe holds
  program.send(SIGTERM);
  const test::Outcome outcome = program.wait();
  CHECK(outcome.signal == SIGTERM);
  CHECK_THAT(outcome.err, Contains("not read to its end") || Contains("only w.st is kept"));
}

TEST_CASE("a reader that reads no more does not keep a run from being saved") {
  for (const bool whole : {false, true}) {  // the run is over, and its summary is what nobody reads
    const TemporaryFolder folder;
    std::vector<std::string> call = words("train --checkpoint run --threads 1 --checkpoint-every 1000000");
    for (const char* word :
         {"--steps", whole ? "5" : "1000000", whole ? "--json" : "--json-lines", "/dev/fd/0"})
      call.emplace_back(word);
    test::Program program(folder.path(), call, [] { ::dup2(unread_pipe(/*full=*/true), STDIN_FILENO); });
    const char* last = whole ? "sample  5" : "memory";
    REQUIRE(program.wait_until([&] { return program.out_so_far().find(last) != std::string::npos; }));
    std::this_thread::sleep_for(3 * kMoment);
    program.send(SIGTERM);
    const test::Outcome outcome = program.wait();
    INFO(outcome.out << outcome.err);
    CHECK(outcome.signal == SIGTERM);
    CHECK_THAT(outcome.out, Contains("saved to run/checkpoint.safetensors"));
    CHECK(exists(folder / "run/checkpoint.safetensors"));
  }
}

TEST_CASE("what a run that was stopped has kept is told by what is there") {
  const Folders folders;
  // Weights that could not be written are not kept, although they were asked for.
  test::Program program(folders.work.path(),
                        words("train --stage 0 --steps 5 --samples 100000 --json-lines " +
                              folders.lines.string() + " --save-weights /dev/full"));
  REQUIRE(program.wait_until(
      [&] { return test::text_of(folders.lines).find("\"step\":5") != std::string::npos; }));
  std::this_thread::sleep_for(3 * kMoment);
  program.send(SIGTERM);
  CHECK_THAT(program.wait().err, Contains("stopped after step 5") && Contains("nothing is kept"));
}
