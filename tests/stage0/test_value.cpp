// Each operation of Value: its result, and its gradient against central differences, over awkward shapes.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "shared/base/random.hpp"
#include "stage0_scalar_autograd/model.hpp"

using namespace ladder;
using namespace ladder::stage0;

namespace {

std::vector<double> random_numbers(std::size_t n, std::uint64_t seed, double from = -2.0, double to = 2.0) {
  Random random(seed);
  std::vector<double> x(n);
  for (double& value : x) value = from + (to - from) * random.random();
  return x;
}

/// Leaves for x on a new tape, then f's scalar result.
using Function = std::function<Value(const Row&)>;

Row leaves(Tape& tape, const std::vector<double>& x) {
  const Id start = tape.size();
  for (double value : x) tape.leaf(value);
  return {tape, {start, static_cast<std::uint32_t>(x.size()), false}};
}

double value_at(const Function& f, const std::vector<double>& x, Sums sums) {
  Tape tape(sums);
  return f(leaves(tape, x)).data();
}

/// Compares every partial derivative with (f(x + h) - f(x - h)) / 2h, whose own
/// error is about h^2 + 1e-16 / h.
void check_gradient(const Function& f, std::vector<double> x) {
  for (Sums sums : {Sums::fused, Sums::spelled_out}) {
    Tape tape(sums);
    const Row row = leaves(tape, x);
    f(row).backward();
    for (std::size_t i = 0; i < x.size(); ++i) {
      constexpr double h = 1e-5;
      const double kept = x[i];
      x[i] = kept + h;
      const double above = value_at(f, x, sums);
      x[i] = kept - h;
      const double below = value_at(f, x, sums);
      x[i] = kept;
      const double want = (above - below) / (2 * h);
      const double got = row[static_cast<std::uint32_t>(i)].grad();
      INFO("element " << i << ": got " << got << ", want " << want);
      REQUIRE(std::isfinite(got));
      REQUIRE(std::abs(got - want) <= 1e-7 * (1.0 + std::abs(want)));
    }
  }
}

/// A scalar that weighs each element of a row differently, so that no permutation goes unnoticed.
Value weighted(const Row& row) {
  return sum(collect(row.tape(), row.size(), [&](std::uint32_t i) { return row[i] * (1.0 + 0.37 * i); }));
}

}  // namespace

TEST_CASE("x^0 is 1 with slope 0 everywhere, at 0 too; x^1 has slope 1 there") {
  for (const double x : {0.0, -0.0, 2.0, -3.0, 1e300}) {
    Tape tape;
    const Value leaf = Value::leaf(tape, x);
    const Value flat = pow(leaf, 0.0);
    flat.backward();
    CHECK(flat.data() == 1.0);
    CHECK(leaf.grad() == 0.0);
    Tape other;
    const Value line = Value::leaf(other, x);
    pow(line, 1.0).backward();
    CHECK(line.grad() == 1.0);
  }
}

TEST_CASE("data of each operation", "[value]") {
  Tape tape;
  const Value a = Value::leaf(tape, 3.0), b = Value::leaf(tape, -2.0);
  CHECK((a + b).data() == 1.0);
  CHECK((a - b).data() == 5.0);
  CHECK((a * b).data() == -6.0);
  CHECK((a / b).data() == 3.0 * std::pow(-2.0, -1.0));
  CHECK((a + 0.5).data() == 3.5);
  CHECK((a - 0.5).data() == 2.5);
  CHECK((a * 0.5).data() == 1.5);
  CHECK((a / 4.0).data() == 0.75);
  CHECK((-a).data() == -3.0);
  CHECK(pow(b, 3.0).data() == -8.0);
  CHECK(exp(a).data() == std::exp(3.0));
  CHECK(log(a).data() == std::log(3.0));
  CHECK(relu(a).data() == 3.0);
  CHECK(relu(b).data() == 0.0);
  CHECK(relu(Value::leaf(tape, 0.0)).data() == 0.0);
}

