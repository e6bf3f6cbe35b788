// Cases of RMSNorm, ReLU, the residual sum, the embedding and the optimizer.
#include <limits>
#include <numeric>

#include "shared/check/cases.hpp"
#include "shared/check/naive_reference.hpp"
#include "shared/model/optimizer.hpp"

namespace ladder::cases {
namespace {

std::size_t cells(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

OpCase norm_forward(int N, int C, double scale) {
  OpCase c;
  c.op = "rmsnorm_forward";
  c.shape = fmt::format("N={} C={} scale={}", N, C, scale);
  c.beyond_fp16 = scale > 6e4;
  std::vector<double> x = random_values("x" + c.shape, cells(N, C), scale);
  if (N > 1) std::fill_n(x.begin(), C, 0.0);  // a padding row
  add(c, Role::activation, Use::input, "x", x);
  add(c, Role::activation, Use::output, "y", std::vector<double>(cells(N, C)));
  add(c, Role::statistic, Use::output, "rstd", std::vector<double>(cells(N, 1)));
  c.run = [N, C](Ops& ops, const Bound& t) {
    ops.run(RmsNormForward{N, C, t.act("x"), t.act("y"), t.stat("rstd")});
  };
  c.naive = [N, C](Values& t) { naive::rmsnorm(N, C, t.at("x"), t.at("y"), t.at("rstd")); };
  return c;
}

OpCase norm_backward(int N, int C, bool residual, double scale = 1.0) {
  OpCase c;
  c.op = "rmsnorm_backward";
  c.shape = fmt::format("N={} C={}{}{}", N, C, residual ? " with residual" : "",
                        scale > 1 ? fmt::format(" scale={}", scale) : "");
  c.beyond_fp16 = scale > 6e4;
  c.forward = std::make_shared<OpCase>(norm_forward(N, C, 1.0));
  Values& forward = c.forward->values;
  // without the row of zeros: its slope is too steep
  forward.at("x") = random_values("x" + c.shape, cells(N, C), scale);
  naive::rmsnorm(N, C, forward.at("x"), forward.at("y"), forward.at("rstd"));
  add(c, Role::activation, Use::input, "dy", random_values("dy" + c.shape, cells(N, C)));
  add(c, Role::activation, Use::input, "x", forward.at("x"));
  add(c, Role::statistic, Use::input, "rstd", forward.at("rstd"));
  if (residual) add(c, Role::activation, Use::input, "dresidual", random_values("dr" + c.shape, cells(N, C)));
  add(c, Role::activation, Use::output, "dx", std::vector<double>(cells(N, C)));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(RmsNormBackward{N, C, t.act("dy"), t.act("x"), residual ? t.act("dresidual") : Act{},
                            t.stat("rstd"), t.act("dx")});
  };
  c.naive = [=](Values& t) {
    naive::rmsnorm_dx(N, C, t.at("dy"), t.at("x"), residual ? &t.at("dresidual") : nullptr, t.at("rstd"),
                      t.at("dx"));
  };
  if (scale > 1) c.forward = nullptr;  // no differences between numbers of this size
  c.output = "y";
  c.weights = "dy";
  if (c.forward) c.derivatives = {{"x", "dx", residual ? "dresidual" : ""}};
  return c;
}

/// Values of magnitude 0.01 to 1, so that no difference steps over ReLU's corner.
std::vector<double> away_from_zero(const std::string& name, std::size_t count) {
  std::vector<double> values = random_values(name, count);
  for (double& value : values) value += value < 0 ? -0.01 : 0.01;
  return values;
}

OpCase relu_forward(int count, bool in_place) {
  OpCase c;
  c.op = "relu_forward";
  c.shape = fmt::format("count={}{}", count, in_place ? " in place" : "");
  const std::size_t size = cells(count, 1);
  add(c, Role::activation, in_place ? Use::update : Use::input, "x", away_from_zero("x" + c.shape, size));
  if (!in_place) add(c, Role::activation, Use::output, "y", std::vector<double>(size));
  const std::string y = in_place ? "x" : "y";
  c.run = [=](Ops& ops, const Bound& t) { ops.run(ReluForward{size, t.act("x"), t.act(y)}); };
  c.naive = [=](Values& t) {
    for (std::size_t i = 0; i < size; ++i) t.at(y)[i] = std::max(t.at("x")[i], 0.0);
  };
  return c;
}

OpCase relu_backward(int count, bool in_place) {
  OpCase c;
  c.op = "relu_backward";
  c.shape = fmt::format("count={}{}", count, in_place ? " in place" : "");
  const std::size_t size = cells(count, 1);
  c.forward = std::make_shared<OpCase>(relu_forward(count, false));
  Values& forward = c.forward->values;
  c.forward->naive(forward);
  const std::vector<double> dy = random_values("dy" + c.shape, size);
  add(c, Role::activation, in_place ? Use::update : Use::input, in_place ? "dx" : "dy", dy);
  add(c, Role::activation, Use::input, "y", forward.at("y"));
  if (!in_place) add(c, Role::activation, Use::output, "dx", std::vector<double>(size));
  if (in_place) add(c, Role::activation, Use::input, "dy", dy);  // the weights of the difference check
  const std::string source = in_place ? "dx" : "dy";
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(ReluBackward{size, t.act(source), t.act("y"), t.act("dx")});
  };
  c.naive = [=](Values& t) {
    for (std::size_t i = 0; i < size; ++i) t.at("dx")[i] = t.at("y")[i] > 0 ? t.at("dy")[i] : 0.0;
  };
  c.output = "y";
  c.weights = "dy";
  c.derivatives = {{"x", "dx", ""}};
  return c;
}

/// into: "y" (a buffer of its own), "a" or "b".
OpCase residual(int count, const std::string& into) {
  OpCase c;
  c.op = "residual_forward";
  c.shape = fmt::format("count={} into {}", count, into);
  const std::size_t size = cells(count, 1);
  add(c, Role::activation, into == "a" ? Use::update : Use::input, "a", random_values("a" + c.shape, size));
  add(c, Role::activation, into == "b" ? Use::update : Use::input, "b", random_values("b" + c.shape, size));
  if (into == "y") add(c, Role::activation, Use::output, "y", std::vector<double>(size));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(ResidualForward{size, t.act("a"), t.act("b"), t.act(into)});
  };
  c.naive = [=](Values& t) {
    for (std::size_t i = 0; i < size; ++i) t.at(into)[i] = t.at("a")[i] + t.at("b")[i];
  };
  return c;
}

