// The trial kernels against plain loops in double over the same, already rounded inputs.
#include <catch2/catch.hpp>

#include <cmath>
#include <random>
#include <vector>

#include "tests/tile/trial_kernels.cuh"

namespace {

using namespace ladder;
using namespace ladder::on_cpu;
using tile::Buffer;
using tile::Contents;

template <class T>
std::vector<T> random_values(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<T> values(count);
  for (T& value : values) value = T(uniform(engine));
  return values;
}

/// house.md's error rule: finite, and |error| <= tolerance * (|reference| + root mean square of the reference).
template <class T>
void expect_close(const std::vector<T>& values, const std::vector<double>& reference, double tolerance) {
  REQUIRE(values.size() == reference.size());
  double squares = 0;
  for (double value : reference) squares += value * value;
  const double rms = std::sqrt(squares / static_cast<double>(reference.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<double>(values[i]);
    INFO("element " << i << ": " << value << ", reference " << reference[i]);
    REQUIRE(std::isfinite(value));
    REQUIRE(std::abs(value - reference[i]) <= tolerance * (std::abs(reference[i]) + rms));
  }
}

int to_int(std::size_t size) { return static_cast<int>(size); }

template <class T>
constexpr double tolerance_of() {
  if (std::is_same_v<T, double>) return 1e-12;
  if (std::is_same_v<T, float>) return 1e-5;
  return std::is_same_v<T, __half> ? 2e-3 : 1e-2;
}

template <class T>
void run_rmsnorm(std::size_t rows, std::size_t columns) {
  const auto x = random_values<T>(rows * columns, 1);
  std::vector<T> y(x.size());
  const tile::Checks checks;
  const Buffer x_known("x", x.data(), x.size()), y_known("y", y.data(), y.size(), Contents::unwritten);
  launch(trial_rmsnorm<T, 4, 64>, {"trial_rmsnorm", to_int((rows + 3) / 4)}, x.data(), y.data(), to_int(rows),
         to_int(columns));
  std::vector<double> reference(x.size());
  for (std::size_t r = 0; r < rows; ++r) {
    double squares = 0;
    for (std::size_t c = 0; c < columns; ++c) squares += std::pow(static_cast<double>(x[r * columns + c]), 2);
    for (std::size_t i = r * columns; i < (r + 1) * columns; ++i)
      reference[i] = static_cast<double>(x[i]) / std::sqrt(squares / static_cast<double>(columns) + 1e-5);
  }
  expect_close(y, reference, tolerance_of<T>());
}

template <class T, class Acc>
void run_matmul(std::size_t m, std::size_t n, std::size_t k) {
  const auto a = random_values<T>(m * k, 2), b = random_values<T>(n * k, 3);
  std::vector<Acc> c(m * n);
  std::vector<double> reference(c.size());
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t p = 0; p < k; ++p)
        reference[i * n + j] += static_cast<double>(a[i * k + p]) * static_cast<double>(b[j * k + p]);
  const tile::Checks checks;
  const Buffer a_known("a", a.data(), a.size()), b_known("b", b.data(), b.size());
  const Buffer c_known("c", c.data(), c.size(), Contents::unwritten);
  launch(trial_matmul_nt<T, Acc, 32, 16, 8>,
         {"trial_matmul_nt", {to_int((n + 15) / 16), to_int((m + 31) / 32)}}, a.data(), b.data(), c.data(),
         to_int(m), to_int(n), to_int(k));
  expect_close(c, reference,
               std::is_same_v<T, double> ? 1e-12 : 1e-5);  // sums are in fp32 whatever the elements
}

template <class T>
void run_attention(std::size_t length) {
  constexpr std::size_t kHead = 16;
  const std::size_t count = length * kHead;
  const auto q = random_values<T>(count, 4), k = random_values<T>(count, 5), v = random_values<T>(count, 6);
  std::vector<T> out(count);
  std::vector<float> lse(length);
  const double scale = 0.25;
  std::vector<double> reference(count), lse_reference(lse.size());
  for (std::size_t t = 0; t < length; ++t) {
    std::vector<double> weights;
    double sum = 0;
    for (std::size_t s = 0; s <= t; ++s) {
      double score = 0;
      for (std::size_t d = 0; d < kHead; ++d)
        score += static_cast<double>(q[t * kHead + d]) * static_cast<double>(k[s * kHead + d]);
      weights.push_back(std::exp(score * scale));
      sum += weights.back();
    }
    lse_reference[t] = std::log(sum);
    for (std::size_t s = 0; s <= t; ++s)
      for (std::size_t d = 0; d < kHead; ++d)
        reference[t * kHead + d] += weights[s] / sum * static_cast<double>(v[s * kHead + d]);
  }
  const tile::Checks checks;
  const Buffer q_known("q", q.data(), count), k_known("k", k.data(), count), v_known("v", v.data(), count);
  const Buffer out_known("out", out.data(), count, Contents::unwritten),
      lse_known("lse", lse.data(), lse.size(), Contents::unwritten);
  launch(trial_attention<T, kHead, 16, 32>, {"trial_attention", to_int((length + 15) / 16)}, q.data(),
         k.data(), v.data(), out.data(), lse.data(), to_int(length), static_cast<float>(scale));
  expect_close(out, reference, tolerance_of<T>());
  expect_close(lse, lse_reference, tolerance_of<float>());
}

}  // namespace

TEST_CASE("RMSNorm: every width up to the tile's, rows that do not fill the last tile") {
  for (const std::size_t rows : {1, 4, 7})
    for (const std::size_t columns : {1, 16, 33, 48, 64}) {
      run_rmsnorm<float>(rows, columns);
      run_rmsnorm<__nv_bfloat16>(rows, columns);
      run_rmsnorm<__half>(rows, columns);
    }
}

TEST_CASE("matmul: sizes that leave tails on every side") {
  for (const std::size_t m : {1, 17, 64})
    for (const std::size_t n : {1, 27, 48})
      for (const std::size_t k : {8, 40}) {
        run_matmul<double, double>(m, n, k);
        run_matmul<float, float>(m, n, k);
        run_matmul<__nv_bfloat16, float>(m, n, k);
        run_matmul<__half, float>(m, n, k);
      }
}

TEST_CASE("attention: causal, lengths that leave tails") {
  for (const std::size_t length : {1, 13, 17, 64, 127}) {
    run_attention<float>(length);
    run_attention<__nv_bfloat16>(length);
    run_attention<__half>(length);
  }
}

TEST_CASE("blocks over the cores give the bits that one thread gives") {
  const int n = 96;
  const auto a = random_values<float>(n * n, 7), b = random_values<float>(n * n, 8);
  std::vector<float> one(n * n), many(n * n);
  const int before = tile::options().threads;
  tile::options().threads = 1;
  launch(trial_matmul_nt<float, float, 32, 16, 8>, {"trial_matmul_nt", {6, 3}}, a.data(), b.data(),
         one.data(), n, n, n);
  tile::options().threads = 4;
  launch(trial_matmul_nt<float, float, 32, 16, 8>, {"trial_matmul_nt", {6, 3}}, a.data(), b.data(),
         many.data(), n, n, n);
  tile::options().threads = before;
  CHECK(one == many);
}
