// Value: a number that remembers how it was computed. The whole of stage 0 is made of these few operations.
//
// Each is written as the original writes it, because that decides the last bit: a - b is a + b * -1, a / b is
// a * b^-1, and the power is libm's. Local derivatives: add (1, 1); mul (other, self); x^p: p * x^(p-1); log:
// 1/x; exp: exp(x); relu: 1 if x > 0 else 0.
#pragma once

#include <cmath>

#include "stage0_scalar_autograd/tape.hpp"

namespace ladder::stage0 {

/// A handle: which slot of which tape. Copies are the same Value.
class Value {
 public:
  Value(Tape& tape, Id id) : tape_(&tape), id_(id) {}
  /// A new leaf.
  static Value leaf(Tape& tape, double data) { return {tape, tape.leaf(data)}; }

  Tape& tape() const { return *tape_; }
  Id id() const { return id_; }
  double data() const { return tape_->data(id_); }
  double grad() const { return tape_->grad(id_); }
  void backward() const { tape_->backward(id_); }

 private:
  Tape* tape_;
  Id id_;
};

inline Value operator+(Value a, Value b) {
  return {a.tape(), a.tape().binary(Op::add, a.data() + b.data(), a.id(), b.id(), 1.0, 1.0)};
}
inline Value operator+(Value a, double c) {
  return {a.tape(), a.tape().unary(Op::add, a.data() + c, a.id(), 1.0, c)};
}
inline Value operator*(Value a, Value b) {
  return {a.tape(), a.tape().binary(Op::mul, a.data() * b.data(), a.id(), b.id(), b.data(), a.data())};
}
inline Value operator*(Value a, double c) {
  return {a.tape(), a.tape().unary(Op::mul, a.data() * c, a.id(), c, c)};
}
inline Value pow(Value a, double p) { return {a.tape(), a.tape().power(a.id(), p)}; }
inline Value exp(Value a) {
  const double y = std::exp(a.data());
  return {a.tape(), a.tape().unary(Op::exp, y, a.id(), y)};
}
inline Value log(Value a) {
  return {a.tape(), a.tape().unary(Op::log, std::log(a.data()), a.id(), 1.0 / a.data())};
}
inline Value relu(Value a) {
  const bool on = a.data() > 0.0;
  return {a.tape(), a.tape().unary(Op::relu, on ? a.data() : 0.0, a.id(), on ? 1.0 : 0.0)};
}

inline Value operator-(Value a) { return a * -1.0; }
inline Value operator-(Value a, Value b) { return a + -b; }
inline Value operator-(Value a, double c) { return a + -c; }
inline Value operator/(Value a, Value b) { return a * pow(b, -1.0); }
inline Value operator/(Value a, double c) { return a * std::pow(c, -1.0); }

/// A row of Values. Usually neighbours on the tape, which is what makes dot() over them fast.
class Row {
 public:
  Row(Tape& tape, Span span) : tape_(&tape), span_(span) {}

  Tape& tape() const { return *tape_; }
  Span span() const { return span_; }
  std::uint32_t size() const { return span_.size; }
  Value operator[](std::uint32_t i) const { return {*tape_, tape_->at(span_, i)}; }
  Row slice(std::uint32_t from, std::uint32_t count) const {
    return {*tape_, {span_.start + from, count, span_.listed}};
  }

 private:
  Tape* tape_;
  Span span_;
};

/// The row f(0), f(1), ... f(n-1), for n >= 1.
template <class F>
Row collect(Tape& tape, std::uint32_t n, F f) {
  const Id start = f(0).id();
  Id id = start;
  std::uint32_t i = 1;
  while (i < n && (id = f(i).id()) == start + i) ++i;
  if (i >= n) return {tape, {start, n, false}};

  const std::uint32_t list = tape.new_list(n);  // not neighbours: name them one by one
  for (std::uint32_t j = 0; j < i; ++j) tape.list(list + j) = start + j;
  tape.list(list + i) = id;
  for (++i; i < n; ++i) {
    id = f(i).id();  // f may make lists of its own, so the place is looked up after it
    tape.list(list + i) = id;
  }
  return {tape, {list, n, true}};
}

/// The row f(x_0), f(x_1), ...
template <class F>
Row map(const Row& x, F f) {
  return collect(x.tape(), x.size(), [&](std::uint32_t i) { return f(x[i]); });
}

/// 0 + x_0 + x_1 + ...
inline Value sum(const Row& x) {
  if (x.tape().sums() == Sums::fused) return {x.tape(), x.tape().sum(x.span())};
  Value total = x[0] + 0.0;
  for (std::uint32_t i = 1; i < x.size(); ++i) total = total + x[i];
  return total;
}

/// 0 + a_0 * b_0 + a_1 * b_1 + ...
inline Value dot(const Row& a, const Row& b) {
  if (a.tape().sums() == Sums::fused) return {a.tape(), a.tape().dot(a.span(), b.span())};
  Value total = a[0] * b[0] + 0.0;
  for (std::uint32_t i = 1; i < a.size(); ++i) total = total + a[i] * b[i];
  return total;
}

}  // namespace ladder::stage0
