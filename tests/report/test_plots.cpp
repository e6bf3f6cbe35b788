// Pictures show the numbers that they are about.
#include <catch2/catch.hpp>

#include <cmath>
#include <string>

#include "shared/report/report.hpp"
#include "shared/report/run_picture.hpp"
#include "shared/report/svg_plot.hpp"

using namespace ladder;

namespace {

/// The page of two curves, of which the upper one is off by `by` at each step.
std::string page_of(double by) {
  Report report;
  const std::vector<double> below = {2.0, 1.75, 1.5};
  std::vector<double> loss = below;
  for (double& value : loss) value += by;
  report.models.push_back(
      {"m", "", {{""}}, {{"a", below, {}, 0.0, {}, false}, {"b", loss, below, 1e-2, {}, false}}});
  const std::string page = html_of(report);
  return page.substr(page.find("Difference of each loss"));
}

Record record_with(const std::vector<Evaluation>& evaluations) {
  TrainedRun run;
  run.name = "run";
  for (int s = 0; s < 100; ++s) run.loss.push_back(4.0 - s / 100.0);
  run.evaluations = evaluations;
  Record record = new_record("run-test", "./ladder train", "a model");
  record.rows = {{run.name, "", "", run_values(run)}};
  return record;
}

}  // namespace

TEST_CASE("a smoothed curve is the mean of as many neighbours on either side, fewer at the ends") {
  const std::vector<double> spike = {0.0, 0.0, 0.0, 15.0, 0.0, 0.0, 0.0};
  CHECK(smoothed(spike, 3) == std::vector<double>{0.0, 0.0, 5.0, 5.0, 5.0, 0.0, 0.0});
  CHECK(smoothed(spike, 5) == std::vector<double>{0.0, 3.75, 3.0, 3.0, 3.0, 3.75, 0.0});
  CHECK(smoothed(spike, 1) == spike);
  CHECK(smoothed({6.0, 0.0}, 3) == std::vector<double>{3.0, 3.0});
  CHECK(smoothed({}, 3).empty());
}

TEST_CASE("a bar ends before its label, and is longer by as much for the same factor") {
  const auto numbers = [](const std::string& svg, const std::string& before, const std::string& name) {
    std::vector<double> found;
    for (std::size_t at = svg.find(before); at != std::string::npos; at = svg.find(before, at + 1))
      found.push_back(std::stod(svg.substr(svg.find(name, at) + name.size())));
    return found;
  };
  const std::string svg = bar_chart({{"a", "1", 1.0}, {"b", "10", 10.0}, {"c", "100", 100.0}}, "t");
  const std::vector<double> width = numbers(svg, "<rect", " width='"), start = numbers(svg, "<rect", " x='");
  const std::vector<double> label = numbers(svg, "<text class='key' x='", " x='");
  REQUIRE(width.size() == 3);
  REQUIRE(label.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(start[i] + width[i] + 8 == Approx(label[i]).margin(0.11));
  CHECK(width[2] - width[1] == Approx(width[1] - width[0]).margin(0.21));
}

TEST_CASE("a difference is drawn whichever side is larger") {
  CHECK(page_of(0x1p-10) == page_of(-0x1p-10));
  CHECK(page_of(0x1p-10) != page_of(0x1p-9));
}

TEST_CASE("a run's second curve is of what is held out, between evaluations") {
  const std::vector<Evaluation> evaluations = {{0, 4.0, 4.5}, {50, 3.0, 3.75}, {100, 2.0, 3.5}};
  const std::string picture = run_picture(record_with(evaluations));
  std::vector<Evaluation> other_training = evaluations, other_held_out = evaluations;
  other_training[1].training = 3.25;
  other_held_out[1].held_out = 4.0;
  CHECK(run_picture(record_with(other_training)) == picture);
  CHECK(run_picture(record_with(other_held_out)) != picture);
}
