// A companion answers line by line; whatever becomes of it ends in an error that says why, and never in ours.
#include "shared/base/process.hpp"

#include <signal.h>
#include <catch2/catch.hpp>

#include <chrono>

#include <cerrno>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"

using namespace ladder;

namespace {

/// A companion that runs a script of sh, and its log.
struct Shell {
  TemporaryFolder folder;
  Companion companion;
  explicit Shell(const std::string& script) : companion({"sh", "-c", script}, folder / "log") {}
};

}  // namespace

TEST_CASE("a companion answers each line with one") {
  Shell shell("echo ready; while read -r line; do echo \"got $line\"; done");
  CHECK(shell.companion.read() == "ready");
  CHECK(shell.companion.ask("one") == "got one");
  CHECK(shell.companion.ask("two words") == "got two words");
  CHECK(shell.companion.ask("") == "got ");
}

TEST_CASE("lines that a companion prints at once are read one by one, an empty one too") {
  Shell shell("printf 'one\\n\\nthree\\n'");
  CHECK(shell.companion.read() == "one");
  CHECK(shell.companion.read().empty());
  CHECK(shell.companion.read() == "three");
  CHECK_THROWS_AS(shell.companion.read(), MachineError);
}

TEST_CASE("a line may be longer than what is read at once") {
  const std::string line = std::string(5000, 'a') + std::string(45000, 'b');
  Shell shell("while read -r line; do echo \"$line$line\"; done");
  CHECK(shell.companion.ask(line) == line + line);
  CHECK(shell.companion.ask("next") == "nextnext");
}

TEST_CASE("a companion is given its arguments as they are") {
  const TemporaryFolder folder;
  Companion companion({"printf", "%s|", "a b", "", "$c", "\n"}, folder / "log");
  CHECK(companion.read() == "a b||$c|");
}

TEST_CASE("a program that is not there is named") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(Companion({"no-such-program-of-the-ladder"}, folder / "log"),
                    "no-such-program-of-the-ladder: No such file or directory");
  CHECK_THROWS_AS(Companion({"no-such-program-of-the-ladder"}, folder / "log"), MachineError);
}

TEST_CASE("a companion that ended is quoted with the last line of its stderr") {
  Shell shell("echo first; echo warning >&2; echo >&2; echo 'no module' >&2; echo >&2; exit 3");
  CHECK(shell.companion.read() == "first");
  CHECK_THROWS_WITH(shell.companion.read(), "sh: no module");
  CHECK_THROWS_AS(shell.companion.read(), MachineError);
}

TEST_CASE("half a line is no answer") {
  Shell shell("printf half");
  CHECK_THROWS_WITH(shell.companion.read(), "sh: it ended");
}

TEST_CASE("a companion that ended without a word is not quoted with what another said before it") {
  const TemporaryFolder folder;
  write_file(folder / "log", "of another\n");
  Companion companion({"true"}, folder / "log");
  CHECK_THROWS_WITH(companion.read(), "true: it ended");
}

TEST_CASE("asking a companion that is gone is an error, not our end") {
  Shell shell("exit 0");
  CHECK_THROWS_AS(shell.companion.read(), MachineError);  // from here on it is gone
  for (int i = 0; i < 3; ++i) CHECK_THROWS_AS(shell.companion.ask("are you there?"), MachineError);
}

TEST_CASE("a companion ends with its object") {
  pid_t process = 0;
  {
    Shell shell("echo $$; exec sleep 1000");
    process = static_cast<pid_t>(std::stol(shell.companion.read()));
    CHECK(kill(process, 0) == 0);
  }
  CHECK(kill(process, 0) == -1);
  CHECK(errno == ESRCH);
}

TEST_CASE(
    "the output of a program that is given its words as they are; none where it fails or is not there") {
  for (const std::string word : {"plain", "", "two words", "it's", "$HOME `id` \"x\" \\", "a\nb"}) {
    CAPTURE(word);
    CHECK(output_of({"printf", "%s", word}) == word);
  }
  CHECK(output_of({"sh", "-c", "echo said; exit 1"}).empty());
  CHECK(output_of({"no-such-program"}).empty());
}

TEST_CASE("a program answers what it is given") {
  CHECK(answer_of({"tr", "a-z", "A-Z"}, "abc\n", 10.0) == "ABC");
  const std::string much(1 << 20, 'x');  // more than a socket holds
  CHECK(answer_of({"cat"}, much, 20.0) == much);
}

TEST_CASE("no answer: a program that is not there, that fails, that does not read, that takes too long") {
  CHECK(answer_of({"no-such-program"}, "x", 1.0).empty());
  CHECK(answer_of({"sh", "-c", "cat; exit 3"}, "x", 10.0).empty());
  CHECK(answer_of({"true"}, std::string(1 << 20, 'x'), 10.0).empty());
  const auto begin = std::chrono::steady_clock::now();
  CHECK(answer_of({"sleep", "60"}, "x", 0.2).empty());
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(30));
}