struct EmbeddingShape {
  Batch batch;
  int channels, vocabulary, block_size;
  std::string name;
  int first = 0;
};

OpCase embedding_forward(const EmbeddingShape& s) {
  OpCase c;
  c.op = "embedding_forward";
  c.shape = s.name;
  c.batch = s.batch;
  c.first = s.first;
  add(c, Role::parameter, Use::input, "wte", random_values("wte" + s.name, cells(s.vocabulary, s.channels)));
  add(c, Role::parameter, Use::input, "wpe", random_values("wpe" + s.name, cells(s.block_size, s.channels)));
  add(c, Role::activation, Use::output, "x", std::vector<double>(cells(s.batch.rows(), s.channels)));
  c.run = [s](Ops& ops, const Bound& t) {
    ops.run(EmbeddingForward{t.batch, s.channels, t.param("wte"), t.param("wpe"), t.act("x")});
  };
  c.naive = [s](Values& t) {
    naive::embedding(s.batch, s.first, s.channels, t.at("wte"), t.at("wpe"), t.at("x"));
  };
  return c;
}

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
  c.forward = std::make_shared<OpCase>(embedding_forward(s));
  c.output = "x";
  c.weights = "dx";
  c.derivatives = {{"wte", "dwte", ""}, {"wpe", "dwpe", ""}};
  return c;
}

