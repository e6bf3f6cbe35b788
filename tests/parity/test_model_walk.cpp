// ladder compare's walk: equal sides pass, and a side that is wrong is found where it is wrong.
#include <catch2/catch.hpp>

#include "shared/parity/model_walk.hpp"
#include "shared/train/engine_decorator.hpp"
#include "tests/support/gpt2_files.hpp"

using namespace ladder;
using namespace ladder::testing;
using Catch::Matchers::Contains;

namespace {

/// Another value in one element of one activation.
class Wrong final : public EngineDecorator {
 public:
  Wrong(std::unique_ptr<Engine> engine, std::string tensor)
      : EngineDecorator(std::move(engine)), tensor_(std::move(tensor)) {}
  double train_step(std::span<const Batch> batches, const StepConstants& adam) override {
    return engine().train_step(batches, adam);
  }
  Probe probe(const Batch& batch) override {
    Probe probe = engine().probe(batch);
    for (NamedTensor& activation : probe.activations)
      if (activation.name == tensor_) activation.set(9, activation[9] + 0.125);
    return probe;
  }

 private:
  std::string tensor_;
};

SavedModel saved_gpt2() {
  const GptConfig config = small_gpt2();
  return {config, std::make_shared<NumberTokenizer>(config.vocab_size), gpt2_parameters(config)};
}

Side wrong_side(const std::string& tensor) {
  Side side = side_of(1, Dtype::fp32);
  side.make = [tensor, make = side.make](const GptConfig& config, int max_batch) -> std::unique_ptr<Engine> {
    return std::make_unique<Wrong>(make(config, max_batch), tensor);
  };
  return side;
}

WalkOptions options_of(std::vector<std::int32_t> prompt) {
  WalkOptions options;
  options.prompt = std::move(prompt);
  options.max_tokens = 10;
  options.samples = 2;
  return options;
}

}  // namespace

TEST_CASE("two types of one stage pass on GPT-2, over the end of the block") {
  const ModelWalk walk =
      walk_model(side_of(1, Dtype::fp32), side_of(1, Dtype::fp64), saved_gpt2(), options_of({1, 2, 3}));
  INFO(text_of(walk.report));
  CHECK(walk.passed());
  CHECK(walk.greedy.identical());
  CHECK(walk.greedy.lower.size() == 13);
  CHECK(walk.tokens.size() == 6);  // the block
  CHECK(walk.upper_samples.size() == 2);
  CHECK(walk.upper_samples == walk.lower_samples);
  CHECK(describe(walk.greedy, 3) == "10 tokens identical");
}

TEST_CASE("both sides are walked with the weights as the upper one rounds them") {
  /// Keeps all that it was given.
  class Given final : public EngineDecorator {
   public:
    Given(std::unique_ptr<Engine> engine, std::vector<TensorList>& given)
        : EngineDecorator(std::move(engine)), given_(given) {}
    void load_parameters(const TensorList& parameters) override {
      given_.push_back(parameters);
      EngineDecorator::load_parameters(parameters);
    }
    double train_step(std::span<const Batch> batches, const StepConstants& adam) override {
      return engine().train_step(batches, adam);
    }

   private:
    std::vector<TensorList>& given_;
  };
  SavedModel saved = saved_gpt2();
  for (NamedTensor& tensor : saved.parameters)
    for (std::size_t i = 0; i < tensor.size(); ++i) tensor.set(i, tensor[i] + 1e-4);  // no number of bf16
  std::vector<TensorList> upper_has, lower_has;
  const auto keeping = [](Side side, std::vector<TensorList>& given) {
    side.make = [&given, make = side.make](const GptConfig& config,
                                           int max_batch) -> std::unique_ptr<Engine> {
      return std::make_unique<Given>(make(config, max_batch), given);
    };
    return side;
  };
  Side narrow = side_of(1, Dtype::fp32);
  narrow.dtype = Dtype::bf16;
  walk_model(keeping(narrow, upper_has), keeping(side_of(1, Dtype::fp64), lower_has), saved,
             options_of({1, 2}));
  const TensorList want = as_stored(saved.parameters, Dtype::bf16);
  CHECK(want.front().values() != saved.parameters.front().values());
  REQUIRE(upper_has.size() >= 2);  // as they are; as it rounds them
  REQUIRE(lower_has.size() >= 1);
  REQUIRE(lower_has.front().size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    CHECK(lower_has.front()[i].values() == want[i].values());
    CHECK(upper_has.back()[i].values() == want[i].values());
  }
}

