// The fuzz targets over their seeds and what is near them, in every build, so that they go on working.
#include <catch2/catch.hpp>

#include "shared/base/random.hpp"
#include "tests/fuzz/targets.hpp"

using namespace ladder;

namespace {

/// Every seed whole, cut off at some eighty places, and with bytes that are replaced, left out or doubled.
void run_near_seeds(const fuzz::Target& target) {
  Random random(3);
  const auto below = [&](std::size_t end) {
    return static_cast<std::size_t>(random.random() * static_cast<double>(end));
  };
  for (const std::string& seed : target.seeds()) {
    CAPTURE(target.name, seed);
    REQUIRE_NOTHROW(target.read(seed));
    for (std::size_t cut = 0; cut < seed.size(); cut += 1 + seed.size() / 80)
      REQUIRE_NOTHROW(target.read(std::string_view(seed).substr(0, cut)));
    for (int i = 0; i < 150; ++i) {
      std::string near = seed.empty() ? "?" : seed;
      const std::size_t at = below(near.size());
      if (i % 3 == 0) near[at] = static_cast<char>(below(256));
      if (i % 3 == 1) near.erase(at, 1 + below(3));
      if (i % 3 == 2) near.insert(at, near, at, 1 + below(6));
      CAPTURE(near);
      REQUIRE_NOTHROW(target.read(near));
    }
  }
}

}  // namespace

TEST_CASE("token files that may be anything are read or refused") { run_near_seeds(fuzz::token_file); }
TEST_CASE("vocabularies and texts that may be anything are read or refused") { run_near_seeds(fuzz::bpe); }
TEST_CASE("safetensors that may be anything are read or refused") { run_near_seeds(fuzz::safetensors); }
TEST_CASE("checkpoints that may be anything are read or refused") { run_near_seeds(fuzz::checkpoint); }
TEST_CASE("texts that may be anything are trained on or refused") { run_near_seeds(fuzz::text_data); }
TEST_CASE("expressions that may be anything are drawn or refused") { run_near_seeds(fuzz::expression); }
TEST_CASE("system files that may be anything are read or refused") { run_near_seeds(fuzz::system_file); }
TEST_CASE("command lines that may be anything are read or refused") { run_near_seeds(fuzz::command_line); }
