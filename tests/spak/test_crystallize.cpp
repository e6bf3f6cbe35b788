// What is planted in a trace is found, and from noise nothing is concluded.
#include <catch2/catch.hpp>

#include "shared/spak/statistics.hpp"
#include "tests/spak/synthetic.hpp"

using namespace ladder;
using namespace ladder::spak;
using namespace ladder::test;
using Catch::Matchers::Contains;

TEST_CASE("from noise alone nothing is concluded in 990 of 1,000 traces, however it is spread") {
  const Lab lab = lab_of(lab_text());
  const Space space = lab.space();
  const auto concluded = [&](const Sampling& sampling, unsigned seeds, bool flaky) {
    unsigned traces = 0;
    for (unsigned seed = 0; seed < seeds; ++seed) {
      std::mt19937 failing(seed + 9999);
      const Cost cost = [&](const Json&) { return flaky && failing() % 20 == 0 ? 0.0 : 100.0; };
      traces += crystals_of(lab, {trace_of(space, cost, seed, sampling)}).proposals.empty() ? 0 : 1;
    }
    return traces;
  };
  CHECK(concluded({}, 1000, false) <= 10);
  CHECK(concluded({.samples = 15, .noise = 0.05}, 1000, false) <= 10);
  CHECK(concluded({.samples = 3, .noise = 0.1}, 1000, false) <= 10);
  CHECK(concluded({.samples = 5, .noise = 0.3}, 1000, false) <= 10);
  CHECK(concluded({.samples = 7, .noise = 0.02, .outliers = 0.15}, 1000, false) <= 10);
  CHECK(concluded({.samples = 5, .noise = 0.03}, 1000, true) <= 10);  // one point of 20 fails, whatever it is
}

TEST_CASE("noise between processes counts where points were measured in several") {
  const Lab lab = lab_of(lab_text());
  const Space space = lab.space();
  unsigned concluded = 0;
  for (unsigned seed = 0; seed < 1000; ++seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> process(0, 0.04);
    Trace trace{"t.jsonl", {}, {}};
    // Each process has a state of its own, and within it next to no noise.
    for (int i = 0; i < 3; ++i)
      sweep(trace, space, [&](const Json&) { return 100 * std::exp(process(random)); }, random,
            {.samples = 9, .noise = 0.002});
    concluded += crystals_of(lab, {trace}).proposals.empty() ? 0 : 1;
  }
  CHECK(concluded <= 10);
}

TEST_CASE("many situations of noise are no more telling than one") {
  const Lab lab = lab_of(lab_text());
  const Space space = lab.space();
  unsigned concluded = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::mt19937 random(seed);
    Trace trace{"t.jsonl", {}, {}};
    for (int rows = 1; rows <= 20; ++rows)
      sweep(trace, space, [](const Json&) { return 100.0; }, random,
            {.samples = 5, .noise = 0.05, .set = {{"rows", rows}}});
    concluded += crystals_of(lab, {trace}).proposals.empty() ? 0 : 1;
  }
  CHECK(concluded <= 2);
}

TEST_CASE("a planted optimum is found, with its evidence and what it is worth") {
  const Lab lab = lab_of(lab_text());
  const Cost cost = [](const Json& c) {
    return c["tile"] == Json(64) && c["warps"] == Json(8) && c["engine"] == Json("bulk") ? 80.0 : 100.0;
  };
  const Crystallized found = crystals_of(lab, {trace_of(lab.space(), cost)});
  const auto best = of_kind(found, Kind::best);
  REQUIRE(best.size() == 1);
  CHECK(best[0].recommend == "tile = 64, warps = 8, engine = 'bulk'");
  CHECK(best[0].winning == 1);
  CHECK(best[0].of == 24);
  CHECK(best[0].effect == Approx(1.25).epsilon(0.02));
  CHECK(best[0].spread < 0.04);
  CHECK(best[0].when == "device == 'card'");
  CHECK(best[0].date == "2026-11-01");
  CHECK(best[0].device == "card");
  CHECK(best[0].toolkit == "13.3");
  CHECK(best[0].name == "best_L_card");
  REQUIRE_FALSE(best[0].evidence.empty());
  CHECK(best[0].evidence[0] == "traces/t.jsonl:14");
  CHECK(best[0].confidence > 0.4);
  CHECK(best[0].confidence < 1);
}

