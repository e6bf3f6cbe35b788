// What OpsEngine does around a model: kept keys and values, clipping, micro-batches, several ranks. Stages with GPU
// kernels run where LADDER_DEVICE says (tests/support/device.hpp), ranks always on the CPU: they are threads here.
#include <catch2/catch.hpp>

#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "shared/base/dtype_convert.hpp"
#include "shared/check/cases.hpp"
#include "shared/check/tolerances.hpp"
#include "shared/data/data.hpp"
#include "shared/model/ops_decorators.hpp"
#include "shared/stages.hpp"
#include "shared/train/ops_engine.hpp"
#include "shared/train/run.hpp"
#include "shared/train/train.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/support/device.hpp"
#include "tests/support/models.hpp"

using namespace ladder;
using ladder::testing::model_of;
using ladder::testing::random_parameters;

namespace {

std::vector<std::int32_t> some_tokens(int count) {
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((7 * i + i * i) % 27);
  return tokens;
}

std::unique_ptr<Engine> engine_of(int stage, const GptConfig& config, Dtype dtype) {
  EngineOptions options;
  options.dtype = dtype;
  options.max_batch = 2;
  if (stage > 1) options.device = testing::test_device();
  options.threads = 1;
  auto engine = make_engine(stage, config, options);
  engine->load_parameters(random_parameters(config, 0.3));
  return engine;
}

std::vector<double> row_of(const std::vector<double>& all, std::size_t n) {
  const auto at = all.begin() + static_cast<std::ptrdiff_t>(27 * n);
  return {at, at + 27};
}

/// Sum of the costs of all operations since the last reset.
double flops_of(const ProfilingOps& ops) {
  double flops = 0;
  for (const OpProfile& row : ops.report()) flops += row.cost.flops;
  return flops;
}

}  // namespace

TEST_CASE("a decoder's logits are those of the whole sequence, however it is fed", "[decode]") {
  const GptConfig config = model_of(2, 24, 4, 2, 21);
  const std::vector<std::int32_t> tokens = some_tokens(21);
  for (const auto& [stage, dtype, limit] : {std::tuple{1, Dtype::fp64, 1e-12},
                                            {1, Dtype::fp32, 1e-5},
                                            {2, Dtype::fp32, 1e-5},
                                            {2, Dtype::fp64, 1e-12},
                                            {3, Dtype::fp32, 1e-5},
                                            {3, Dtype::fp64, 1e-12},
                                            {3, Dtype::bf16, 0.1}}) {
    INFO("stage " << stage << " " << name_of(dtype));
    const auto engine = engine_of(stage, config, dtype);
    const std::vector<double> all = engine->logits(tokens);
    const std::span<const std::int32_t> fed = tokens;
    const auto one_by_one = engine->decoder();
    for (std::size_t t = 0; t < tokens.size(); ++t)
      CHECK(compare(one_by_one->next(fed.subspan(t, 1)), row_of(all, t), limit).passed());
    const auto in_parts = engine->decoder();
    std::size_t at = 0;
    for (const std::size_t part : {9, 1, 1, 7, 3}) {
      const std::vector<double> got = in_parts->next(fed.subspan(at, part));
      at += part;
      CHECK(compare(got, row_of(all, at - 1), limit).passed());
    }
    CHECK_THROWS_WITH(in_parts->next(fed.first(1)), "more than block_size = 21 tokens");
    CHECK_THROWS_AS(engine->decoder()->next({}), InputError);
    CHECK_THROWS_AS(engine->decoder()->next(std::vector<std::int32_t>{27}), InputError);
  }
}

