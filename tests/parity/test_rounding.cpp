// Texts that a model learns by heart: what remains of their gradients is made of terms a million times as large. Parity
// must pass there, and still see what is wrong.
#include <catch2/catch.hpp>

#include "shared/base/files.hpp"
#include "shared/base/temporary_folder.hpp"
#include "shared/base/utf8.hpp"
#include "shared/parity/rounding.hpp"
#include "shared/parity/rounding_ops.hpp"
#include "shared/stages.hpp"
#include "shared/train/ops_engine.hpp"
#include "tests/parity/broken_engine.hpp"

using namespace ladder;

namespace {

constexpr ParityLevels kProbes = {false, true, true, false};

struct Text {
  std::string name, text;
  std::int64_t steps;
};

std::vector<Text> texts() {
  std::string twenty, forty;
  for (int i = 0; i < 20; ++i) twenty += std::string("ab") + static_cast<char>('a' + i) + "\n";
  for (int i = 0; i < 40; ++i) forty += "hello\n";
  return {{"a letter", "a\n", 1000},
          {"a word", "hello\n", 1000},
          {"twenty words", twenty, 300},
          {"forty equal lines", forty, 1000},
          {"three steps", "hello\n", 3}};
}

Run run_on(const Text& text, const TemporaryFolder& folder, int block_size = 16) {
  write_file(folder / "text.txt", text.text);
  TrainConfig train;
  train.steps = text.steps;
  GptConfig model;
  model.block_size = block_size;
  return prepare_run(model, train, {(folder / "text.txt").string()});
}

/// One line of so many letters, none of which occurs twice.
std::string letters(int count) {
  std::u32string text;
  for (int i = 0; i < count; ++i) text += static_cast<char32_t>(0x4E00 + i);
  return encode_utf8(text) + "\n";
}

/// An engine that has trained the run.
std::unique_ptr<Engine> trained(const Side& side, const Run& run) {
  auto engine = side.make(run.model, run.train.batch_size);
  train_curve(*engine, run, run.train.steps);
  return engine;
}

/// The comparison of `upper` with `lower` at the weights that `lower` learnt.
ParityReport at_trained(const Side& upper, const Side& lower, const Run& run) {
  ParityReport report{upper.name, lower.name, run.train.steps, {}, {}};
  compare_engines(*upper.make(run.model, run.train.batch_size), *trained(lower, run), run, run.train.steps,
                  kProbes, report);
  return report;
}

/// A pass of stage 1 at weights that are learnt, to damage and to compare.
struct Learnt {
  Run run;
  TensorList weights;
  Probe probe;

  Learnt(const Text& text, const TemporaryFolder& folder, Dtype dtype) : run(run_on(text, folder)) {
    const Side reference = side_of(1, Dtype::fp64);
    weights = trained(reference, run)->parameters();
    const auto engine = reference.make(run.model, 1);
    if (dtype != Dtype::fp64)
      for (NamedTensor& tensor : weights) tensor = tensor.in(dtype);
    engine->load_parameters(weights);
    probe = engine->probe(run.source->step(run.train.steps).front());
  }

  ParityReport compared(const Probe& damaged, Dtype dtype) const {
    ParityReport report;
    compare_probes(damaged, probe, dtype, 0, kProbes, report);
    allow_for_rounding({run.model, weights, run.source->step(run.train.steps).front()}, damaged, probe, dtype,
                       0, report);
    return report;
  }
};

void scale(NamedTensor& tensor, double factor) {
  for (std::size_t i = 0; i < tensor.size(); ++i) tensor.set(i, tensor[i] * factor);
}

/// Calls look(tensor, probe) for each tensor of copies of `probe`, hidden activations left out: they are the branches.
template <class Look>
void for_each_tensor(const Probe& probe, const Look& look) {
  for (std::size_t i = 0; i < probe.activations.size(); ++i) {
    Probe copy = probe;
    look(copy.activations[i], copy);
  }
  for (std::size_t i = 0; i < probe.gradients.size(); ++i) {
    Probe copy = probe;
    look(copy.gradients[i], copy);
  }
}

}  // namespace