TEST_CASE("what ties is a set, and the first of the space's order is chosen from it") {
  const Lab lab = lab_of(lab_text());
  const auto best = of_kind(crystals_of(lab, {trace_of(lab.space(), tile_counts, 7)}), Kind::best);
  REQUIRE(best.size() == 1);
  // Whichever of the eight was fastest by chance.
  CHECK(best[0].winning == 8);
  CHECK(best[0].recommend == "tile = 64, warps = 2, engine = 'inline'");
  CHECK_THAT(best[0].description, Contains("8 of 24"));
  for (unsigned seed = 0; seed < 30; ++seed) {
    const auto other = of_kind(crystals_of(lab, {trace_of(lab.space(), tile_counts, seed)}), Kind::best);
    REQUIRE(other.size() == 1);
    CHECK(other[0].recommend == best[0].recommend);
  }
}

TEST_CASE("within 2% of the best, or with a middle half that overlaps its, a configuration ties") {
  const Lab lab = lab_of(lab_text("", "parameter tile: [16, 32, 64, 128]"));
  const auto winners = [&](double noise, double second, int samples = 101) {
    const Cost cost = [&](const Json& c) {
      return c["tile"] == Json(32) ? second : c["tile"] == Json(64) ? 100.0 : 300.0;
    };
    const auto best = of_kind(
        crystals_of(lab, {trace_of(lab.space(), cost, 3, {.samples = samples, .noise = noise})}), Kind::best);
    REQUIRE(best.size() == 1);
    return best[0];
  };
  CHECK(winners(0.0005, 101.5).recommend == "tile = 32");
  CHECK(winners(0.0005, 101.5).winning == 2);
  CHECK(winners(0.0005, 103).recommend == "tile = 64");
  CHECK(winners(0.0005, 103).winning == 1);
  // So many samples tell 6% apart; a single one does not, and that is what a middle half shows.
  CHECK(winners(0.10, 106, 2001).recommend == "tile = 32");
  CHECK(winners(0.01, 106, 2001).recommend == "tile = 64");
}

TEST_CASE("a dead parameter is found, and one that matters is none") {
  const Lab lab = lab_of(lab_text());
  const Crystallized found = crystals_of(lab, {trace_of(lab.space(), tile_counts, 5)});
  const auto dead = of_kind(found, Kind::dead);
  REQUIRE(dead.size() == 2);
  CHECK(dead[0].axis == "warps");
  CHECK(dead[1].axis == "engine");
  CHECK(dead[0].count == 6);
  CHECK(dead[0].effect < 1.02);
  const auto matters = of_kind(found, Kind::matters);
  REQUIRE(matters.size() == 1);
  CHECK(matters[0].axis == "tile");
}

TEST_CASE("an axis that matters in some places only, or fails in some, is not dead") {
  const Lab lab = lab_of(lab_text());
  const auto dead_axes = [&](const Cost& cost) {
    std::string axes;
    for (const Proposal& each : of_kind(crystals_of(lab, {trace_of(lab.space(), cost, 5)}), Kind::dead))
      axes += each.axis + " ";
    return axes;
  };
  // On average the engine is worth nothing: it helps one half as much as it harms the other.
  CHECK(dead_axes([](const Json& c) {
          const bool helps = (c["warps"].get<int>() >= 8) == (c["engine"] == Json("bulk"));
          return tile_counts(c) * (helps ? 0.9 : 1 / 0.9);
        }) == "");
  CHECK(dead_axes([](const Json& c) {
          return c["tile"] == Json(128) && c["warps"] == Json(16) && c["engine"] == Json("bulk")
                     ? 0
                     : tile_counts(c);
        }) == "");
}

TEST_CASE("too much noise, and an axis is neither dead nor alive") {
  const Lab lab = lab_of(lab_text());
  const Crystallized found = crystals_of(
      lab,
      {trace_of(lab.space(), [](const Json& c) { return tile_counts(c) * (c["tile"] == Json(128) ? 9 : 1); },
                5, {.samples = 5, .noise = 0.2})});
  CHECK(of_kind(found, Kind::dead).empty());
  CHECK(of_kind(found, Kind::cliff).size() == 1);
}

TEST_CASE("a planted cliff becomes a rule that forbids its value") {
  const Lab lab = lab_of(lab_text());
  const Cost cost = [](const Json& c) {
    return c["tile"] == Json(128) ? 210.0 : c["warps"] == Json(4) ? 100 : 110;
  };
  const auto cliffs = of_kind(crystals_of(lab, {trace_of(lab.space(), cost)}), Kind::cliff);
  REQUIRE(cliffs.size() == 1);
  CHECK(cliffs[0].forbid == "tile == 128");
  CHECK(cliffs[0].name == "L: tile = 128 where device == 'card'");
  CHECK(cliffs[0].effect == Approx(1.96).epsilon(0.03));
  CHECK(cliffs[0].count == 8);
  CHECK(cliffs[0].confidence >= 0.5);
  // 1.4 times worse is no cliff, nor is what is much worse in half of the pairs.
  CHECK(of_kind(
            crystals_of(lab, {trace_of(lab.space(),
                                       [](const Json& c) { return c["tile"] == Json(128) ? 140.0 : 100; })}),
            Kind::cliff)
            .empty());
  CHECK(of_kind(crystals_of(lab, {trace_of(lab.space(),
                                           [](const Json& c) {
                                             return c["tile"] == Json(128) && c["warps"].get<int>() > 4
                                                        ? 300.0
                                                        : 100;
                                           })}),
                Kind::cliff)
            .empty());
}

