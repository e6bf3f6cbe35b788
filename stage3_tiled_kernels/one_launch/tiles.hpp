// The arithmetic of one training step on whole matrices: each fits in one tile, so a matrix is a value.
#pragma once

#include "stage3_tiled_kernels/kernels/attention_tiles.hpp"
#include "stage3_tiled_kernels/kernels/split_product.hpp"

namespace ladder::LADDER_SIDE::stage3 {

// ---- division and roots -----------------------------------------------------------------------------------
//
// A division as IEEE 754 asks for costs as much here as the rest of a step: a branch for every element, of which a
// block of one has many and no other block to hide them behind. The hardware's own fp32 quotient and root are off by
// two units in the last place at most.

template <class E, Extent... Extents>
__tile__ ct::tile<E, ct::shape<Extents...>> quotient(ct::tile<E, ct::shape<Extents...>> a,
                                                     ct::tile<E, ct::shape<Extents...>> b) {
  if constexpr (std::is_same_v<E, float>)
    return ct::div(a, b, ct::round_approximate_t{});
  else
    return a / b;
}

template <class E, Extent... Extents>
__tile__ ct::tile<E, ct::shape<Extents...>> root(ct::tile<E, ct::shape<Extents...>> a) {
  if constexpr (std::is_same_v<E, float>)
    return ct::sqrt(a, ct::round_approximate_t{});
  else
    return ct::sqrt(a);
}

template <class E, Extent... Extents>
__tile__ ct::tile<E, ct::shape<Extents...>> inverse(ct::tile<E, ct::shape<Extents...>> a) {
  return quotient(ct::ones<ct::tile<E, ct::shape<Extents...>>>(), a);
}

// ---- products ---------------------------------------------------------------------------------------------

// The letters say which factor stands transposed.

/// a [M, K], b [N, K] -> a b^T: a linear layer, x W^T.
template <Products P, class E, Extent M, Extent N, Extent K>
__tile__ Tile<E, M, N> product_nt(Tile<E, M, K> a, Tile<E, N, K> b) {
  return add_product<P>(a, ct::transpose(b), ct::zeros<Tile<E, M, N>>());
}

/// a [M, K], b [K, N] -> a b: the gradient of a linear layer's input, dy W.
template <Products P, class E, Extent M, Extent N, Extent K>
__tile__ Tile<E, M, N> product_nn(Tile<E, M, K> a, Tile<E, K, N> b) {
  return add_product<P>(a, b, ct::zeros<Tile<E, M, N>>());
}

/// a [K, M], b [K, N] -> a^T b: the gradient of a linear layer's weight, dy^T x.
template <Products P, class E, Extent M, Extent N, Extent K>
__tile__ Tile<E, M, N> product_tn(Tile<E, K, M> a, Tile<E, K, N> b) {
  return add_product<P>(ct::transpose(a), b, ct::zeros<Tile<E, M, N>>());
}

// ---- RMSNorm ----------------------------------------------------------------------------------------------

/// y = x rstd, rstd = (sum x^2 / width + 1e-5)^-1/2 of each row; columns behind `width` are zero, and per_column is
/// 1 / width.
template <class E, Extent T, Extent C>
struct Normed {
  Tile<E, T, C> x, y;
  Tile<E, T, 1> rstd;
};

/// rstd with the rows replaced whose sum of squares overflowed although the root of its mean need not: from the
/// squares of x * kRmsNormRescue.
template <class E, Extent T, Extent C>
__tile__ Tile<E, T, 1> rescued(Tile<E, T, 1> rstd, Tile<E, T, 1> squares, Tile<E, T, C> x, E per_column) {
  using Column = Tile<E, T, 1>;
  const auto small = x * static_cast<E>(kRmsNormRescue);
  const auto found = quotient(ct::full<Column>(static_cast<E>(kRmsNormRescue)),
                              root(ct::sum<1>(small * small) * per_column));
  return ct::select(squares == ct::full<Column>(-kBelowAll<E>), found, rstd);
}

template <class E, Extent T, Extent C>
__tile__ Normed<E, T, C> rmsnorm(Tile<E, T, C> x, E per_column) {
  const auto squares = ct::sum<1>(x * x);
  auto rstd = inverse(root(squares * per_column + static_cast<E>(kRmsNormEpsilon)));
  if constexpr (std::is_same_v<E, float>) {
    if (static_cast<E>(ct::reduce_max<0>(ct::reshape<ct::shape<T>>(squares))) == -kBelowAll<E>)
      rstd = rescued(rstd, squares, x, per_column);
  }
  return {x, x * rstd, rstd};
}

/// dx from dy: rstd (dy - x rstd^2 sum(dy x) / width). rstd^2 alone may be below its type where x is large.
template <class E, Extent T, Extent C>
__tile__ Tile<E, T, C> rmsnorm_backward(Tile<E, T, C> dy, Normed<E, T, C> n, E per_column) {
  const auto pull = n.rstd * (n.rstd * ct::sum<1>(dy * n.x) * per_column);
  return n.rstd * (dy - n.x * pull);
}

}  // namespace ladder::LADDER_SIDE::stage3
