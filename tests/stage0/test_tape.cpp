// The backward pass: order, accumulation, depth, and the arena's reuse.
#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

#include "stage0_scalar_autograd/value.hpp"

using namespace ladder::stage0;

TEST_CASE("a Value that is used twice waits for both gradients", "[tape]") {
  // In creation order reversed this would still be right; visited by a plain recursion without sorting, d
  // would hand its gradient on before the second use has arrived. f = (a*b) * (a*b + a): df/da = b*(ab + a) +
  // ab*(b + 1)
  Tape tape;
  const Value a = Value::leaf(tape, 2.0), b = Value::leaf(tape, 3.0);
  const Value d = a * b;
  const Value f = d * (d + a);
  f.backward();
  CHECK(f.data() == 48.0);
  CHECK(a.grad() == 3.0 * 8.0 + 6.0 * 4.0);
  CHECK(b.grad() == 2.0 * 8.0 + 6.0 * 2.0);
  CHECK(d.grad() == 8.0 + 6.0);
}

TEST_CASE("the order is depth first, the first child first", "[tape]") {
  Tape tape;
  const Value a = Value::leaf(tape, 1.0), b = Value::leaf(tape, 2.0);
  const Value late = a * 2.0;   // made first, visited last
  const Value early = b * 3.0;  // made second, visited first
  const Value root = early + late;
  root.backward();
  const std::vector<Id> order(tape.order().begin(), tape.order().end());
  CHECK(order == std::vector<Id>{b.id(), early.id(), a.id(), late.id(), root.id()});
}

TEST_CASE("gradients are added from the last user to the first", "[tape]") {
  // a is used three times; the order of the additions shows in the last bit: (1 + 2^-53) + 2^-53 is 1, while
  // 1 + (2^-53 + 2^-53) is the next double. Last user first: 0 + 2^-53 + 2^-53 + 1.
  Tape tape;
  const Value a = Value::leaf(tape, 1.0);
  const Value root = (a * 1.0 + a * 0x1p-53) + a * 0x1p-53;
  root.backward();
  CHECK(a.grad() == 1.0 + 0x1p-52);

  Tape other;
  const Value b = Value::leaf(other, 1.0);
  const Value reversed = (b * 0x1p-53 + b * 0x1p-53) + b * 1.0;
  reversed.backward();
  CHECK(b.grad() == 1.0);
}

TEST_CASE("one million operations deep", "[tape]") {
  Tape tape;
  const Value x = Value::leaf(tape, 1.0);
  Value y = x;
  for (int i = 0; i < 1'000'000; ++i) y = y + 1.0;
  y.backward();
  CHECK(y.data() == 1'000'001.0);
  CHECK(x.grad() == 1.0);
}

TEST_CASE("backward again starts anew; parameters accumulate", "[tape]") {
  Tape tape;
  const Value w = Value::leaf(tape, 3.0);
  tape.keep();
  const Value x = Value::leaf(tape, 2.0);
  const Value y = w * x;
  y.backward();
  y.backward();
  CHECK(x.grad() == 3.0);
  CHECK(w.grad() == 4.0);
  CHECK(tape.kept_grad().size() == 1);
}

TEST_CASE("rewind forgets all but the parameters and keeps the memory", "[tape]") {
  Tape tape;
  const Value w = Value::leaf(tape, 3.0);
  tape.keep();
  std::size_t capacity = 0;
  for (int step = 0; step < 50; ++step) {
    tape.rewind();
    REQUIRE(tape.size() == 1);
    Value y = w * 1.0;
    for (int i = 0; i < 5000; ++i) y = y * 1.0;
    y.backward();
    if (step == 0) capacity = tape.capacity();
    REQUIRE(tape.capacity() == capacity);
  }
  CHECK(w.data() == 3.0);
  CHECK(w.grad() == 50.0);
}

TEST_CASE("rows of scattered slots give the same numbers as rows of neighbours", "[tape]") {
  Tape tape;
  std::vector<Value> a, b;
  for (int i = 0; i < 5; ++i) {
    a.push_back(Value::leaf(tape, 0.1 * (i + 1)));
    b.push_back(Value::leaf(tape, 1.0 / (i + 3)));
  }
  const Row scattered_a = collect(tape, 5, [&](std::uint32_t i) { return a[i]; });
  const Row scattered_b = collect(tape, 5, [&](std::uint32_t i) { return b[i]; });
  REQUIRE(scattered_a.span().listed);
  const Value left = dot(scattered_a, scattered_b);
  left.backward();
  Tape plain(Sums::spelled_out);
  const Id start = plain.size();
  for (const Value& value : a) plain.leaf(value.data());
  for (const Value& value : b) plain.leaf(value.data());
  const Row near_a(plain, {start, 5, false}), near_b(plain, {start + 5, 5, false});
  const Value right = dot(near_a, near_b);
  right.backward();
  CHECK(left.data() == right.data());
  for (std::uint32_t i = 0; i < 5; ++i) {
    CHECK(scattered_a[i].grad() == near_a[i].grad());
    CHECK(scattered_b[i].grad() == near_b[i].grad());
  }
  CHECK(scattered_a.slice(1, 2)[1].id() == a[2].id());
}

TEST_CASE("a power that was just computed is not taken for that of the other zero", "[tape]") {
  Tape tape;
  const Value plus = Value::leaf(tape, 0.0), minus = Value::leaf(tape, -0.0);
  for (int i = 0; i < 2; ++i) {  // whichever came last
    CHECK_FALSE(std::signbit(pow(plus, 3.0).data()));
    CHECK(std::signbit(pow(minus, 3.0).data()));
  }
  CHECK(pow(Value::leaf(tape, 2.0), 3.0).data() == 8.0);
  CHECK(pow(Value::leaf(tape, 2.0), 2.0).data() == 4.0);  // the same base, another exponent
  CHECK(pow(Value::leaf(tape, 3.0), 2.0).data() == 9.0);  // the same exponent, another base
}
