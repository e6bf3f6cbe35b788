// What rounding can do excuses a stage, and nothing else does: runs that amplify it, the limits of narrow types. The
// terms that are rounded away: test_rounding.cpp.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <memory>

#include "shared/parity/rounding.hpp"
#include "shared/train/engine_decorator.hpp"
#include "tests/parity/broken_engine.hpp"

using namespace ladder;

namespace {

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void add(NamedTensor& tensor, std::size_t i, double amount) { tensor.set(i, tensor[i] + amount); }
void shorten(NamedTensor& tensor) {
  std::vector<double> values = tensor.values();
  values.pop_back();
  tensor.assign(values);
}

/// Says that it computes in bf16.
class Narrow final : public EngineDecorator {
 public:
  using EngineDecorator::EngineDecorator;
  Dtype dtype() const override { return Dtype::bf16; }
  double train_step(std::span<const Batch> batches, const StepConstants& adam) override {
    return engine().train_step(batches, adam);
  }
};

}  // namespace

TEST_CASE("a run that amplifies rounding is compared as far as it can be") {
  TrainConfig train;
  train.steps = 600;
  train.learning_rate = 0.05;
  train.seed = 3;
  const Run run = prepare_run({}, train, {});
  const Side upper = side_of(1, Dtype::fp64), lower = side_of(0, Dtype::fp64);
  const ParityReport report = compare_sides(upper, lower, run, kLossOnly);
  INFO(text_of(report));
  CHECK(report.passed());
  REQUIRE_FALSE(report.notes.empty());
  CHECK(mentions(report.notes.front(), "losses compared over the first"));
  CHECK(report.findings.front().step > 10);

  Damage damage;  // the same run with a mistake of 1e-9 in one weight at step 8 still fails
  damage.from_step = 8;
  damage.after_step = [](Engine& engine) {
    TensorList weights = engine.parameters();
    add(tensor_of(weights, "layer0.attn_wo"), 4, 1e-9);
    engine.load_parameters(weights);
  };
  const ParityReport wrong = compare_sides(broken(upper, damage), lower, run, kLossOnly);
  CHECK_FALSE(wrong.passed());
  REQUIRE(wrong.divergence() != nullptr);
  CHECK(wrong.divergence()->step == 8);
  CHECK(wrong.divergence()->what == "update of layer0.attn_wo");
}

TEST_CASE("a curve in a narrow type may leave the reference by twice what rounding does to it and no more") {
  TrainConfig train;
  train.steps = 100;
  train.learning_rate = 0.02;  // grows one rounding of the initial weights beyond the limits
  const Run run = prepare_run({}, train, {});
  const Side lower = side_of(1, Dtype::fp64);
  const RoundedCurves curves = rounded_curves(run, Dtype::bf16, train.steps);

  // Two ways to part, each held against its own row of the table: one step far off, and every step a little.
  std::int64_t from_step = 0;
  const char* what = "mean of losses";
  SECTION("one step") {
    from_step = train.steps - 1;
    what = "losses";
  }
  SECTION("the mean") {}
  const double limit = find_tolerance(what, Dtype::bf16).limit();
  const std::vector<double> moved = curves.moved();
  REQUIRE(2.0 * moved.back() > 0.1 * limit * curves.exact.back());
  // Every loss, or the last one, off by so many times what is just allowed.
  const auto off_by = [&](double times) {
    Damage damage;
    damage.from_step = from_step;
    auto s = std::make_shared<std::size_t>(from_step);
    damage.loss = [=](double loss) {
      const double allowed = limit * loss + 2.0 * moved[*s];
      *s = *s + 1 < moved.size() ? *s + 1 : static_cast<std::size_t>(from_step);
      return loss + times * allowed;
    };
    const Side narrow{"narrow", Dtype::bf16, lower.make};
    return compare_sides(broken(narrow, damage), lower, run, kLossOnly);
  };

  const ParityReport within = off_by(0.999);
  INFO(text_of(within));
  CHECK(within.passed());
  const std::string note =
      std::string(what) + ": held against what rounding does to the reference alone, twice";
  CHECK(std::count(within.notes.begin(), within.notes.end(), note) == 1);

  const ParityReport beyond = off_by(1.001);
  INFO(text_of(beyond));
  CHECK_FALSE(beyond.passed());
  CHECK(std::count(beyond.notes.begin(), beyond.notes.end(), note) == 0);
  REQUIRE(beyond.divergence() != nullptr);
  CHECK(beyond.divergence()->level == "located");
  CHECK(beyond.divergence()->what == "loss of this step from equal weights");
  CHECK(beyond.divergence()->step == from_step);
}

