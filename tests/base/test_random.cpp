// CPython's generator and Philox, against published vectors and against values printed by CPython 3.11.
#include <array>
#include <catch2/catch.hpp>
#include <limits>
#include <random>
#include <sstream>

#include "shared/base/error.hpp"
#include "shared/base/random.hpp"

using ladder::InputError;
using ladder::philox4x32;
using ladder::Random;

TEST_CASE("words of seeds with one and with two words", "[random]") {
  // random.seed(n); [random.getrandbits(32) for _ in range(3)]
  const auto words = [](std::uint64_t seed) {
    Random random(seed);
    return std::vector<std::uint32_t>{random.next_u32(), random.next_u32(), random.next_u32()};
  };
  CHECK(words(0) == std::vector<std::uint32_t>{3626764237u, 1654615998u, 3255389356u});
  CHECK(words(42) == std::vector<std::uint32_t>{2746317213u, 478163327u, 107420369u});
  CHECK(words(4294967295u) == std::vector<std::uint32_t>{2728839433u, 2661025012u, 872737089u});
  CHECK(words(0x456'0000'0123u) == std::vector<std::uint32_t>{2824745524u, 1921184763u, 2036174384u});
}

TEST_CASE("MT19937: the published output for a key of four words", "[random]") {
  Random random(0);  // mt19937ar.out of Matsumoto and Nishimura begins so
  random.seed_by_words(std::array{0x123u, 0x234u, 0x345u, 0x456u});
  for (std::uint32_t want : {1067595299u, 955945823u, 477289528u, 4107218783u, 4228976476u})
    CHECK(random.next_u32() == want);
}

TEST_CASE("MT19937: the ten thousandth output that the C++ standard prescribes", "[random]") {
  std::stringstream text;  // libstdc++ and libc++ write the 624 words first
  text << std::mt19937();
  Random::State state;
  state.words.resize(624);
  for (std::uint32_t& word : state.words) text >> word;
  state.words.push_back(624);
  Random random(state);
  std::uint32_t last = 0;
  for (int i = 0; i < 10000; ++i) last = random.next_u32();
  CHECK(last == 4123659995u);
}

TEST_CASE("twenty thousand words on", "[random]") {
  // Many refills of the 624 words: random.seed(1); for _ in range(20000): last = random.getrandbits(32)
  Random random(1);
  std::uint32_t last = 0;
  for (int i = 0; i < 20000; ++i) last = random.next_u32();
  CHECK(last == 3007925787u);
}

TEST_CASE("conversions", "[random]") {
  Random random(42);
  CHECK(random.random() == 0.6394267984578837);
  CHECK(random.random() == 0.025010755222666936);
  CHECK(random.getrandbits(1) == 0u);
  CHECK(random.getrandbits(7) == 31u);
  CHECK(random.getrandbits(32) == 958682846u);
  CHECK(random.randbelow(1) == 0u);
  std::vector<std::uint32_t> below;
  for (int i = 0; i < 6; ++i) below.push_back(random.randbelow(10));
  CHECK(below == std::vector<std::uint32_t>{1, 8, 1, 9, 6, 0});
  CHECK_THROWS_AS(random.getrandbits(0), InputError);
  CHECK_THROWS_AS(random.getrandbits(33), InputError);
  CHECK_THROWS_AS(random.randbelow(0), InputError);
}

TEST_CASE("shuffle", "[random]") {
  Random random(7);
  std::vector<int> items = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  random.shuffle(items);
  CHECK(items == std::vector<int>{8, 3, 1, 4, 7, 0, 9, 6, 2, 5});
}

TEST_CASE("gauss keeps the second of each pair", "[random]") {
  Random random(3);
  const std::vector<double> want = {0.5075766430629843, 0.600001950486684, 0.4254897305823434,
                                    0.5793901824415393, 0.4792676369845253};
  for (double value : want) CHECK(random.gauss(0.5, 0.08) == value);
  random.seed(3);  // and seeding forgets it
  CHECK(random.gauss(0.5, 0.08) == want[0]);
  random.seed(3);
  CHECK(random.gauss(0.5, 0.08) == want[0]);
}

TEST_CASE("choices", "[random]") {
  Random random(11);
  std::vector<std::size_t> drawn;
  const std::vector<double> weights = {0.1, 0.0, 2.5, 0.7, 1e-9};
  for (int i = 0; i < 12; ++i) drawn.push_back(random.choices(weights));
  CHECK(drawn == std::vector<std::size_t>{2, 2, 3, 2, 2, 2, 2, 2, 2, 3, 2, 2});
  CHECK_THROWS_AS(random.choices({}), InputError);
  CHECK_THROWS_AS(random.choices(std::vector<double>{0.0, 0.0}), InputError);
  CHECK_THROWS_AS(random.choices(std::vector<double>{1.0, std::numeric_limits<double>::quiet_NaN()}),
                  InputError);
}

TEST_CASE("a state continues where it was taken", "[random]") {
  Random random(42);
  for (int i = 0; i < 1001; ++i) random.random();
  random.gauss(0, 1);  // leaves a second value waiting
  const Random::State state = random.state();
  REQUIRE(state.next_gauss.has_value());
  Random copy(state);
  CHECK(copy.state() == state);
  for (int i = 0; i < 700; ++i) {
    REQUIRE(copy.gauss(0, 1) == random.gauss(0, 1));
    REQUIRE(copy.next_u32() == random.next_u32());
  }
  Random::State short_state = state;
  short_state.words.pop_back();
  CHECK_THROWS_AS(Random(short_state), InputError);
  Random::State bad_index = state;
  bad_index.words.back() = 625;
  CHECK_THROWS_AS(Random(bad_index), InputError);
}

TEST_CASE("Philox4x32-10: the known answers of its authors", "[random]") {
  using Four = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a word as a float in [0, 1)", "[random]") {
  CHECK(ladder::uniform_float(0) == 0.0f);
  CHECK(ladder::uniform_float(~0u) == 1.0f - 0x1p-24f);
}
