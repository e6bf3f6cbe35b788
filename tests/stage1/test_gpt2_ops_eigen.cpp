// Stage 1's operations of GPT-2: against plain loops, against differences, fused against composed, float against double;
// and its dropout masks, element by element.
#include <catch2/catch.hpp>
#include <cmath>

#include "shared/check/tolerances.hpp"
#include "stage1_cpu_tensor/ops_eigen.hpp"
#include "tests/stage1/tally.hpp"
#include "tests/support/padded_view.hpp"

using namespace ladder;
using namespace ladder::cases;
using namespace ladder::stage1_tests;

TEST_CASE("eigen's GPT-2 in fp64 agrees with plain loops") {
  const auto ops = make_eigen_ops(Dtype::fp64, 2);
  PaddedView padded(*ops);
  Tally tally;
  for_each_case_naive(gpt2_cases(Layout::packed), *ops, tally.report());
  for_each_case_naive(gpt2_cases(Layout::padded), padded, tally.report());
  CHECK(tally.compared > 600);
  WARN("largest error " << tally.worst << " at " << tally.where);
}

TEST_CASE("eigen's GPT-2 in fp64 agrees with plain loops in the sizes of models") {
  const auto ops = make_eigen_ops(Dtype::fp64, 2);
  Tally tally;
  for_each_case_naive(wide_gpt2_cases(Layout::packed), *ops, tally.report());
  CHECK(tally.compared > 150);
  WARN("largest error " << tally.worst << " at " << tally.where);
}

TEST_CASE("eigen's GPT-2 in fp32 agrees with fp64 from the same rounded inputs") {
  const auto ops = make_eigen_ops(Dtype::fp32, 2);
  const auto reference = make_eigen_ops(Dtype::fp64, 2);
  PaddedView padded(*ops);
  Tally tally;
  for_each_case(gpt2_cases(Layout::packed), *ops, *reference, tally.report());
  for_each_case(gpt2_cases(Layout::padded), padded, *reference, tally.report());
  for_each_case(wide_gpt2_cases(Layout::packed), *ops, *reference, tally.report());
  CHECK(tally.compared > 750);
  WARN("largest error " << tally.worst << " at " << tally.where);
}

TEST_CASE("every backward pass of eigen's GPT-2 is the derivative of its forward pass") {
  const auto ops = make_eigen_ops(Dtype::fp64, 1);
  PaddedView padded(*ops);
  Tally tally;
  for_each_gradient(gpt2_cases(Layout::packed), *ops, 40, tally.report());
  for_each_gradient(gpt2_cases(Layout::padded), padded, 20, tally.report());
  CHECK(tally.compared > 200);
}

TEST_CASE("eigen's fused operations of GPT-2 equal their compositions") {
  for (const Dtype dtype : {Dtype::fp64, Dtype::fp32}) {
    const auto ops = make_eigen_ops(dtype, 1);
    Tally tally;
    compare_with_composed(gpt2_norm_cases(Layout::padded), *ops, tally);
    CHECK(tally.compared > 40);
  }
}

TEST_CASE("a NaN that is read reaches the output of eigen's GPT-2") {
  const auto ops = make_eigen_ops(Dtype::fp32, 1);
  for (OpCase c : gpt2_cases(Layout::packed)) {
    if (c.op == "embedding_forward") continue;  // its first row is not read
    c.values.at(c.tensors.front().name).front() = std::nan("");
    std::string damage;
    const Values got = run_case(c, *ops, rounded_values(c, Dtype::fp32), damage);
    bool seen = false;
    for (const TensorSpec& tensor : c.tensors)
      if (tensor.use == Use::output || tensor.use == Use::update)
        for (const double value : got.at(tensor.name)) seen = seen || std::isnan(value);
    INFO(c.name());
    CHECK(seen);
  }
}