TEST_CASE("gradients of the scalar operations by finite differences", "[value]") {
  const std::vector<double> two = {1.3, -0.7};
  check_gradient([](const Row& x) { return x[0] + x[1]; }, two);
  check_gradient([](const Row& x) { return x[0] - x[1]; }, two);
  check_gradient([](const Row& x) { return x[0] * x[1]; }, two);
  check_gradient([](const Row& x) { return x[0] / x[1]; }, two);
  check_gradient([](const Row& x) { return x[0] * x[0] + x[1] * x[0]; }, two);
  check_gradient([](const Row& x) { return (x[0] + 2.0) * 3.0 - x[1] / 5.0; }, two);
  for (double p : {-1.5, -1.0, -0.5, 0.5, 2.0, 3.0})
    check_gradient([p](const Row& x) { return pow(x[0], p) * x[1]; }, two);
  check_gradient([](const Row& x) { return exp(x[0]) * log(x[0]) + relu(x[0]) - relu(x[1]); }, two);
}

TEST_CASE("gradients of the rows' operations by finite differences", "[value]") {
  for (std::uint32_t n : {1u, 3u, 17u, 33u}) {
    check_gradient([](const Row& x) { return pow(sum(x), 2.0); }, random_numbers(n, n));
    check_gradient([](const Row& x) { return dot(x, x); }, random_numbers(n, n + 1));
    check_gradient([n](const Row& x) { return pow(dot(x.slice(0, n), x.slice(n, n)), 2.0); },
                   random_numbers(2 * n, n));
    check_gradient([](const Row& x) { return weighted(rmsnorm(x)); }, random_numbers(n, n + 2));
    check_gradient([](const Row& x) { return weighted(softmax(x)); }, random_numbers(n, n + 3));
    check_gradient([n](const Row& x) { return cross_entropy(x, static_cast<int>(n / 2)); },
                   random_numbers(n, n + 4));
    check_gradient([n](const Row& x) { return weighted(add(x.slice(0, n), x.slice(n, n))); },
                   random_numbers(2 * n, 5));
  }
}

TEST_CASE("gradients of linear by finite differences", "[value]") {
  for (auto [n_out, n_in] : {std::pair{1u, 1u}, {5u, 3u}, {3u, 17u}, {27u, 4u}}) {
    check_gradient(
        [n_out = n_out, n_in = n_in](const Row& x) {
          const Matrix w{x.slice(n_in, n_out * n_in), n_out, n_in};
          return weighted(linear(x.slice(0, n_in), w));
        },
        random_numbers(n_in + n_out * n_in, n_in));
  }
}

TEST_CASE("gradients of attention by finite differences", "[value]") {
  for (auto [positions, heads, size] : {std::tuple{1u, 1u, 1u}, {3u, 1u, 5u}, {2u, 3u, 2u}, {7u, 2u, 3u}}) {
    const std::uint32_t width = heads * size;
    check_gradient(
        [=, positions = positions, heads = heads](const Row& x) {
          std::vector<Row> keys, values;
          for (std::uint32_t t = 0; t < positions; ++t) {
            keys.push_back(x.slice((1 + 2 * t) * width, width));
            values.push_back(x.slice((2 + 2 * t) * width, width));
          }
          return weighted(attention(x.slice(0, width), keys, values, static_cast<int>(heads)));
        },
        random_numbers((1 + 2 * positions) * width, width));
  }
}

TEST_CASE("the gradient of relu at and below zero is zero", "[value]") {
  Tape tape;
  for (double x : {0.0, -0.0, -1.0}) {
    const Value a = Value::leaf(tape, x);
    relu(a).backward();
    CHECK(a.grad() == 0.0);
  }
}

TEST_CASE("softmax of large logits stays finite", "[value]") {
  Tape tape;
  const Row p = softmax(leaves(tape, {1000.0, 0.0, 999.0}));
  CHECK(p[0].data() == 1.0 * std::pow(1.0 + std::exp(-1000.0) + std::exp(-1.0), -1.0));
  CHECK(p[1].data() == 0.0);
}
