// The same on names.txt, which is not part of the repository: LADDER_DATA names its folder.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>

#include "shared/parity/parity.hpp"

using namespace ladder;

namespace {

/// Empty, with a line that ctest takes for "skipped", where the file is not there.
std::string names_file() {
  const char* folder = std::getenv("LADDER_DATA");
  const std::filesystem::path path = std::filesystem::path(folder == nullptr ? "" : folder) / "names.txt";
  if (folder != nullptr && std::filesystem::exists(path)) return path.string();
  std::puts("SKIPPED: names.txt was not found: set LADDER_DATA to its folder");
  return {};
}

void require_parity(const Side& upper, const Side& lower, const Run& run) {
  const ParityReport report = compare_sides(upper, lower, run, {false, true, true, true});
  UNSCOPED_INFO(text_of(report));
  CHECK(report.passed());
  WARN(text_of(report));
}

}  // namespace

TEST_CASE("stage 1 follows stage 0 on names.txt for 1,000 steps") {
  const std::string path = names_file();
  if (path.empty()) return;
  const Run run = prepare_run({}, {}, {path, false});
  require_parity(side_of(1, Dtype::fp64), side_of(0, Dtype::fp64), run);
  require_parity(side_of(1, Dtype::fp32), side_of(1, Dtype::fp64), run);
}