TEST_CASE("the first block that differs is named") {
  for (const char* tensor : {"layer0.attn", "layer1.mlp", "logits"}) {
    const ModelWalk walk =
        walk_model(wrong_side(tensor), side_of(1, Dtype::fp64), saved_gpt2(), options_of({1, 2, 3}));
    CHECK(!walk.passed());
    REQUIRE(walk.report.divergence() != nullptr);
    CHECK(walk.report.divergence()->what == tensor);
  }
}

TEST_CASE("greedy texts that part say where") {
  const GreedyPair pair{{1, 2, 3, 4}, {1, 2, 5, 4}}, shorter{{1, 2}, {1, 2, 5}};
  CHECK(!pair.identical());
  CHECK(pair.same() == 2);
  CHECK(describe(pair, 1) == "token 2 differs: got 3, want 5");
  CHECK(describe(shorter, 1) == "token 2 differs: got nothing, want 5");
}

TEST_CASE("another program's logits and text are held to the same limits") {
  const SavedModel saved = saved_gpt2();
  const Side side = side_of(1, Dtype::fp32);
  const std::vector<std::int32_t> tokens = {1, 2, 3};
  const auto engine = side_of(1, Dtype::fp64).make(saved.model, 1);
  engine->load_parameters(saved.parameters);
  PytorchAnswer answer{"PyTorch", engine->logits(tokens), {1, 2, 3, 4}};
  const GreedyPair same{{1, 2, 3, 4}, answer.greedy}, other{{1, 2, 3, 5}, answer.greedy};
  CHECK(compare_with_pytorch(side, saved, answer, tokens, same).passed());
  const ParityReport parted = compare_with_pytorch(side, saved, answer, tokens, other);
  CHECK(!parted.passed());
  CHECK_THAT(parted.divergence()->describe(), Contains("greedy text"));
  answer.logits[7] += 0.01;
  const ParityReport wrong = compare_with_pytorch(side, saved, answer, tokens, same);
  CHECK(!wrong.passed());
  CHECK(wrong.divergence()->what == "logits");
}

TEST_CASE("the walk compares the last tokens that a block holds, each with the one behind it") {
  const auto walked = [](std::vector<std::int32_t> prompt, int tokens) {
    WalkOptions options = options_of(std::move(prompt));
    options.max_tokens = tokens;
    options.samples = 0;
    return walk_model(side_of(1, Dtype::fp32), side_of(1, Dtype::fp64), saved_gpt2(), options);
  };
  const ModelWalk longer = walked({1, 2, 3}, 10), shorter = walked({4}, 3);
  const auto& text = longer.greedy.lower;
  CHECK(longer.tokens == std::vector<std::int32_t>(text.end() - 7, text.end() - 1));
  CHECK(shorter.tokens ==
        std::vector<std::int32_t>(shorter.greedy.lower.begin(), shorter.greedy.lower.end() - 1));
  CHECK(shorter.tokens.size() == 3);
  CHECK(shorter.tokens.front() == 4);
  CHECK((longer.upper_samples.empty() && longer.lower_samples.empty()));
  for (const Finding& finding : longer.report.findings) CHECK(finding.what != "samples");
  CHECK_THROWS_WITH(walked({}, 3), "a walk needs at least one token to start from");
  CHECK_THROWS_WITH(walked({1}, 0), "--max-tokens is 0: it must be 1 or more");
}

TEST_CASE("a greedy text counts its tokens behind the prompt, and in narrow types may take another way") {
  const GreedyPair pair{{9, 9, 9, 1, 2, 3}, {9, 9, 9, 1, 2, 4}}, same{{9, 9, 9, 1}, {9, 9, 9, 1}};
  CHECK(describe(pair, 3) == "token 3 differs: got 3, want 4");
  CHECK(describe(same, 3) == "1 tokens identical");
  const SavedModel saved = saved_gpt2();
  Side side = side_of(1, Dtype::fp32);
  const auto engine = side_of(1, Dtype::fp64).make(saved.model, 1);
  engine->load_parameters(saved.parameters);
  const std::vector<std::int32_t> tokens = {1, 2, 3};
  PytorchAnswer answer{"PyTorch", engine->logits(tokens), pair.lower};
  side.dtype = Dtype::bf16;
  const ParityReport report = compare_with_pytorch(side, saved, answer, tokens, pair);
  CHECK(report.passed());
  CHECK(report.notes == std::vector<std::string>{"greedy texts differ from token 6 on, as this type may"});
  CHECK(report.lower == "PyTorch fp64");
  answer.logits[static_cast<std::size_t>(saved.model.vocab_size) + 2] += 1.0;
  const ParityReport wrong = compare_with_pytorch(side, saved, answer, tokens, same);
  REQUIRE(wrong.divergence() != nullptr);
  CHECK_THAT(wrong.divergence()->describe(), Contains("logits, row 1, column 2"));
}
