// The tape: the memory in which Values live, and the backward pass over them.
//
// Every number that the model computes is one slot of the tape: its data, its gradient, and a Node that says
// from which slots it was computed and the local derivative by each. The arena is reused: rewind() forgets
// everything after the parameters and keeps the memory, so a training run stays as small as its largest step.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "shared/base/error.hpp"

namespace ladder::stage0 {

using Id = std::uint32_t;  ///< a slot of the tape
inline constexpr Id kNone = std::numeric_limits<Id>::max();

enum class Op : std::uint8_t { leaf, add, mul, pow, exp, log, relu, sum, dot };

/// How a sum over a row is recorded: as the chain of additions (and products) that it is, or as one node. The
/// doubles are the same either way (tests/stage0 proves it gradient by gradient); only the second is fast.
enum class Sums { spelled_out, fused };

/// Where a row of Values lies: `size` slots from `start` on, or, when listed, the slots named by the tape's
/// list from `start` on.
struct Span {
  Id start = 0;
  std::uint32_t size = 0;
  bool listed = false;
};

/// From what one slot was computed. Scalar operations have one or two children, `a` and `b`. A sum has `n`
/// children (the row left()); a dot product has 2n (left() and right()).
struct Node {
  Op op;
  bool a_listed, b_listed;
  std::uint32_t n;
  Id a, b;

  Span left() const { return {a, n, a_listed}; }
  Span right() const { return {b, n, b_listed}; }
};

/// The derivatives of a scalar operation by its children. With one child, `b` keeps the plain number of the
/// operation instead (x + 2, x * 2, x ^ 2). Kept apart from Node because the sort reads all Nodes and none of
/// these. A sum's are 1 and a dot product's are the data of the opposite child, so both leave it unused.
struct Local {
  double a, b;
};

class Tape {
 public:
  explicit Tape(Sums sums = Sums::fused) : sums_(sums) { grow(1024); }
  Tape(const Tape&) = delete;  // Values and Rows point to it
  Tape& operator=(const Tape&) = delete;

  Sums sums() const { return sums_; }
  Id size() const { return size_; }
  std::size_t capacity() const { return nodes_.size(); }
  const Node& node(Id id) const { return nodes_[id]; }
  const Local& local(Id id) const { return locals_[id]; }
  double& data(Id id) { return data_[id]; }
  double data(Id id) const { return data_[id]; }
  double& grad(Id id) { return grad_[id]; }
  double grad(Id id) const { return grad_[id]; }
  /// The slots that the last backward() visited, children before parents.
  std::span<const Id> order() const { return order_; }

  Id leaf(double data) { return push({Op::leaf, false, false, 0, kNone, kNone}, data); }
  Id unary(Op op, double data, Id a, double da, double plain = 0.0) {
    const Id id = push({op, false, false, 1, a, kNone}, data);
    locals_[id] = {da, plain};
    return id;
  }
  Id binary(Op op, double data, Id a, Id b, double da, double db) {
    const Id id = push({op, false, false, 1, a, b}, data);
    locals_[id] = {da, db};
    return id;
  }
  /// x ^ p. Keeps its last result: softmax divides every element of a row by the same total.
  Id power(Id x, double p);
  /// 0 + a_0 + a_1 + ... as one node.
  Id sum(Span a);
  /// 0 + a_0 * b_0 + a_1 * b_1 + ... as one node. The two rows must be disjoint or the same.
  Id dot(Span a, Span b);

  Id at(Span row, std::uint32_t i) const { return row.listed ? lists_[row.start + i] : row.start + i; }
  /// Room for a list of n slots; fill it through list().
  std::uint32_t new_list(std::uint32_t n) {
    lists_.resize(lists_.size() + n);
    return static_cast<std::uint32_t>(lists_.size() - n);
  }
  Id& list(std::uint32_t i) { return lists_[i]; }

  /// Everything on the tape so far is a parameter: a leaf that rewind() keeps and whose gradient accumulates.
  void keep() { kept_ = size_; }
  void rewind() {
    size_ = kept_;
    lists_.clear();
  }

  std::span<double> kept_data() { return {data_.data(), kept_}; }
  std::span<const double> kept_data() const { return {data_.data(), kept_}; }
  std::span<double> kept_grad() { return {grad_.data(), kept_}; }

  /// Adds d root / d x to the gradient of every parameter x; other slots get exactly that gradient.
  void backward(Id root);

 private:
  struct Frame {
    Id id;
    std::uint32_t cursor;  ///< the first child that may not have been seen
  };

  Id push(const Node& node, double data) {
    if (size_ == nodes_.size()) [[unlikely]]
      grow(2 * nodes_.size());
    nodes_[size_] = node;
    data_[size_] = data;
    return size_++;
  }
  void grow(std::size_t capacity);
  void sort(Id root);
  Id next_unseen(Frame& frame) const;
  Id next_unseen_of_many(const Node& node, Frame& frame) const;
  void propagate(Id id);
  void propagate_sum(const Node& node, double grad);
  void propagate_dot(const Node& node, double grad);

  Sums sums_;
  Id size_ = 0, kept_ = 0;
  std::vector<Node> nodes_;
  std::vector<Local> locals_;
  std::vector<double> data_, grad_;
  std::vector<std::uint8_t> seen_;
  std::vector<Id> lists_, order_;
  std::vector<Frame> stack_;

  struct {
    double x = 0.0, p = 0.0, value = 0.0, derivative = 0.0;
  } last_power_;
};

}  // namespace ladder::stage0
