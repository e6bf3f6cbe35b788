// The committed traces of the interpreter baseline on the embedded names (made by tests/golden/make.sh).
#include <catch2/catch.hpp>
#include <string>

#include "tests/stage0/replay.hpp"

TEST_CASE("stage 0 reproduces the goldens on the embedded names bit for bit", "[golden]") {
  if (!ladder::goldens_hold_here()) {
    WARN("this processor has no FMA: the goldens do not hold; test_stage0_interpreter is the oracle here");
    return;
  }
  const std::string folder = LADDER_SOURCE_DIR "/tests/golden/";
  for (const char* shape : {"l1_c16_h4_t16", "l2_c16_h4_t16", "l1_c24_h3_t8"})
    ladder::require_replay(folder + "embedded_" + shape + ".json", "");
}
