#include <catch2/catch.hpp>

#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "shared/base/error.hpp"
#include "shared/stages.hpp"
#include "shared/train/sample.hpp"

using namespace ladder;
using Catch::Matchers::Contains;

namespace {

struct Vector {
  double temperature;
  std::vector<double> logits, probabilities;
};

/// CPython 3.11's answers to the arithmetic of the original: logits * T ** -1, minus max, exp, sum, * total ** -1.
const std::vector<Vector>& vectors() {
  static const std::vector<Vector> all = {
      {0.5,
       {0.0, -0.1, 0.2, -0.30000000000000004, 0.4, -0.5, 0.6000000000000001},
       {0x1.a31e345341acdp-4, 0x1.572510947984dp-4, 0x1.38a0126f9a156p-3, 0x1.cc089d9f8459cp-5,
        0x1.d261d256bc86ep-3, 0x1.345ea9f5dcf84p-5, 0x1.5be1537039bb6p-2}},
      {0.7,
       {3.0, -2.5, 0.75, 0.001, 7.25},
       {0x1.2dc36b9cca84fp-9, 0x1.de5043c2e34aap-21, 0x1.8408bd646db94p-14, 0x1.0a32b219395ccp-15,
        0x1.fec1d59eab710p-1}},
      {1.0, {-50.0, 0.0, 50.0}, {0x1.a8c1f14e2af5dp-145, 0x1.d257d547e083fp-73, 0x1.0000000000000p+0}},
      {1.3,
       {0.3333333333333333, 0.6666666666666666, -0.14285714285714285, 0.45454545454545453, 0.9, -3.3, 2.2,
        1.1, -0.01},
       {0x1.48957dfa9318dp-4, 0x1.a89f964b8ebb8p-4, 0x1.c79c64d7102aap-5, 0x1.68b1e55960fdbp-4,
        0x1.fc1b19802ed43p-4, 0x1.4157d347d271ap-8, 0x1.594b31e5247e7p-2, 0x1.284e09d469960p-3,
        0x1.f8a2c405c7eeap-5}},
  };
  return all;
}

/// An engine whose logits are a fixed function of the last token, and which records what it was fed.
class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(int vocabulary, int block_size, Architecture architecture = Architecture::microgpt) {
    config_.vocab_size = vocabulary;
    config_.block_size = block_size;
    config_.architecture = architecture;
  }
  const GptConfig& config() const override { return config_; }
  Dtype dtype() const override { return Dtype::fp64; }
  void load_parameters(const TensorList&) override {}
  TensorList parameters() const override { return {}; }
  void load_moments(const Moments&) override {}
  Moments moments() const override { return {}; }
  double train_step(std::span<const Batch>, const StepConstants&) override { return 0.0; }
  double loss(const Batch&) override { return 0.0; }
  Probe probe(const Batch&) override { return {}; }
  std::vector<double> logits(std::span<const std::int32_t> tokens) override {
    seen.emplace_back(tokens.begin(), tokens.end());
    std::vector<double> all;
    for (std::int32_t token : tokens)
      for (int v = 0; v < config_.vocab_size; ++v)
        all.push_back(v == (token + 1) % config_.vocab_size ? 50.0 : 0.0);
    return all;
  }

  std::unique_ptr<Decoder> decoder() override;

  std::vector<std::vector<std::int32_t>> seen;

 private:
  GptConfig config_;
};

/// Feeds the engine all tokens so far, so that `seen` tells what each token saw.
class FakeDecoder final : public Decoder {
 public:
  explicit FakeDecoder(FakeEngine& engine) : engine_(engine) {}
  std::vector<double> next(std::span<const std::int32_t> tokens) override {
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    const std::vector<double> all = engine_.logits(tokens_);
    return {all.end() - engine_.config().vocab_size, all.end()};
  }

 private:
  FakeEngine& engine_;
  std::vector<std::int32_t> tokens_;
};

std::unique_ptr<Decoder> FakeEngine::decoder() { return std::make_unique<FakeDecoder>(*this); }

SampleOptions greedy(int max_tokens = 0) {
  SampleOptions options;
  options.greedy = true;
  options.max_tokens = max_tokens;
  return options;
}

}  // namespace

