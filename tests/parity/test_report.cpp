// What a report says of its findings: where, which side, which level, and which of them it puts first.
#include <catch2/catch.hpp>

#include <limits>

#include "shared/base/error.hpp"
#include "shared/parity/parity.hpp"
#include "shared/parity/rounding.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

using Values = std::vector<double>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Twelve numbers of which the eighth differs by `error`, where 1e-3 is allowed.
Finding finding_of(std::string level, std::string what, double error = 0.5, std::vector<int> shape = {3, 4}) {
  const Values want(12, 2.0);
  Values got = want;
  got[7] += error;
  return {std::move(level),
          std::move(what),
          4,
          std::move(shape),
          "a row",
          1e-3,
          compare(got, want, 1e-3, Rule::absolute)};
}

Finding unequal(std::string what, const Values& got, const Values& want) {
  Finding finding = finding_of("model", std::move(what));
  finding.comparison = compare(got, want, 1e-3);
  return finding;
}

}  // namespace

TEST_CASE("a finding names its step from 1, its layer in both models' names, and row and column") {
  const auto said = [](std::string what, std::vector<int> shape = {3, 4}) {
    return finding_of("step", std::move(what), 0.5, std::move(shape)).describe();
  };
  CHECK(said("layer12.attn") ==
        "step 5, layer 12, layer12.attn, row 1, column 3: got 2.5, want 2, allowed error 0.001");
  CHECK_THAT(said("gradient of transformer.h.3.ln_1.weight"), Contains("step 5, layer 3, gradient of"));
  CHECK_THAT(said("transformer.wte.weight"), Contains("step 5, transformer.wte.weight, row 1, column 3"));
  CHECK_THAT(said("lm_head", {12}), Contains("lm_head, element 7: got"));
  CHECK_THAT(said("lm_head", {4, 3}), Contains("row 2, column 1"));
  CHECK_THAT(finding_of("kernel", "relu N=3, y").describe(), Catch::StartsWith("relu N=3, y, row 1"));
}

TEST_CASE(
    "losses are named by the step whose loss it is, a mean by its own error and the worst of its steps") {
  CHECK(finding_of("loss", "losses").describe() == "loss of step 8: got 2.5, want 2, allowed error 0.001");
  Finding mean = finding_of("loss", "mean of losses");
  mean.comparison =
      compare(Values{1.0, 2.5, 4.0, 2.0}, Values{1.0, 2.0, 4.0, 2.0}, 1e-3, Rule::mean_relative);
  mean.limit = 1e-3;
  CHECK(mean.describe() ==
        "mean error of 4 losses: 0.0625, allowed 0.001; the worst is step 2: got 2.5, want 2");
}

TEST_CASE("what is not finite is said to be so on its side") {
  const auto said = [](double got, double want) {
    return unequal("x", Values(12, got), Values(12, want)).describe();
  };
  CHECK_THAT(said(kNan, 1.0), Contains("not finite on the side under test"));
  CHECK_THAT(said(1.0, kNan), Contains("not finite on the side of the reference"));
  CHECK_THAT(said(kNan, kNan), Contains("not finite on both sides"));
  CHECK_THAT(unequal("x", Values(3, 1.0), Values(12, 1.0)).describe(),
             Contains("3 values where 12 were expected"));
  ParityReport report{"ours", "theirs", 0, {unequal("x", Values(12, 1.0), Values(12, kNan))}, {}};
  CHECK_THAT(verdict_of(report), Catch::StartsWith("ours cannot be held against theirs: step 5, x"));
  report.findings = {unequal("x", Values(12, kNan), Values(12, 1.0))};
  CHECK_THAT(verdict_of(report), Catch::StartsWith("ours differs from theirs: step 5, x"));
  report.findings = {finding_of("model", "x", 0.0)};
  CHECK(verdict_of(report) == "ours passed against theirs");
}