TEST_CASE("the same call gives the same bits with any number of threads") {
  for (const Dtype dtype : {Dtype::fp32, Dtype::fp64}) {
    const auto one = make_eigen_ops(dtype, 1), three = make_eigen_ops(dtype, 3);
    for (const OpCase& c : wide_gpt2_cases(Layout::packed)) {
      if (c.batch && c.batch->max_length > 300) continue;
      const Values inputs = rounded_values(c, dtype);
      std::string damage;
      const Values a = run_case(c, *one, inputs, damage), b = run_case(c, *three, inputs, damage);
      for (const TensorSpec& tensor : c.tensors) {
        if (tensor.use != Use::output && tensor.use != Use::update) continue;
        INFO(c.name() << ", " << tensor.name);
        CHECK(compare(a.at(tensor.name), b.at(tensor.name), 0.0, Rule::bits).passed());
      }
    }
  }
}

// ---- masks ----------------------------------------------------------------------------------------------------

namespace {

constexpr double kKeep = 2.0;  ///< the factor of probability 0.5, exact

/// What dropout makes of ones.
std::vector<double> dropped_ones(const Batch& batch, int channels, const Dropout& dropout,
                                 const StepConstants& step) {
  const auto ops = make_eigen_ops(Dtype::fp32, 2);
  BatchView view = batch.view();
  view.step = &step;
  std::vector<float> x(static_cast<std::size_t>(batch.rows() * channels), 1.0F);
  const Act ones{x.data(), Dtype::fp32};
  ops->run(ApplyDropout{view, channels, dropout, ones, ones});
  return {x.begin(), x.end()};
}

/// Which weights of attention survive: with equal scores and one channel, seen by what value u adds.
std::vector<double> dropped_weights(const Batch& batch, const Dropout& dropout, const StepConstants& step) {
  const auto ops = make_eigen_ops(Dtype::fp64, 1);
  BatchView view = batch.view();
  view.step = &step;
  const auto N = static_cast<std::size_t>(batch.rows()), T = static_cast<std::size_t>(batch.max_length);
  void* scratch = ops->allocate(ops->attention_scratch_bytes(batch.rows(), 2, batch.max_length));
  std::vector<double> weights(2 * N * T), qkv(4 * N, 0.0), out(2 * N), lse(2 * N);
  for (std::size_t u = 0; u < T; ++u) {
    for (std::size_t b = 0; b < batch.lengths_b.size(); ++b)
      for (int s = 0; s < batch.lengths_b[b]; ++s)
        qkv[4 * static_cast<std::size_t>(batch.starts_b[b] + s) + 3] =
            static_cast<std::size_t>(s) == u ? 1.0 : 0.0;
    const Act packed{qkv.data(), Dtype::fp64};
    ops->run(DropoutAttentionForward{{view,
                                      2,
                                      1,
                                      1,
                                      false,
                                      4,
                                      packed,
                                      packed.at(2),
                                      packed.at(3),
                                      {out.data(), Dtype::fp64},
                                      {lse.data(), Dtype::fp64},
                                      scratch},
                                     dropout});
    for (std::size_t i = 0; i < 2 * N; ++i) weights[i * T + u] = out[i] == 0.0 ? 0.0 : kKeep;
  }
  return weights;
}

}  // namespace

TEST_CASE("a mask is that of the formula, bit by bit") {
  const Dropout dropout{0.5, 3, DropoutSite::mlp_output};
  const StepConstants step = dropout_step(5, 42, 7);
  const Batch batch = random_batch({70, 0, 13, 1}, 27, 70, Layout::packed);
  const std::vector<double> ones = dropped_ones(batch, 150, dropout, step);
  const Dropout of_weights{0.5, 3, DropoutSite::attention};
  const std::vector<double> weights = dropped_weights(batch, of_weights, step);
  std::size_t wrong = 0;
  for (int n = 0; n < batch.rows(); ++n) {
    const int b = batch.sequence_n[static_cast<std::size_t>(n)],
              t = n - batch.starts_b[static_cast<std::size_t>(b)];
    const auto row = static_cast<std::size_t>(n);
    for (int c = 0; c < 150; ++c)
      wrong += ones[row * 150 + static_cast<std::size_t>(c)] !=
               (survives(dropout, step, b, t, 0, c) ? kKeep : 0.0);
    for (int h = 0; h < 2; ++h)
      for (int u = 0; u < batch.lengths_b[static_cast<std::size_t>(b)]; ++u)
        wrong += weights[(row * 2 + static_cast<std::size_t>(h)) * 70 + static_cast<std::size_t>(u)] !=
                 (survives(of_weights, step, b, t, h, u) ? kKeep : 0.0);
  }
  CHECK(wrong == 0);
}