TEST_CASE("a text that is learnt by heart passes on every stage") {
  const TemporaryFolder folder;
  for (const Text& text : texts()) {
    const Run run = run_on(text, folder);
    const std::vector<Rung> chain = rungs();
    for (const Rung& rung : chain) {
      if (rung.below < 0) continue;
      const ParityReport report =
          at_trained(rung.side, chain[static_cast<std::size_t>(rung.below)].side, run);
      INFO(text.name << ": " << text_of(report));
      CHECK(report.passed());
    }
  }
}

TEST_CASE("a block of one position, whose attention has no gradient at all, passes") {
  const TemporaryFolder folder;
  const Run run = run_on({"", "hello\nworld\n", 200}, folder, 1);
  for (const int stage : {1, 2, 3}) {
    const ParityReport report = at_trained(side_of(stage, Dtype::fp32), side_of(1, Dtype::fp64), run);
    INFO(text_of(report));
    CHECK(report.passed());
  }
}

TEST_CASE("a block of one position at fresh weights, whose dP and delta cancel, passes") {
  const TemporaryFolder folder;
  write_file(folder / "text.txt", std::string(200, 'b') + "\n");
  GptConfig model;
  model.n_layer = 2;
  model.n_head = model.block_size = 1;
  TrainConfig train;
  train.steps = 1;
  struct Case {
    int width;
    std::int64_t seed;
  };
  for (const Case& c : {Case{5, 4294967295}, {5, 126}, {8, 25}, {8, 85}}) {
    model.n_embd = c.width;
    train.seed = c.seed;
    const Run run = prepare_run(model, train, {(folder / "text.txt").string()});
    for (const int stage : {1, 2, 3}) {
      const ParityReport report = at_trained(side_of(stage, Dtype::fp32), side_of(1, Dtype::fp64), run);
      INFO(text_of(report));
      CHECK(report.passed());
    }
  }
}

TEST_CASE("a vocabulary of seven hundred tokens, whose softmax has a long sum, passes on every stage") {
  const TemporaryFolder folder;
  write_file(folder / "text.txt", letters(700));
  struct Case {
    int layers, heads, width, block, sequences;
    double rate, beta1;
    std::int64_t seed;
  };
  for (const Case& c : {Case{1, 1, 12, 3, 1, 0.01, 0.85, 42},
                        {1, 1, 12, 16, 1, 0.01, 0.85, 42},
                        {1, 3, 12, 3, 1, 0.01, 0.85, 4294967295},
                        {3, 4, 4, 16, 5, 0.1, 0.85, 0},
                        {3, 3, 12, 1, 1, 0.01, 0.0, 1}}) {
    GptConfig model;
    model.n_layer = c.layers;
    model.n_head = c.heads;
    model.n_embd = c.width;
    model.block_size = c.block;
    TrainConfig train;
    train.steps = 60;
    train.batch_size = c.sequences;
    train.learning_rate = c.rate;
    train.beta1 = c.beta1;
    train.seed = c.seed;
    const Run run = prepare_run(model, train, {(folder / "text.txt").string()});
    const std::vector<Rung> chain = rungs();
    for (const Rung& rung : chain) {
      if (rung.below < 0 || rung.stage == 4) continue;
      const ParityReport report =
          at_trained(rung.side, chain[static_cast<std::size_t>(rung.below)].side, run);
      INFO(text_of(report));
      CHECK(report.passed());
    }
  }
}

