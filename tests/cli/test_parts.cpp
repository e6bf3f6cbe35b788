// Parts of the command line that a run shows only in passing: times, lines of a log, settings that follow from others.
#include <catch2/catch.hpp>

#include "shared/base/json.hpp"
#include "shared/cli/progress.hpp"
#include "shared/cli/run_log.hpp"
#include "shared/cli/settings.hpp"
#include "shared/stages.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;

TEST_CASE("seconds are told as hours, minutes and seconds") {
  CHECK(cli::hours_minutes_seconds(0.0) == "0:00:00");
  CHECK(cli::hours_minutes_seconds(59.4) == "0:00:59");
  CHECK(cli::hours_minutes_seconds(59.6) == "0:01:00");
  CHECK(cli::hours_minutes_seconds(3723.0) == "1:02:03");
  CHECK(cli::hours_minutes_seconds(7199.0) == "1:59:59");
  CHECK(cli::hours_minutes_seconds(360000.0) == "100:00:00");
  CHECK(cli::hours_minutes_seconds(1e300) == "1000000:00:00");
}

TEST_CASE("a variant that a file names and no stage has is shown shortened") {
  CHECK_THROWS_WITH(find_variant(3, std::string(5000, 'x')),
                    Catch::Matchers::Contains("(5000 characters in all)") &&
                        Catch::Matchers::Contains("this program contains"));
}

TEST_CASE("a line of a log says what a step did, a second's tokens among it") {
  const TemporaryFolder folder;
  const std::string path = (folder / "log").string();
  {
    cli::RunLog log(path, /*append=*/false);
    StepReport report{7, 2.5, 250.0, 500, 1e-3, std::nullopt, std::nullopt};
    log.step(report);
    report.gradient_norm = 0.5;
    report.loss_scale = 1024.0;
    log.step(report);
    log.evaluation({8, 2.0, 2.25}, true);
  }
  const std::string text = test::text_of(path);
  const Json first = Json::parse(text.substr(0, text.find('\n')));
  CHECK(first.at("kind") == "step");
  CHECK(first.at("step") == 7);
  CHECK(first.at("loss") == 2.5);
  CHECK(first.at("ms") == 250.0);
  CHECK(first.at("tokens_per_second") == 2000.0);
  CHECK(first.at("learning_rate") == 1e-3);
  CHECK_FALSE(first.contains("gradient_norm"));
  const std::string rest = text.substr(text.find('\n') + 1);
  const Json second = Json::parse(rest.substr(0, rest.find('\n')));
  CHECK(second.at("gradient_norm") == 0.5);
  CHECK(second.at("loss_scale") == 1024.0);
  const Json third = Json::parse(rest.substr(rest.find('\n') + 1));
  CHECK(third.at("kind") == "evaluation");
  CHECK(third.at("training") == 2.0);
  CHECK(third.at("held_out") == 2.25);
  CHECK(third.at("best") == true);
}

TEST_CASE("a preset's warm-up is a tenth of a run that is shorter than it, unless it was given") {
  cli::RunFlags flags;
  flags.preset = "shakespeare_char";
  CHECK(cli::resolve_run(flags).train.warmup_steps == 100);
  flags.train.values.steps = 50;
  flags.train.flags.insert("--steps");
  CHECK(cli::resolve_run(flags).train.warmup_steps == 5);
  flags.train.values.warmup_steps = 20;
  flags.train.flags.insert("--warmup-steps");
  CHECK(cli::resolve_run(flags).train.warmup_steps == 20);
}