/// What a step of AdamW does besides.
struct AdamExtras {
  double clip = 0.0, decay = 0.0, loss_scale = 1.0;
  bool overflows = false;  ///< the sum of squares is infinite: the step is left out
  bool squares_given() const { return clip > 0 || loss_scale != 1.0; }
  std::string name() const {
    std::string text;
    if (clip > 0) text += fmt::format(" clip={}", clip);
    if (decay > 0) text += fmt::format(" decay={}", decay);
    if (loss_scale != 1.0) text += fmt::format(" loss scale {}{}", loss_scale, overflows ? " overflows" : "");
    return text;
  }
};

/// Where it decays at all, the last two thirds of the parameters do.
OpCase adam(int count, std::int64_t step, const AdamExtras& extras = {}) {
  OpCase c;
  c.op = "adam";
  c.shape = fmt::format("count={} step={}{}", count, step, extras.name());
  const std::size_t size = cells(count, 1), from = extras.decay > 0 ? size / 3 : size;
  std::vector<double> v = random_values("v" + c.shape, size);
  for (double& value : v) value = step == 0 ? 0.0 : value * value;
  std::vector<double> grad = random_values("g" + c.shape, size, extras.loss_scale);
  if (count > 2) grad[1] = 0.0;  // an embedding row that no token used
  c.step_constants = ladder::step_constants(TrainConfig{}, step);
  c.step_constants->clip = extras.clip;
  c.step_constants->weight_decay = extras.decay;
  c.step_constants->loss_scale = extras.loss_scale;
  const double squares = extras.overflows ? std::numeric_limits<double>::infinity()
                                          : std::inner_product(grad.begin(), grad.end(), grad.begin(), 0.0);
  add(c, Role::gradient, Use::input, "grad", grad);
  const bool given = extras.squares_given();
  if (given) add(c, Role::statistic, Use::input, "squares", {squares});
  add(c, Role::master, Use::update, "m", random_values("m" + c.shape, size, step == 0 ? 0.0 : 1.0));
  add(c, Role::master, Use::update, "v", v);
  add(c, Role::master, Use::update, "master", random_values("p" + c.shape, size));
  add(c, Role::parameter, Use::update, "param", c.values.at("master"));
  c.run = [=](Ops& ops, const Bound& t) {
    ops.run(Adam{size, t.step_constants, from, t.grad("grad"), given ? t.stat("squares") : Stat{},
                 t.master("m"), t.master("v"), t.master("master"), t.param("param")});
  };
  c.naive = [=, settings = *c.step_constants](Values& t) {
    naive::adam(settings, from, given ? t.at("squares").data() : nullptr, t.at("grad"), t.at("m"), t.at("v"),
                t.at("master"));
    t.at("param") = t.at("master");
  };
  return c;
}

/// With the sum of squares at hand but no clipping asked for: gradients are taken as they are.
OpCase squares_without_clip() {
  OpCase c = adam(561, 3, {.clip = 0.5});
  c.shape = "count=561 step=3 squares but no clip";
  c.step_constants->clip = 0.0;
  c.naive = [settings = *c.step_constants](Values& t) {
    naive::adam(settings, t.at("grad").size(), nullptr, t.at("grad"), t.at("m"), t.at("v"), t.at("master"));
    t.at("param") = t.at("master");
  };
  return c;
}

OpCase gradient_squares(int count) {
  OpCase c;
  c.op = "gradient_squares";
  c.shape = fmt::format("count={}", count);
  const std::size_t size = cells(count, 1);
  add(c, Role::gradient, Use::input, "grad", random_values("g" + c.shape, size));
  add(c, Role::statistic, Use::output, "squares", {0.0});
  c.run = [size](Ops& ops, const Bound& t) {
    ops.run(GradientSquares{size, t.grad("grad"), t.stat("squares")});
  };
  c.naive = [](Values& t) {
    t.at("squares") = {
        std::inner_product(t.at("grad").begin(), t.at("grad").end(), t.at("grad").begin(), 0.0)};
  };
  return c;
}

}  // namespace