TEST_CASE(
    "a vocabulary of five thousand tokens may move a loss by the roundings of its sum, and by no more") {
  const Tolerance &fp64 = find_tolerance("losses", Dtype::fp64),
                  &fp32 = find_tolerance("losses", Dtype::fp32);
  GptConfig model;
  model.vocab_size = 27;
  CHECK(loss_limit(fp64, model) == fp64.limit());
  CHECK(loss_limit(fp32, model) == fp32.limit());
  model.vocab_size = 5000;
  CHECK(loss_limit(fp64, model) == 5000 * 0x1p-53);
  CHECK(loss_limit(fp32, model) == 5000 * 0x1p-24);
  const Tolerance& narrow = find_tolerance("losses", Dtype::bf16);  // relative
  CHECK(loss_limit(narrow, model) == narrow.limit());

  const TemporaryFolder folder;
  Run run = run_on({"", letters(5000), 40}, folder, 3);
  const std::vector<double> want = train_curve(*side_of(1, Dtype::fp64).make(run.model, 1), run, 40);
  const auto judged = [&](double off) {
    std::vector<double> got = want;
    for (double& loss : got) loss += off;
    return judge_curve(got, want, Dtype::fp32, run);
  };
  CHECK(judged(0.9 * fp32.limit()).limits.front().note.empty());
  const JudgedCurve within = judged(0.9 * 5001 * 0x1p-24);
  CHECK(within.decisive().comparison.passed());
  CHECK(within.steady_steps == 0);
  CHECK(within.limits.front().note == "what a sum over 5001 tokens may be off by");
  CHECK_FALSE(judged(1.1 * 5001 * 0x1p-24).decisive().comparison.passed());
}

TEST_CASE("scores of a million, whose exponents lose six digits, pass") {
  TrainConfig train;
  train.steps = 30;
  train.learning_rate = 100;
  train.schedule = Schedule::constant;
  const Run run = prepare_run({}, train, {});
  for (const int stage : {2, 3}) {
    const Dtype dtype = Dtype::fp64;
    const ParityReport report = at_trained(side_of(stage, dtype), side_of(1, Dtype::fp64), run);
    INFO(text_of(report));
    CHECK(report.passed());
  }
}

TEST_CASE("one part in 100,000 of any tensor fails in fp64, of a text that is learnt by heart as well") {
  const TemporaryFolder folder;
  std::vector<Text> all = texts();
  all.push_back({"seven hundred letters", letters(700), 60});
  for (const Text& text : all) {
    const Learnt learnt(text, folder, Dtype::fp64);
    CHECK(learnt.compared(learnt.probe, Dtype::fp64).passed());
    for_each_tensor(learnt.probe, [&](NamedTensor& tensor, Probe& damaged) {
      if (root_mean_square(tensor.values()) == 0.0) return;  // nothing to scale
      scale(tensor, 1.0 + 1e-5);
      INFO(text.name << ": " << tensor.name);
      CHECK_FALSE(learnt.compared(damaged, Dtype::fp64).passed());
    });
  }
}

TEST_CASE("in every type ten times what is allowed fails, half of it passes") {
  const TemporaryFolder folder;
  const Dtype dtype = GENERATE(Dtype::fp64, Dtype::fp32, Dtype::tf32, Dtype::bf16, Dtype::fp16);
  const Learnt learnt(texts()[2], folder, Dtype::fp64);
  for_each_tensor(learnt.probe, [&](NamedTensor& tensor, Probe& damaged) {
    const double was = tensor[0];
    tensor.set(0, was + 1e3);  // fails, and says what would have been allowed
    const ParityReport wrong = learnt.compared(damaged, dtype);
    const Finding* finding = wrong.divergence();
    INFO(name_of(dtype) << ", " << tensor.name);
    REQUIRE(finding != nullptr);
    const double allowed = finding->comparison.first.budget;
    CHECK(finding->limit > 0.0);
    tensor.set(0, was + 10.0 * allowed);
    CHECK_FALSE(learnt.compared(damaged, dtype).passed());
    tensor.set(0, was + 0.5 * allowed);
    CHECK(learnt.compared(damaged, dtype).passed());
  });
}

