#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <algorithm>

#include "shared/base/error.hpp"
#include "shared/base/mapped_file.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

TEST_CASE("a mapped file shows the file's bytes, aligned for wider types") {
  const TemporaryFolder folder;
  std::string text(100000, 'x');
  text[1] = '\0', text.back() = 'y';
  test::write_text(folder / "f", text);
  const MappedFile file(folder / "f");
  REQUIRE(file.bytes().size() == text.size());
  CHECK(std::equal(text.begin(), text.end(), reinterpret_cast<const char*>(file.bytes().data())));
  CHECK(reinterpret_cast<std::uintptr_t>(file.bytes().data()) % 64 == 0);
  std::filesystem::remove(folder / "f");
  CHECK(file.bytes().back() == std::byte{'y'});
}

TEST_CASE("what cannot be mapped is named, and nothing waits for it") {
  const TemporaryFolder folder;
  test::write_text(folder / "empty", "");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(MappedFile(folder / "none"), Contains("none") && Contains("No such file"));
  CHECK_THROWS_WITH(MappedFile(folder / "empty"), Contains("empty: the file is empty"));
  CHECK_THROWS_WITH(MappedFile(folder / "pipe"), Contains("pipe") && Contains("plain file"));
  CHECK_THROWS_WITH(MappedFile(folder.path()), Contains("folder"));
  CHECK_THROWS_AS(MappedFile(folder / "none"), InputError);
}
