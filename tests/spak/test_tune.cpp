// Sweeps: the points and what forbids them, strategies, what is kept of a program's runs, and replays.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>

#include "shared/base/error.hpp"
#include "shared/spak/bundle.hpp"
#include "shared/spak/tune.hpp"

using namespace ladder;
using namespace ladder::spak;
using Catch::Matchers::Contains;

namespace {

std::vector<System> lineage_of(const std::string& body) {
  std::vector<System> lineage;
  lineage.push_back(System::of(Document::parse("system S { " + body + " }", "s.spak")));
  return lineage;
}

const std::string kLoop =
    "engineering_loop L { parameter tile: [16, 32, 64, 128] parameter warps: [4, 8] parameter kind: [\"a\", "
    "\"b c\"]\n"
    "measure { cmd: \"./k --tile={{tile}} '{{ kind }}' {{warps}}x{{tile}} {{device}}\" metric: \"us\" "
    "objective: \"minimize\" } }";

std::set<std::uint64_t> all_of(const std::string& strategy, const Space& space, const Allowed& allowed,
                               std::uint64_t seed) {
  std::set<std::uint64_t> points;
  const auto search = make_strategy(strategy, space, allowed, seed);
  while (const auto point = search->next()) {
    CHECK(points.insert(*point).second);
    search->told(*point, *point % 7 == 3 ? std::nullopt
                                         : std::optional<double>(static_cast<double>((*point * 37) % 101)));
  }
  return points;
}

LimitedRun run_of(const std::string& out, double seconds = 1) {
  LimitedRun run;
  run.started = true;
  run.code = 0;
  run.seconds = seconds;
  run.out = out;
  return run;
}

const Measuring kMeasuring = {"S", "L", "us", false};

Json item_of(const std::vector<LimitedRun>& runs, const Measuring& measuring = kMeasuring) {
  return item_of_runs(measuring, {{"tile", 64}}, runs);
}

std::string line(const std::string& members) {
  return "__SPAK_TRACE__ {\"type\": \"Performance\", " + members + "}\n";
}

}  // namespace

TEST_CASE("a space numbers its points; the last axis varies fastest") {
  const std::vector<System> lineage = lineage_of(kLoop);
  const Space space(lineage[0].loops[0].parameters);
  REQUIRE(space.size() == 16);
  CHECK(space.point(0).dump() == R"({"tile":16,"warps":4,"kind":"a"})");
  CHECK(space.point(1)["kind"] == Json("b c"));
  CHECK(space.point(15).dump() == R"({"tile":128,"warps":8,"kind":"b c"})");
  for (std::uint64_t point = 0; point < space.size(); ++point) {
    CHECK(space.number_of(space.point(point)) == point);
    for (std::size_t axis = 0; axis < 3; ++axis)
      CHECK(space.moved(point, axis, space.choice(point, axis)) == point);
  }
  CHECK(space.choice(space.moved(0, 0, 3), 0) == 3);
  CHECK_FALSE(space.number_of({{"tile", 64}, {"warps", 4}}).has_value());
  CHECK_FALSE(space.number_of({{"tile", 48}, {"warps", 4}, {"kind", "a"}}).has_value());
  CHECK(space.number_of({{"more", 1}, {"tile", 16.0}, {"warps", 4}, {"kind", "a"}}) == 0);
  CHECK_THROWS_WITH(Space(std::vector<Axis>{{"x", {}}}), Contains("parameter 'x' has no values"));
  CHECK_THROWS_WITH(Space(std::vector<Axis>{{"x", {1}}, {"x", {2}}}), Contains("stands twice"));
  std::vector<Axis> wide(20, {"", std::vector<Json>(10, 1)});
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i].name = std::to_string(i);
  CHECK_THROWS_WITH(Space(wide), Contains("more points than can be numbered"));
}