TEST_CASE("narrow types pass on a text that is learnt by heart") {
  const TemporaryFolder folder;
  const Run run = run_on(texts()[1], folder);
  for (const Dtype dtype : {Dtype::tf32, Dtype::bf16, Dtype::fp16}) {
    const ParityReport report = at_trained(side_of(3, dtype), side_of(1, Dtype::fp64), run);
    INFO(text_of(report));
    CHECK(report.passed());
  }
}

TEST_CASE("the operations of the rounded reference differ by a rounding of the type") {
  const TemporaryFolder folder;
  const Run run = run_on(texts()[2], folder);
  const auto probe_with = [&](Dtype dtype, std::uint32_t draw) {
    auto ops = std::make_unique<RoundingOps>(make_ops(1, {Dtype::fp64}), dtype, draw);
    const auto engine = make_ops_engine(run.model, std::move(ops), 1);
    engine->load_parameters(run.initial);
    return engine->probe(run.source->step(0).front());
  };
  const auto exact = side_of(1, Dtype::fp64).make(run.model, 1);
  exact->load_parameters(run.initial);
  const Probe want = exact->probe(run.source->step(0).front());
  const Probe fine = probe_with(Dtype::fp64, 1), rough = probe_with(Dtype::fp32, 1),
              other = probe_with(Dtype::fp32, 2);
  for (std::size_t i = 0; i < want.gradients.size(); ++i) {
    const std::vector<double> exactly = want.gradients[i].values();
    INFO(want.gradients[i].name);
    CHECK(compare(fine.gradients[i].values(), exactly, 1e-13).passed());
    CHECK(compare(rough.gradients[i].values(), exactly, 1e-4).passed());
    CHECK_FALSE(compare(rough.gradients[i].values(), exactly, 1e-9).passed());
    CHECK_FALSE(compare(other.gradients[i].values(), rough.gradients[i].values(), 1e-9).passed());
  }
}

TEST_CASE("where a rounded tensor has no number, nothing is excused") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const NamedTensor want("w", {2}, std::vector<double>{1.0, 2.0}),
      got("w", {2}, std::vector<double>{1.0, 2.5}), rounded("w", {2}, std::vector<double>{2.0, 2.0}),
      lost("w", {2}, std::vector<double>{nan, 2.0});
  const auto judged = [&](std::initializer_list<const NamedTensor*> draws) {
    Moved moved;
    for (const NamedTensor* draw : draws) widen(moved, {{"w", draw}}, {{"w", &want}});
    ParityReport report;
    report.findings.push_back(
        {"model", "w", 0, {2}, "a row", 1e-3, compare(got.values(), want.values(), 1e-3)});
    judge_again({{"w", &got}}, {{"w", &want}}, moved, 0, report);
    return report.passed();
  };
  CHECK(judged({&rounded}));
  CHECK_FALSE(judged({&want}));
  CHECK_FALSE(judged({&lost}));
  CHECK_FALSE(judged({&rounded, &lost}));
  CHECK_FALSE(judged({&lost, &rounded}));
  const RoundedCurves curves{{1.0, 1.0, 1.0}, {{1.5, 1.0, 1.0}, {1.0, nan, 1.0}}};
  const std::vector<double> moved = curves.moved();
  CHECK(moved[0] == 0.5);
  CHECK(std::isinf(moved[1]));
  CHECK(std::isinf(moved[2]));
}

TEST_CASE("a run is steady as long as its rounded losses are numbers near the exact ones") {
  const TemporaryFolder folder;
  Run run = run_on(texts()[2], folder);
  CHECK(steady_steps(run, Dtype::fp64, 5, 1e-10) == 5);
  CHECK(steady_steps(run, Dtype::bf16, 5, 1e-10) == 0);
  run.train.learning_rate = 1e200;  // soon a loss is no number
  CHECK(steady_steps(run, Dtype::fp64, 5, 1e-10) < 5);
}
