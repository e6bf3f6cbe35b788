// Traces: lines of items, other files of this program, programs' output, and what is added to them.
#include <catch2/catch.hpp>

#include <thread>

#include "shared/base/error.hpp"
#include "shared/base/limited_run.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/spak/trace.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

spak::Trace parsed(const std::string& text) { return spak::parse_trace(text, "folder/t.jsonl"); }

}  // namespace

TEST_CASE("one item a line, marked or not; what is none is named with its line") {
  const auto trace =
      parsed("{\"type\": \"A\"}\n\n  __SPAK_TRACE__ {\"type\": \"B\", \"id\": \"b-1\"}\r\n{\"type\": \"C\"}");
  REQUIRE(trace.items.size() == 3);
  CHECK(trace.lines == std::vector<std::size_t>{1, 3, 4});
  CHECK(trace.link(0) == "t.jsonl:1");
  CHECK(trace.link(1) == "b-1");
  CHECK(parsed("").items.empty());
  for (const char* wrong :
       {"{\"type\": \"A\"", "[1]", "{}", "{\"type\": 3}", "{\"type\": \"\"}", "word", "{\"type\":\"A\"} x"}) {
    CAPTURE(wrong);
    CHECK_THROWS_WITH(parsed("{\"type\": \"A\"}\n" + std::string(wrong) + "\n{\"type\": \"A\"}\n"),
                      Contains("t.jsonl:2"));
  }
  std::string deep = "{\"type\": \"A\", \"x\": ";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  CHECK_THROWS_AS(parsed(deep), InputError);
}

TEST_CASE("training runs and records are evidence, too") {
  const TemporaryFolder folder;
  test::write_text(
      folder / "run.json",
      R"({"format": "ladder-trace/1", "config": {"n_embd": 8}, "machine": {}, "loss": [3.5, "nan"], "ms": [1.5, 2],
                       "samples": [], "items": [{"type": "Insight"}]})");
  const auto run = spak::read_trace(folder / "run.json");
  REQUIRE(run.items.size() == 3);
  CHECK(run.items[1] == Json{{"type", "Convergence"},
                             {"step", 1},
                             {"loss", 3.5},
                             {"step_time_ms", 1.5},
                             {"configuration", {{"n_embd", 8}}}});
  CHECK(run.items[2]["loss"] == Json("nan"));
  const auto record =
      spak::read_trace(std::filesystem::path(LADDER_SOURCE_DIR) / "tests/bench/results/speedup-micro.json");
  const auto measured = std::find_if(record.items.begin(), record.items.end(),
                                     [](const Json& item) { return item.contains("seconds"); });
  REQUIRE(measured != record.items.end());
  CHECK((*measured)["outcome"] == Json("measured"));
  CHECK((*measured)["operation"] == Json("speedup-micro"));
  CHECK((*measured)["seconds_low"].get<double>() <= (*measured)["seconds"].get<double>());
  CHECK((*measured)["configuration"].contains("stage"));
  for (const char* wrong : {"{}", "[]", "{\"format\": \"other/1\"}", "{\"format\": \"ladder-trace/1\"}",
                            "{\"format\": \"ladder-trace/1\", \"loss\": [true]}",
                            "{\"format\": \"ladder-record/1\", \"rows\": []}"}) {
    test::write_text(folder / "wrong.json", wrong);
    CAPTURE(wrong);
    CHECK_THROWS_WITH(spak::read_trace(folder / "wrong.json"), Contains("wrong.json"));
  }
}

TEST_CASE("items that are known stay out; new ones get ids that nothing else has") {
  const std::vector<Json> known = {{{"id", "t-0002"}, {"type", "A"}, {"x", 1}}, {{"type", "B"}}};
  const std::vector<Json> heard = {{{"x", 1}, {"type", "A"}},
                                   {{"type", "C"}, {"id", "mine"}},
                                   {{"type", "D"}},
                                   {{"type", "D"}},
                                   {{"type", "E"}}};
  const auto fresh = spak::fresh_items(known, heard, "t");
  REQUIRE(fresh.size() == 3);
  CHECK(fresh[0]["id"] == Json("mine"));
  CHECK(fresh[1].dump() == R"({"id":"t-0003","type":"D"})");
  CHECK(fresh[2]["id"] == Json("t-0004"));
  CHECK(spak::fresh_items(fresh, fresh, "t").empty());
}

TEST_CASE("writers side by side leave whole lines; a line without its end is not continued") {
  const TemporaryFolder folder;
  const auto file = folder / "t.jsonl";
  test::write_text(file, "{\"type\": \"torn\"}");
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i)
    writers.emplace_back([&, i] {
      for (int j = 0; j < 50; ++j)
        spak::append_items(file, {{{"type", "A"}, {"writer", i}, {"n", j}}, {{"type", "B"}}});
    });
  for (std::thread& writer : writers) writer.join();
  CHECK(spak::read_trace(file).items.size() == 401);
  CHECK_THROWS_WITH(spak::append_items(folder / "none" / "t", {}), Contains("cannot be written"));
}

TEST_CASE("a program's run: output, last words, its end, and a limit for all that it started") {
  const auto shell = [](const std::string& script, double seconds = 20, std::size_t most = 1 << 20) {
    return run_limited({"sh", "-c", script}, seconds, most);
  };
  const LimitedRun well = shell("echo out; echo err >&2; echo 'last words' >&2; cat");
  CHECK((well.started && well.code == 0 && !well.timed_out));
  CHECK(well.out == "out\n");
  CHECK(well.last_words == "last words");
  CHECK(shell("exit 7").code == 7);
  CHECK(shell("kill -SEGV $$").signal == 11);
  CHECK_FALSE(run_limited({"./no-such-program"}, 1).started);
  CHECK_THAT(run_limited({"./no-such-program"}, 1).last_words, Contains("No such file"));
  const TemporaryFolder folder;
  const std::string mark = (folder / "mark").string();
  const LimitedRun hung = shell("(sleep 0.6; touch '" + mark + "') & sleep 30", 0.2);
  CHECK(hung.timed_out);
  CHECK(hung.seconds < 10);
  std::this_thread::sleep_for(std::chrono::milliseconds(800));
  CHECK_FALSE(std::filesystem::exists(mark));  // what it had started has ended with it
  CHECK(shell("yes", 20, 100'000).too_long);
  const LimitedRun left = shell("sleep 30 & echo done", 20);  // a child that keeps the output open
  CHECK((left.code == 0 && left.out == "done\n" && left.seconds < 10));
  CHECK(shell("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2").out.size() == 300000);
}

TEST_CASE("a command is cut into words as a shell would, and nothing else is done with it") {
  CHECK(words_of_command("  a 'b c' \"d 'e'\" f\\ g $(x) *;|  ''") ==
        std::vector<std::string>{"a", "b c", "d 'e'", "f g", "$(x)", "*;|", ""});
  CHECK(words_of_command("--x='1 2'3 \"\\\"\" '\\'") == std::vector<std::string>{"--x=1 23", "\"", "\\"});
  CHECK(words_of_command("").empty());
  CHECK_THROWS_WITH(words_of_command("a 'b"), Contains("' is not closed"));
}