TEST_CASE("a mask is the same however the batch is split") {
  const Dropout dropout{0.5, 1, DropoutSite::attention_output}, of_weights{0.5, 1, DropoutSite::attention};
  const std::vector<int> first = {17, 0, 9}, second = {4, 17, 3};
  std::vector<int> both = first;
  both.insert(both.end(), second.begin(), second.end());
  const auto split = [&](const auto& masks) {
    std::vector<double> parts = masks(random_batch(first, 27, 17, Layout::packed), dropout_step(2, 42, 30));
    const std::vector<double> rest =
        masks(random_batch(second, 27, 17, Layout::packed), dropout_step(2, 42, 33));
    parts.insert(parts.end(), rest.begin(), rest.end());
    const std::vector<double> whole =
        masks(random_batch(both, 27, 17, Layout::packed), dropout_step(2, 42, 30));
    CHECK(compare(parts, whole, 0.0, Rule::bits).passed());
    CHECK_FALSE(compare(parts, masks(random_batch(both, 27, 17, Layout::packed), dropout_step(2, 42, 0)), 0.0,
                        Rule::bits)
                    .passed());
  };
  split(
      [&](const Batch& batch, const StepConstants& step) { return dropped_ones(batch, 70, dropout, step); });
  split([&](const Batch& batch, const StepConstants& step) {
    return dropped_weights(batch, of_weights, step);
  });
}

TEST_CASE("seeds, steps, layers and sites draw masks of their own") {
  const Batch batch = random_batch({64}, 27, 64, Layout::packed);
  const auto mask = [&](int layer, DropoutSite site, std::int64_t step, std::int64_t seed) {
    return dropped_ones(batch, 64, {0.5, layer, site}, dropout_step(step, seed, 0));
  };
  const std::vector<double> mine = mask(1, DropoutSite::mlp_output, 3, 42);
  for (const auto& other :
       {mask(2, DropoutSite::mlp_output, 3, 42), mask(1, DropoutSite::attention_output, 3, 42),
        mask(1, DropoutSite::mlp_output, 4, 42), mask(1, DropoutSite::mlp_output, 3, 43)}) {
    int same = 0;
    for (std::size_t i = 0; i < mine.size(); ++i) same += mine[i] == other[i] ? 1 : 0;
    // of 4,096 elements, half by chance: 5 deviations of 32 to either side
    CHECK(std::abs(same - 2048) < 160);
  }
}

TEST_CASE("as many elements survive as should, in every channel and at every position") {
  const int T = 64, B = 64, C = 128;
  const Batch batch = random_batch(std::vector<int>(B, T), 27, T, Layout::packed);
  for (const double p : {0.2, 0.5}) {
    const std::vector<double> ones =
        dropped_ones(batch, C, {p, 0, DropoutSite::embedding}, dropout_step(0, 42, 0));
    std::vector<double> of_channel(C), of_position(T);
    double all = 0;
    for (std::size_t n = 0; n < std::size_t{B * T}; ++n)
      for (std::size_t c = 0; c < std::size_t{C}; ++c) {
        const double survived = ones[n * C + c] > 0 ? 1.0 : 0.0;
        all += survived, of_channel[c] += survived, of_position[n % T] += survived;
      }
    // chi-square: the sum of `bins` squared normal numbers has mean `bins` and deviation sqrt(2 bins)
    const auto chi_square = [&](const std::vector<double>& counts, double draws) {
      double sum = 0;
      for (const double count : counts) sum += std::pow(count - draws * (1 - p), 2) / (draws * p * (1 - p));
      return sum;
    };
    const double draws = double{B} * T * C;
    CHECK(std::abs(all - draws * (1 - p)) < 5 * std::sqrt(draws * p * (1 - p)));
    CHECK(chi_square(of_channel, double{B} * T) < C + 5 * std::sqrt(2.0 * C));
    CHECK(chi_square(of_channel, double{B} * T) > C - 5 * std::sqrt(2.0 * C));
    CHECK(chi_square(of_position, double{B} * C) < T + 5 * std::sqrt(2.0 * T));
    CHECK(chi_square(of_position, double{B} * C) > T - 5 * std::sqrt(2.0 * T));
  }
}