TEST_CASE("a value that fails where its neighbours do not is a cliff, by whatever it fails") {
  const Lab lab = lab_of(lab_text());
  for (const char* outcome : {"wrong result", "timeout", "failure", "compile failure"}) {
    const Cost cost = [](const Json& c) { return c["warps"] == Json(16) ? 0.0 : 100.0; };
    // Failures need no clock: one sample is enough.
    const Crystallized found =
        crystals_of(lab, {trace_of(lab.space(), cost, 1, {.samples = 1, .failure = outcome})});
    REQUIRE(found.proposals.size() == 1);
    const Proposal& cliff = found.proposals[0];
    CHECK(cliff.forbid == "warps == 16");
    CHECK(cliff.fails);
    CHECK_THAT(cliff.description, Contains(outcome) && Contains("6 of 6"));
    CHECK(cliff.confidence >= 0.5);
  }
  // All fail: that says nothing about one value.
  CHECK(crystals_of(lab, {trace_of(lab.space(), [](const Json&) { return 0.0; })}).proposals.empty());
}

TEST_CASE("a crossover becomes a rule for each side of the number") {
  const Lab lab = lab_of(lab_text());
  Trace trace{"t.jsonl", {}, {}};
  std::mt19937 random(2);
  for (const int rows : {256, 512, 1024, 4096, 8192})
    sweep(trace, lab.space(),
          [&](const Json& c) {
            const double tile = c["tile"] == Json(32)   ? (rows < 2000 ? 100 : 130)
                                : c["tile"] == Json(64) ? 140
                                : rows < 2000           ? 125
                                                        : 100;
            return tile * rows;
          },
          random, {.set = {{"device", "card"}, {"rows", rows}}});
  const Crystallized found = crystals_of(lab, {trace});
  CHECK(of_kind(found, Kind::best).size() == 5);
  const auto rules = of_kind(found, Kind::crossover);
  REQUIRE(rules.size() == 2);
  CHECK(rules[0].recommend == "tile = 32");
  CHECK(rules[0].when == "device == 'card' && rows < 2048");
  CHECK(rules[0].count == 3);
  CHECK(rules[0].effect == Approx(1.25).epsilon(0.03));
  CHECK(rules[1].recommend == "tile = 128");
  CHECK(rules[1].when == "device == 'card' && rows >= 2048");
  CHECK(rules[1].effect == Approx(1.3).epsilon(0.03));
  CHECK(rules[0].confidence > 0.4);
}

TEST_CASE("one value for all numbers is no crossover") {
  const Lab lab = lab_of(lab_text());
  Trace trace{"t.jsonl", {}, {}};
  std::mt19937 random(2);
  for (const int rows : {256, 512, 1024, 4096})
    sweep(trace, lab.space(), tile_counts, random, {.set = {{"rows", rows}}});
  CHECK(of_kind(crystals_of(lab, {trace}), Kind::crossover).empty());
}

TEST_CASE("static evidence has no noise, and is labelled") {
  const Lab lab = lab_of(lab_text());
  Trace trace = trace_of(lab.space(), tile_counts, 1, {.samples = 1, .noise = 0});
  for (Json& item : trace.items) item["evidence"] = "static";
  const auto best = of_kind(crystals_of(lab, {trace}), Kind::best);
  REQUIRE(best.size() == 1);
  CHECK(best[0].is_static);
  CHECK(best[0].name == "static_best_L_card");
  CHECK(best[0].winning == 8);
  // The same numbers as measurements without repeats say nothing.
  for (Json& item : trace.items) item["evidence"] = "measured";
  const Crystallized found = crystals_of(lab, {trace});
  CHECK(found.proposals.empty());
  CHECK(found.noiseless == 1);
}