TEST_CASE("probabilities have CPython's bits") {
  for (const Vector& vector : vectors())
    CHECK(softmax_probabilities(vector.logits, vector.temperature) == vector.probabilities);
}

TEST_CASE("drawn tokens are those of random.choices after random.seed(7)") {
  const std::vector<int> expected = {2, 4, 2, 0, 4, 4, 2, 6, 0, 4, 2, 1, 4, 4, 2, 2, 5, 4, 2, 4,
                                     6, 4, 2, 3, 1, 4, 2, 7, 1, 4, 2, 4, 4, 4, 2, 2, 6, 4, 2, 6};
  Random random(7);
  std::vector<int> drawn;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Vector& vector = vectors()[i % 4];
    SampleOptions options;
    options.temperature = vector.temperature;
    drawn.push_back(sample_token(vector.logits, options, random));
  }
  CHECK(drawn == expected);
}

TEST_CASE("greedy takes the first of the largest logits and draws nothing") {
  Random random(1);
  const Random::State before = random.state();
  CHECK(sample_token(std::vector{0.0, 2.0, 2.0, -1.0}, greedy(), random) == 1);
  CHECK(random.state() == before);
}

TEST_CASE("top-k draws from the k largest logits only") {
  const std::vector<double> logits = {1.0, 3.0, 2.0, 3.0, 0.5, 2.0};
  SampleOptions options;
  options.temperature = 5.0;
  Random random(3);
  std::vector<int> counts(6);
  options.top_k = 3;  // 1, 3, and the first of the two 2.0
  for (int i = 0; i < 600; ++i) ++counts[static_cast<std::size_t>(sample_token(logits, options, random))];
  CHECK(counts[0] + counts[4] + counts[5] == 0);
  CHECK(std::min({counts[1], counts[2], counts[3]}) > 100);
  options.top_k = 1;
  for (int i = 0; i < 20; ++i) CHECK(sample_token(logits, options, random) == 1);
}

TEST_CASE("top-k one below the vocabulary leaves out the smallest logit alone") {
  const std::vector<double> logits = {0.1, 0.0, 0.2, -0.1, 0.3};
  SampleOptions options;
  options.temperature = 5.0;
  options.top_k = 4;
  Random random(3);
  std::vector<int> counts(5);
  for (int i = 0; i < 400; ++i) ++counts[static_cast<std::size_t>(sample_token(logits, options, random))];
  CHECK(counts[3] == 0);
  for (std::size_t v : {0, 1, 2, 4}) CHECK(counts[v] > 50);
}

TEST_CASE("top-k as large as the vocabulary changes nothing") {
  Random a(11), b(11);
  SampleOptions plain, all;
  all.top_k = 9;
  for (int i = 0; i < 50; ++i)
    CHECK(sample_token(vectors()[3].logits, plain, a) == sample_token(vectors()[3].logits, all, b));
}

TEST_CASE("top-k that leaves out what is never drawn draws the same tokens") {
  const std::vector<double> logits = {0.5, 1.5, -1e6, 2.0, 1.0};  // the third has no probability
  SampleOptions all, four;
  all.temperature = four.temperature = 2.0;
  four.top_k = 4;
  Random a(5), b(5);
  for (int i = 0; i < 50; ++i) CHECK(sample_token(logits, all, a) == sample_token(logits, four, b));
}

TEST_CASE("temperature 0 is greedy and draws nothing") {
  Random random(1), untouched(1);
  SampleOptions cold;
  cold.temperature = 0.0;
  CHECK(sample_token(std::vector{0.5, 2.0, 2.0, -1.0}, cold, random) == 1);
  CHECK(random.random() == untouched.random());
  CHECK_NOTHROW(validate(cold));
}

TEST_CASE("a temperature so near to 0 that logits over it overflow is greedy") {
  Random random(1), untouched(1);
  for (const double temperature : {1e-320, 1e-307}) {
    SampleOptions cold;
    cold.temperature = temperature;
    CHECK(sample_token(std::vector{0.5, 20.0, 20.0, -1.0}, cold, random) == 1);
  }
  CHECK(random.random() == untouched.random());
}

