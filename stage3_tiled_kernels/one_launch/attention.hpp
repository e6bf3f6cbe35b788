// Attention of one sequence of at most T positions, several heads at a time.
//
// A head owns D neighbouring columns of q, k and v. Instead of cutting them out, which would need a tile of D
// columns for any D, a group of kGroup heads stands stacked: the rows of q once for each head, all columns of
// other heads set to zero. The product of a stacked row with k then sums over the head's own columns only, so
// that plain products serve any head size:
//
//   scores [kGroup T, T] = stack(q) k^T          out = unstack(p v)
//   dp = stack(dout) v^T                         dv = p^T stack(dout)
//   dq = unstack(dscore k)                       dk = dscore^T stack(q)
#pragma once

#include "stage3_tiled_kernels/one_launch/tiles.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// Heads whose scores are one tile.
inline constexpr Extent kGroup = 4;

/// What the kernel learns of the model at run time, and how it multiplies; `scale` is 1 / sqrt(head_dim),
/// `per_column` 1 / width, `share` a document's part in the loss of its step.
template <class E, Products P>
struct ModelSizes {
  int layers, width, heads, kv_heads, vocabulary;
  E scale, per_column, share;

  __tile__ int head_dim() const { return width / heads; }
};

/// 1 where column c of head `first` + g belongs to that head, else 0: [kGroup, 1, C].
template <class E, Extent C>
__tile__ auto own_columns(int first, int head_dim) {
  using Mask = ct::tile<E, ct::shape<kGroup, 1, C>>;
  const auto column = ct::reshape<ct::shape<1, 1, C>>(ct::iota<ct::tile<int, ct::shape<C>>>());
  const auto head =
      ct::reshape<ct::shape<kGroup, 1, 1>>(ct::iota<ct::tile<int, ct::shape<kGroup>>>()) + first;
  return ct::select(column / head_dim == head, ct::ones<Mask>(), ct::zeros<Mask>());
}

/// x once for each head of the group, other heads' columns zero.
template <class E, Extent T, Extent C>
__tile__ Tile<E, kGroup * T, C> stack(Tile<E, T, C> x, ct::tile<E, ct::shape<kGroup, 1, C>> own) {
  return ct::reshape<ct::shape<kGroup * T, C>>(ct::reshape<ct::shape<1, T, C>>(x) * own);
}

/// Each head's own columns of its own rows, together again.
template <class E, Extent T, Extent C>
__tile__ Tile<E, T, C> unstack(Tile<E, kGroup * T, C> x, ct::tile<E, ct::shape<kGroup, 1, C>> own) {
  return ct::reshape<ct::shape<T, C>>(ct::sum<0>(ct::reshape<ct::shape<kGroup, T, C>>(x) * own));
}

/// Softmax of the visible scores: key s for query t where s <= t.
template <class E, Extent T>
__tile__ Tile<E, kGroup * T, T> causal_softmax(Tile<E, kGroup * T, T> score, E scale) {
  using Scores = Tile<E, kGroup * T, T>;
  const auto t = column_of_indices<kGroup * T>(0) % static_cast<int>(T);
  const auto masked = ct::select(row_of_indices<T>(0) <= t, score, ct::full<Scores>(kBelowAll<E>));
  const auto p = ct::exp2((masked - ct::reduce_max<1>(masked)) * (scale * static_cast<E>(kLog2E)));
  return p * inverse(ct::sum<1>(p));
}

/// Queries, keys and values of a sequence; keys and values stand under each query head that uses them.
template <class E, Extent T, Extent C>
struct Heads {
  Tile<E, T, C> q, k, v;
};

/// What attention adds, and the probabilities of its last group of heads, which are all when there is one group.
template <class E, Extent T, Extent C>
struct Attended {
  Tile<E, T, C> mix;
  Tile<E, kGroup * T, T> p;
};

template <Products P, class E, Extent T, Extent C>
__tile__ Attended<E, T, C> attention(Heads<E, T, C> x, ModelSizes<E, P> sizes) {
  auto mix = ct::zeros<Tile<E, T, C>>();
  auto p = ct::zeros<Tile<E, kGroup * T, T>>();
  for (int first : ct::irange(0, sizes.heads, static_cast<int>(kGroup))) {
    const auto own = own_columns<E, C>(first, sizes.head_dim());
    p = causal_softmax<E, T>(product_nt<P>(stack(x.q, own), x.k), sizes.scale);
    mix = mix + unstack<E, T, C>(product_nn<P>(p, x.v), own);
  }
  return {mix, p};
}

/// Gradients of q, k and v from that of attention()'s mix. Several groups make their probabilities again.
template <Products P, class E, Extent T, Extent C>
__tile__ Heads<E, T, C> attention_backward(Heads<E, T, C> x, Tile<E, kGroup * T, T> p, Tile<E, T, C> dmix,
                                           ModelSizes<E, P> sizes) {
  auto dq = ct::zeros<Tile<E, T, C>>();
  auto dk = ct::zeros<Tile<E, T, C>>();
  auto dv = ct::zeros<Tile<E, T, C>>();
  for (int first : ct::irange(0, sizes.heads, static_cast<int>(kGroup))) {
    const auto own = own_columns<E, C>(first, sizes.head_dim());
    const auto q = stack(x.q, own);
    const auto dout = stack(dmix, own);
    if (sizes.heads > static_cast<int>(kGroup)) p = causal_softmax<E, T>(product_nt<P>(q, x.k), sizes.scale);
    const auto dp = product_nt<P>(dout, x.v);
    const auto dscore = p * (dp - ct::sum<1>(p * dp)) * sizes.scale;
    dq = dq + unstack<E, T, C>(product_nn<P>(dscore, x.k), own);
    dk = dk + product_tn<P>(dscore, q);
    dv = dv + product_tn<P>(p, dout);
  }
  return {dq, dk, dv};
}

}  // namespace ladder::LADDER_SIDE::stage3
