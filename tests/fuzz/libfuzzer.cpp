// libFuzzer's side of a target, which the macro LADDER_FUZZ_TARGET names. Where the environment's LADDER_FUZZ_SEEDS names
// a folder, the target's seeds are written there first.
#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/support.hpp"
#include "tests/fuzz/targets.hpp"

using namespace ladder;

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* seeds = std::getenv("LADDER_FUZZ_SEEDS");
  if (seeds == nullptr) return 0;
  int number = 0;
  std::filesystem::create_directories(seeds);
  for (const std::string& seed : fuzz::LADDER_FUZZ_TARGET.seeds())
    fuzz::put(std::filesystem::path(seeds) / ("seed-" + std::to_string(number++)), seed);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::LADDER_FUZZ_TARGET.read({reinterpret_cast<const char*>(data), size});
  return 0;
}
