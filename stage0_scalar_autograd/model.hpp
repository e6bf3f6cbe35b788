// microGPT in scalar Values, in the words of the original program.
#pragma once

#include <algorithm>
#include <vector>

#include "shared/model/config.hpp"
#include "shared/model/ops.hpp"
#include "stage0_scalar_autograd/value.hpp"

namespace ladder::stage0 {

/// A parameter matrix [n_out, n_in]: its rows lie one after the other.
struct Matrix {
  Row values;
  std::uint32_t n_out, n_in;
  Row operator[](std::uint32_t o) const { return values.slice(o * n_in, n_in); }
};

struct LayerWeights {
  Matrix attn_wq, attn_wk, attn_wv, attn_wo, mlp_fc1, mlp_fc2;
};

struct Weights {
  Matrix wte, wpe, lm_head;
  std::vector<LayerWeights> layers;
};

/// The keys and values of the positions so far: one Row a position, for each layer.
struct Cache {
  std::vector<std::vector<Row>> keys, values;
  explicit Cache(int layers) : keys(static_cast<std::size_t>(layers)), values(keys) {}
};

inline Row add(const Row& a, const Row& b) {
  return collect(a.tape(), a.size(), [&](std::uint32_t i) { return a[i] + b[i]; });
}

/// y_o = sum over i of w_oi * x_i
inline Row linear(const Row& x, const Matrix& w) {
  return collect(x.tape(), w.n_out, [&](std::uint32_t o) { return dot(w[o], x); });
}

/// y = x / sqrt(mean(x^2) + epsilon)
inline Row rmsnorm(const Row& x) {
  const Value scale = pow(dot(x, x) / static_cast<double>(x.size()) + kRmsNormEpsilon, -0.5);
  return map(x, [&](Value xi) { return xi * scale; });
}

/// p_i = exp(l_i - max l) / sum over j of exp(l_j - max l). The maximum is a plain number: it cancels out.
inline Row softmax(const Row& logits) {
  double largest = logits[0].data();
  for (std::uint32_t i = 1; i < logits.size(); ++i) largest = std::max(largest, logits[i].data());
  const Row shifted = map(logits, [&](Value logit) { return logit - largest; });
  const Row exps = map(shifted, [](Value x) { return exp(x); });
  const Value total = sum(exps);
  const Row inverses = map(exps, [&](Value) { return pow(total, -1.0); });  // e / total, written in two rows
  return collect(exps.tape(), exps.size(), [&](std::uint32_t i) { return exps[i] * inverses[i]; });
}

/// Each head mixes the values of the positions so far, by how well their keys match its query.
inline Row attention(const Row& q, const std::vector<Row>& keys, const std::vector<Row>& values, int n_head) {
  Tape& tape = q.tape();
  const std::uint32_t positions = static_cast<std::uint32_t>(keys.size());
  const std::uint32_t size = q.size() / static_cast<std::uint32_t>(n_head);
  const double root = std::pow(static_cast<double>(size), 0.5);
  std::vector<Row> weights;
  for (std::uint32_t from = 0; from < q.size(); from += size) {
    const Row query = q.slice(from, size);
    const Row scores =
        collect(tape, positions, [&](std::uint32_t t) { return dot(query, keys[t].slice(from, size)); });
    weights.push_back(softmax(map(scores, [&](Value score) { return score / root; })));
  }
  return collect(tape, q.size(), [&](std::uint32_t i) {
    return dot(weights[i / size], collect(tape, positions, [&](std::uint32_t t) { return values[t][i]; }));
  });
}

/// The logits for the token after `token`, which stands at `position`. `tap(part, layer, row)` sees the
/// activations that Probe names: part "embed", "attn" or "mlp".
template <class Tap>
Row gpt(const Weights& w, int n_head, int token, int position, Cache& cache, Tap tap) {
  Row x = rmsnorm(add(w.wte[static_cast<std::uint32_t>(token)], w.wpe[static_cast<std::uint32_t>(position)]));
  tap("embed", 0, x);
  for (std::size_t i = 0; i < w.layers.size(); ++i) {
    const LayerWeights& layer = w.layers[i];
    Row residual = x;
    x = rmsnorm(x);
    const Row q = linear(x, layer.attn_wq);
    cache.keys[i].push_back(linear(x, layer.attn_wk));
    cache.values[i].push_back(linear(x, layer.attn_wv));
    x = attention(q, cache.keys[i], cache.values[i], n_head);
    x = add(linear(x, layer.attn_wo), residual);
    tap("attn", i, x);
    residual = x;
    x = map(linear(rmsnorm(x), layer.mlp_fc1), [](Value h) { return relu(h); });
    x = add(linear(x, layer.mlp_fc2), residual);
    tap("mlp", i, x);
  }
  return linear(x, w.lm_head);
}

/// -log of the probability that the model gives to `target`.
inline Value cross_entropy(const Row& logits, int target) {
  return -log(softmax(logits)[static_cast<std::uint32_t>(target)]);
}

}  // namespace ladder::stage0
