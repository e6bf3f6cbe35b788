// Cases of dropout of activations; attention's are in attention_cases.cpp.
#include "shared/check/cases.hpp"
#include "shared/check/gpt2_reference.hpp"

namespace ladder::cases {
namespace {

struct Shape {
  Batch batch;
  int channels;
  Dropout dropout;
  StepConstants step;
  std::size_t size() const {
    return static_cast<std::size_t>(batch.rows()) * static_cast<std::size_t>(channels);
  }
};

/// The backward pass is the same operation, from "dy" to "dx". In place, "x" is both.
OpCase apply(const Shape& s, const std::string& from, const std::string& to) {
  OpCase c;
  c.op = "apply_dropout";
  c.shape = fmt::format("B={} N={} C={} p={} layer {} site {} {} {} to {}", s.batch.batch(), s.batch.rows(),
                        s.channels, s.dropout.probability, s.dropout.layer, static_cast<int>(s.dropout.site),
                        step_name(s.step), from, to);
  c.batch = s.batch;
  c.step_constants = s.step;
  add(c, Role::activation, from == to ? Use::update : Use::input, from,
      random_values(from + c.shape, s.size()));
  if (from != to) add(c, Role::activation, Use::output, to, std::vector<double>(s.size()));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(ApplyDropout{t.batch, s.channels, s.dropout, t.act(from), t.act(to)});
  };
  c.naive = [=](Values& t) {
    const naive::Tensor x = t.at(from);
    naive::dropout(s.batch, s.channels, s.dropout, s.step, x, t.at(to));
  };
  return c;
}

OpCase backward(const Shape& s) {
  OpCase c = apply(s, "dy", "dx");
  c.forward = std::make_shared<OpCase>(apply(s, "x", "y"));
  c.output = "y";
  c.weights = "dy";
  c.derivatives = {{"x", "dx", ""}};
  return c;
}

}  // namespace

std::vector<OpCase> dropout_cases(Layout layout) {
  std::vector<OpCase> cases;
  const auto all = [&](const std::vector<int>& lengths, int T, int C, const Dropout& dropout,
                       const StepConstants& step) {
    const Shape s{random_batch(lengths, 27, T, layout), C, dropout, step};
    cases.push_back(apply(s, "x", "y"));
    cases.push_back(apply(s, "x", "x"));
    cases.push_back(backward(s));
  };
  all({7, 0, 1, 17}, 17, 33, {0.2, 0, DropoutSite::embedding}, dropout_step(0, 42, 0));
  all({1}, 1, 1, {0.2, 0, DropoutSite::embedding}, dropout_step(0, 42, 1));
  all({13, 2}, 13, 48, {0.5, 1, DropoutSite::attention_output}, dropout_step(1, 42, 2));
  all({5, 0, 16}, 16, 64, {0.1, 11, DropoutSite::mlp_output}, dropout_step(70000, 4294967295, 999));
  all({64, 63}, 64, 70, {0.9, 3, DropoutSite::mlp_output}, dropout_step(2, 0, 0));
  all({3, 2}, 3, 384, {0.2, 32767, DropoutSite::mlp_output}, dropout_step(3, 42, 1));
  return cases;
}

}  // namespace ladder::cases
