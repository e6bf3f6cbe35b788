#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/new_folder.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a file is read whole, zero bytes included") {
  const TemporaryFolder folder;
  std::string bytes(200000, 'x');
  bytes[1] = '\0';
  test::write_text(folder / "f", bytes);
  CHECK(read_file(folder / "f") == bytes);
}

TEST_CASE("what cannot be read is named") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(read_file(folder / "none"),
                    Contains((folder / "none").string()) && Contains("No such file"));
  CHECK_THROWS_WITH(read_file(folder.path()), Contains("directory"));
}

TEST_CASE(
    "a file that is longer than what is meant is refused before it is read, one that grows while it is") {
  const TemporaryFolder folder;
  test::write_text(folder / "f", "12345678");
  CHECK(read_file(folder / "f", 8) == "12345678");
  CHECK_THROWS_WITH(read_file(folder / "f", 7),
                    Contains((folder / "f").string()) && Contains("8 bytes") && Contains("at most 7"));
  std::filesystem::resize_file(folder / "f", std::uintmax_t{1} << 40);  // all of it a hole
  CHECK_THROWS_WITH(read_file(folder / "f"), Contains("1099511627776 bytes"));
  CHECK_THROWS_WITH(read_file("/proc/self/maps", 8), Contains("at most 8"));  // which says that it has none
}