TEST_CASE("decoders in turns, and work of the engine in between, do not disturb each other", "[decode]") {
  const GptConfig config = model_of(1, 16, 4, 0, 16);
  const auto engine = engine_of(1, config, Dtype::fp64);
  const std::vector<std::int32_t> tokens = some_tokens(16), others = {4, 4, 9, 1, 0, 2, 8, 26};
  const std::vector<double> all = engine->logits(tokens), other_all = engine->logits(others);
  const auto decoder = engine->decoder(), other = engine->decoder();
  const Batch batch = cases::random_batch({9, 5}, 27, 16, Layout::packed);
  for (std::size_t t = 0; t < others.size(); ++t) {
    CHECK(compare(decoder->next(std::span(tokens).subspan(t, 1)), row_of(all, t), 1e-12).passed());
    CHECK(compare(other->next(std::span(others).subspan(t, 1)), row_of(other_all, t), 1e-12).passed());
    if (t % 3 == 0) engine->probe(batch);
  }
}

TEST_CASE("what a decoder refuses is not fed, and changed weights are refused", "[decode]") {
  const GptConfig config = model_of(1, 16, 4, 0, 16);
  for (const auto& [stage, dtype] : {std::pair{1, Dtype::fp64}, {2, Dtype::fp64}, {3, Dtype::fp64}}) {
    const auto engine = engine_of(stage, config, dtype);
    const std::vector<std::int32_t> tokens = some_tokens(6);
    const std::vector<double> all = engine->logits(tokens);
    const auto decoder = engine->decoder();
    decoder->next(std::span(tokens).first(3));
    CHECK_THROWS_AS(decoder->next(std::vector<std::int32_t>{5, 27}), InputError);
    CHECK_THROWS_AS(decoder->next(std::vector<std::int32_t>(14, 1)), InputError);
    CHECK(compare(decoder->next(std::span(tokens).subspan(3)), row_of(all, 5), 1e-12).passed());
    const Batch batch = cases::random_batch({9, 5}, 27, 16, engine->layout());
    engine->train_step(std::span(&batch, 1), step_constants(TrainConfig{}, 0));
    CHECK_THROWS_WITH(decoder->next(std::span(tokens).first(1)), Catch::Contains("the weights have changed"));
    const std::vector<double> now = engine->logits(tokens);
    const auto later = engine->decoder();
    CHECK(compare(later->next(tokens), row_of(now, 5), 1e-12).passed());
    engine->load_parameters(engine->parameters());
    CHECK_THROWS_WITH(later->next(std::span(tokens).first(1)), Catch::Contains("the weights have changed"));
  }
}

TEST_CASE("a token costs one row, whatever came before it", "[decode]") {
  const GptConfig config = model_of(2, 64, 4, 0, 48);
  auto profiling = std::make_unique<ProfilingOps>(make_eigen_ops(Dtype::fp32, 1));
  ProfilingOps& profile = *profiling;
  const auto engine = make_ops_engine(config, std::move(profiling), 1);
  engine->load_parameters(random_parameters(config, 0.3));
  const std::vector<std::int32_t> tokens = some_tokens(48);
  const auto decoder = engine->decoder();
  decoder->next(std::span(tokens).first(40));
  // The whole prompt, but logits of one row: products over 40 rows, except that of the head.
  const double matrices = 12.0 * 64 * 64 * 2, head = 27.0 * 64;
  const double prompt = flops_of(profile);
  CHECK(prompt > 2 * (40 * matrices + head));
  CHECK(prompt < 1.3 * 2 * (40 * matrices + head));
  for (std::size_t t = 40; t < tokens.size(); ++t) {
    profile.reset();
    decoder->next(std::span(tokens).subspan(t, 1));
    // layers, heads, keys, per pair
    const double attention = 2.0 * 4 * static_cast<double>(t + 1) * (4 * 16 + 4);
    CHECK(flops_of(profile) > 2 * (matrices + head) + attention);
    CHECK(flops_of(profile) < 1.05 * 2 * (matrices + head) + attention);
    for (const OpProfile& row : profile.report())
      if (row.name == "attention_forward") CHECK(row.cost.flops == attention);
  }
}

