// Calls to the system that fail, in this process: what the program defines here stands before the C library's.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>

#include "shared/base/error.hpp"
#include "shared/base/failed_call.hpp"
#include "shared/base/files.hpp"
#include "shared/base/mapped_file.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using namespace ladder::test;
using Catch::Matchers::Contains;

namespace {

/// The errno of each call from now on; 0: it works. `after`: this many work first.
struct Fault {
  int problem = 0, after = 0;

  bool fails() {
    if (problem == 0 || after-- > 0) return false;
    errno = problem;
    return true;
  }
};

Fault on_fsync, on_flock, on_rename, on_write;

/// For as long as this lives.
class Failing {
 public:
  Failing(Fault& call, int problem, int after = 0) : call_(call) { call_ = {problem, after}; }
  Failing(const Failing&) = delete;
  Failing& operator=(const Failing&) = delete;
  ~Failing() { call_ = {}; }

 private:
  Fault& call_;
};

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const MachineError& error) {
    return std::string("machine: ") + error.what();
  } catch (const InputError& error) {
    return std::string("input: ") + error.what();
  }
  return {};
}

std::size_t entries_in(const TemporaryFolder& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    count += entry.exists() ? 1 : 0;
  return count;
}

}  // namespace

extern "C" {
int fsync(int file) { return on_fsync.fails() ? -1 : static_cast<int>(syscall(SYS_fsync, file)); }
int flock(int file, int operation) noexcept {
  return on_flock.fails() ? -1 : static_cast<int>(syscall(SYS_flock, file, operation));
}
int rename(const char* from, const char* to) noexcept {
  return on_rename.fails() ? -1 : static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
ssize_t write(int file, const void* bytes, size_t size) {
  return on_write.fails() ? -1 : syscall(SYS_write, file, bytes, size);
}
}

TEST_CASE("a file that the disk does not take is an error, and the earlier one stays") {
  const TemporaryFolder folder;
  write_text(folder / "x", "earlier");
  for (Fault* call : {&on_fsync, &on_rename, &on_write}) {
    const Failing failing(*call, EIO);
    CHECK_THAT(error_of([&] { write_file(folder / "x", "new"); }),
               Catch::Matchers::StartsWith("machine: ") && Contains("x: ") && Contains("Input/output error"));
    CHECK(text_of(folder / "x") == "earlier");
    CHECK(entries_in(folder) == 1);
  }
}

TEST_CASE("a write that takes a part is gone on with") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "x");
  file.write("one ");
  {
    const Failing failing(on_write, ENOSPC);
    CHECK_THAT(error_of([&] { file.write("two"); }), Contains("machine: ") && Contains("No space left"));
  }
  file.write("three");
  file.commit();
  CHECK(text_of(folder / "x") == "one three");
}

TEST_CASE("what knows no flushing is written to all the same") {
  const TemporaryFolder folder;
  const Failing failing(on_fsync, EINVAL);
  CHECK_NOTHROW(write_file(folder / "x", "new"));
  CHECK(text_of(folder / "x") == "new");
}

TEST_CASE("a folder that the disk does not flush is told") {
  const TemporaryFolder folder;
  const Failing failing(on_fsync, EIO, 1);
  CHECK_THAT(error_of([&] { write_file(folder / "x", "new"); }),
             Contains("machine: ") && Contains("power cut"));
}

TEST_CASE("a lock that the machine does not give is not another run") {
  const TemporaryFolder folder;
  const auto lock = [&] { const FolderLock held(folder.path()); };
  {
    const Failing failing(on_flock, ENOLCK);
    CHECK_THAT(error_of(lock), Catch::Matchers::StartsWith("machine: ") && !Contains("another run"));
  }
  const FolderLock held(folder.path());
  CHECK_THAT(error_of(lock), Catch::Matchers::StartsWith("input: ") && Contains("another run"));
}

TEST_CASE("without a descriptor left it is the machine that cannot and not the name that is wrong") {
  const TemporaryFolder folder;
  write_text(folder / "x", "earlier");
  std::filesystem::create_directory(folder / "d");
  rlimit before = {};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const auto error_without = [&](const std::function<void()>& body) {
    const rlimit none = {0, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    std::string error = error_of(body);
    setrlimit(RLIMIT_NOFILE, &before);
    return error;
  };
  CHECK_THAT(error_without([&] { read_file(folder / "x"); }),
             Contains("machine: ") && Contains("open files"));
  CHECK_THAT(error_without([&] { write_file(folder / "x", "new"); }),
             Contains("machine: ") && !Contains("existing folder"));  // which is not what is wrong
  CHECK_THAT(error_without([&] { const MappedFile file(folder / "x"); }), Contains("machine: "));
  CHECK_THAT(error_without([&] { const FolderLock lock(folder / "d"); }), Contains("machine: "));
  CHECK(text_of(folder / "x") == "earlier");
}

TEST_CASE("whose fault a failed call is") {
  for (const int problem : {ENOSPC, EDQUOT, EIO, EMFILE, ENFILE, ENOMEM, EAGAIN, ENOLCK, EFBIG})
    CHECK_THROWS_AS(require_call(false, problem, "x"), MachineError);
  for (const int problem : {ENOENT, EACCES, EISDIR, ENOTDIR, ELOOP, ENAMETOOLONG, EROFS, EPERM})
    CHECK_THROWS_AS(require_call(false, problem, "x"), InputError);
  CHECK_NOTHROW(require_call(true, EIO, "x"));
}

TEST_CASE("an error of the standard library is judged by the same list") {
  for (const std::error_category* category : {&std::generic_category(), &std::system_category()}) {
    for (const int problem : {ENOSPC, EMFILE, EAGAIN})
      CHECK(is_of_the_machine(std::error_code(problem, *category)));
    for (const int problem : {ENOENT, ENAMETOOLONG, ENOTDIR})
      CHECK_FALSE(is_of_the_machine(std::error_code(problem, *category)));
  }
}
