#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include "shared/base/error.hpp"
#include "shared/base/json.hpp"
#include "shared/records/run_trace.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

Trace example() {
  Trace trace;
  trace.config = {{"stage", 0}};
  trace.machine = {{"cpu", "x"}};
  trace.loss = {
      3.3659669475848504, 0.1 + 0.2, 1.0 / 3, std::numeric_limits<double>::denorm_min(), 1e300, 2.0};
  trace.ms = {0.25, 1.5, 2, 3, 4, 5};
  trace.samples = {"ann", "\xC3\xA9\"\\\n"};
  trace.learning_rate = {1e-3, 2e-3};
  trace.gradient_norm = {0.5, 0.25, 0.125};
  return trace;
}

}  // namespace

TEST_CASE("a trace reads back with the same doubles") {
  const TemporaryFolder folder;
  const Trace trace = example();
  write_trace(folder / "t.json", trace);
  const Trace back = read_trace(folder / "t.json");
  CHECK(back.loss == trace.loss);
  CHECK(back.ms == trace.ms);
  CHECK(back.samples == trace.samples);
  CHECK(back.config == trace.config);
  CHECK(back.machine == trace.machine);
  CHECK(back.items == Json::array());
  CHECK(back.learning_rate == trace.learning_rate);
  CHECK(back.gradient_norm == trace.gradient_norm);
}

TEST_CASE("a trace file has the members that readers expect") {
  const TemporaryFolder folder;
  write_trace(folder / "t.json", example());
  const auto json = Json::parse(test::text_of(folder / "t.json"));
  CHECK(json.at("format") == "ladder-trace/1");
  for (const char* name : {"config", "machine", "loss", "ms", "samples", "items"}) CHECK(json.contains(name));
  CHECK(json.size() == 10);
}

TEST_CASE("files that are no traces are refused by name") {
  const TemporaryFolder folder;
  write_trace(folder / "good", example());
  const std::string good = test::text_of(folder / "good");
  const auto refused = [&](const std::string& text, const char* what) {
    test::write_text(folder / "bad.json", text);
    CHECK_THROWS_WITH(read_trace(folder / "bad.json"), Contains("bad.json") && Contains(what));
  };
  refused("", "JSON");
  refused("[1]", "JSON");
  refused(good.substr(0, good.size() / 2), "JSON");
  refused(R"({"format": "ladder-trace/2"})", "format");
  refused(R"({"format": "ladder-trace/1"})", "config");
  auto json = Json::parse(good);
  json["loss"] = "none";
  refused(json.dump(), "loss");
  json = Json::parse(good);
  json["loss"][2] = true;
  refused(json.dump(), "'loss': item 2: expected a number, found true");
  for (const char* list : {"ms", "learning_rate", "gradient_norm"}) {
    json = Json::parse(good);
    json[list] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0};
    refused(json.dump(), "7 of 6 steps");
  }
}

TEST_CASE("a norm of gradients that overflowed, as fp16 has, is text in a trace, and reads back") {
  const TemporaryFolder folder;
  Trace trace = example();
  trace.gradient_norm = {1.0, HUGE_VAL, 2.0, std::nan(""), 1.0, 1.0};
  write_trace(folder / "t", trace);
  CHECK(test::text_of(folder / "t").find("null") == std::string::npos);
  const Trace back = read_trace(folder / "t");
  CHECK(back.gradient_norm[1] == HUGE_VAL);
  CHECK(std::isnan(back.gradient_norm[3]));
  trace.loss[1] = std::nan("");
  CHECK_THROWS_WITH(write_trace(folder / "bad", trace), Contains("loss[1] is nan"));
  CHECK(!std::filesystem::exists(folder / "bad"));
}

TEST_CASE("evaluations and items of a trace come back, and files of earlier programs may lack what is new") {
  const TemporaryFolder folder;
  Trace trace = example();
  trace.evaluations.push_back({{"step", 0}, {"training", 3.5}, {"held_out", 3.25}});
  trace.items.push_back({{"id", "x-1"}});
  write_trace(folder / "t", trace);
  CHECK(read_trace(folder / "t").evaluations == trace.evaluations);
  CHECK(read_trace(folder / "t").items == trace.items);
  const Json json = Json::parse(test::text_of(folder / "t"));
  Json earlier = Json::object();
  for (const char* name : {"format", "config", "machine", "loss", "ms", "samples", "items"})
    earlier[name] = json.at(name);
  test::write_text(folder / "old", earlier.dump());
  const Trace old = read_trace(folder / "old");
  CHECK(old.loss == trace.loss);
  CHECK(old.learning_rate.empty());
  CHECK(old.gradient_norm.empty());
  CHECK(old.evaluations.size() == 0);
}
