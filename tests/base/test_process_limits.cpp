// What one process may have: its limits of memory and of open files are counted before anything is taken; and a reader
// that reads no more does not hold it up for ever.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/base/interrupt.hpp"
#include "shared/base/process_limits.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/base/write_to_reader.hpp"
#include "tests/support/child.hpp"

using namespace ladder;

namespace {

constexpr std::size_t kGiB = std::size_t{1} << 30;

void limit(decltype(RLIMIT_AS) which, std::size_t most) {
  rlimit both{};
  getrlimit(which, &both);
  both.rlim_cur = most;
  if (setrlimit(which, &both) != 0) ::_exit(98);
}

}  // namespace

TEST_CASE("without limits a process may take what the machine has") {
  CHECK(test::code_of_child([] {
          const auto all = static_cast<std::size_t>(RLIM_INFINITY);
          limit(RLIMIT_AS, all);
          limit(RLIMIT_DATA, all);
          return within_memory_limits(0) == 0 && within_memory_limits(kGiB) == kGiB ? 0 : 1;
        }) == 0);
}

// A sanitizer reserves far more addresses than any limit leaves.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a limit of addresses or of data is counted, less what is taken already") {
  for (const auto which : {RLIMIT_AS, RLIMIT_DATA})
    CHECK(test::code_of_child([which] {
            limit(which, 2 * kGiB);
            const std::size_t left = within_memory_limits(64 * kGiB);
            if (left >= 2 * kGiB || left < kGiB) return 1;
            if (within_memory_limits(0) != left || within_memory_limits(kGiB / 2) != kGiB / 2) return 2;
            limit(which, 4096);
            return within_memory_limits(kGiB) == 1 ? 0 : 3;
          }) == 0);
}
#endif

TEST_CASE("a process that may open only a handful of files is told so, and one that may open more is not") {
  const auto refused = [](std::size_t most) {
    return test::code_of_child([most] {
      limit(RLIMIT_NOFILE, most);
      try {
        require_descriptors();
        return 0;
      } catch (const MachineError& error) {
        return std::string(error.what()).find("ulimit -n") != std::string::npos ? 3 : 1;
      }
    });
  };
  CHECK(refused(4) == 3);
  CHECK(refused(8) == 3);
  CHECK(refused(256) == 0);
}

TEST_CASE("a stack that is too short for the kernels' models is refused") {
  for (const auto& [most, code] : {std::pair(std::size_t{1} << 20, 3), std::pair(std::size_t{8} << 20, 0)})
    CHECK(test::code_of_child([most = most] {
            limit(RLIMIT_STACK, most);
            try {
              require_stack();
              return 0;
            } catch (const MachineError& error) {
              return std::string(error.what()).find("1024 KiB, and 2048") != std::string::npos ? 3 : 1;
            }
          }) == code);
}

TEST_CASE("an empty TMPDIR is one that is not set") {
  CHECK(test::code_of_child([] {
          ::setenv("TMPDIR", "", 1);
          ::unsetenv("TMP");
          ::unsetenv("TEMP");
          ::unsetenv("TEMPDIR");
          const TemporaryFolder folder;
          return folder.path().parent_path() == "/tmp" ? 0 : 1;
        }) == 0);
}

TEST_CASE("a reader that takes nothing more holds a write up until a signal comes, and no longer") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  CHECK(test::code_of_child([&] {
          hear_signals();
          const InterruptGuard guard;
          const pid_t self = ::getpid();
          if (::fork() == 0) {
            ::usleep(200'000);
            ::kill(self, SIGTERM);
            ::_exit(0);
          }
          ::alarm(20);  // a write that blocks ends this process by another signal
          return write_to_reader(ends[1], std::string(1 << 20, 'x')) == EINTR ? 0 : 1;
        }) == 0);
  ::close(ends[0]);
  ::close(ends[1]);
}
