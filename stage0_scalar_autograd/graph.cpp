#include "stage0_scalar_autograd/graph.hpp"

#include <set>

#include "shared/base/random.hpp"
#include "stage0_scalar_autograd/model.hpp"

namespace ladder::stage0 {
namespace {

/// Fewest digits that read back as the same double would be up to 17: too wide for a picture.
std::string number(double x) { return fmt::format("{:.5g}", x); }

std::string operation(const Tape& tape, Id id) {
  const Node& node = tape.node(id);
  const bool plain = node.b == kNone;  // one child and a plain number
  const std::string constant = plain ? " " + number(tape.local(id).b) : "";
  switch (node.op) {
    case Op::leaf:
      return "leaf";
    case Op::add:
      return "+" + constant;
    case Op::mul:
      return "*" + constant;
    case Op::pow:
      return "^" + constant;
    case Op::exp:
      return "exp";
    case Op::log:
      return "log";
    case Op::relu:
      return "relu";
    case Op::sum:
      return "sum";
    case Op::dot:
      return "dot";
  }
  return {};
}

std::vector<Id> children(const Tape& tape, Id id) {
  const Node& node = tape.node(id);
  std::vector<Id> all;
  if (node.op == Op::leaf) return all;
  if (node.op == Op::sum || node.op == Op::dot) {
    for (std::uint32_t i = 0; i < node.n; ++i) {
      all.push_back(tape.at(node.left(), i));
      if (node.op == Op::dot) all.push_back(tape.at(node.right(), i));
    }
    return all;
  }
  all.push_back(node.a);
  if (node.b != kNone) all.push_back(node.b);
  return all;
}

/// DOT reads { | } < > as the borders of a record's fields.
std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (std::string_view("{}|<>\\\"").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string node_line(const Tape& tape, Id id, const Names& names) {
  const auto name = names.find(id);
  const std::string title = name == names.end()            ? operation(tape, id)
                            : tape.node(id).op == Op::leaf ? name->second
                                                           : name->second + " = " + operation(tape, id);
  const char* fill = tape.node(id).op == Op::leaf ? "#e8f0fe" : "#fff8e1";
  return fmt::format("  n{} [label=\"{{{}|data {}|grad {}}}\", fillcolor=\"{}\"];\n", id, escaped(title),
                     number(tape.data(id)), number(tape.grad(id)), fill);
}

/// Leaves for a matrix of random numbers, named name[row][column] (or name[column] when it is one row).
Matrix example_matrix(Tape& tape, Names& names, Random& random, const std::string& name, std::uint32_t rows) {
  constexpr std::uint32_t columns = 2;
  const Id start = tape.size();
  for (std::uint32_t r = 0; r < rows; ++r)
    for (std::uint32_t c = 0; c < columns; ++c) {
      const Id id = tape.leaf(random.gauss(0.0, 1.0));
      names[id] = rows == 1 ? fmt::format("{}[{}]", name, c) : fmt::format("{}[{}][{}]", name, r, c);
    }
  return {Row(tape, {start, rows * columns, false}), rows, columns};
}

}  // namespace

std::string to_dot(const Tape& tape, const Names& names) {
  std::set<Id> slots(tape.order().begin(), tape.order().end());
  std::string edges;
  for (Id id : tape.order())
    for (Id child : children(tape, id)) {
      slots.insert(child);
      edges += fmt::format("  n{} -> n{};\n", child, id);
    }
  std::string text =
      "digraph autograd {\n  rankdir=LR;\n"
      "  node [shape=record, style=filled, fontname=\"Helvetica\", fontsize=11];\n";
  for (Id id : slots) text += node_line(tape, id, names);
  return text + edges + "}\n";
}

AttentionExample attention_example(Tape& tape) {
  Names names;
  Random random(42);
  const Matrix wq = example_matrix(tape, names, random, "wq", 2);
  const Matrix wk = example_matrix(tape, names, random, "wk", 2);
  const Matrix wv = example_matrix(tape, names, random, "wv", 2);
  const Row before = example_matrix(tape, names, random, "before", 1)[0];
  const Row x = example_matrix(tape, names, random, "x", 1)[0];
  const Row q = linear(x, wq);
  const std::vector<Row> keys = {linear(before, wk), linear(x, wk)};
  const std::vector<Row> values = {linear(before, wv), linear(x, wv)};
  const Row out = attention(q, keys, values, 1);
  for (std::uint32_t i = 0; i < 2; ++i) {
    names[q[i].id()] = fmt::format("q[{}]", i);
    names[out[i].id()] = fmt::format("out[{}]", i);
    for (std::size_t t = 0; t < 2; ++t) {
      names[keys[t][i].id()] = fmt::format("k{}[{}]", t, i);
      names[values[t][i].id()] = fmt::format("v{}[{}]", t, i);
    }
  }
  const Value root = sum(out);
  names[root.id()] = "root";
  root.backward();
  return {root, names};
}

}  // namespace ladder::stage0
