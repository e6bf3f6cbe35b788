// What a run prints and logs of its steps, and what its outputs may be called.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "shared/base/error.hpp"
#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/cli/progress.hpp"
#include "shared/cli/record_output.hpp"
#include "shared/cli/run_log.hpp"
#include "tests/support/child.hpp"

using namespace ladder;
using namespace ladder::cli;
using Catch::Matchers::Contains;

namespace {

StepReport report_of(std::int64_t done, double ms, std::int64_t tokens) {
  return {done, 2.5, ms, tokens, 0.25, std::nullopt, std::nullopt};
}

/// What `print` prints in a process whose standard output is a file.
std::string printed(const std::function<void()>& print) {
  const TemporaryFolder folder;
  std::fflush(stdout);  // else the process prints what this one has not yet
  const int code = test::code_of_child([&] {
    ::dup2(::open((folder / "out").c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
    print();
    return 0;
  });
  CHECK(code == 0);
  return read_file(folder / "out");
}

}  // namespace

TEST_CASE("a time is told in hours, minutes and seconds, rounded to the nearest") {
  CHECK(hours_minutes_seconds(0.4) == "0:00:00");
  CHECK(hours_minutes_seconds(59.6) == "0:01:00");
  CHECK(hours_minutes_seconds(3600.0) == "1:00:00");
  CHECK(hours_minutes_seconds(36000.0 + 23 * 60 + 45) == "10:23:45");
  CHECK(hours_minutes_seconds(1e300) == "1000000:00:00");
}

TEST_CASE("a line of progress is of the steps since the line before, and the last step has one") {
  const std::string text = printed([] {
    Progress progress(10, 51, std::nullopt);  // 41 steps: a line every two of them
    progress.step(report_of(11, 1000.0, 100));
    progress.step(report_of(12, 3000.0, 300));
    progress.step(report_of(13, 500.0, 10));
    progress.step(report_of(14, 500.0, 10));
    progress.step(report_of(51, 0.25, 1));
  });
  CHECK(text ==
        "step 12/51  loss 2.5000  2000 ms/step  100 tokens/s  lr 0.25  ETA 0:01:18\n"
        "step 14/51  loss 2.5000  500 ms/step  20 tokens/s  lr 0.25  ETA 0:00:19\n"
        "step 51/51  loss 2.5000  0.25 ms/step  4 k tokens/s  lr 0.25  ETA 0:00:00\n");
}

TEST_CASE("what is known besides stands in the line: share of the peak, norm and scale; the best is told") {
  const std::string text = printed([] {
    Progress progress(0, 1, 1e-7);
    StepReport report = report_of(1, 1000.0, 1'250'000);
    report.gradient_norm = 0.5;
    report.loss_scale = 65536.0;
    progress.step(report);
    progress.evaluation({1, 1.5, 1.75}, true);
    progress.evaluation({2, 1.25, 2.0}, false);
  });
  CHECK(text ==
        "step 1/1  loss 2.5000  1000 ms/step  1.25 M tokens/s  12.5% of peak  lr 0.25  norm 0.5  scale 65536 "
        " ETA "
        "0:00:00\nevaluated after step 1: training 1.5000, held out 1.7500, the best so far\n"
        "evaluated after step 2: training 1.2500, held out 2.0000\n");
}

TEST_CASE(
    "a log has a line for each step and evaluation, and goes on behind an earlier one where it is asked to") {
  const TemporaryFolder folder;
  const std::string path = (folder / "log").string();
  write_file(path, "earlier\n");
  {
    RunLog log(path, true);
    log.run({{"model", "m"}});
    log.step(report_of(7, 500.0, 30));
    log.evaluation({7, 1.5, 1.75}, true);
    CHECK(log.failure().empty());
  }
  const std::string text = read_file(path);
  REQUIRE(text.starts_with("earlier\n"));
  std::vector<Json> lines;
  for (std::size_t at = 8; at < text.size(); at = text.find('\n', at) + 1)
    lines.push_back(Json::parse(text.substr(at, text.find('\n', at) - at)));
  REQUIRE(lines.size() == 3);
  CHECK(sorted(lines[0]) == sorted({{"kind", "run"}, {"model", "m"}}));
  CHECK(sorted(lines[1]) == sorted({{"kind", "step"},
                                    {"step", 7},
                                    {"loss", 2.5},
                                    {"ms", 500.0},
                                    {"tokens_per_second", 60.0},
                                    {"learning_rate", 0.25}}));
  CHECK(sorted(lines[2]) ==
        sorted({{"kind", "evaluation"}, {"step", 7}, {"training", 1.5}, {"held_out", 1.75}, {"best", true}}));
  { RunLog fresh(path, false); }
  CHECK(read_file(path).empty());
  CHECK_THROWS_WITH(RunLog((folder / "none/log").string(), false), Contains("--json-lines"));
  RunLog silent("", false);
  CHECK_NOTHROW(silent.step(report_of(1, 1.0, 1)));
}

TEST_CASE("a record's name wants a record, a picture's is that of SVG") {
  CHECK_NOTHROW(require_record_name("", false));
  CHECK_NOTHROW(require_record_name("a", true));
  CHECK_THROWS_WITH(require_record_name("a", false), Contains("--name a: ") && Contains("none is written"));
  CHECK_THROWS_AS(require_record_name("a/b", true), InputError);
  for (const char* name : {"a.svg", "a", "a.png.svg"}) CHECK_NOTHROW(require_svg(name));
  for (const char* name : {"a.png", "a.svg.png", "a.SVG"})
    CHECK_THROWS_WITH(require_svg(name), Contains("SVG"));
  CHECK(recorded(false, {"a"}).empty());
  CHECK(recorded(true, {"a"}) == std::vector<std::string>{"a"});
}

TEST_CASE("every kind of output of a call is settled before its work: files, records, and what grows") {
  const TemporaryFolder folder;
  const std::string one = (folder / "one").string(), two = (folder / "two").string();
  CHECK_NOTHROW(require_outputs({}, {one, ""}, {}, two));
  CHECK_NOTHROW(require_outputs({}, {"", ""}, {}));
  CHECK_THROWS_AS(require_outputs({}, {one, one}, {}), InputError);
  CHECK_THROWS_AS(require_outputs({}, {one}, {}, one), InputError);
  CHECK_THROWS_AS(require_outputs({}, {one}, {"a/b"}), InputError);
  write_file(two, "input");
  CHECK_THROWS_AS(require_outputs({two}, {two}, {}), InputError);
  CHECK_THROWS_AS(require_outputs({two}, {one}, {}, two), InputError);
  CHECK_THROWS_AS(require_outputs({}, {"/dev/null/x"}, {}), std::exception);
  CHECK_THROWS_AS(require_outputs({}, {}, {}, "/dev/null/x"), std::exception);
  CHECK(read_file(two) == "input");
}
