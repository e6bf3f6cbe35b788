// Cases of the softmax cross-entropy, with and without its gradient, and of the head before it.
#include <algorithm>

#include "shared/check/cases.hpp"
#include "shared/check/naive_reference.hpp"

namespace ladder::cases {
namespace {

/// `behind`: columns behind the vocabulary, which hold the largest logits.
OpCase cross_entropy(const Batch& batch, int V, double scale, bool with_gradient, double logit,
                     int behind = 0) {
  OpCase c;
  c.op = "cross_entropy";
  c.shape = fmt::format("B={} N={} V={}{} logits to {}{}", batch.batch(), batch.rows(), V,
                        behind > 0 ? fmt::format(" of {} columns", V + behind) : "", logit,
                        with_gradient ? " with gradient" : "");
  c.batch = batch;
  c.max_logit = logit;
  const auto rows = static_cast<std::size_t>(batch.rows());
  const std::string seed = fmt::format("logits N={} V={} to {}", batch.rows(), V, logit);
  const auto entries = static_cast<std::size_t>(V), columns = entries + behind;
  std::vector<double> logits = random_values(seed, rows * columns, logit);
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (i % columns >= entries) logits[i] = 2 * logit;
  add(c, Role::activation, with_gradient ? Use::update : Use::input, "logits", std::move(logits));
  add(c, Role::statistic, Use::output, "loss_n", std::vector<double>(rows));
  add(c, Role::statistic, Use::update, "loss", {0.5});  // an earlier micro-batch's share
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(CrossEntropy{t.batch, V, V + behind, scale, with_gradient, t.act("logits"), t.stat("loss_n"),
                         t.stat("loss")});
  };
  c.naive = [=](Values& t) {
    naive::cross_entropy(batch, V, V + behind, scale, with_gradient, t.at("logits"), t.at("loss_n"),
                         t.at("loss"));
  };
  if (!with_gradient || logit > 100) return c;
  c.forward = std::make_shared<OpCase>(cross_entropy(batch, V, scale, false, logit, behind));
  c.output = "loss";
  c.derivatives = {{"logits", "logits", ""}};
  return c;
}

/// Logits that are all below the value which masked scores were once given, -1e20: two equal ones win every row. `behind`
/// as above.
OpCase low_logits(const Batch& batch, int V, bool with_gradient, int behind = 0) {
  OpCase c = cross_entropy(batch, V, 1.0, with_gradient, 3, behind);
  c.shape += " far below 0";
  c.beyond_fp16 = true;
  c.forward = nullptr;  // no differences between numbers of this size
  std::vector<double>& logits = c.values.at("logits");
  const auto entries = static_cast<std::size_t>(V), columns = entries + behind;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const std::size_t v = i % columns;
    if (v >= entries) continue;
    // one of the two is the target, so that no loss is infinite in effect
    const auto target = static_cast<std::size_t>(std::max(batch.targets_n[i / columns], 0));
    logits[i] = v == target || v == (target + 1) % entries ? -0x1p70 : -0x1p72;
  }
  return c;
}

/// Likely entries, one for each of 16 lanes, a target and 50,000 unlikely ones, of which 128 together are less than half of
/// the last digit of a sum in fp32, and all together 400 times as much.
OpCase long_tail(const Batch& batch, bool with_gradient) {
  constexpr int kEntries = 50257, kLikely = 16;
  OpCase c = cross_entropy(batch, kEntries, 1.0, with_gradient, 3);
  c.shape += " in a long tail";
  c.forward = nullptr;
  std::vector<double>& logits = c.values.at("logits");
  std::fill(logits.begin(), logits.end(), -18.75);
  for (int n = 0; n < batch.rows(); ++n) {
    const auto row = logits.begin() + std::ptrdiff_t{n} * kEntries;
    std::fill(row, row + kLikely, 0.0);
    row[std::max(batch.targets_n[static_cast<std::size_t>(n)], kLikely)] = -3.0;
  }
  return c;
}

/// The head's gradient of its input for such a row: entries of which 32 together are less than half of the last digit of
/// what the likely one, the first, contributes, and all together 1,500 times as much.
OpCase long_tail_head() {
  constexpr int kRows = 3, kChannels = 16, kEntries = 50257;
  OpCase c;
  c.op = "linear_backward_input";
  c.shape = fmt::format("N={} I={} O={} in a long tail", kRows, kChannels, kEntries);
  std::vector<double> dy(std::size_t{kRows} * kEntries, 0x1p-30);
  for (std::size_t n = 0; n < kRows; ++n) dy[n * kEntries] = 1.0;
  add(c, Role::activation, Use::input, "dy", std::move(dy));
  add(c, Role::parameter, Use::input, "w", std::vector<double>(std::size_t{kEntries} * kChannels, 1.0));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(std::size_t{kRows} * kChannels));
  c.run = [](Ops& ops, const Bound& t) {
    ops.run(LinearBackwardInput{kRows, kChannels, kEntries, t.act("dy"), t.param("w"), t.act("dx")});
  };
  c.naive = [](Values& t) {
    naive::linear_dx(kRows, kChannels, kEntries, t.at("dy"), t.at("w"), t.at("dx"));
  };
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
    cases.push_back(cross_entropy(random_batch({5, 0, 9}, 27, 16, layout), 27, 0.5, with_gradient, 3, 5));
    cases.push_back(cross_entropy(random_batch({16, 3}, 65, 16, layout), 65, 0.5, with_gradient, 3, 63));
    cases.push_back(cross_entropy(random_batch({5, 9}, 33, 16, layout), 33, 0.125, with_gradient, 1e4, 15));
    // more rows than a stage adds up in one go, and no multiple of that
    cases.push_back(
        cross_entropy(random_batch(std::vector<int>(20, 17), 11, 17, layout), 11, 0.05, with_gradient, 3));
    cases.push_back(low_logits(random_batch({7, 0, 4}, 27, 16, layout), 27, with_gradient));
    cases.push_back(low_logits(random_batch({5, 9}, 33, 16, layout), 33, with_gradient, 15));
  }
  return cases;
}

std::vector<OpCase> long_tail_cases(Layout layout) {
  const Batch batch = random_batch({2}, 27, 2, layout);
  return {long_tail(batch, false), long_tail(batch, true), long_tail_head()};
}

}  // namespace ladder::cases
