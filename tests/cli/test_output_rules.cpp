// The two places that all printing and all outputs go through, alone.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <functional>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/cli/outputs.hpp"
#include "shared/cli/standard_streams.hpp"
#include "tests/support/child.hpp"

using namespace ladder;
using namespace ladder::cli;
using Catch::Matchers::Contains;

namespace {

/// The exit code of a process whose standard output is set(), which then calls body().
int code_of(const std::function<void()>& set, const std::function<int()>& body) {
  return test::code_of_child([&] {
    set();
    hear_signals();
    take_standard_streams();
    return body();
  });
}

/// Prints more than any buffer holds: 0 where nothing was wrong, 1 where it was told, 2 where it failed quietly.
int print_much() {
  for (int i = 0; i < 100000; ++i) fmt::print("{} ", i);
  fmt::print("and the end\n");
  if (!stdout_problem().empty()) return 1;
  return stdout_failed() ? 2 : 0;
}

template <class Error>
std::string told(const Outputs& outputs, const std::string& check = {}) {
  try {
    outputs.finish(check);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("printing never throws; what was wrong is told at the end") {
  const TemporaryFolder folder;
  const auto to_file = [&] {
    ::dup2(::open((folder / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
  };
  CHECK(code_of(to_file, print_much) == 0);
  CHECK_THAT(read_file(folder / "out"),
             Catch::Matchers::StartsWith("0 1 2 ") && Catch::Matchers::EndsWith("and the end\n"));
  CHECK(code_of([] { ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO); }, print_much) == 1);
  CHECK(code_of([] { ::close(STDOUT_FILENO); }, print_much) == 1);
  const auto unread = [] {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) ::_exit(98);
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
  };
  CHECK(code_of(unread, print_much) == 2);
  CHECK(code_of([] { ::dup2(::open("/dev/full", O_WRONLY), STDERR_FILENO); },
                [] {
                  fmt::print(stderr, "a notice\n");
                  return 7;
                }) == 7);
}

TEST_CASE("a notice is one line, whatever it holds, behind what was printed before") {
  const TemporaryFolder folder;
  const auto to_file = [&folder] {
    const int file = ::open((folder / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
  };
  CHECK(code_of(to_file, [] {
          fmt::print("before\n");
          notice("a\n\x1b[2Jb");
          return 0;
        }) == 0);
  CHECK(read_file(folder / "out") == "before\nladder: notice: a\\n\\x1b[2Jb\n");
}

TEST_CASE("a reader that does not read cannot keep a run from ending that a signal has stopped") {
  const auto full_pipe = [] {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_NONBLOCK) != 0) ::_exit(98);
    while (::write(ends[1], "x", 1) > 0) continue;
    ::fcntl(ends[1], F_SETFL, 0);
    ::dup2(ends[1], STDOUT_FILENO);
  };
  CHECK(code_of(full_pipe, [] {
          const InterruptGuard guard;
          ::raise(SIGTERM);
          return print_much();
        }) == 1);
}

TEST_CASE("a file that is opened takes no standard stream's number") {
  const auto close_all = [] {
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(number);
  };
  CHECK(code_of(close_all, [] { return ::open("/dev/null", O_RDONLY) > STDERR_FILENO ? 0 : 1; }) == 0);
}

TEST_CASE("outputs that fail are all named, whatever stands before or behind them") {
  const TemporaryFolder folder;
  Outputs outputs;
  CHECK_NOTHROW(outputs.finish());
  outputs.write("", [] { return std::string("no file was asked for"); });
  outputs.write("/dev/full", [] { return std::string("text"); });
  outputs.write(folder / "one", [] { return std::string("first"); });
  outputs.try_to([] { throw InputError("the second is wrong"); });
  outputs.write(folder / "two", []() -> std::string { throw std::runtime_error("no text for the third"); });
  outputs.write(folder / "three", [] { return std::string("last"); });
  CHECK(read_file(folder / "one") == "first");
  CHECK_FALSE(exists(folder / "two"));
  CHECK(read_file(folder / "three") == "last");
  Outputs refused = outputs;
  refused.try_to([] { throw CheckError("a weight is no number"); });
  CHECK_THAT(told<CheckError>(refused), Contains("a weight is no number") && Contains("/dev/full"));
  const std::string of_machine = told<MachineError>(outputs),
                    of_check = told<CheckError>(outputs, "a check failed");
  for (const std::string& message : {of_machine, of_check})
    CHECK_THAT(message, Contains("/dev/full: writing failed") && Contains("the second is wrong") &&
                            Contains("no text for the third"));
  CHECK_THAT(of_check, Catch::Matchers::StartsWith("a check failed; "));
  CHECK(told<CheckError>(Outputs(), "a check failed") == "a check failed");
}

TEST_CASE("an output that a signal stops is no output that failed") {
  Outputs outputs;
  CHECK_THROWS_AS(outputs.try_to([] { throw Interrupted(); }), Interrupted);
  CHECK_NOTHROW(outputs.finish());
}
