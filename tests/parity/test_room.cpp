// Comparisons for which memory has no room are refused before weights are drawn.
#include <catch2/catch.hpp>

#include <array>
#include <limits>

#include "shared/base/error.hpp"
#include "shared/parity/room.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

/// A side whose engine takes `bytes`, of the host or of a GPU that has a gibibyte.
Side side_that_takes(std::size_t bytes, bool on_host = true) {
  Side side;
  side.name = "a stage";
  side.needs = [=](const GptConfig&, int) {
    return EngineNeeds{false, on_host, {bytes, 0, 0, 0, 0}, std::size_t{1} << 30, false};
  };
  return side;
}

/// One that does not know this model.
Side unknowing() {
  Side side;
  side.needs = [](const GptConfig&, int) -> EngineNeeds { throw InputError("no kernel for that"); };
  return side;
}

constexpr std::size_t kLittle = 1000, kHuge = std::size_t{1} << 60;

}  // namespace

TEST_CASE("a pair needs room for both") {
  const Run run = prepare_data({}, {}, {});
  const auto both = [&](const Side& a, const Side& b) { require_room_for_all(run, std::array{a, b}); };
  CHECK_NOTHROW(both(side_that_takes(kLittle), side_that_takes(kLittle)));
  CHECK_THROWS_WITH(both(side_that_takes(kLittle), side_that_takes(kHuge)),
                    Contains("out of memory: this comparison needs about 1073741824.0 GiB"));
  CHECK_THROWS_WITH(both(side_that_takes(kHuge), side_that_takes(kLittle)), Contains("out of memory"));
  CHECK_THROWS_AS(both(side_that_takes(std::numeric_limits<std::size_t>::max() / 2), side_that_takes(kHuge)),
                  MachineError);
  CHECK_THROWS_WITH(both(side_that_takes(kHuge, /*on_host=*/false), side_that_takes(kLittle)),
                    Contains("1.0 GiB are available"));
  constexpr std::size_t kMost = std::size_t{600} << 20;  // of the gibibyte
  CHECK_NOTHROW(both(side_that_takes(kMost, /*on_host=*/false), side_that_takes(kLittle)));
  CHECK_THROWS_WITH(both(side_that_takes(kMost, /*on_host=*/false), side_that_takes(kMost, false)),
                    Contains("this comparison, of the GPU's memory, needs about 1.2 GiB"));
  CHECK_NOTHROW(both(unknowing(), side_that_takes(kLittle)));  // it says so itself, later
  CHECK_NOTHROW(both(Side{}, side_that_takes(kLittle)));
}

TEST_CASE("a climb needs room for one of its rungs") {
  const Run run = prepare_data({}, {}, {});
  const auto rungs_of = [](const std::vector<Side>& sides) {
    std::vector<Rung> rungs;
    for (const Side& side : sides) rungs.push_back({1, side, -1});
    return rungs;
  };
  const auto one = [&](const std::vector<Side>& sides) { require_room_for_one(run, rungs_of(sides)); };
  CHECK_NOTHROW(one({side_that_takes(kHuge), side_that_takes(kLittle)}));
  CHECK_THROWS_WITH(one({side_that_takes(kHuge), side_that_takes(kHuge)}), Contains("out of memory"));
  // A rung that does not know the model holds nothing: it is no room for the others.
  CHECK_THROWS_WITH(one({side_that_takes(kHuge), unknowing()}), Contains("out of memory"));
  CHECK_NOTHROW(one({unknowing()}));
}

TEST_CASE("each rung knows what it takes") {
  const Run run = prepare_data({}, {}, {});
  for (const Rung& rung : rungs(Device::cpu)) {
    REQUIRE(rung.side.needs);
    const EngineNeeds one = rung.side.needs(run.model, 1), many = rung.side.needs(run.model, 100);
    CHECK(one.plan.total() > 0);
    CHECK(many.plan.total() > one.plan.total());
  }
}
