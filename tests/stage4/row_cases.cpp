#include "tests/stage4/row_cases.hpp"

#include <algorithm>

#include "shared/check/gpt2_reference.hpp"

namespace ladder::testing {
namespace {

using namespace cases;  // NOLINT(google-build-using-namespace)

std::size_t cells(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

/// Tokens of one sequence, shuffled: runs[i] times the token i * step.
std::vector<std::int32_t> tokens_of_runs(const std::vector<int>& runs, int step) {
  std::vector<std::int32_t> tokens;
  for (std::size_t i = 0; i < runs.size(); ++i)
    tokens.insert(tokens.end(), static_cast<std::size_t>(runs[i]), static_cast<std::int32_t>(i) * step);
  const std::vector<double> draws = random_values("order of tokens", tokens.size());
  for (std::size_t i = tokens.size(); i-- > 1;)
    std::swap(tokens[i], tokens[static_cast<std::size_t>((draws[i] + 1) / 2 * static_cast<double>(i))]);
  return tokens;
}

struct EmbeddingShape {
  Batch batch;
  int channels, vocabulary, block_size;
  std::string name;
};

OpCase embedding_backward(const EmbeddingShape& s) {
  OpCase c;
  c.op = "embedding_backward";
  c.shape = s.name;
  c.batch = s.batch;
  add(c, Role::activation, Use::input, "dx", random_values("dx" + s.name, cells(s.batch.rows(), s.channels)));
  add(c, Role::gradient, Use::update, "dwte",
      random_values("dwte" + s.name, cells(s.vocabulary, s.channels)));
  add(c, Role::gradient, Use::update, "dwpe",
      random_values("dwpe" + s.name, cells(s.block_size, s.channels)));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(EmbeddingBackward{t.batch, s.channels, s.vocabulary, s.block_size, t.act("dx"), t.grad("dwte"),
                              t.grad("dwpe")});
  };
  c.naive = [s](Values& t) {
    naive::embedding_backward(s.batch, s.channels, t.at("dx"), t.at("dwte"), t.at("dwpe"));
  };
  return c;
}

/// A sequence for each list of runs.
OpCase runs_case(const std::string& name, const std::vector<std::vector<int>>& runs, int step, int channels,
                 int vocabulary, int block_size, Layout layout) {
  std::vector<Sequence> sequences;
  for (const std::vector<int>& of_one : runs) {
    const std::vector<std::int32_t> tokens = tokens_of_runs(of_one, step);
    sequences.push_back({tokens, tokens});
  }
  return embedding_backward(
      {make_batch(sequences, layout, block_size), channels, vocabulary, block_size, name});
}

}  // namespace

std::vector<OpCase> sorted_embedding_cases(Layout layout) {
  std::vector<int> once(300, 1);
  return {
      runs_case("one token in all rows", {{200}}, 1, 70, 3, 200, layout),
      runs_case("one token in 1300 rows of 1400", {{1300}}, 1, 8, 1, 1400, layout),
      runs_case("another token in every row", {once}, 167, 33, 50257, 300, layout),
      runs_case("few rows, the last token of a large vocabulary", {{1, 2}}, 50256, 16, 50257, 5, layout),
      runs_case("runs of 64, whole stretches", {{64, 64, 128, 64}}, 2, 64, 7, 320, layout),
      runs_case("runs that begin inside a stretch and end with one", {{5, 59, 60, 4, 64, 130, 62}}, 1, 33, 7,
                384, layout),
      runs_case("a run over many stretches between two others", {{5, 1250, 45}}, 1, 8, 3, 1300, layout),
      runs_case("three sequences, one empty, padding", {{17, 0, 16, 15, 33}, {}, {1, 90, 1}}, 3, 48, 13, 100,
                layout),
      runs_case("a row", {{1}}, 1, 1, 1, 1, layout),
      runs_case("no rows", {{}}, 1, 5, 4, 6, layout),
  };
}

std::vector<OpCase> far_mean_cases() {
  std::vector<OpCase> cases;
  for (const auto& [rows, channels] : {std::pair{9, 48}, {5, 200}, {9, 384}, {3, 768}}) {
    OpCase c;
    c.op = "layer_norm_forward";
    c.shape = fmt::format("N={} C={} around 1000", rows, channels);
    std::vector<double> x = random_values("x" + c.shape, cells(rows, channels), 50.0);
    for (double& value : x) value += 1000.0;
    add(c, Role::activation, Use::input, "x", x);
    add(c, Role::parameter, Use::input, "weight", random_values("weight" + c.shape, cells(1, channels)));
    add(c, Role::activation, Use::output, "y", std::vector<double>(x.size()));
    add(c, Role::statistic, Use::output, "mean", std::vector<double>(cells(rows, 1)));
    add(c, Role::statistic, Use::output, "rstd", std::vector<double>(cells(rows, 1)));
    c.run = [rows = rows, channels = channels](Ops& ops, const Bound& t) {
      ops.run(LayerNormForward{
          rows, channels, t.act("x"), t.param("weight"), {}, t.act("y"), t.stat("mean"), t.stat("rstd")});
    };
    c.naive = [rows = rows, channels = channels](Values& t) {
      naive::layer_norm(rows, channels, t.at("x"), t.at("weight"), nullptr, t.at("y"), t.at("mean"),
                        t.at("rstd"));
    };
    cases.push_back(std::move(c));
  }
  return cases;
}

std::vector<OpCase> long_bias_cases() {
  std::vector<OpCase> cases;
  for (const auto& [rows, out] :
       {std::pair{0, 7}, {1, 1}, {33, 64}, {1024, 130}, {700, 1100}, {1000, 264}, {200, 132}}) {
    OpCase c;
    c.op = "bias_backward";
    c.shape = fmt::format("N={} O={}", rows, out);
    add(c, Role::activation, Use::input, "dy", random_values("dy" + c.shape, cells(rows, out)));
    add(c, Role::gradient, Use::update, "dbias", random_values("dbias" + c.shape, cells(1, out)));
    c.run = [rows = rows, out = out](Ops& ops, const Bound& t) {
      ops.run(BiasBackward{rows, out, t.act("dy"), t.grad("dbias")});
    };
    c.naive = [rows = rows, out = out](Values& t) {
      naive::bias_backward(rows, out, t.at("dy"), t.at("dbias"));
    };
    cases.push_back(std::move(c));
  }
  return cases;
}

}  // namespace ladder::testing
