// The traces on the public names.txt, which is not part of the repository: 1,000 steps of the default shape
// and 100 of two layers, equal to those of the original program.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/stage0/replay.hpp"

TEST_CASE("stage 0 reproduces the original's traces on names.txt bit for bit", "[golden]") {
  const char* data = std::getenv("LADDER_DATA");
  if (data == nullptr || !ladder::goldens_hold_here()) {
    std::cout << "SKIPPED: " << (data == nullptr ? "LADDER_DATA names no folder with names.txt" : "no FMA")
              << "\n";
    return;
  }
  const std::string folder = LADDER_SOURCE_DIR "/tests/golden/";
  for (const char* shape : {"l1_c16_h4_t16", "l2_c16_h4_t16"})
    ladder::require_replay(folder + "names_" + shape + ".json", std::string(data) + "/names.txt");
}
