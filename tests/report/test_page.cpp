// The HTML report: whatever a text holds, a browser shows it and reads nothing into it.
#include <catch2/catch.hpp>

#include "shared/report/report.hpp"

using namespace ladder;

namespace {

const std::string kText = "<b x='1' y=\"2\">&";
const std::string kEscaped = "&lt;b x=&#39;1&#39; y=&quot;2&quot;&gt;&amp;";

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// How often the page shows the text that was put in one place; none of it stands there as it is.
std::size_t shown(const Report& report) {
  const std::string page = html_of(report);
  CHECK(count(page, "<b ") == 0);
  return count(page, kEscaped);
}

Report plain() {
  Report report;
  ReportCurve curve{"stage 0", {2.0, 1.5, 1.25}, {}, 0.0, {"ada"}};
  ReportCurve upper{"stage 1", {2.0, 1.5, 1.0}, curve.loss, 1e-5, {"ada"}};
  report.models.push_back({"microGPT", "a run", {{"", "losses"}, {"stage 1", "ok"}}, {curve, upper}});
  report.speedup = {{"", "time"}, {"stage 0", "1 s"}};
  report.rows.push_back({"stage 0", "", "", {{"seconds", 1.0}}});
  report.notes = {"a note"};
  return report;
}

}  // namespace

TEST_CASE("the page escapes every text that it shows") {
  Report report = plain();
  CHECK(shown(report) == 0);
  ReportModel& model = report.models.front();
  SECTION("a sample") { model.curves[0].samples = {kText, "b"}; }
  SECTION("the name of a model") { model.name = kText; }
  SECTION("its work") { model.work = kText; }
  SECTION("a cell of its parity") { model.parity[1][1] = kText; }
  SECTION("the name of a curve") { model.curves[1].name = kText; }
  SECTION("the name of the lowest curve") { model.curves[0].name = kText; }
  SECTION("a cell of the speeds") { report.speedup[1][0] = kText; }
  SECTION("the name of a bar") { report.rows[0].name = kText; }
  SECTION("a note") { report.notes.push_back(kText); }
  SECTION("the date") { report.date = kText; }
  SECTION("the machine") { report.machine.cpu = kText; }
  SECTION("the build") { report.build.flags = kText; }
  CHECK(shown(report) >= 1);
}

TEST_CASE("the page escapes every text of a checklist") {
  Report report;
  ReportChecklist checklist;
  checklist.left = "ours", checklist.right = "theirs";
  checklist.steps.push_back(
      {1, "a step", ChecklistStep::Outcome::passed, "well", {{"", "ms"}, {"ours", "3"}}, 2.0});
  checklist.samples.push_back({"a", "b"});
  checklist.runs.emplace_back();
  checklist.runs.back().name = "ours";
  checklist.runs.back().loss = {2.0, 1.0};
  SECTION("its work") { checklist.work = kText; }
  SECTION("a title") { checklist.steps[0].title = kText; }
  SECTION("a summary") { checklist.steps[0].summary = kText; }
  SECTION("a figure") { checklist.steps[0].figures[1][0] = kText; }
  SECTION("the left side's sample") { checklist.samples[0].left = kText; }
  SECTION("the right side's sample") { checklist.samples[0].right = kText; }
  SECTION("the left side") { checklist.left = kText; }
  SECTION("the right side") { checklist.right = kText; }
  SECTION("a run") { checklist.runs[0].name = kText; }
  report.checklist = checklist;
  CHECK(shown(report) >= 1);
}

TEST_CASE("the page says whose samples differ, and what failed") {
  Report report = plain();
  CHECK(html_of(report).find("others") == std::string::npos);
  CHECK(html_of(report).find("Every stage agrees") != std::string::npos);
  report.models[0].curves[1].samples = {"eve"};
  report.passed = false;
  const std::string page = html_of(report);
  CHECK(page.find("stage 1: <span class='bad'>others</span>") != std::string::npos);
  CHECK(page.find("Every stage agrees") == std::string::npos);
}
