// One layer, forward and backward, over weights in memory. The backward pass hands the factors of each matrix's
// gradient to deliver_product() as soon as the layer no longer needs the matrix.
#pragma once

#include "stage3_tiled_kernels/one_launch/factors.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// Hidden units that are computed together: the product of a tile of them must fit into registers.
template <Extent C>
inline constexpr Extent kHiddenPart = 4 * C < 64 ? 4 * C : 64;
template <Extent C>
inline constexpr int kHiddenParts = static_cast<int>(4 * C / kHiddenPart<C>);

/// What the backward pass of a layer wants from its forward pass.
template <class E, Extent T, Extent C>
struct LayerForward {
  Normed<E, T, C> in, middle;  ///< before attention; before the MLP
  Heads<E, T, C> heads;
  Attended<E, T, C> attended;
  Tile<E, T, kHiddenPart<C>> hidden;  ///< the last part; all of it when there is one
  Tile<E, T, C> out;
};

/// [C, C]: 1 where column c of a key under its query head comes from column r of a key.
template <Extent C, Products P, class E>
__tile__ Tile<E, C, C> spreading(ModelSizes<E, P> sizes) {
  const auto c = row_of_indices<C>(0);
  const int dim = sizes.head_dim();
  const auto from = c / dim / (sizes.heads / sizes.kv_heads) * dim + c % dim;
  const auto hit = column_of_indices<C>(0) == from && c < sizes.width;
  return ct::select(hit, ct::ones<Tile<E, C, C>>(), ct::zeros<Tile<E, C, C>>());
}

template <Products P, class E, Extent T, Extent C>
__tile__ Heads<E, T, C> heads_of(Tile<E, T, C> normed, const E* layer, ModelSizes<E, P> sizes) {
  using At = PaddedLayer<C>;
  const auto q = product_nt<P>(normed, load_part<C, C>(layer + At::kQ));
  auto k = product_nt<P>(normed, load_part<C, C>(layer + At::kK));
  auto v = product_nt<P>(normed, load_part<C, C>(layer + At::kV));
  if (sizes.kv_heads != sizes.heads) {
    const auto spread = spreading<C>(sizes);
    k = product_nn<P>(k, spread);
    v = product_nn<P>(v, spread);
  }
  return {q, k, v};
}

template <Products P, class E, Extent T, Extent C>
__tile__ Tile<E, T, kHiddenPart<C>> hidden_part(Tile<E, T, C> normed, const E* layer, int j) {
  using Hidden = Tile<E, T, kHiddenPart<C>>;
  const auto fc1 = load_part<4 * C, C, kHiddenPart<C>, C>(layer + PaddedLayer<C>::kFc1, j, 0);
  return ct::max(product_nt<P>(normed, fc1), ct::zeros<Hidden>(), ct::propagate_nan_t{});
}

template <Products P, class E, Extent T, Extent C>
__tile__ LayerForward<E, T, C> layer_forward(Tile<E, T, C> x, const E* layer, ModelSizes<E, P> sizes) {
  using At = PaddedLayer<C>;
  const auto in = rmsnorm(x, sizes.per_column);
  const auto heads = heads_of(in.y, layer, sizes);
  const auto attended = attention(heads, sizes);
  const auto middle = rmsnorm(add_product<P>(attended.mix, ct::transpose(load_part<C, C>(layer + At::kO)), x),
                              sizes.per_column);
  auto out = middle.x;
  auto hidden = ct::zeros<Tile<E, T, kHiddenPart<C>>>();
  for (int j : ct::irange(0, kHiddenParts<C>)) {
    const auto fc2 = load_part<C, 4 * C, C, kHiddenPart<C>>(layer + At::kFc2, 0, j);
    hidden = hidden_part<P>(middle.y, layer, j);
    out = add_product<P>(hidden, ct::transpose(fc2), out);
  }
  return {in, middle, heads, attended, hidden, out};
}

