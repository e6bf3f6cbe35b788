// The timing machinery, without timings: what it calls, how often, in which order, and what it makes of the numbers.
#include "shared/speed/race.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <thread>

#include "shared/base/error.hpp"
#include "shared/base/text_table.hpp"
#include "shared/report/svg_plot.hpp"

using namespace ladder;

TEST_CASE("median and quartiles interpolate between sorted samples") {
  const Timing timing{{4.0, 1.0, 3.0, 2.0, 100.0}};
  CHECK(timing.median() == 3.0);
  CHECK(timing.min() == 1.0);
  CHECK(timing.q1() == 2.0);
  CHECK(timing.q3() == 4.0);
  CHECK(Timing{{1.0, 2.0}}.median() == 1.5);
  CHECK_THROWS_AS(Timing{}.median(), InputError);
}

TEST_CASE("contestants take turns, each reset before each slice") {
  std::string calls;
  const auto contestant = [&](char name) {
    return Contestant{std::string(1, name), 2.0, [&, name] { calls += name; }, [&] { calls += '.'; },
                      [] { return 6.0; },   0};
  };
  std::vector<Contestant> pair = {contestant('a'), contestant('b')};
  pair[1].rounds = 2;
  const auto timings = race(pair, {3, 1, 0.01, {}});
  CHECK(calls == ".a.b.a.b.a");  // b takes part in two rounds only
  REQUIRE(timings.size() == 2);
  CHECK(timings[0].samples == std::vector<double>{3.0, 3.0, 3.0});  // 6 seconds for 2 units
  CHECK(timings[1].samples.size() == 2);
}

TEST_CASE("a fast slice is repeated, after a warm-up") {
  int slices = 0;
  const std::vector<Contestant> one = {{"fast", 1.0, [&] { ++slices; }, [] {}, {}, 0}};
  const auto timings = race(one, {2, 1, 1e-4, {}});
  CHECK(timings[0].samples.size() == 2);
  CHECK(slices > 4);  // warm-up, the try that counts, and more than one slice a sample
  CHECK_THROWS_AS(race(one, {0, 1, 0.01, {}}), InputError);
}

TEST_CASE("ratios pair the rounds, or set one median against every round") {
  const Timing slow{{10.0, 20.0, 30.0}}, fast{{1.0, 2.0, 5.0}};
  CHECK(ratios(slow, fast).samples == std::vector<double>{10.0, 10.0, 6.0});
  CHECK(ratios(Timing{{12.0}}, fast).samples == std::vector<double>{12.0, 6.0, 2.4});
  CHECK(ratios(slow, Timing{{2.0}}).samples == std::vector<double>{5.0, 10.0, 15.0});
  CHECK(ratios(slow, Timing{{8.0, 2.0}}).samples == std::vector<double>{2.0, 4.0, 6.0});  // a median of 5
  CHECK(ratios(Timing{{8.0, 2.0}}, fast).samples == std::vector<double>{5.0, 2.5, 1.0});
}

TEST_CASE("figures are printed in fitting units") {
  CHECK(format_seconds(0.1423) == "142 ms");
  CHECK(format_seconds(15.34e-6) == "15.3 us");
  CHECK(format_seconds(8.8e-7) == "880 ns");
  CHECK(format_seconds(2.5) == "2.50 s");
  CHECK(format_count(9840.4) == "9,840");
  CHECK(format_count(123.0) == "123");
  CHECK(format_count(123456.0) == "123,456");
  CHECK(format_count(1234567.0) == "1,234,567");
  CHECK(format_count(7.25) == "7.2");
  CHECK(format_count(0.034) == "0.03");
}

TEST_CASE("tables align code points, not bytes") {
  const std::vector<std::vector<std::string>> rows = {{"", "×"}, {"a", "10"}};
  CHECK(text_table(rows) == "    ×\na  10\n");
  CHECK(markdown_table(rows) == "|  | × |\n|---|---:|\n| a | 10 |\n");
}

TEST_CASE("plots skip what cannot be drawn and escape names") {
  const std::string svg =
      line_plot({{"a<b", {1.0, 0.0, 2.0, NAN, 4.0}, 0, false, false}}, {"t & u", "step", "y", true, 0.0});
  CHECK(svg.find("a&lt;b") != std::string::npos);
  CHECK(svg.find("t &amp; u") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  CHECK(line_plot({}, {"empty", "", "", false, 0.0}).find("</svg>") != std::string::npos);
  CHECK(bar_chart({{"x", "1 s", 1.0}}, "one").find("nan") == std::string::npos);
  CHECK(smoothed({1.0, 2.0, 3.0, 4.0}, 3) == std::vector<double>{1.5, 2.0, 3.0, 3.5});
}

TEST_CASE("quartiles of an even number of samples lie between two of them") {
  const Timing timing{{4.0, 1.0, 3.0, 2.0}};
  CHECK(timing.q1() == 1.75);
  CHECK(timing.q3() == 3.25);
  CHECK(timing.quantile(1.0) == 4.0);
}

TEST_CASE("a sample of many slices is the time of one unit, and a reset is not timed") {
  using namespace std::chrono_literals;
  const auto wait = [](auto time) { return [time] { std::this_thread::sleep_for(time); }; };
  const std::vector<Contestant> repeated = {{"repeated", 2.0, wait(2ms), [] {}, {}, 0}};
  const auto timings = race(repeated, {3, 0, 0.04, {}});
  CHECK(timings[0].min() >= 1e-3);  // 2 ms for two units
  CHECK(timings[0].min() < 10e-3);
  const std::vector<Contestant> long_reset = {{"long reset", 1.0, [] {}, wait(30ms), {}, 0}};
  CHECK(race(long_reset, {3, 0, 0.0, {}})[0].min() < 15e-3);
}

TEST_CASE("a race calls each slice for the warm-up, once to see how long it is, and once a round") {
  int slices = 0;
  std::vector<std::string> told;
  const std::vector<Contestant> one = {{"a", 1.0, [&] { ++slices; }, [] {}, {}, 0}};
  race(one, {2, 3, 0.0, [&](const std::string& text) { told.push_back(text); }});
  CHECK(slices == 3 + 1 + 2);
  CHECK(told == std::vector<std::string>{"round 1 of 2: a", "round 2 of 2: a"});
}

TEST_CASE("a figure at the limit of two units takes the larger one, with its digits") {
  CHECK(format_seconds(1e-6) == "1.00 us");
  CHECK(format_seconds(1e-3) == "1.00 ms");
  CHECK(format_seconds(1.0) == "1.00 s");
  CHECK(format_seconds(10.0) == "10.0 s");
  CHECK(format_seconds(100.0) == "100 s");
  CHECK(format_count(1.0) == "1.0");
  CHECK(format_count(100.0) == "100");
  CHECK(format_count(999.0) == "999");
  CHECK(format_count(1000.0) == "1,000");
  CHECK(counted(0, "step") == "0 steps");
  CHECK(counted(1, "step") == "1 step");
}

TEST_CASE("a column is as wide as its widest cell, in whichever row, and no line ends in blanks") {
  CHECK(text_table({{"head", "n", ""}, {"a", "1234", ""}, {"longer", "5"}}) ==
        "head       n\na       1234\nlonger     5\n");
}
