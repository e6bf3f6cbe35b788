// One document, forward and backward: what a block does whether it is alone or one of many.
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

/// Hands on the gradients of wte and wpe.
template <Products P, Extent V, class E, Extent T, Extent C, class Model>
__tile__ void embed_backward(Document<T> document, Tile<E, T, C> dx, Model model) {
  using At = Padded<T, C, V>;
  using F = FactorColumns<T, C, V>;
  const auto is_token = ct::select(document.token == row_of_indices<V>(0), ct::ones<Tile<E, T, V>>(),
                                   ct::zeros<Tile<E, T, V>>());
  deliver_product<P, V, C>(model, {At::kWte, F::kToken, F::kDx}, is_token, dx);
  deliver_rows<T, C>(model, {At::kWpe, F::kPosition, F::kDx}, dx);
}

/// A document's part in the loss of its step, and the gradient of its logits: share (softmax - one-hot) / length.
template <class E, Extent T, Extent V>
struct Loss {
  ct::tile<E, ct::shape<1>> value;
  Tile<E, T, V> dlogits;
};

template <Products P, class E, Extent T, Extent V>
__tile__ Loss<E, T, V> cross_entropy(Tile<E, T, V> logits, Document<T> document, ModelSizes<E, P> sizes) {
  using Column = Tile<E, T, 1>;
  using Row = Tile<E, T, V>;
  const auto valid = document.target >= 0;
  const auto one = ct::select(valid, ct::ones<Column>(), ct::zeros<Column>());
  const auto length = ct::max(ct::sum<0>(one), ct::ones<ct::tile<E, ct::shape<1>>>());  // 1: no division by 0
  const auto weight = one * (inverse(length) * sizes.share);
  const auto v = row_of_indices<V>(0);
  const auto z = ct::select(v < sizes.vocabulary, logits, ct::full<Row>(kBelowAll<E>));
  const auto largest = ct::reduce_max<1>(z);
  const auto e = ct::exp2((z - largest) * static_cast<E>(kLog2E));
  const auto sum = ct::sum<1>(e);
  const auto hit = v == document.target;
  const auto chosen = ct::sum<1>(ct::select(hit, z, ct::zeros<Row>()));
  const auto loss = ct::sum<0>(weight * (ct::log(sum) - (chosen - largest)));
  const auto p = e * (weight * inverse(sum));
  return {ct::reshape<ct::shape<1>>(loss), ct::select(hit, p - weight, p)};
}

/// Logits, loss and the gradient of the last layer's output; hands on the gradient of lm_head.
template <Extent V, Products P, class E, Extent T, Extent C, class Model>
__tile__ Tile<E, T, C> head_and_loss(Tile<E, T, C> x, Document<T> document, Model model,
                                     ModelSizes<E, P> sizes, E* loss) {
  using At = Padded<T, C, V>;
  using F = FactorColumns<T, C, V>;
  const auto lm_head = load_part<V, C>(model.weight + At::kLmHead);
  const auto result = cross_entropy(product_nt<P>(x, lm_head), document, sizes);
  ct::store(loss + ct::iota<ct::tile<int, ct::shape<1>>>(), result.value);
  deliver_product<P, V, C>(model, {At::kLmHead, F::kDlogits, F::kX}, result.dlogits, x);
  return product_nn<P>(result.dlogits, lm_head);
}

/// Forward and backward of one document: stores its loss and hands the factors of every weight's gradient to
/// deliver_product(). `inputs` [L, T, C] is scratch. The layers below the last go forward and leave only their outputs;
/// then every layer from the last to the first goes forward (again) from its input and then backward, so that its
/// activations are tiles for as long as they are needed.
template <Extent C, Extent V, Products P, class E, Extent T, class Model>
__tile__ void learn(Document<T> document, Model model, ModelSizes<E, P> sizes, E* inputs, E* loss) {
  using At = Padded<T, C, V>;
  using F = FactorColumns<T, C, V>;
  constexpr int kInput = T * C, kLayer = PaddedLayer<C>::kSize;
  const auto embedded = rmsnorm(embed<E, T, C, V>(document, model.weight), sizes.per_column);
  store_part<T, C>(inputs, embedded.y);
  auto dx = ct::zeros<Tile<E, T, C>>();
  for (int visit : ct::irange(0, 2 * sizes.layers - 1)) {
    const int i = visit < sizes.layers ? visit : 2 * sizes.layers - 2 - visit;
    const auto layer = model.at(At::kLayers + i * kLayer, F::kLayers + i * LayerFactorColumns<C>::kSize);
    const auto kept = layer_forward(load_part<T, C>(inputs + i * kInput), layer.weight, sizes);
    if (visit < sizes.layers - 1) {
      store_part<T, C>(inputs + (i + 1) * kInput, kept.out);
    } else {
      if (visit == sizes.layers - 1) dx = head_and_loss<V>(kept.out, document, model, sizes, loss);
      dx = layer_backward(dx, kept, layer, sizes);
    }
  }
  embed_backward<P, V>(document, rmsnorm_backward(dx, embedded, sizes.per_column), model);
}

}  // namespace ladder::LADDER_SIDE::stage3