TEST_CASE("clipped training is the same on every stage, and is Adam on the scaled gradient", "[clip]") {
  TrainConfig train;
  train.steps = 12;
  train.batch_size = 2;
  train.clip = 0.3;
  const Run run = prepare_run({}, train, {});
  const auto curve = [&](int stage, Dtype dtype) {
    EngineOptions options;
    options.dtype = dtype;
    options.max_batch = 2;
    if (stage > 1) options.device = testing::test_device();
    options.threads = 1;
    const auto engine = make_engine(stage, run.model, options);
    engine->load_parameters(run.initial);
    std::vector<double> losses;
    for (std::int64_t s = 0; s < train.steps; ++s)
      losses.push_back(engine->train_step(run.source->step(s, engine->layout()), step_constants(train, s)));
    return losses;
  };
  const std::vector<double> stage0 = curve(0, Dtype::fp64);
  CHECK(compare(curve(1, Dtype::fp64), stage0, find_tolerance("losses", Dtype::fp64)).passed());
  for (const int stage : {1, 2, 3})
    CHECK(compare(curve(stage, Dtype::fp32), stage0, find_tolerance("losses", Dtype::fp32)).passed());
  train.clip = 0.0;
  CHECK_FALSE(compare(curve(1, Dtype::fp64), stage0, find_tolerance("losses", Dtype::fp32)).passed());
  train.clip = 1e9;  // larger than any norm here: the same bits as none
  const std::vector<double> loose = curve(1, Dtype::fp64);
  train.clip = 0.0;
  CHECK(compare(loose, curve(1, Dtype::fp64), 0.0, Rule::bits).passed());
}

TEST_CASE("the first moment after a clipped step is the scaled gradient's", "[clip]") {
  const GptConfig config = model_of(1, 16, 4, 0, 16);
  const Batch batch = cases::random_batch({9, 5}, 27, 16, Layout::packed);
  const auto engine = engine_of(1, config, Dtype::fp64);
  const TensorList gradients = engine->probe(batch).gradients;
  double squares = 0;
  for (const NamedTensor& tensor : gradients)
    for (const double g : tensor.values()) squares += g * g;
  StepConstants step = step_constants(TrainConfig{}, 0);
  step.clip = std::sqrt(squares) / 3;
  engine->train_step(std::span(&batch, 1), step);
  const TensorList m = engine->moments().m;
  for (std::size_t t = 0; t < m.size(); ++t) {
    std::vector<double> want = gradients[t].values();
    for (double& g : want) g *= (1.0 - step.beta1) / 3 * std::sqrt(squares) / (std::sqrt(squares) + 1e-6);
    CHECK(compare(m[t].values(), want, 1e-12).passed());
  }
}

// ---- several ranks -------------------------------------------------------------------------------------------

namespace {

/// Ranks that are threads of one program: a sum waits until all have come, and all take it away.
class Meeting {
 public:
  explicit Meeting(int ranks) : parts_(static_cast<std::size_t>(ranks)) {}

  std::vector<double> sum(std::size_t rank, std::vector<double> values) {
    std::unique_lock lock(mutex_);
    const int round = round_;
    parts_[rank] = std::move(values);
    if (++arrived_ == static_cast<int>(parts_.size())) {
      total_ = parts_[0];
      for (std::size_t r = 1; r < parts_.size(); ++r)
        for (std::size_t i = 0; i < total_.size(); ++i) total_[i] += parts_[r].at(i);
      arrived_ = 0;
      ++round_;
      all_here_.notify_all();
    } else {
      all_here_.wait(lock, [&] { return round_ != round; });
    }
    return total_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  std::vector<std::vector<double>> parts_;
  std::vector<double> total_;
  int arrived_ = 0, round_ = 0;
};

class ThreadRank final : public Communicator {
 public:
  ThreadRank(Meeting& meeting, int rank, int ranks) : meeting_(meeting), rank_(rank), ranks_(ranks) {}
  int rank() const override { return rank_; }
  int ranks() const override { return ranks_; }
  void sum(Grad gradients, std::size_t count, void* /*queue*/) override {
    parts_told.push_back(count);
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = decode(gradients.dtype, gradients.data, i);
    encode(gradients.dtype, meeting_.sum(static_cast<std::size_t>(rank_), std::move(values)), gradients.data);
  }

  std::vector<std::size_t> parts_told;