TEST_CASE("tokens that only round a vocabulary up are never drawn") {
  Random random(1);
  SampleOptions options = greedy();
  options.vocabulary = 3;
  const std::vector<double> logits = {0.5, 2.0, 1.0, 9.0};
  CHECK(sample_token(logits, options, random) == 1);
  options.greedy = false;
  options.temperature = 100.0;
  for (int i = 0; i < 100; ++i) CHECK(sample_token(logits, options, random) < 3);
}

TEST_CASE("each model is sampled in its own way") {
  GptConfig model;
  CHECK(default_sampling(model).temperature == 0.5);
  CHECK(default_sampling(model).top_k == 0);
  model.architecture = Architecture::gpt2;
  CHECK(default_sampling(model).temperature == 0.8);
  CHECK(default_sampling(model).top_k == 200);
}

TEST_CASE("logits that are not finite are a failure, not a token") {
  Random random(1);
  for (double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    for (const SampleOptions& options : {SampleOptions{}, greedy()})
      CHECK_THROWS_AS(sample_token(std::vector{0.0, bad}, options, random), CheckError);
}

TEST_CASE("settings out of range are refused by name") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (double t : {-0.1, -1.0, nan, std::numeric_limits<double>::infinity()}) {
    SampleOptions options;
    options.temperature = t;
    CHECK_THROWS_WITH(validate(options), Contains("--temperature"));
  }
  SampleOptions options;
  options.top_k = -1;
  CHECK_THROWS_WITH(validate(options), Contains("--top-k"));
  CHECK_THROWS_WITH(validate(greedy(-1)), Contains("--max-tokens"));
}

TEST_CASE("sampling stops at BOS, which is not part of the text") {
  FakeEngine engine(5, 8);
  Random random(1);
  const std::vector<std::int32_t> prompt = {4};
  CHECK(sample_tokens(engine, prompt, 4, greedy(), random) == std::vector<std::int32_t>{0, 1, 2, 3});
}

TEST_CASE("without a stop the block is filled, and no further") {
  FakeEngine engine(5, 8);
  Random random(1);
  const std::vector<std::int32_t> prompt = {4};
  CHECK(sample_tokens(engine, prompt, -1, greedy(), random).size() == 8);
  const std::vector<std::int32_t> longer = {4, 0, 1};
  CHECK(sample_tokens(engine, longer, -1, greedy(), random).size() == 6);
  CHECK(sample_tokens(engine, longer, -1, greedy(2), random) == std::vector<std::int32_t>{2, 3});
  for (const auto& tokens : engine.seen) CHECK(tokens.size() <= 8);
}

TEST_CASE("beyond the block the window slides") {
  FakeEngine engine(7, 4);
  Random random(1);
  const std::vector<std::int32_t> prompt = {0};
  const auto tokens = sample_tokens(engine, prompt, -1, greedy(10), random);
  CHECK(tokens == std::vector<std::int32_t>{1, 2, 3, 4, 5, 6, 0, 1, 2, 3});
  CHECK(engine.seen.back() == std::vector<std::int32_t>{6, 0, 1, 2});
}

TEST_CASE("GPT-2 sees the end of a prompt that is longer than its block, as in nanoGPT") {
  FakeEngine engine(7, 4, Architecture::gpt2);
  Random random(1);
  const std::vector<std::int32_t> prompt = {5, 6, 0, 1, 2, 3};
  CHECK(sample_tokens(engine, prompt, -1, greedy(2), random) == std::vector<std::int32_t>{4, 5});
  REQUIRE(engine.seen.size() == 2);
  CHECK(engine.seen[0] == std::vector<std::int32_t>{0, 1, 2, 3});
  CHECK(engine.seen[1] == std::vector<std::int32_t>{1, 2, 3, 4});
  CHECK(sample_tokens(engine, prompt, -1, greedy(), random).size() == 1);
}

TEST_CASE("each token is told as soon as it is drawn, the stop is not") {
  FakeEngine engine(5, 8);
  Random random(1);
  std::vector<std::int32_t> told;
  std::vector<std::size_t> fed;
  const auto tokens =
      sample_tokens(engine, std::vector<std::int32_t>{4}, 4, greedy(), random, [&](std::int32_t token) {
        told.push_back(token);
        fed.push_back(engine.seen.size());
      });
  CHECK(told == tokens);
  CHECK(fed == std::vector<std::size_t>{1, 2, 3, 4});
}