/// Gradient of what the MLP adds, with respect to its normed input; hands on the factors of those of fc1 and fc2.
/// Several parts are made again.
template <Products P, class E, Extent T, Extent C, class Layer>
__tile__ Tile<E, T, C> mlp_backward(Tile<E, T, C> dout, LayerForward<E, T, C> kept, Layer layer) {
  using At = PaddedLayer<C>;
  using F = LayerFactorColumns<C>;
  constexpr Extent kPart = kHiddenPart<C>;
  const auto normed = kept.middle.y;
  auto hidden = kept.hidden;
  auto dnormed = ct::zeros<Tile<E, T, C>>();
  for (int j : ct::irange(0, kHiddenParts<C>)) {
    if constexpr (kHiddenParts<C> != 1) hidden = hidden_part<P>(normed, layer.weight, j);
    const auto fc1 = load_part<4 * C, C, kPart, C>(layer.weight + At::kFc1, j, 0);
    const auto fc2 = load_part<C, 4 * C, C, kPart>(layer.weight + At::kFc2, 0, j);
    const auto dhidden =
        ct::select(hidden > static_cast<E>(0), product_nn<P>(dout, fc2), ct::zeros<Tile<E, T, kPart>>());
    dnormed = add_product<P>(dhidden, fc1, dnormed);
    const int part = j * static_cast<int>(kPart);
    deliver_product<P, C, 4 * C>(layer, {At::kFc2, F::kDout, F::kHidden + part}, dout, hidden, 0, j);
    deliver_product<P, 4 * C, C>(layer, {At::kFc1, F::kDhidden + part, F::kMiddle}, dhidden, normed, j, 0);
  }
  return dnormed;
}

/// Gradient of what attention adds, with respect to its normed input; hands on those of q, k, v and o.
template <Products P, class E, Extent T, Extent C, class Layer>
__tile__ Tile<E, T, C> attention_block_backward(Tile<E, T, C> dout, LayerForward<E, T, C> kept, Layer layer,
                                                ModelSizes<E, P> sizes) {
  using At = PaddedLayer<C>;
  using F = LayerFactorColumns<C>;
  const auto dmix = product_nn<P>(dout, load_part<C, C>(layer.weight + At::kO));
  deliver_product<P, C, C>(layer, {At::kO, F::kDmiddle, F::kMix}, dout, kept.attended.mix);
  auto d = attention_backward(kept.heads, kept.attended.p, dmix, sizes);
  if (sizes.kv_heads != sizes.heads) {
    const auto gather = ct::transpose(spreading<C>(sizes));
    d.k = product_nn<P>(d.k, gather);
    d.v = product_nn<P>(d.v, gather);
  }
  auto dnormed = product_nn<P>(d.q, load_part<C, C>(layer.weight + At::kQ));
  dnormed = add_product<P>(d.k, load_part<C, C>(layer.weight + At::kK), dnormed);
  dnormed = add_product<P>(d.v, load_part<C, C>(layer.weight + At::kV), dnormed);
  deliver_product<P, C, C>(layer, {At::kQ, F::kDq, F::kIn}, d.q, kept.in.y);
  deliver_product<P, C, C>(layer, {At::kK, F::kDk, F::kIn}, d.k, kept.in.y);
  deliver_product<P, C, C>(layer, {At::kV, F::kDv, F::kIn}, d.v, kept.in.y);
  return dnormed;
}

/// Gradient of the layer's input from that of its output; hands on those of its weights.
template <Products P, class E, Extent T, Extent C, class Layer>
__tile__ Tile<E, T, C> layer_backward(Tile<E, T, C> dout, LayerForward<E, T, C> kept, Layer layer,
                                      ModelSizes<E, P> sizes) {
  const auto dmiddle =
      dout + rmsnorm_backward(mlp_backward<P>(dout, kept, layer), kept.middle, sizes.per_column);
  const auto dnormed = attention_block_backward(dmiddle, kept, layer, sizes);
  return dmiddle + rmsnorm_backward(dnormed, kept.in, sizes.per_column);
}

}  // namespace ladder::LADDER_SIDE::stage3
