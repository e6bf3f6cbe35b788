// Cases of the softmax cross-entropy, with and without its gradient.
#include "shared/check/cases.hpp"
#include "shared/check/naive_reference.hpp"

namespace ladder::cases {
namespace {

OpCase cross_entropy(const Batch& batch, int V, double scale, bool with_gradient, double logit) {
  OpCase c;
  c.op = "cross_entropy";
  c.shape = fmt::format("B={} N={} V={} logits to {}{}", batch.batch(), batch.rows(), V, logit,
                        with_gradient ? " with gradient" : "");
  c.batch = batch;
  c.max_logit = logit;
  const auto rows = static_cast<std::size_t>(batch.rows());
  const std::string seed = fmt::format("logits N={} V={} to {}", batch.rows(), V, logit);
  add(c, Role::activation, with_gradient ? Use::update : Use::input, "logits",
      random_values(seed, rows * static_cast<std::size_t>(V), logit));
  add(c, Role::statistic, Use::output, "loss_n", std::vector<double>(rows));
  add(c, Role::statistic, Use::update, "loss", {0.5});  // an earlier micro-batch's share
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(
        CrossEntropy{t.batch, V, scale, with_gradient, t.act("logits"), t.stat("loss_n"), t.stat("loss")});
  };
  c.naive = [=](Values& t) {
    naive::cross_entropy(batch, V, scale, with_gradient, t.at("logits"), t.at("loss_n"), t.at("loss"));
  };
  if (!with_gradient || logit > 100) return c;
  c.forward = std::make_shared<OpCase>(cross_entropy(batch, V, scale, false, logit));
  c.output = "loss";
  c.derivatives = {{"logits", "logits", ""}};
  return c;
}

}  // namespace

std::vector<OpCase> loss_cases(Layout layout) {
  std::vector<OpCase> cases;
  for (const bool with_gradient : {false, true}) {
    cases.push_back(cross_entropy(random_batch({7, 0, 1, 17}, 27, 17, layout), 27, 0.25, with_gradient, 3));
    cases.push_back(cross_entropy(random_batch({5, 9}, 33, 16, layout), 33, 0.125, with_gradient, 1e4));
    cases.push_back(cross_entropy(random_batch({1}, 1, 1, layout), 1, 1.0, with_gradient, 3));
    cases.push_back(cross_entropy(random_batch({16, 16, 2}, 64, 16, layout), 64, 1.0 / 3, with_gradient, 10));
  }
  return cases;
}

}  // namespace ladder::cases
