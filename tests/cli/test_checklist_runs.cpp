// ladder checklist as a user calls it.
#include <catch2/catch.hpp>

#include "shared/base/json.hpp"
#include "shared/base/temporary_folder.hpp"
#include "tests/support/run_program.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

TEST_CASE("the checklist prints five steps and writes them as JSON and as a page") {
  const TemporaryFolder folder;
  const auto outcome = test::run_program(
      folder.path(), {"checklist", "--device", "cpu", "--without-pytorch", "--steps", "20", "--parity-steps",
                      "2", "--samples", "1", "--json", "c.json", "--report", "c.html"});
  INFO(outcome.out << outcome.err);
  CHECK(outcome.code == 0);
  for (const char* title : {"1  expanded parity", "2  trained weights", "3  weights that PyTorch trained",
                            "4  a whole training run", "5  losses and samples"})
    CHECK_THAT(outcome.out, Contains(title));
  CHECK_THAT(outcome.out, !Contains("FAILED"));
  const Json json = Json::parse(test::text_of(folder / "c.json"));
  CHECK(json.at("passed").get<bool>());
  CHECK(json.at("steps").size() == 5);
  CHECK(json.at("runs")[0].at("loss").size() == 20);
  CHECK_THAT(test::text_of(folder / "c.html"), Contains("Checklist") && Contains("Samples"));
}

TEST_CASE("a checklist that cannot be begun is refused in one line") {
  const TemporaryFolder folder;
  const auto refused = [&](std::vector<std::string> flags, const char* why) {
    flags.insert(flags.begin(), "checklist");
    const auto outcome = test::run_program(folder.path(), flags);
    CAPTURE(outcome.err);
    CHECK(outcome.code == 2);
    CHECK_THAT(outcome.err, Contains(why));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  };
  refused({"--preset", "micro"}, "GPT-2");
  refused({"--stage", "2"}, "stage 2");
  refused({"--samples", "0"}, "--samples is 0");
  refused({"--steps", "1"}, "--steps is 1: a loss that falls takes 2 or more");
  refused({"--parity-steps", "-1"}, "--parity-steps is -1");
  refused({"--data", "nothing.txt"}, "nothing.txt");
  refused({"--json", "same", "--report", "same"}, "same");
  CHECK(std::filesystem::is_empty(folder.path()));
}
