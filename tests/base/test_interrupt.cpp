// What a signal leaves behind: nothing. Each case in a process of its own, which the signal ends.
#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>

#include "shared/base/escape.hpp"
#include "shared/base/files.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/process.hpp"
#include "shared/base/temporary_folder.hpp"

using namespace ladder;
namespace fs = std::filesystem;

namespace {

/// How a process ended that heard signals and then called body().
int status_of(const std::function<void()>& body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);  // not as nohup set them
    hear_signals();
    try {
      body();
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

void touch(const fs::path& path) { std::ofstream(path) << "x"; }

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::recursive_directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("a signal ends the program as that signal, and no unfinished file is left") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const TemporaryFolder folder;
    touch(folder / "of somebody else");
    const int status = status_of([&] {
      AtomicFile file(folder / "new"), other(folder / "of somebody else");
      file.write("half");
      other.write("half");
      ::raise(signal);
    });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == signal);
    CHECK(entries(folder.path()) == 1);
    CHECK(read_file(folder / "of somebody else") == "x");
  }
}

TEST_CASE("a file that is complete, and one that was given up, are not touched by a later signal") {
  const TemporaryFolder folder;
  const int status = status_of([&] {
    write_file(folder / "done", "all");
    { const AtomicFile given_up(folder / "never"); }
    ::raise(SIGTERM);
  });
  CHECK(WIFSIGNALED(status));
  CHECK(entries(folder.path()) == 1);
  CHECK(read_file(folder / "done") == "all");
}

TEST_CASE(
    "a signal removes a temporary folder with all that it holds, and of other folders those that are empty") {
  const TemporaryFolder folder;
  touch(folder / "target");
  const int status = status_of([&] {
    ::setenv("TMPDIR", folder.path().c_str(), 1);
    const TemporaryFolder inner;
    fs::create_directories(inner / "a" / "b" / "c");
    for (int i = 0; i < 300; ++i)
      touch(inner / ("a/b/" + std::to_string(i)));  // more than one read of a folder
    fs::create_symlink(folder / "target", inner / "link");
    fs::create_directory_symlink(folder.path(), inner / "a" / "up");
    fs::create_directory(folder / "empty");
    fs::create_directory(folder / "full");
    touch(folder / "full" / "work");
    const GoneOnSignal empty(folder / "empty", GoneOnSignal::Kind::empty_folder);
    const GoneOnSignal full(folder / "full", GoneOnSignal::Kind::empty_folder);
    ::raise(SIGTERM);
  });
  CHECK(WIFSIGNALED(status));
  CHECK(entries(folder.path()) == 3);
  CHECK(fs::exists(folder / "target"));
  CHECK(fs::exists(folder / "full" / "work"));
}

TEST_CASE("a process that was forked does not clear what is its parent's") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "new");
  file.write("all");
  CHECK(WIFSIGNALED(status_of([] { ::raise(SIGTERM); })));
  file.commit();
  CHECK(read_file(folder / "new") == "all");
}

TEST_CASE("a signal ends the programs that were started") {
  const TemporaryFolder folder;
  const fs::path alive = folder / "alive", script = folder / "script";
  write_file(script, "while [ -e " + shell_path(alive) + " ]; do sleep 0.05; done; touch " +
                         shell_path(folder / "ended by itself") + "\n");
  touch(alive);
  const int status = status_of([&] {
    Companion program({"sh", script.string()}, folder / "log");
    ::raise(SIGTERM);
  });
  CHECK(WIFSIGNALED(status));
  fs::remove(alive);  // what still runs shows itself now
  ::usleep(300000);
  CHECK_FALSE(fs::exists(folder / "ended by itself"));
}

TEST_CASE("with a guard the first signal is only remembered, and the second ends the program") {
  const int first = status_of([] {
    const InterruptGuard guard;
    if (interrupting_signal() != 0) ::_exit(1);
    stop_if_interrupted();
    ::raise(SIGHUP);
    if (interrupting_signal() != SIGHUP) ::_exit(2);
    try {
      stop_if_interrupted();
    } catch (const Interrupted&) {
      ::_exit(3);
    }
  });
  REQUIRE(WIFEXITED(first));
  CHECK(WEXITSTATUS(first) == 3);
  const int second = status_of([] {
    const InterruptGuard guard;
    ::raise(SIGHUP);
    ::raise(SIGTERM);
  });
  REQUIRE(WIFSIGNALED(second));
  CHECK(WTERMSIG(second) == SIGTERM);
}

TEST_CASE("behind a guard a signal ends the program again") {
  const int status = status_of([] {
    { const InterruptGuard guard; }
    ::raise(SIGINT);
  });
  CHECK(WIFSIGNALED(status));
}

TEST_CASE("a signal that the program was started to ignore stays ignored") {
  const int status = status_of([] {
    ::signal(SIGHUP, SIG_IGN);
    hear_signals();
    ::raise(SIGHUP);
    ::_exit(interrupting_signal() == 0 ? 5 : 6);
  });
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 5);
}

TEST_CASE("there is room again for what a signal is to remove, however often it was used") {
  const TemporaryFolder folder;
  const int status = status_of([&] {
    for (int i = 0; i < 200; ++i) write_file(folder / "done", "all");
    AtomicFile last(folder / "last");
    ::raise(SIGTERM);
  });
  CHECK(WIFSIGNALED(status));
  CHECK(entries(folder.path()) == 1);
}