TEST_CASE("an atomic file appears at commit and not before") {
  const TemporaryFolder folder;
  test::write_text(folder / "f", "old");
  {
    AtomicFile file(folder / "f");
    file.write("ne");
    file.write("w");
    CHECK(test::text_of(folder / "f") == "old");
    file.commit();
  }
  CHECK(test::text_of(folder / "f") == "new");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("an atomic file that is not committed leaves the old one and nothing else") {
  const TemporaryFolder folder;
  test::write_text(folder / "f", "old");
  { AtomicFile(folder / "f").write("half"); }
  CHECK(test::text_of(folder / "f") == "old");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("places where no file can be are refused, whoever asks") {
  const TemporaryFolder folder;  // under a regular file, because root may write anywhere else
  test::write_text(folder / "plain", "x");
  CHECK_THROWS_AS(write_file(folder / "plain/f", "y"), InputError);
  CHECK_THROWS_AS(require_writable_file(folder / "plain/f"), InputError);
  CHECK_THROWS_AS(require_writable_folder(folder / "plain"), InputError);
  CHECK_THROWS_AS(require_writable_folder(folder / "plain/sub"), InputError);
  CHECK_THROWS_AS(write_file(folder.path(), "y"), InputError);
  CHECK_THROWS_AS(write_file(folder / "missing/f", "y"), InputError);
  CHECK(test::text_of(folder / "plain") == "x");
}

TEST_CASE("a device and a pipe are written to, and not replaced by a plain file") {
  const TemporaryFolder folder;
  write_file("/dev/null", "y");
  CHECK_THROWS_AS(write_file("/dev/full", "y"), MachineError);
  struct stat status = {};
  REQUIRE(stat("/dev/null", &status) == 0);
  CHECK(S_ISCHR(status.st_mode));
  const fs::path pipe = folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_AS(write_file(pipe, "y"), InputError);  // nobody reads
  const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  require_writable_file(pipe);
  write_file(pipe, "through");
  char text[16] = {};
  CHECK(read(reader, text, sizeof text) == 7);
  CHECK(std::string(text) == "through");
  close(reader);
  CHECK(fs::is_fifo(pipe));
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("a symbolic link stays one, and what it points at is replaced, or made") {
  const TemporaryFolder folder, elsewhere;
  test::write_text(elsewhere / "f", "old");
  fs::create_symlink(elsewhere / "f", folder / "link");
  fs::create_symlink("link", folder / "link of the link");
  fs::create_symlink(elsewhere / "new", folder / "dangling");
  write_file(folder / "link of the link", "new");
  write_file(folder / "dangling", "made");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(fs::is_symlink(folder / "dangling"));
  CHECK(test::text_of(elsewhere / "f") == "new");
  CHECK(test::text_of(elsewhere / "new") == "made");
  CHECK(entries(elsewhere.path()) == 2);
  fs::create_symlink(folder / "b", folder / "a");
  fs::create_symlink(folder / "a", folder / "b");
  CHECK_THROWS_AS(write_file(folder / "a", "x"), InputError);
}

TEST_CASE("a link to a name of an open file is written through, and plain files below /dev are files") {
  const TemporaryFolder folder;
  const int file = ::open((folder / "out").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  REQUIRE(file >= 0);
  REQUIRE(::write(file, "printed ", 8) == 8);
  fs::create_symlink(fmt::format("/dev/fd/{}", file), folder / "link");
  CHECK_NOTHROW(require_writable_file(folder / "link"));
  write_file(folder / "link", "written");
  ::close(file);
  CHECK(test::text_of(folder / "out") == "printed written");
  CHECK(fs::is_symlink(folder / "link"));
  if (::access("/dev/shm", W_OK) != 0) return;
  const fs::path plain = fmt::format("/dev/shm/ladder-test-{}", getpid());
  test::write_text(plain, "old and longer");
  write_file(plain, "new");
  CHECK(test::text_of(plain) == "new");
  CHECK_THROWS_AS(require_distinct_outputs({plain}, {plain}), InputError);
  fs::remove(plain);
}

TEST_CASE("a pipe that nobody reads and a socket are refused before there is anything to write") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(require_writable_file(folder / "pipe"), Contains("nobody reads"));
  const int reader = ::open((folder / "pipe").c_str(), O_RDONLY | O_NONBLOCK);
  CHECK_NOTHROW(require_writable_file(folder / "pipe"));
  write_file(folder / "pipe", "text");
  char bytes[8] = {};
  CHECK(::read(reader, bytes, sizeof bytes) == 4);
  errno = 0;
  CHECK(::read(reader, bytes, sizeof bytes) == -1);  // not at its end: more may come
  CHECK(errno == EAGAIN);
  ::close(reader);

  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string name = folder / "socket";
  REQUIRE(name.size() < sizeof address.sun_path);
  name.copy(address.sun_path, name.size());
  REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  CHECK_THROWS_WITH(require_writable_file(folder / "socket"), Contains("is a socket"));
  ::close(socket);
}

TEST_CASE("a file keeps its mode") {
  const TemporaryFolder folder;
  test::write_text(folder / "f", "old");
  fs::permissions(folder / "f", fs::perms(0640));
  write_file(folder / "f", "new");
  CHECK(fs::status(folder / "f").permissions() == fs::perms(0640));
}

TEST_CASE("temporary files have names of their own: two at once, and nobody else's is touched") {
  const TemporaryFolder folder;
  test::write_text(folder / "f.tmp", "mine");
  AtomicFile first(folder / "f"), second(folder / "f");
  first.write("first");
  second.write("second");
  first.commit();
  CHECK(test::text_of(folder / "f") == "first");
  second.commit();
  CHECK(test::text_of(folder / "f") == "second");
  CHECK(test::text_of(folder / "f.tmp") == "mine");
  CHECK(entries(folder.path()) == 2);
}

TEST_CASE("an output is neither an input, by whatever name, nor another output") {
  const TemporaryFolder folder;
  test::write_text(folder / "in", "x");
  fs::create_symlink(folder / "in", folder / "link");
  fs::create_directory(folder / "sub");
  CHECK_NOTHROW(require_distinct_outputs({folder / "in", ""}, {folder / "a", "", folder / "b", ""}));
  for (const fs::path& name : {folder / "in", folder / "sub/../in", folder / "link"})
    CHECK_THROWS_WITH(require_distinct_outputs({"", folder / "in"}, {folder / "a", name}),
                      Contains("replace"));
  CHECK_THROWS_WITH(require_distinct_outputs({folder / "not yet"}, {folder / "sub/../not yet"}),
                    Contains("replace"));
  CHECK_THROWS_WITH(require_distinct_outputs({}, {folder / "a", "", folder / "sub/../a"}), Contains("twice"));
  CHECK_NOTHROW(require_distinct_outputs({}, {"/dev/null", "/dev/null"}));
  CHECK(test::text_of(folder / "in") == "x");
}

TEST_CASE("asking whether a place is writable leaves nothing there") {
  const TemporaryFolder folder;
  require_writable_file(folder / "f");
  require_writable_file("");
  CHECK(entries(folder.path()) == 0);
  require_writable_folder(folder / "a/b");
  CHECK(fs::is_directory(folder / "a/b"));
  CHECK(entries(folder / "a/b") == 0);
}

TEST_CASE("folders that a call made go with it where they stay empty, and no others") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "there");
  {
    const NewFolder made(folder / "there/a/b");
    const NewFolder kept(folder / "there/c/d/");
    require_writable_folder(folder / "there/a/b");
    require_writable_folder(folder / "there/c/d/");
    test::write_text(folder / "there/c/f", "x");
  }
  CHECK_FALSE(fs::exists(folder / "there/a"));
  CHECK(entries(folder / "there") == 1);
  CHECK(entries(folder / "there/c") == 1);
  { const NewFolder there(folder / "there/c"); }
  CHECK(fs::exists(folder / "there/c/f"));
}

TEST_CASE("a folder is one process's at a time, and what a killed one left of its files goes") {
  const TemporaryFolder folder;
  test::write_text(folder / ".ladder-12345678", "left");
  test::write_text(folder / "kept", "mine");
  test::write_text(folder / ".ladder-notes", "mine");
  test::write_text(folder / ".ladder-notes-of-mine", "mine");
  std::filesystem::create_directory(folder / ".ladder-00000000");
  {
    const FolderLock lock(folder.path());
    CHECK(entries(folder.path()) == 4);
    CHECK_THROWS_WITH(FolderLock(folder.path()), Contains("process " + std::to_string(getpid())));
  }
  const FolderLock again(folder.path());
  CHECK(test::text_of(folder / "kept") == "mine");
  CHECK_THROWS_AS(FolderLock(folder / "missing"), InputError);
}