 private:
  Meeting& meeting_;
  int rank_, ranks_;
};

struct Ended {
  std::vector<double> loss;
  TensorList parameters;
};

Ended train_rank(const Run& run, int stage, Dtype dtype, std::shared_ptr<Communicator> communicator) {
  EngineOptions options;
  options.dtype = dtype;
  options.device = Device::cpu;
  options.threads = 1;
  options.max_batch = run.train.batch_size;
  options.communicator = std::move(communicator);
  const auto engine = make_engine(stage, run.model, options);
  engine->load_parameters(run.initial);
  return {train(*engine, *run.source, run.train).loss, engine->parameters()};
}

}  // namespace

namespace {

/// Trains with three ranks and with one that sees all their sequences; how often gradients were told of in a step.
std::size_t check_ranks(const GptConfig& model, int stage, Dtype dtype, double limit) {
  INFO("stage " << stage << " " << name_of(dtype) << " " << name_of(model.architecture));
  constexpr int kRanks = 3;
  TrainConfig train;
  train.steps = 6;
  train.batch_size = 2;
  train.grad_accum = 2;
  train.clip = 0.5;  // of the norm over all ranks: the sum comes first
  const Run parts = prepare_run(model, train, {});
  train.grad_accum = 2 * kRanks;
  const Run whole = prepare_run(model, train, {});
  Meeting meeting(kRanks);
  std::array<Ended, kRanks> ended;
  std::vector<std::shared_ptr<ThreadRank>> ranks;
  std::vector<std::thread> threads;
  for (int r = 0; r < kRanks; ++r) ranks.push_back(std::make_shared<ThreadRank>(meeting, r, kRanks));
  for (std::size_t r = 0; r < kRanks; ++r)
    threads.emplace_back([&, r] { ended[r] = train_rank(parts, stage, dtype, ranks[r]); });
  for (std::thread& thread : threads) thread.join();
  const Ended one = train_rank(whole, stage, dtype, single_rank());
  for (const Ended& rank : ended) {
    CHECK(compare(rank.loss, one.loss, limit).passed());
    CHECK(rank.loss == ended[0].loss);
    for (std::size_t t = 0; t < one.parameters.size(); ++t) {
      CHECK(compare(rank.parameters[t].values(), one.parameters[t].values(), limit * 10).passed());
      CHECK(compare(rank.parameters[t].values(), ended[0].parameters[t].values(), 0.0, Rule::bits).passed());
    }
  }
  const std::vector<std::size_t>& told = ranks[0]->parts_told;
  CHECK(told.size() % 6 == 0);
  CHECK(told[told.size() / 6 - 1] == 1);  // the loss, at the end of each step
  return told.size() / 6;
}

}  // namespace

TEST_CASE("several ranks train as one does that sees all their sequences", "[ranks]") {
  // One layer: its part, the head and the embeddings, then the loss; each once a step, not once a micro-batch.
  for (const auto& [stage, dtype, limit] :
       {std::tuple{1, Dtype::fp64, 1e-12}, {2, Dtype::fp64, 1e-12}, {3, Dtype::fp32, 1e-5}})
    CHECK(check_ranks({}, stage, dtype, limit) == 4);
  // Dropout draws by a sequence's number among those of all ranks.
  GptConfig gpt2;
  gpt2.architecture = Architecture::gpt2;
  gpt2.dropout = 0.2;
  CHECK(check_ranks(gpt2, 1, Dtype::fp64, 1e-12) == 5);
}

TEST_CASE("what trains alone says so", "[ranks]") {
  Meeting meeting(2);
  EngineOptions options;
  options.dtype = Dtype::fp64;
  options.communicator = std::make_shared<ThreadRank>(meeting, 0, 2);
  CHECK_THROWS_WITH(make_engine(0, model_of(1, 16, 4, 0, 16), options),
                    "stage 0 trains alone, not as one of 2 ranks");
  options.variant = "fused-step";
  CHECK_THROWS_WITH(make_engine(3, model_of(1, 16, 4, 0, 16), options),
                    "stage 3, fused-step trains alone, not as one of 2 ranks");
}
