#include "tests/stage3/block_cases.hpp"

#include <cmath>

namespace ladder::testing {
namespace {

using namespace cases;  // NOLINT(google-build-using-namespace)

struct Shape {
  std::vector<int> lengths;
  int block_size, heads, kv_heads, head_dim;
  int width() const { return heads * head_dim; }
  int packed() const { return (heads + 2 * kv_heads) * head_dim; }
  int hidden() const { return 4 * width(); }
  std::string name() const {
    return fmt::format("B={} T={} H={} K={} D={}", lengths.size(), block_size, heads, kv_heads, head_dim);
  }
};

std::size_t cells(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

/// Adds tensors of a case with `rows` rows; inputs are 0 in padding rows, as the model's are.
class Builder {
 public:
  Builder(const char* op, const Shape& shape, Layout layout) {
    case_.op = op;
    case_.shape = shape.name();
    case_.batch = random_batch(shape.lengths, 27, shape.block_size, layout);
    case_.scratch_heads = shape.heads;
    case_.chained = true;
  }
  int rows() const { return case_.batch->rows(); }

  void input(const std::string& name, int columns) {
    std::vector<double> values = random_values(name + case_.shape, cells(rows(), columns));
    for (std::size_t i = 0; i < values.size(); ++i)
      if (case_.batch->sequence_n[i / static_cast<std::size_t>(columns)] < 0) values[i] = 0.0;
    add(case_, Role::activation, Use::input, name, values);
  }
  /// Of the size that the model's own weights have: products neither grow nor vanish.
  void weight(const std::string& name, int out, int in) {
    add(case_, Role::parameter, Use::input, name,
        random_values(name + case_.shape, cells(out, in), 1.0 / std::sqrt(in / 3.0)));
  }
  void output(const std::string& name, int columns) {
    add(case_, Role::activation, Use::output, name, std::vector<double>(cells(rows(), columns)));
  }
  void work(const std::string& name, int columns) {
    add(case_, Role::activation, Use::work, name, std::vector<double>(cells(rows(), columns)));
  }
  void statistic(const std::string& name, int columns) {
    add(case_, Role::statistic, Use::output, name, std::vector<double>(cells(rows(), columns)));
  }
  void gradient(const std::string& name, int out, int in) {
    add(case_, Role::gradient, Use::update, name, random_values(name + case_.shape, cells(out, in)));
  }
  OpCase done(std::function<void(Ops&, const Bound&)> run) {
    case_.run = std::move(run);
    return std::move(case_);
  }

 private:
  OpCase case_;
};

/// y = x + wo(attention(qkv(rmsnorm(x)))), then all its gradients from dy: the calls of shared/model/microgpt.cpp.
void run_attention_block(Ops& ops, const Bound& t, const Shape& s, int N) {
  const int C = s.width(), P = s.packed();
  const auto k = static_cast<std::size_t>(C), v = k + cells(s.kv_heads, s.head_dim);
  const Act qkv = t.act("qkv"), dqkv = t.act("dqkv");
  ops.run(RmsNormLinearForward{N, C, P, false, t.act("x"), t.param("wqkv"), t.act("normed"), t.stat("rstd"),
                               qkv});
  ops.run(AttentionForward{t.batch, s.heads, s.kv_heads, s.head_dim, true, P, qkv, qkv.at(k), qkv.at(v),
                           t.act("mix"), t.stat("lse"), t.scratch});
  ops.run(LinearResidualForward{N, C, C, t.act("mix"), t.param("wo"), t.act("x"), t.act("y")});
  ops.run(LinearBackwardWeight{N, C, C, t.act("dy"), t.act("mix"), t.grad("dwo")});
  ops.run(LinearBackwardInput{N, C, C, t.act("dy"), t.param("wo"), t.act("dmix")});
  ops.run(AttentionBackward{t.batch, s.heads, s.kv_heads, s.head_dim, true, P, qkv, qkv.at(k), qkv.at(v),
                            t.act("mix"), t.act("dmix"), t.stat("lse"), t.scratch, dqkv, dqkv.at(k),
                            dqkv.at(v)});
  ops.run(RmsNormLinearBackward{N, C, P, dqkv, t.param("wqkv"), t.act("x"), t.act("normed"), t.stat("rstd"),
                                t.act("dy"), t.act("dnormed"), t.grad("dwqkv"), t.act("dx")});
}

OpCase attention_block(const Shape& s, Layout layout) {
  Builder b("attention_block", s, layout);
  const int C = s.width(), P = s.packed(), N = b.rows();
  b.input("x", C);
  b.input("dy", C);
  b.weight("wqkv", P, C);
  b.weight("wo", C, C);
  b.work("normed", C);
  b.statistic("rstd", 1);
  b.output("qkv", P);
  b.statistic("lse", s.heads);
  b.output("mix", C);
  b.output("y", C);
  b.output("dmix", C);
  b.output("dqkv", P);
  b.work("dnormed", C);
  b.output("dx", C);
  b.gradient("dwqkv", P, C);
  b.gradient("dwo", C, C);
  return b.done([=](Ops& ops, const Bound& t) { run_attention_block(ops, t, s, N); });
}

/// y = x + fc2(relu(fc1(rmsnorm(x))))
OpCase mlp_block_forward(const Shape& s, Layout layout) {
  Builder b("mlp_block_forward", s, layout);
  const int C = s.width(), F = s.hidden(), N = b.rows();
  b.input("x", C);
  b.weight("fc1", F, C);
  b.weight("fc2", C, F);
  b.work("normed", C);
  b.statistic("rstd", 1);
  b.output("hidden", F);
  b.output("y", C);
  return b.done([=](Ops& ops, const Bound& t) {
    ops.run(RmsNormLinearForward{N, C, F, true, t.act("x"), t.param("fc1"), t.act("normed"), t.stat("rstd"),
                                 t.act("hidden")});
    ops.run(LinearResidualForward{N, F, C, t.act("hidden"), t.param("fc2"), t.act("x"), t.act("y")});
  });
}

OpCase mlp_block_backward(const Shape& s, Layout layout) {
  Builder b("mlp_block_backward", s, layout);
  const int C = s.width(), F = s.hidden(), N = b.rows();
  b.input("x", C);
  b.input("dy", C);
  b.input("hidden", F);
  b.weight("fc1", F, C);
  b.weight("fc2", C, F);
  b.work("normed", C);
  b.work("recomputed", F);  // the forward pass leaves rmsnorm(x) as the stage wants to find it
  b.statistic("rstd", 1);
  b.output("dhidden", F);
  b.work("dnormed", C);
  b.output("dx", C);
  b.gradient("dfc1", F, C);
  b.gradient("dfc2", C, F);
  return b.done([=](Ops& ops, const Bound& t) {
    ops.run(RmsNormLinearForward{N, C, F, true, t.act("x"), t.param("fc1"), t.act("normed"), t.stat("rstd"),
                                 t.act("recomputed")});
    ops.run(LinearBackwardWeight{N, F, C, t.act("dy"), t.act("hidden"), t.grad("dfc2")});
    ops.run(LinearBackwardInputRelu{N, F, C, t.act("dy"), t.param("fc2"), t.act("hidden"), t.act("dhidden")});
    ops.run(RmsNormLinearBackward{N, C, F, t.act("dhidden"), t.param("fc1"), t.act("x"), t.act("normed"),
                                  t.stat("rstd"), t.act("dy"), t.act("dnormed"), t.grad("dfc1"),
                                  t.act("dx")});
  });
}

}  // namespace

std::vector<OpCase> block_cases(Layout layout) {
  std::vector<OpCase> all;
  for (const Shape& s : {Shape{{16, 3, 0, 9}, 16, 4, 4, 4}, Shape{{17, 5}, 17, 3, 1, 11},
                         Shape{{33, 40, 1}, 40, 4, 2, 16}, Shape{{64, 13}, 64, 2, 1, 64}}) {
    all.push_back(attention_block(s, layout));
    all.push_back(mlp_block_forward(s, layout));
    all.push_back(mlp_block_backward(s, layout));
  }
  return all;
}

}  // namespace ladder::testing
