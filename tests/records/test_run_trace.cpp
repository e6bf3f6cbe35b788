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
}
