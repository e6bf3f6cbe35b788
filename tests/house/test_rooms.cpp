// The rule of the rooms: samples that break it, then this repository.
#include <catch2/catch.hpp>

#include "tests/house/rooms.hpp"

using namespace ladder::house;

namespace {

File including(const char* path, const std::string& what) { return {path, "#include \"" + what + "\"\n"}; }

Faults faults_of(const char* path, const char* what) { return include_faults({including(path, what)}); }

const Files& tree() {
  static const Files files = read_tree(LADDER_SOURCE_DIR);
  return files;
}

void expect_none(const Faults& faults) {
  for (const std::string& fault : faults) UNSCOPED_INFO(fault);
  CHECK(faults.empty());
}

/// A tree of two rooms and its map.
Files small_house(const std::string& map) {
  return {{"shared/base/a.hpp", ""},  {"shared/base/CMakeLists.txt", ""},
          {"shared/model/b.cpp", ""}, {"shared/model/CMakeLists.txt", ""},
          {"shared/HACKING.md", map}, {"shared/CMakeLists.txt", ""}};
}

}  // namespace

TEST_CASE("a path tells the room") {
  CHECK(room_of("shared/base/hash.hpp") == "base");
  CHECK(room_of("shared/tile/mma.cpp") == "tile");
  CHECK(room_of("shared/tile/pictures/flow.cpp") == "tile/pictures");
  CHECK(room_of("shared/cli/deeper/still/a.cpp") == "cli");
  CHECK(room_of("shared/stages.cpp") == "stages.*");
  CHECK(room_of("stage2_naive_cuda/kernels/adam.cuh") == "stages");
  CHECK(room_of("tests/base/test_files.cpp") == "tests");
  CHECK(room_of("shared/loose.hpp").empty());
  CHECK(room_of("shared/attic/a.hpp").empty());
  CHECK(room_of("shared/stages/a.hpp").empty());
  CHECK(room_of("elsewhere/a.hpp").empty());
}

TEST_CASE("an include that runs up or sideways is named with both files") {
  CHECK(faults_of("shared/model/ops.hpp", "shared/base/dtype.hpp").empty());
  CHECK(faults_of("shared/model/ops.hpp", "shared/model/batch.hpp").empty());
  CHECK(faults_of("shared/model/ops.hpp", "shared/train/engine.hpp") ==
        Faults{"shared/model/ops.hpp includes shared/train/engine.hpp: model may not include from train"});
  CHECK(faults_of("shared/simt/launch.hpp", "shared/tile/launch.hpp").size() == 1);
  CHECK(faults_of("shared/tile/block_log.cpp", "shared/tile/pictures/flow.hpp").size() == 1);
  CHECK(faults_of("shared/parity/parity.cpp", "tests/base/cases.hpp").size() == 1);
  CHECK(faults_of("shared/parity/parity.cpp", "shared/loose.hpp").size() == 1);
  CHECK(faults_of("shared/report/tables.cpp", "shared/speed/race.hpp").size() == 1);
  CHECK(faults_of("shared/cli/main.cpp", "stage0_scalar_autograd/graph.hpp").empty());
  CHECK(faults_of("stage0_scalar_autograd/engine.cpp", "shared/train/engine.hpp").empty());
  CHECK(faults_of("stage0_scalar_autograd/engine.cpp", "shared/records/machine.hpp").size() == 1);
  CHECK(faults_of("stage3_tiled_kernels/a.cu", "stage3_tiled_kernels/kernels/adam.cuh").empty());
  CHECK(faults_of("stage3_tiled_kernels/a.cu", "stage2_naive_cuda/kernels/adam.cuh").size() == 1);
  CHECK(faults_of("tests/cli/a.cpp", "shared/cli/options.hpp").empty());
  CHECK(faults_of("shared/base/a.hpp", "shared/base/../train/engine.hpp").size() == 1);
  CHECK(include_faults({{"shared/base/a.hpp", "#include <shared/train/engine.hpp>\n"}}).size() == 1);
  CHECK(include_faults({{"shared/base/a.hpp", "#include/**/\"shared/train/engine.hpp\"\n"}}).size() == 1);
  CHECK(include_faults({{"shared/base/a.hpp", "#include <vector>\n#include <fmt/core.h>\n"}}).empty());
  const File indented{"shared/base/a.hpp", "#pragma once\n  #  include \"shared/model/ops.hpp\"\n"};
  CHECK(include_faults({indented}).size() == 1);
}

TEST_CASE("a file in no room, and a room that is not built by itself, are faults") {
  CHECK(homeless_faults(small_house("")).empty());
  CHECK(homeless_faults({{"shared/loose.hpp", ""}}) == Faults{"shared/loose.hpp: lies in no room"});
  CHECK(homeless_faults({{"shared/attic/notes.txt", ""}}).size() == 1);
  CHECK(homeless_faults({{"shared/scripts/a.sh", ""}, {"shared/stages.hpp", ""}}).empty());
  CHECK(homeless_faults({{"shared/base/a.hpp", ""}}).size() == 1);
  CHECK(homeless_faults({{"shared/base/a.h", ""}}).size() == 1);
  CHECK(homeless_faults({{"shared/base/a.inc", ""}}).size() == 1);
}

TEST_CASE("the map names every room once, in order") {
  CHECK(map_faults(small_house("| `base/` | x |\n| `model/` | y |\n")).empty());
  CHECK(map_faults(small_house("| `base/` | x |\n")).size() == 1);
  CHECK(map_faults(small_house("| `model/` | y |\n| `base/` | x |\n")).size() == 1);
  CHECK(map_faults(small_house("| `base/` | x |\n| `base/` | x |\n| `model/` | y |\n")).size() == 1);
  CHECK(map_faults(small_house("| `base/` | x |\n| `model/` | y |\n| `attic/` | z |\n")).size() == 1);
  CHECK(map_faults({{"shared/base/a.hpp", ""}}).size() == 1);
}

TEST_CASE("no include of this repository runs up or sideways") { expect_none(include_faults(tree())); }
TEST_CASE("every file of shared/ lies in a room") { expect_none(homeless_faults(tree())); }
TEST_CASE("shared/HACKING.md is the map of the tree") { expect_none(map_faults(tree())); }