TEST_CASE("the sweep's items serve as they are, and a metric to maximize as one to minimize") {
  const Lab lab = lab_of(
      "system Lab { engineering_loop L { parameter tile: [32, 64, 128] parameter warps: [4, 8] operation: "
      "\"gemm\" "
      "measure { metric: \"tflops\" objective: \"maximize\" } } }");
  Trace trace{"gemm.jsonl", {}, {}};
  for (const int tile : {32, 64, 128})
    for (const int warps : {4, 8})
      trace.items.push_back({{"id", "gemm-" + std::to_string(tile) + "-" + std::to_string(warps)},
                             {"type", "Performance"},
                             {"operation", "gemm"},
                             {"work", "8192^3 NT"},
                             {"configuration", {{"tile", tile}, {"warps", warps}, {"layout", "NT"}}},
                             {"outcome", "measured"},
                             {"us", 1000.0 / tile},
                             {"us_low", 995.0 / tile},
                             {"us_high", 1010.0 / tile},
                             {"repeats", 15},
                             {"tflops", tile},
                             {"device", "NVIDIA H200"}});
  trace.lines.resize(trace.items.size(), 1);
  const auto best = of_kind(crystals_of(lab, {trace}), Kind::best);
  REQUIRE(best.size() == 1);
  CHECK(best[0].recommend == "tile = 128, warps = 4");
  CHECK(best[0].when == "work == '8192^3 NT' && device == 'NVIDIA H200' && layout == 'NT'");
  CHECK(best[0].evidence[0] == "gemm-128-4");
  CHECK(best[0].winning == 2);
}

TEST_CASE("a loop says how its sweep calls a point") {
  const Lab lab = lab_of(
      "system Lab { engineering_loop L { parameter tile: [32, 64] parameter warps: [4, 8] operation: "
      "\"gemm\" "
      "configuration: { name: \"t{{tile}} w{{warps}}\" head: 64 } "
      "measure { metric: \"us\" objective: \"minimize\" } } }");
  Trace trace{"gemm.jsonl", {}, {}};
  for (const char* name : {"t32 w4", "t32 w8", "t64 w4", "t64 w8", "t96 w8"}) {
    const double us = std::string(name) == "t64 w8" ? 100 : 200;
    trace.items.push_back({{"type", "Performance"},
                           {"operation", "gemm"},
                           {"configuration", {{"name", name}, {"head", 64}, {"layout", "NT"}}},
                           {"us", us},
                           {"us_low", us * 0.99},
                           {"us_high", us * 1.01},
                           {"repeats", 15}});
  }
  trace.lines.resize(trace.items.size(), 1);
  const auto best = of_kind(crystals_of(lab, {trace}), Kind::best);
  REQUIRE(best.size() == 1);
  CHECK(best[0].recommend == "tile = 64, warps = 8");
  CHECK(best[0].of == 4);
  CHECK(best[0].when == "layout == 'NT'");
}

TEST_CASE("confidence grows with effect, samples and days, and shrinks with spread") {
  Proposal proposal;
  proposal.effect = 1.2;
  proposal.spread = 0.05;
  proposal.samples = 8;
  CHECK(confidence_of(proposal, 1) == Approx(0.43).margin(0.006));  // 0.2 / 0.3 * 8 / 10 * 0.8
  const double base = confidence_of(proposal, 1);
  CHECK(confidence_of(proposal, 4) > base);
  proposal.samples = 80;
  CHECK(confidence_of(proposal, 1) > base);
  proposal.samples = 8, proposal.spread = 0.2;
  CHECK(confidence_of(proposal, 1) < base);
  proposal.effect = 1;
  CHECK(confidence_of(proposal, 1) == 0);
  proposal.fails = true;
  CHECK(confidence_of(proposal, 1) == Approx(0.64));
}

TEST_CASE("statistics agree with printed tables") {
  CHECK(two_sided_t(0.05, 10) == Approx(2.228).margin(0.001));
  CHECK(two_sided_t(0.05, 1e12) == Approx(1.960).margin(0.001));
  CHECK(two_sided_p(2.576, INFINITY) == Approx(0.01).margin(1e-4));
  CHECK(f_test_p(3.326, 5, 10) == Approx(0.05).margin(1e-4));
  CHECK(at_least_p(3, 3, 0.5) == Approx(0.125));
  CHECK(at_least_p(1, 4, 0.25) == Approx(1 - std::pow(0.75, 4)));
  CHECK(expected_middle_half(1) == 0);
  CHECK(expected_middle_half(2) == Approx(0.564).epsilon(0.02));  // a quarter of 1.128 at each end
  CHECK(expected_middle_half(5) == Approx(0.990).epsilon(0.02));
  CHECK(expected_middle_half(1e6) == Approx(1.349).epsilon(0.001));
}
