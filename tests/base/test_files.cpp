#include <catch2/catch.hpp>

#include <sys/stat.h>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
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

TEST_CASE("a device is not replaced by a plain file") {
  CHECK_THROWS_AS(write_file("/dev/null", "y"), InputError);
  struct stat status = {};
  REQUIRE(stat("/dev/null", &status) == 0);
  CHECK(S_ISCHR(status.st_mode));
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
