#include "stage0_scalar_autograd/tape.hpp"

#include <algorithm>
#include <cmath>

namespace ladder::stage0 {

void Tape::grow(std::size_t capacity) {
  if (capacity >= kNone)
    throw MachineError("the tape of stage 0 is full: use a smaller model or a shorter block");
  nodes_.resize(capacity);
  locals_.resize(capacity);
  data_.resize(capacity);
  grad_.resize(capacity);
  seen_.resize(capacity);
}

Id Tape::power(Id x, double p) {
  auto& last = last_power_;
  // Compared as numbers: a NaN is never equal, and the two zeros, which are, never have a finite power with p
  // < 0.
  if (!(data_[x] == last.x && p == last.p) || last.x == 0.0)
    last = {data_[x], p, std::pow(data_[x], p), p == 0.0 ? 0.0 : p * std::pow(data_[x], p - 1.0)};
  return unary(Op::pow, last.value, x, last.derivative, p);
}

Id Tape::sum(Span a) {
  double total = 0.0;
  for (std::uint32_t i = 0; i < a.size; ++i) total += data_[at(a, i)];
  return push({Op::sum, a.listed, false, a.size, a.start, kNone}, total);
}

Id Tape::dot(Span a, Span b) {
  double total = 0.0;
  if (!a.listed && !b.listed) {
    const double* x = &data_[a.start];
    const double* y = &data_[b.start];
    for (std::uint32_t i = 0; i < a.size; ++i) total += x[i] * y[i];
  } else {
    for (std::uint32_t i = 0; i < a.size; ++i) total += data_[at(a, i)] * data_[at(b, i)];
  }
  return push({Op::dot, a.listed, b.listed, a.size, a.start, b.start}, total);
}

// ---- order ------------------------------------------------------------------------------------------------
//
// A slot may hand its gradient on only when all slots that use it have handed theirs to it: users first.
// Depth-first search lists children before their users, so its reverse is such an order. There are many;
// floating-point addition makes them differ in the last bit, and the original's is this one: the first child
// first. Recursion would be as deep as the longest chain of the graph, so the stack is explicit.

void Tape::sort(Id root) {
  std::fill_n(seen_.begin(), kept_, std::uint8_t{1});  // parameters have no children: nothing to do for them
  std::fill(seen_.begin() + kept_, seen_.begin() + size_, std::uint8_t{0});
  order_.clear();
  stack_.assign(1, {root, 0});
  seen_[root] = 1;
  while (!stack_.empty()) {
    const Id child = next_unseen(stack_.back());
    if (child == kNone) {
      order_.push_back(stack_.back().id);
      stack_.pop_back();
    } else {
      seen_[child] = 1;
      stack_.push_back({child, 0});
    }
  }
}

Id Tape::next_unseen(Frame& frame) const {
  const Node& node = nodes_[frame.id];
  if (node.op == Op::leaf) return kNone;
  if (node.op >= Op::sum) return next_unseen_of_many(node, frame);
  if (!seen_[node.a]) return node.a;
  return node.b != kNone && !seen_[node.b] ? node.b : kNone;
}

Id Tape::next_unseen_of_many(const Node& node, Frame& frame) const {
  const bool two = node.op == Op::dot;
  const bool left_is_parameters = !node.a_listed && node.a + node.n <= kept_;
  if (two && left_is_parameters && !node.b_listed) {  // one output of a linear layer: scan its inputs at once
    const std::uint8_t* inputs = &seen_[node.b];
    const void* found = std::memchr(inputs + frame.cursor, 0, node.n - frame.cursor);
    if (found == nullptr) return kNone;
    frame.cursor = static_cast<std::uint32_t>(static_cast<const std::uint8_t*>(found) - inputs);
    return node.b + frame.cursor;
  }
  for (; frame.cursor < node.n; ++frame.cursor) {
    const Id left = at(node.left(), frame.cursor);
    if (!seen_[left]) return left;
    if (!two) continue;
    const Id right = at(node.right(), frame.cursor);
    if (!seen_[right]) return right;
  }
  return kNone;
}

// ---- gradients --------------------------------------------------------------------------------------------

void Tape::backward(Id root) {
  sort(root);
  std::fill(grad_.begin() + kept_, grad_.begin() + size_, 0.0);
  grad_[root] = 1.0;
  for (std::size_t i = order_.size(); i-- > 0;) propagate(order_[i]);
}

void Tape::propagate(Id id) {
  const Node& node = nodes_[id];
  const double grad = grad_[id];
  if (node.op == Op::leaf) return;
  if (node.op == Op::sum) return propagate_sum(node, grad);
  if (node.op == Op::dot) return propagate_dot(node, grad);
  grad_[node.a] += locals_[id].a * grad;
  if (node.b != kNone) grad_[node.b] += locals_[id].b * grad;
}

void Tape::propagate_sum(const Node& node, double grad) {
  for (std::uint32_t i = node.n; i-- > 0;) grad_[at(node.left(), i)] += grad;
}

// In the chain of additions the last product comes first, hence the loop from the end back. Where all
// children are different slots, each gets one addition and the loop may run forward, eight at a time.
void Tape::propagate_dot(const Node& node, double grad) {
  if (node.a_listed || node.b_listed) {
    for (std::uint32_t i = node.n; i-- > 0;) {
      const Id left = at(node.left(), i), right = at(node.right(), i);
      grad_[left] += data_[right] * grad;
      grad_[right] += data_[left] * grad;
    }
    return;
  }
  const auto add_scaled = [grad](double* __restrict to, const double* __restrict from, std::uint32_t n) {
    for (std::uint32_t i = 0; i < n; ++i) to[i] += from[i] * grad;
  };
  add_scaled(&grad_[node.a], &data_[node.b], node.n);
  add_scaled(&grad_[node.b], &data_[node.a], node.n);
}

}  // namespace ladder::stage0
