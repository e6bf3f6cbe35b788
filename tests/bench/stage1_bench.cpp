// What stage 1 reaches: steps, products against a loop of multiply-adds, the second core, single operations.
// Not a test and in no table: `ladder speedup` and `ladder profile` make the records.
// This one is for trying ideas.
//   stage1_bench --benchmark_filter=step
#include <benchmark/benchmark.h>

#include <random>

#include "shared/check/cases.hpp"
#include "shared/train/ops_engine.hpp"
#include "stage1_cpu_tensor/lanes.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"

namespace {

using namespace ladder;

GptConfig config_of(int width) {
  GptConfig config;
  config.vocab_size = 27;
  config.n_embd = width;
  return config;
}

/// Batches of sequences of 4 to 10 positions, 7 in the mean, as names have.
std::vector<Batch> batches_of(int batch_size) {
  std::mt19937 generator(1);
  std::vector<Batch> batches;
  for (int i = 0; i < 64; ++i) {
    std::vector<int> lengths(static_cast<std::size_t>(batch_size));
    for (int& length : lengths) length = 4 + static_cast<int>(generator() % 4 + generator() % 4);
    batches.push_back(cases::random_batch(lengths, 27, 16, Layout::packed));
  }
  return batches;
}

/// Arguments: width, documents a step, threads. items_per_second counts documents.
void step(benchmark::State& state) {
  const auto width = static_cast<int>(state.range(0)), documents = static_cast<int>(state.range(1));
  const GptConfig config = config_of(width);
  const auto engine =
      make_ops_engine(config, make_eigen_ops(Dtype::fp32, static_cast<int>(state.range(2))), documents);
  TensorList parameters;
  for (const ParameterSpec& spec : parameter_specs(config))
    parameters.push_back({spec.name, spec.shape, cases::random_values(spec.name, spec.size(), 0.1)});
  engine->load_parameters(parameters);
  const std::vector<Batch> batches = batches_of(documents);
  TrainConfig train;
  train.learning_rate = 0.16 / width;  // wide models diverge at the default
  std::size_t s = 0;
  for (auto _ : state) {
    const StepConstants adam = step_constants(train, static_cast<std::int64_t>(s % 500));
    benchmark::DoNotOptimize(engine->train_step(std::span(&batches[s++ % batches.size()], 1), adam));
  }
  state.SetItemsProcessed(state.iterations() * documents);
}
BENCHMARK(step)
    ->ArgNames({"width", "documents", "threads"})
    ->ArgsProduct({{16, 64, 256}, {1, 16, 64}, {1, 2}})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

/// One core's multiply-adds on registers: what a product could reach at most.
void peak(benchmark::State& state) {
  constexpr int kVectors = 12, kRepeats = 1000;
  eigen::Lane<float> sums[kVectors], factor = eigen::Lane<float>::Constant(0.999F);
  for (auto& sum : sums) sum.setZero();
  benchmark::DoNotOptimize(factor);
  for (auto _ : state) {
    for (int r = 0; r < kRepeats; ++r)
      for (auto& sum : sums) sum = sum * factor + factor;
    benchmark::DoNotOptimize(sums);
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 2 * kVectors * eigen::kLanes * kRepeats,
                         benchmark::Counter::kIsRate);
}
BENCHMARK(peak);

/// Arguments: rows, inputs, outputs, threads.
void linear_forward(benchmark::State& state) {
  const auto rows = static_cast<int>(state.range(0)), in = static_cast<int>(state.range(1)),
             out = static_cast<int>(state.range(2));
  const auto ops = make_eigen_ops(Dtype::fp32, static_cast<int>(state.range(3)));
  const auto memory = [&](int a, int b) {
    return ops->allocate(sizeof(float) * static_cast<std::size_t>(a) * static_cast<std::size_t>(b));
  };
  const LinearForward call{rows, in, out, {memory(rows, in)}, {memory(out, in)}, {memory(rows, out)}};
  for (auto _ : state) ops->run(call);
  state.counters["FLOP/s"] = benchmark::Counter(static_cast<double>(state.iterations()) * 2 * rows * in * out,
                                                benchmark::Counter::kIsRate);
}
BENCHMARK(linear_forward)
    ->ArgNames({"rows", "in", "out", "threads"})
    ->ArgsProduct({{115}, {16}, {64}, {1}})
    ->ArgsProduct({{115, 512}, {64}, {256}, {1, 2}})
    ->ArgsProduct({{115, 512}, {256}, {1024}, {1, 2}})
    ->UseRealTime();

/// Every case of shared/check, by its name.
void register_cases() {
  for (const cases::OpCase& c : cases::all_cases(Layout::packed, Dtype::fp32))
    benchmark::RegisterBenchmark(("case " + c.name()).c_str(), [c](benchmark::State& state) {
      const auto ops = make_eigen_ops(Dtype::fp32, 1);
      const auto run = cases::prepared_case(c, *ops);
      for (auto _ : state) run();
    });
}

}  // namespace

int main(int argc, char** argv) {
  register_cases();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