TEST_CASE("stages part where a walk located it, else at the first finding that fails") {
  ParityReport report;
  report.findings = {finding_of("block", "a", 0.0), finding_of("model", "b"), finding_of("model", "c", 0.9)};
  CHECK(report.divergence()->what == "b");
  report.findings.push_back(finding_of("located", "d", 0.0));
  CHECK(report.divergence()->what == "b");  // of those that fail
  report.findings.push_back(finding_of("located", "e"));
  report.findings.push_back(finding_of("located", "f"));
  CHECK(report.divergence()->what == "e");
  report.findings = {finding_of("block", "a", 0.0)};
  CHECK(report.divergence() == nullptr);
  CHECK(report.passed());
}

TEST_CASE("each level of a summary passes by its own findings, all of them, and samples stand beside") {
  ParityReport report{"ours", "theirs", 2, {}, {}};
  compare_samples({"ada", "eve", "bob"}, {"ada", "eva"}, Dtype::fp64, report);
  report.findings.push_back(finding_of("loss", "losses", 0.0));
  report.findings.push_back(finding_of("block", "right", 0.0));
  report.findings.push_back(finding_of("block", "wrong", 2e-3));
  report.findings.push_back(finding_of("block", "right, too", 0.5e-3));
  const Json summary = summary_of(report);
  CHECK(summary.at("loss").at("passed") == true);  // other samples are said by themselves
  CHECK(summary.at("loss").at("what") == "losses");
  CHECK(summary.at("samples") == "number 2 differs");
  CHECK(summary.at("block").at("passed") == false);
  CHECK(summary.at("block").at("what") == "wrong");
  CHECK(summary.at("block").at("error").get<double>() == Approx(2e-3));
  CHECK_FALSE(summary.contains("model"));
  const std::string text = text_of(report);
  CHECK_THAT(text, Catch::StartsWith("ours against theirs: FAILED\n"));
  CHECK_THAT(text, Contains("block     3 compared, largest error 0.002 where 0.001 is allowed (wrong)"));
  CHECK_THAT(text,
             Contains("first divergence: number 2 differs") && Contains("sample 2: got 'eve', want 'eva'"));
  const Json json = to_json(report);
  CHECK(json.at("findings").size() == 5);
  CHECK_FALSE(json.at("findings")[1].contains("element"));
  CHECK(json.at("findings")[3].at("step") == 5);
  CHECK(json.at("findings")[3].at("place") == "row 1, column 3");
}

TEST_CASE("samples that end early differ at the first that is missing, and narrow types may have others") {
  ParityReport report;
  compare_samples({"ada"}, {"ada", "eva"}, Dtype::fp32, report);
  CHECK_FALSE(report.passed());
  CHECK(report.findings.front().comparison.first.index == 1);
  CHECK(report.notes.front() == "sample 2: got 'nothing', want 'eva'");
  ParityReport narrow;
  for (const Dtype dtype : {Dtype::tf32, Dtype::fp16, Dtype::bf16})
    compare_samples({"ada", "eve", "bob"}, {"ada", "eve", "bib"}, dtype, narrow);
  CHECK(narrow.findings.empty());
  REQUIRE(narrow.notes.size() == 3);
  CHECK(narrow.notes.front() == "samples differ from number 3 on, as this type may");
  compare_samples({"ada", "eve"}, {"ada", "eve"}, Dtype::bf16, narrow);
  REQUIRE(narrow.findings.size() == 1);
  CHECK(narrow.findings.front().describe() == "2 identical");
}

TEST_CASE("the interpreter's losses are stage 0's to the last bit") {
  const Values want = {3.5, 3.25, 3.0};
  ParityReport same, other, shorter;
  compare_with_interpreter(want, want, same);
  CHECK(same.passed());
  CHECK(same.findings.front().step == 3);
  compare_with_interpreter(Values{3.5, std::nextafter(3.25, 4.0), 3.0}, want, other);
  REQUIRE(other.divergence() != nullptr);
  CHECK_THAT(other.divergence()->describe(), Catch::StartsWith("loss of step 2: "));
  compare_with_interpreter(std::span(want).first(2), want, shorter);
  CHECK_FALSE(shorter.passed());
}