std::vector<OpCase> norm_cases() {
  std::vector<OpCase> cases;
  for (const auto& [N, C] : {std::pair{1, 3}, {17, 33}, {7, 16}, {115, 16}, {5, 64}}) {
    for (const double scale : {1.0, 1e-3, 1e4, 1e25}) cases.push_back(norm_forward(N, C, scale));
    // With one channel the two terms of the gradient cancel (what is left is
    // epsilon's): any rounding fails there.
    for (const bool residual_too : {false, true})
      cases.push_back(norm_backward(N, std::max(C, 2), residual_too));
    cases.push_back(norm_backward(N, std::max(C, 2), false, 1e25));
  }
  return cases;
}

std::vector<OpCase> elementwise_cases() {
  std::vector<OpCase> cases;
  for (const int count : {1, 33, 561, 1024, 2500})
    for (const bool in_place : {false, true}) {
      cases.push_back(relu_forward(count, in_place));
      cases.push_back(relu_backward(count, in_place));
    }
  for (const int count : {1, 561, 2500})
    for (const char* into : {"y", "a", "b"}) cases.push_back(residual(count, into));
  return cases;
}

std::vector<OpCase> embedding_cases(Layout layout) {
  std::vector<OpCase> cases;
  for (const auto& [lengths, C, T] : {std::tuple{std::vector<int>{7, 0, 1, 17, 5}, 33, 17},
                                      {{1}, 16, 1},
                                      {{3, 16}, 16, 16},
                                      {{40, 33}, 70, 40}}) {
    const EmbeddingShape s{random_batch(lengths, 27, T, layout), C, 27, T,
                           fmt::format("B={} C={} T={}", lengths.size(), C, T)};
    cases.push_back(embedding_forward(s));
    cases.push_back(embedding_backward(s));
  }
  for (const auto& [rows, first] : {std::pair{1, 16}, {3, 5}})
    cases.push_back(embedding_forward({random_batch({rows}, 27, 17, Layout::packed), 33, 27, 17,
                                       fmt::format("N={} C=33 after {}", rows, first), first}));
  return cases;
}

std::vector<OpCase> large_embedding_cases(Layout layout) {
  Batch batch = random_batch({150, 0, 150}, 5000, 150, layout);
  std::vector<Sequence> sequences(batch.lengths_b.size());
  for (std::size_t b = 0; b < sequences.size(); ++b)
    for (int t = 0; t < batch.lengths_b[b]; ++t) {
      // one token on two of three rows, and the last of the vocabulary
      const int row = batch.starts_b[b] + t;
      const std::int32_t drawn = batch.tokens_n[static_cast<std::size_t>(row)];
      sequences[b].tokens.push_back(t % 3 != 0 ? 4321 : t == 99 ? 4999 : drawn);
    }
  for (Sequence& sequence : sequences) sequence.targets = sequence.tokens;
  batch = make_batch(sequences, layout, 150);
  const EmbeddingShape s{batch, 16, 5000, 150, "B=3 C=16 T=150 V=5000, most rows one token"};
  return {embedding_forward(s), embedding_backward(s)};
}

std::vector<OpCase> adam_cases() {
  // Clipped to less than the norm (about sqrt(count / 3)), and not, since it is more; decaying at a rate that shows.
  return {adam(1, 0),
          adam(561, 0),
          adam(4192, 1),
          adam(1000, 700),
          adam(561, 0, {.clip = 1.0}),
          adam(1000, 700, {.clip = 0.5}),
          adam(1000, 700, {.clip = 100.0}),
          adam(561, 3, {.decay = 0.1}),
          adam(4192, 3, {.decay = 0.1}),
          adam(33, 3, {.clip = 0.25, .decay = 2}),
          adam(561, 3, {.loss_scale = 1024}),
          adam(1000, 3, {.clip = 0.5, .decay = 0.1, .loss_scale = 65536}),
          adam(561, 3, {.decay = 0.1, .loss_scale = 1024, .overflows = true}),
          squares_without_clip(),
          gradient_squares(1),
          gradient_squares(561),
          gradient_squares(4192),
          gradient_squares(300000)};
}

}  // namespace ladder::cases
