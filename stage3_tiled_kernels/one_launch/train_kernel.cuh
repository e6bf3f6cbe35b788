// A whole training run in one launch: one block walks the steps.
//
// A step of microGPT is some fifty small operations, each waiting for the one before. Launched one by one, each
// pays for its start and for a trip of its result through memory. Here the activations of a step are tiles, which
// the compiler keeps in registers and shared memory; only weights, moments and, with several layers, each
// layer's input are in memory, which for a model of this size means the cache.
#pragma once

#include "stage3_tiled_kernels/one_launch/layer.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// One document: T tokens and the tokens that follow, -1 behind its end.
template <Extent T>
struct Document {
  ct::tile<int, ct::shape<T, 1>> token, target;
};

template <Extent T>
__tile__ Document<T> load_document(const int* tokens, const int* targets) {
  const auto t = column_of_indices<T>(0);
  return {ct::load(tokens + t), ct::load(targets + t)};
}

/// wte[token] + wpe[position]; rows behind the document's end take part in nothing, whatever they hold.
template <class E, Extent T, Extent C, Extent V>
__tile__ Tile<E, T, C> embed(Document<T> document, const E* weight) {
  using At = Padded<T, C, V>;
  const auto address = weight + (document.token * static_cast<int>(C) + row_of_indices<C>(0));
  const auto wte = ct::load_masked(address, document.token >= 0, static_cast<E>(0));
  return wte + load_part<T, C>(weight + At::kWpe);
}

/// Updates wte and wpe.
template <class E, Extent T, Extent C, Extent V>
__tile__ void embed_backward(Document<T> document, Tile<E, T, C> dx, Model<E> model, Rates<E> rates) {
  using At = Padded<T, C, V>;
  const auto is_token = ct::select(document.token == row_of_indices<V>(0), ct::ones<Tile<E, T, V>>(),
                                   ct::zeros<Tile<E, T, V>>());
  update<V, C>(model.at(At::kWte), product_tn(is_token, dx), rates);
  update<T, C>(model.at(At::kWpe), dx, rates);
}

/// Loss of a document and the gradient of its logits: (softmax - one-hot) / length.
template <class E, Extent T, Extent V>
struct Loss {
  ct::tile<E, ct::shape<1>> value;
  Tile<E, T, V> dlogits;
};

template <class E, Extent T, Extent V>
__tile__ Loss<E, T, V> cross_entropy(Tile<E, T, V> logits, Document<T> document, ModelSizes<E> sizes) {
  using Column = Tile<E, T, 1>;
  using Row = Tile<E, T, V>;
  const auto valid = document.target >= 0;
  const auto one = ct::select(valid, ct::ones<Column>(), ct::zeros<Column>());
  const auto weight = one * inverse(ct::sum<0>(one));
  const auto v = row_of_indices<V>(0);
  const auto z = ct::select(v < sizes.vocabulary, logits, ct::full<Row>(static_cast<E>(kMaskValue)));
  const auto largest = ct::reduce_max<1>(z);
  const auto e = ct::exp2((z - largest) * static_cast<E>(kLog2E));
  const auto sum = ct::sum<1>(e);
  const auto hit = v == document.target;
  const auto chosen = ct::sum<1>(ct::select(hit, z, ct::zeros<Row>()));
  const auto loss = ct::sum<0>(weight * (ct::log(sum) - (chosen - largest)));
  const auto p = e * (weight * inverse(sum));
  return {ct::reshape<ct::shape<1>>(loss), ct::select(hit, p - weight, p)};
}

/// Logits, loss and the gradient of the last layer's output; updates lm_head.
template <class E, Extent T, Extent C, Extent V>
__tile__ Tile<E, T, C> head_and_loss(Tile<E, T, C> x, Document<T> document, Model<E> model,
                                     ModelSizes<E> sizes, Rates<E> rates, E* loss) {
  using At = Padded<T, C, V>;
  const auto lm_head = load_part<V, C>(model.weight + At::kLmHead);
  const auto result = cross_entropy<E, T, V>(product_nt(x, lm_head), document, sizes);
  ct::store(loss + ct::iota<ct::tile<int, ct::shape<1>>>(), result.value);
  update<V, C>(model.at(At::kLmHead), product_tn(result.dlogits, x), rates);
  return product_nn(result.dlogits, lm_head);
}

// Computes: `steps` training steps of microGPT, batch 1: forward, loss, backward, Adam
// Shapes:   tokens_st, targets_st [S, T], -1 behind a document's end; rates [S, 8]; weight, m, v as Padded lays them
//           out; inputs [L, T, C] scratch -> loss_s [S], and weight, m, v after the last step
// Map:      one block owns everything. It visits the layers below the last forward and leaves their outputs; then every
//           layer from the last to the first, which goes forward (again) from its input and then backward, so that its
//           activations are tiles for as long as they are needed. Eight warps: with four, the tiles spill (one_launch-0007)
// Traffic:  a step reads the weights three times and writes them once, reads and writes both moments: 8 elements a
//           parameter, out of the cache
// FLOPs:    about 6 N parameters + 12 N T C a layer, for N positions
// Bound:    latency: the longest chain of dependent operations of one step
// Differs from the previous rung: one launch for the run instead of twenty for a step
template <class E, Extent T, Extent C, Extent V>
[[using cutile: hint(0, num_worker_warps_per_cta = 8)]] __tile_global__ void train_kernel(
    int steps, int layers, int width, int heads, int kv_heads, int vocabulary, E scale, E per_column,
    const int* tokens_st, const int* targets_st, const E* rates_s, E* weight, E* m, E* v, E* inputs,
    E* loss_s) {
  using At = Padded<T, C, V>;
  constexpr int kRow = T, kInput = T * C, kLayer = PaddedLayer<C>::kSize;
  const ModelSizes<E> sizes{layers, width, heads, kv_heads, vocabulary, scale, per_column};
  const Model<E> model{weight, m, v};
  for (int s : ct::irange(0, steps)) {
    const auto rates = load_rates(rates_s + s * kRates);
    const auto document = load_document<T>(tokens_st + s * kRow, targets_st + s * kRow);
    const auto embedded = rmsnorm(embed<E, T, C, V>(document, weight), per_column);
    store_part<T, C>(inputs, embedded.y);
    auto dx = ct::zeros<Tile<E, T, C>>();
    for (int visit : ct::irange(0, 2 * layers - 1)) {
      const int i = visit < layers ? visit : 2 * layers - 2 - visit;
      const auto layer = model.at(At::kLayers + i * kLayer);
      const auto kept = layer_forward(load_part<T, C>(inputs + i * kInput), layer.weight, sizes);
      if (visit < layers - 1) {
        store_part<T, C>(inputs + (i + 1) * kInput, kept.out);
      } else {
        if (visit == layers - 1)
          dx = head_and_loss<E, T, C, V>(kept.out, document, model, sizes, rates, loss_s + s);
        dx = layer_backward(dx, kept, layer, sizes, rates);
      }
    }
    embed_backward<E, T, C, V>(document, rmsnorm_backward(dx, embedded, per_column), model, rates);
  }
}

}  // namespace ladder::LADDER_SIDE::stage3