TEST_CASE("rules, invariants and constraints take points, each point once, and say which") {
  const std::vector<System> lineage = lineage_of(
      "knowledge { rule \"Wide\" { when: \"device == 'H200'\" forbid: \"tile == 128\" confidence: 0.9 }\n"
      "rule \"Doubtful\" { forbid: \"tile == 64\" confidence: 0.4 } rule \"Prose\" { when: \"it is slow\" "
      "forbid: \"tile == 32\" }\n"
      "rule \"Open\" { when: \"spills\" forbid: \"tile == 32\" } invariant Area { assert: \"tile * warps <= "
      "512\" } }\n" +
      kLoop.substr(0, kLoop.size() - 1) + " constraint { assert: \"tile > 16 || warps == 4\" } }");
  const EngineeringLoop& loop = lineage[0].loops[0];
  const auto counted = [&](const Json& set, bool prune) {
    std::vector<Pruned> pruned;
    const std::uint64_t left = Plan(lineage, loop, set, prune).count(pruned);
    std::string text = std::to_string(left);
    for (const Pruned& each : pruned) text += "; " + std::to_string(each.points) + " " + each.pruning.by;
    return text;
  };
  CHECK(counted({{"device", "H200"}}, true) == "10; 2 the loop's constraint; 4 rule 'Wide'");
  CHECK(counted({{"device", "H100"}}, true) == "12; 2 the loop's constraint; 2 invariant Area");
  CHECK(counted(Json::object(), true) == "12; 2 the loop's constraint; 2 invariant Area");
  CHECK(counted({{"device", "H200"}}, false) == "16");
}

TEST_CASE("every strategy tries each allowed point once, in an order that its seed decides") {
  const Space space({{"a", {1, 2, 3, 4, 5}}, {"b", {1, 2, 3, 4, 5, 6, 7}}, {"c", {true, false}}});
  const auto allowed = [](std::uint64_t point) { return point % 5 != 1; };
  for (const std::string& strategy : strategy_names()) {
    CAPTURE(strategy);
    const auto points = all_of(strategy, space, allowed, 1);
    CHECK(points.size() == 56);
    CHECK(std::all_of(points.begin(), points.end(), allowed));
    const auto order = [&](std::uint64_t seed) {
      std::vector<std::uint64_t> first;
      const auto search = make_strategy(strategy, space, allowed, seed);
      for (int i = 0; i < 10; ++i) first.push_back(*search->next());
      return first;
    };
    CHECK(order(1) == order(1));
    CHECK((order(1) == order(2)) == (strategy == "all"));
  }
  CHECK_THROWS_AS(make_strategy("best", space, allowed, 1), InputError);
}

TEST_CASE("random draws every point equally often") {
  const Space space({{"a", {1, 2, 3}}, {"b", {1, 2, 3}}});
  std::vector<int> first(9, 0), last(9, 0);
  for (std::uint64_t seed = 0; seed < 1800; ++seed) {
    const auto search = make_strategy(
        "random", space, [](std::uint64_t) { return true; }, seed);
    std::uint64_t point = 0;
    for (int i = 0; i < 9; ++i) {
      point = *search->next();
      if (i == 0) ++first[point];
    }
    ++last[point];
  }
  for (const auto& counts : {first, last})
    for (const int count : counts) CHECK(std::abs(count - 200) < 70);  // five standard deviations
}