TEST_CASE("each level is asked for by its name") {
  const auto parsed = [](const char* name) {
    const ParityLevels levels = ParityLevels::parse(name);
    return std::vector<bool>{levels.kernel, levels.block, levels.model, levels.loss};
  };
  CHECK(parsed("kernel") == std::vector<bool>{true, false, false, false});
  CHECK(parsed("block") == std::vector<bool>{false, true, false, false});
  CHECK(parsed("model") == std::vector<bool>{false, false, true, false});
  CHECK(parsed("loss") == std::vector<bool>{false, false, false, true});
  CHECK(parsed("all") == std::vector<bool>{true, true, true, true});
  CHECK_THROWS_WITH(ParityLevels::parse("step"),
                    "unknown level 'step': valid are kernel, block, model, loss, all");
}

TEST_CASE("logits and gradients are of the model level, streams and hidden activations of the block level") {
  const auto tensor = [](const char* name, double value) {
    return NamedTensor(name, {2}, std::vector<double>{value, 1.0});
  };
  Probe want;
  want.activations = {tensor("embed", 1.0), tensor("layer0.mlp", 1.0), tensor("logits", 1.0)};
  want.hidden = {tensor("layer0.hidden", 1.0)};
  want.gradients = {tensor("wte", 1.0)};
  Probe got = want;
  got.activations[2] = tensor("logits", 2.0);
  const auto names_at = [&](const ParityLevels& levels) {
    ParityReport report;
    compare_probes(got, want, Dtype::bf16, 6, levels, report);
    std::vector<std::string> names;
    for (const Finding& finding : report.findings) {
      CHECK(finding.step == 6);
      CHECK(finding.comparison.passed() == (finding.what != "logits"));
      const char* row = finding.what == "gradient of wte" ? "gradients" : "activations";
      CHECK(finding.limit == find_tolerance(row, Dtype::bf16).limit());
      CHECK(finding.tolerance == std::string(row) + " bf16");
      names.push_back(finding.level + " " + finding.what);
    }
    return names;
  };
  using Names = std::vector<std::string>;
  const Names block = {"block embed", "block layer0.mlp", "block layer0.hidden"};
  const Names model = {"model logits", "model gradient of wte"};
  CHECK(names_at({false, true, false, false}) == block);
  CHECK(names_at({false, false, true, false}) == model);
  Names both = block;
  both.insert(both.end(), model.begin(), model.end());
  CHECK(names_at({false, true, true, false}) == both);
}

TEST_CASE("of several limits on a curve the first that fails decides, and where none does the first") {
  JudgedCurve curve;
  curve.limits.resize(3);
  curve.limits[1].note = "second";
  CHECK(&curve.decisive() == curve.limits.data());
  curve.limits[1].comparison.verdict = curve.limits[2].comparison.verdict = Verdict::too_far;
  CHECK(&curve.decisive() == &curve.limits[1]);
}

TEST_CASE("rounding widens a tensor to the largest of its draws and elements, and excuses ten times that") {
  const NamedTensor exact("w", {3}, Values{1.0, -2.0, 4.0}), near("w", {3}, Values{1.0, -2.5, 4.0}),
      far("w", {3}, Values{1.25, -2.0, 4.0});
  Moved moved;
  for (const NamedTensor* draw : {&near, &far}) widen(moved, {{"w", draw}}, {{"w", &exact}});
  CHECK(moved.at("w") == 0.5);  // not the last draw's, nor the last element's
  const auto judged = [&](double error) {
    const NamedTensor got("w", {3}, Values{1.0, -2.0, 4.0 + error});
    ParityReport report;
    const auto add = [&](const char* what) {
      report.findings.push_back(
          {"model", what, 0, {3}, "a row", 1e-3, compare(got.values(), exact.values(), 1e-3)});
    };
    add("w");
    add("w");
    judge_again({{"w", &got}}, {{"w", &exact}}, moved, 1, report);
    CHECK_FALSE(report.findings[0].comparison.passed());  // before the first that is judged
    return report.findings[1].comparison.passed();
  };
  CHECK(judged(5.0));
  CHECK_FALSE(judged(5.1));
}