TEST_CASE("in a narrow type one loss that fails counts beside a mean that passes, and the other way round") {
  const std::vector<double> want(100, 2.0);
  std::vector<double> got = want;
  const char* failed = "losses";
  SECTION("one loss") { got[40] *= 1.2; }
  SECTION("the mean") {
    failed = "mean of losses";
    for (double& loss : got) loss *= 1.02;
  }
  const JudgedCurve curve = judge_curve(got, want, Dtype::bf16);
  REQUIRE(curve.limits.size() == 2);
  for (const CurveLimit& part : curve.limits) CHECK(part.comparison.passed() == (part.row.what != failed));
  CHECK(curve.decisive().row.what == failed);
  CHECK(curve.decisive().comparison.verdict == Verdict::too_far);
}

TEST_CASE("sensitivity never excuses NaN or a wrong length") {
  const Run run = small_run(0);
  const Side side = side_of(1, Dtype::fp64);
  const auto engine = side.make(run.model, 1);
  restart(*engine, run);
  const Batch batch = run.source->step(0, engine->layout()).front();
  const Probe want = engine->probe(batch);
  Probe got = want;
  got.gradients[0].set(3, std::numeric_limits<double>::quiet_NaN());
  shorten(got.gradients[1]);
  add(got.gradients[2], 0, 1.0);
  ParityReport report;
  compare_probes(got, want, Dtype::fp64, 0, kAll, report);
  allow_for_rounding({run.model, run.initial, batch}, got, want, Dtype::fp64, 0, report);
  int failures = 0;
  for (const Finding& finding : report.findings) failures += finding.comparison.passed() ? 0 : 1;
  CHECK(failures == 3);
}

TEST_CASE("a nudge is one unit in the last place of the type") {
  const TensorList weights = {{"w", {5}, {1.0, -2.0, 0.75, 0.0, 1e-30}}};
  for (const auto& [dtype, unit] : {std::pair{Dtype::fp64, 0x1p-52},
                                    {Dtype::fp32, 0x1p-23},
                                    {Dtype::tf32, 0x1p-10},
                                    {Dtype::fp16, 0x1p-10},
                                    {Dtype::bf16, 0x1p-7}}) {
    const TensorList moved = nudged(weights, dtype, 1);
    CAPTURE(name_of(dtype));
    for (std::size_t i = 0; i < weights[0].size(); ++i) {
      const double step = unit * std::abs(weights[0][i]), took = std::abs(moved[0][i] - weights[0][i]);
      CHECK(took >= 0.5 * step);  // fp64 rounds it once more
      CHECK(took <= 1.5 * step);
    }
  }
}

TEST_CASE(
    "one step of GPT-2 agrees with itself: micro-batches, dropout, clipping, decay, in every kind of type") {
  Preset tiny = find_preset("tiny");
  tiny.model.n_layer = 1;
  tiny.model.dropout = 0.2;
  tiny.train.batch_size = 2;
  tiny.train.grad_accum = 3;
  tiny.train.clip = GENERATE(0.0, 0.01);  // a clipped gradient has the same norm whatever it is multiplied by
  const Run run = prepare_run(tiny.model, tiny.train, {"", true, tiny.embedded});
  for (const bool narrow : {false, true}) {
    CAPTURE(narrow);
    std::unique_ptr<Engine> upper = side_of(1, Dtype::fp64).make(run.model, 2);
    if (narrow) upper = std::make_unique<Narrow>(std::move(upper));
    const auto lower = side_of(1, Dtype::fp64).make(run.model, 2);
    restart(*lower, run);
    for (std::int64_t s = 0; s < 3; ++s) {
      const ParityReport report = compare_step(*upper, *lower, run, s);
      INFO(text_of(report));
      CHECK(report.passed());
      CHECK(report.notes.empty());
      CHECK(report.findings.size() > 3 * run.initial.size());
    }
  }
}