TEST_CASE("local walks to the best of a space with one valley in fewer points than there are") {
  const Space space({{"a", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, {"b", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto search = make_strategy(
        "local", space, [](std::uint64_t) { return true; }, seed);
    int tried = 0;
    for (double cost = 1; cost != 0; ++tried) {
      const std::uint64_t point = *search->next();
      const double a = static_cast<double>(space.choice(point, 0)) - 6,
                   b = static_cast<double>(space.choice(point, 1)) - 3;
      cost = a * a + b * b;
      search->told(point, cost);
    }
    CHECK(tried < 60);
  }
}

TEST_CASE("values reach the program as parts of one word, whatever they hold") {
  const std::vector<System> lineage = lineage_of(kLoop);
  const Json set = {{"device", "$(rm -rf x); \"q\" 'H200'"}};
  const Command command(lineage[0], lineage[0].loops[0], set);
  CHECK(command.words({{"tile", 64}, {"warps", 8}, {"kind", "b c; | &"}}) ==
        std::vector<std::string>{"./k", "--tile=64", "b c; | &", "8x64", "$(rm -rf x); \"q\" 'H200'"});
  const Json nothing = Json::object();
  CHECK_THROWS_WITH(Command(lineage[0], lineage[0].loops[0], nothing),
                    Contains("s.spak:1:12: the command of 'L' asks for {{device}}"));
  const std::vector<System> open =
      lineage_of("engineering_loop L { measure { cmd: \"a 'b\" metric: \"us\" } }");
  CHECK_THROWS_WITH(Command(open[0], open[0].loops[0], nothing), Contains("' is not closed"));
  const std::vector<System> none = lineage_of("engineering_loop L { measure { metric: \"us\" } }");
  CHECK_THROWS_WITH(Command(none[0], none[0].loops[0], nothing), Contains("has no measure { cmd: }"));
}

TEST_CASE("of a program's runs the median is kept with its middle half; names of ours are ours") {
  const Json item = item_of(
      {run_of("noise\n" + line("\"us\": 4") + "more\n" + line("\"us\": 1")), run_of(line("\"us\": 2")),
       run_of(line("\"us\": 3, \"registers\": 40, \"outcome\": \"measured\"")),
       run_of(line("\"us\": 5, \"when\": \"1970\", \"system\": \"T\", \"id\": \"x\""))});
  CHECK(item["us"] == Json(3.0));
  CHECK(item["us_low"] == Json(2.0));
  CHECK(item["us_high"] == Json(4.0));
  CHECK(item["samples"] == Json(5));
  CHECK(item["registers"] == Json(40));
  CHECK(item["outcome"] == Json("measured"));
  CHECK(item["system"] == Json("S"));
  CHECK(item["configuration"] == Json{{"tile", 64}});
  CHECK(item["seconds"] == Json(4.0));
  CHECK(item["when"].get<std::string>().starts_with("20"));
  CHECK_FALSE(item.contains("id"));
  CHECK(cost_of(item, "us", false) == 3.0);
  CHECK(cost_of(item, "us", true) == -3.0);
  CHECK_FALSE(cost_of(item, "tflops", true).has_value());
}

TEST_CASE("what fails is kept with its outcome and reason, and costs nothing") {
  const auto outcome = [](const Json& item) {
    CHECK_FALSE(cost_of(item, "us", false).has_value());
    CHECK_FALSE(item.contains("us"));
    return item["outcome"].get<std::string>() + ": " + item["reason"].get<std::string>();
  };
  LimitedRun run = run_of(line("\"us\": 1"));
  run.code = 3;
  run.last_words = "error: too many registers";
  CHECK(outcome(item_of({run})) == "failure: exit code 3: error: too many registers");
  run.code = -1;
  run.signal = 11;
  CHECK(outcome(item_of({run})) == "failure: ended by signal 11: error: too many registers");
  run.timed_out = true;
  CHECK(outcome(item_of({run})) == "timeout: ended after 60 s");
  run = run_of("");
  run.too_long = true;
  run.signal = 9;
  CHECK(outcome(item_of({run})) == "failure: ended because it printed without end");
  run = {};
  run.last_words = "k: No such file or directory";
  CHECK(outcome(item_of({run})) == "failure: does not start: k: No such file or directory");
  CHECK(outcome(item_of({run_of(line("\"us\": 1, \"passed\": false"))})) ==
        "wrong result: Performance: passed is false");
  CHECK(outcome(item_of({run_of("__SPAK_TRACE__ {\"type\": \"Correctness\", \"passed\": \"no\"}\n" +
                                line("\"us\": 1"))})) == "wrong result: Correctness: passed is \"no\"");
  CHECK(
      outcome(item_of({run_of(line("\"us\": 1, \"passed\": true, \"max_error\": 2e-3, \"limit\": 1e-3"))})) ==
      "wrong result: max_error 0.002 of 0.001");
  CHECK(outcome(item_of({run_of(line("\"us\": 1, \"max_error\": null, \"limit\": 1e-3"))})) ==
        "wrong result: max_error null of 0.001");
  CHECK(outcome(item_of({run_of(line("\"us\": 0"))})) == "failure: us is 0");
  CHECK(outcome(item_of({run_of(line("\"us\": -1"))})) == "failure: us is -1");
  CHECK(outcome(item_of({run_of(line("\"us\": \"fast\""))})) == "failure: us is \"fast\"");
  CHECK(outcome(item_of({run_of(line("\"us\": 2e6"), 0.5)})) == "failure: it says 2 s and ran for 0.5 s");
  CHECK(outcome(item_of({run_of(line("\"outcome\": \"compile failure\""))})) == "failure: compile failure");
}

TEST_CASE("time by our own clock; a program that measures nothing is refused") {
  const Measuring seconds = {"S", "L", "seconds", false};
  const Json item = item_of({run_of(line("\"seconds\": 1e-9"), 2), run_of("", 4)}, seconds);
  CHECK(item["seconds"] == Json(3.0));
  CHECK(item["samples"] == Json(2));
  CHECK_THROWS_WITH(item_of({run_of("us: 12\n")}), Contains("printed no __SPAK_TRACE__ item with 'us'"));
  CHECK_THROWS_WITH(item_of({run_of(line("\"ms\": 12"))}), Contains("printed no"));
  CHECK_THROWS_WITH(item_of({run_of("a\n__SPAK_TRACE__ {oops\n")}), Contains("L: line 2 of its output"));
}

TEST_CASE("shares by hand and by launcher") {
  CHECK(shard_of("2/4").number == 1);
  CHECK(shard_of("2/4").of == 4);
  for (const char* wrong : {"0/4", "5/4", "1", "1/", "/2", "a/b", "1/2/3", "1/0", "-1/2"})
    CHECK_THROWS_AS(shard_of(wrong), InputError);
  const auto of = [](std::initializer_list<std::pair<const char*, const char*>> variables) {
    for (const auto& [name, value] : variables) setenv(name, value, 1);
    const Shard shard = shard_of("");
    for (const auto& [name, value] : variables) unsetenv(name);
    return std::to_string(shard.number) + "/" + std::to_string(shard.of);
  };
  CHECK(of({}) == "0/1");
  CHECK(of({{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "8"}}) == "3/8");
  CHECK(of({{"SLURM_ARRAY_TASK_ID", "5"}, {"SLURM_ARRAY_TASK_COUNT", "4"}, {"SLURM_ARRAY_TASK_MIN", "3"}}) ==
        "2/4");
  CHECK(of({{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "2"}}) == "1/2");
  CHECK(of({{"SLURM_PROCID", "2"}, {"SLURM_NTASKS", "2"}}) == "0/1");
  CHECK(of({{"PMI_RANK", "x"}, {"PMI_SIZE", "2"}}) == "0/1");
}

TEST_CASE("a sweep measures what is not known, shares nothing, and goes by its budget") {
  const std::vector<System> lineage = lineage_of(kLoop);
  const Json set = Json::object();
  const Plan plan(lineage, lineage[0].loops[0], set);
  std::set<std::uint64_t> measured;
  const auto measure = [&](std::uint64_t point) -> std::optional<double> {
    CHECK(measured.insert(point).second);
    return point;
  };
  TuneOptions options;
  options.budget = 3;
  CHECK(tune(plan, options, {{0, 1.0}, {2, std::nullopt}}, measure).size() == 5);
  CHECK(measured == std::set<std::uint64_t>{1, 3, 4});
  measured.clear();
  options.budget = UINT64_MAX;
  for (const std::string& strategy : strategy_names()) {
    options.strategy = strategy;
    for (std::uint64_t number = 0; number < 3; ++number) {
      options.shard = {number, 3};
      tune(plan, options, {}, measure);
    }
    CHECK(measured.size() == 16);
    measured.clear();
  }
}

TEST_CASE("which items belong to a loop") {
  const std::vector<System> lineage = lineage_of(
      "engineering_loop L { parameter tile: [16, 32] operation: \"gemm\" measure { metric: \"us\" } }");
  const EngineeringLoop& loop = lineage[0].loops[0];
  Measuring measuring = kMeasuring;
  measuring.set = {{"device", "H200"}};
  const Json own = {{"type", "Performance"},
                    {"system", "S"},
                    {"loop", "L"},
                    {"set", measuring.set},
                    {"configuration", {{"tile", 16}}}};
  const auto changed = [](Json item, const char* name, Json value) {
    item[name] = std::move(value);
    return item;
  };
  CHECK(belongs_to(own, loop, measuring));
  CHECK_FALSE(belongs_to(changed(own, "system", "T"), loop, measuring));
  CHECK_FALSE(belongs_to(changed(own, "loop", "M"), loop, measuring));
  CHECK_FALSE(belongs_to(changed(own, "set", {{"device", "H100"}}), loop, measuring));
  CHECK_FALSE(belongs_to(changed(own, "configuration", 3), loop, measuring));
  const Json swept = {
      {"type", "Performance"}, {"operation", "gemm"}, {"device", "H200"}, {"configuration", {{"tile", 16}}}};
  CHECK(belongs_to(swept, loop, measuring));
  CHECK_FALSE(belongs_to(changed(swept, "operation", "copy"), loop, measuring));
  CHECK_FALSE(belongs_to(changed(swept, "device", "H100"), loop, measuring));
  measuring.set["work"] = "1x1";
  CHECK_FALSE(belongs_to(swept, loop, measuring));
}

TEST_CASE("a replay counts the points until one is within two percent of the best that is recorded") {
  const std::vector<System> lineage =
      lineage_of("knowledge { rule \"R\" { forbid: \"tile == 16\" } }" + kLoop);
  const Json set = Json::object();
  const Plan plan(lineage, lineage[0].loops[0], set), all(lineage, lineage[0].loops[0], set, false);
  std::map<std::uint64_t, std::optional<double>> known;
  for (std::uint64_t point = 0; point < 16; ++point) known[point] = 100.0 - static_cast<double>(point);
  known[5] = std::nullopt;
  known.erase(14);
  known[15] = 50;
  known[12] = 50.9;
  CHECK(replay(all, known, "all", 1)->needed == 13);
  CHECK(replay(all, known, "all", 1)->failed == 1);
  CHECK(replay(plan, known, "all", 1)->needed == 9);
  known[2] = 10;
  CHECK(replay(all, known, "all", 1)->needed == 3);
  CHECK_FALSE(replay(plan, known, "all", 1).has_value());
  CHECK(replay(all, known, "random", 7)->needed == replay(all, known, "random", 7)->needed);
  // Rates are costs below zero: nearer to zero is worse.
  CHECK(replay(all, {{0, -97.0}, {1, -98.5}, {2, -100.0}}, "all", 1)->needed == 2);
}

TEST_CASE("the plan of a sweep elsewhere holds the points that are left") {
  const std::string body =
      "engineering_loop L { parameter tile: [16, 32] parameter warps: [4, 8] operation: \"gemm\" arch: 90 "
      "works: [\"a\", \"b\"] measure { metric: \"us\" } }";
  const std::vector<System> lineage = lineage_of(body);
  const Json set = Json::object();
  const Plan plan(lineage, lineage[0].loops[0], set);
  const Json json =
      sweep_plan(lineage[0], lineage[0].loops[0], plan, {}, {{1, 2.0}}, set, "wide tiles reuse more");
  CHECK(json["works"] == Json::array({"a", "b"}));
  CHECK(json["arch"] == Json(90));
  REQUIRE(json["configurations"].size() == 3);
  CHECK(json["configurations"][1] == Json{{"tile", 32}, {"warps", 4}, {"why", "wide tiles reuse more"}});
  CHECK(sweep_plan(lineage[0], lineage[0].loops[0], plan, {1, 2}, {}, {{"work", "b"}}, "")["configurations"]
            .size() == 2);
  CHECK_THROWS_WITH(
      sweep_plan(lineage[0], lineage[0].loops[0], plan, {}, {{0, 1.}, {1, 1.}, {2, 1.}, {3, 1.}}, set, ""),
      Contains("no point is left"));
  const std::vector<System> none = lineage_of(
      "engineering_loop L { parameter tile: [16] operation: \"gemm\" arch: \"90\" works: [\"a\"] }");
  CHECK_THROWS_WITH(sweep_plan(none[0], none[0].loops[0], Plan(none, none[0].loops[0], set), {}, {}, set, ""),
                    Contains("has no 'arch'"));
}