TEST_CASE("prompts that the model cannot take are refused") {
  FakeEngine engine(5, 4);
  Random random(1);
  CHECK_THROWS_AS(sample_tokens(engine, std::vector<std::int32_t>{}, 4, greedy(), random), InputError);
  CHECK_THROWS_AS(sample_tokens(engine, std::vector<std::int32_t>{5}, 4, greedy(), random), InputError);
  CHECK_THROWS_AS(sample_tokens(engine, std::vector<std::int32_t>{-1}, 4, greedy(), random), InputError);
  CHECK_THROWS_AS(sample_tokens(engine, std::vector<std::int32_t>{0, 1, 2, 3, 0}, 4, greedy(), random),
                  InputError);
}

TEST_CASE("texts start with the prompt; a stream starts at a line break where there is one") {
  FakeEngine engine(4, 6);  // a b c BOS
  const CharacterTokenizer tokenizer(U"abc", true);
  Random random(1);
  CHECK(sample_texts(engine, tokenizer, 2, greedy(), random) == std::vector<std::string>{"abc", "abc"});
  CHECK(sample_texts(engine, tokenizer, 1, greedy(), random, U"ab") == std::vector<std::string>{"abc"});
  CHECK_THROWS_AS(sample_texts(engine, tokenizer, 1, greedy(), random, U"x"), InputError);
  CHECK(tokenizer.start_token() == 3);
  CHECK(CharacterTokenizer(U"\t\nab", false).start_token() == 1);
  CHECK(CharacterTokenizer(U"ab", false).start_token() == 0);
}

TEST_CASE("a call draws so many texts at most") {
  CHECK_NOTHROW(require_samples(0, 0, "--samples"));
  CHECK_NOTHROW(require_samples(kMostSamples, 1, "--samples"));
  CHECK_THROWS_AS(require_samples(0, 1, "--samples"), InputError);
  CHECK_THROWS_AS(require_samples(kMostSamples + 1, 1, "--samples"), InputError);
}

TEST_CASE("an equal of the k-th logit is kept by the lower index, wherever the larger ones stand") {
  SampleOptions options;
  options.temperature = 5.0;
  options.top_k = 2;
  Random random(3);
  std::vector<int> counts(4);
  const std::vector<double> logits = {2.0, 2.0, 2.0, 3.0};
  for (int i = 0; i < 200; ++i) ++counts[static_cast<std::size_t>(sample_token(logits, options, random))];
  CHECK(counts[1] + counts[2] == 0);
  CHECK(std::min(counts[0], counts[3]) > 40);
}

TEST_CASE("top-k counts only what the vocabulary knows, and so does a logit that is no number") {
  SampleOptions options;
  options.vocabulary = 2;
  options.top_k = 1;
  Random random(3);
  const std::vector<double> logits = {0.0, 1.0, std::numeric_limits<double>::quiet_NaN(), 9.0};
  for (int i = 0; i < 20; ++i) CHECK(sample_token(logits, options, random) == 1);
  options.vocabulary = 3;
  CHECK_THROWS_WITH(sample_token(logits, options, random), Contains("the logit of token 2 is nan"));
}

TEST_CASE("a prompt as long as the block is taken, and gives one token") {
  FakeEngine engine(5, 4);
  Random random(1);
  CHECK(sample_tokens(engine, std::vector<std::int32_t>{4, 0, 1, 2}, 4, greedy(), random) ==
        std::vector<std::int32_t>{3});
  CHECK_NOTHROW(validate(greedy(0)));
}

TEST_CASE("a stream's prompt is not begun by a start, a document's is") {
  FakeEngine stream(3, 6), document(4, 6);
  Random random(1);
  sample_texts(stream, CharacterTokenizer(U"\nab", false), 1, greedy(1), random, U"a");
  CHECK(stream.seen.front() == std::vector<std::int32_t>{1});
  sample_texts(stream, CharacterTokenizer(U"\nab", false), 1, greedy(1), random);
  CHECK(stream.seen.back() == std::vector<std::int32_t>{0});
  sample_texts(document, CharacterTokenizer(U"abc", true), 1, greedy(1), random, U"b");
  CHECK(document.seen.front() == std::vector<std::int32_t>{3, 1});
}
