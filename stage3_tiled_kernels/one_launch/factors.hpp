// Where a step has many documents: what its weight gradients are made of, until all documents are done.
//
// The gradient of every matrix is a product over rows: sum over n of dy[n, o] x[n, i], where a row is a position of
// some document. So a document need not make its share of 12 C^2 L gradients. It keeps dy and x, which are a third of
// the size at a width of 64, and the sum over the batch becomes the inner dimension of one product a matrix. Embeddings
// are such matrices too, with the factors' parts exchanged: x is the gradient of what they gave out, and dy no gradient
// but a row with a 1 where the position's token stands.
#pragma once

#include <vector>

#include "stage3_tiled_kernels/one_launch/memory.hpp"

namespace ladder::LADDER_SIDE::stage3 {

constexpr int rounded_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

/// Columns of the matrix [B T, factor_columns] that keeps the factors of a step.
template <int T, int C, int V>
struct FactorColumns {
  static constexpr int kX = 0, kDx = C, kDlogits = 2 * C, kToken = kDlogits + V, kPosition = kToken + V;
  static constexpr int kLayers = rounded_up(kPosition + T, C);  ///< whole tiles of C columns from here on
};

/// The same inside a layer. In: what q, k, v are made from; middle: what the MLP reads.
template <int C>
struct LayerFactorColumns {
  static constexpr int kIn = 0, kDq = C, kDk = 2 * C, kDv = 3 * C, kMix = 4 * C, kDmiddle = 5 * C,
                       kMiddle = 6 * C, kDhidden = 7 * C, kDout = 11 * C, kHidden = 12 * C, kSize = 16 * C;
};

template <int T, int C, int V>
constexpr int factor_columns(int layers) {
  return FactorColumns<T, C, V>::kLayers + layers * LayerFactorColumns<C>::kSize;
}

// ---- inside the document's kernel -------------------------------------------------------------------------

/// The weights, and this document's rows of the factors.
template <class E>
struct Keeper {
  const E* weight;
  E* factors;
  int columns;  ///< of the whole matrix of factors

  __tile__ Keeper at(int offset, int first_column) const {
    return {weight + offset, factors + first_column, columns};
  }
};

/// Columns [column, column + N) of a document's rows, all of them.
template <class E, Extent T, Extent N>
__tile__ void keep(Keeper<E> model, int column, Tile<E, T, N> factor) {
  const int stride = ct::assume_divisible<16>(model.columns);
  const auto view = matrix<T, N>(ct::assume_aligned<16>(model.factors + column), T, N, stride);
  [[using cutile: hint(0, allow_tma = false)]] view.store(factor, 0, 0);
}

/// Keeps the factors of a gradient dy^T x; the matrix and its part (i, j) are the launch's
/// concern that multiplies them.
template <Products P, Extent R, Extent C, class E, Extent T, Extent TR, Extent TC>
__tile__ void deliver_product(Keeper<E> model, Place place, Tile<E, T, TR> dy, Tile<E, T, TC> x, int = 0,
                              int = 0) {
  keep(model, place.dy, dy);
  keep(model, place.x, x);
}

/// Keeps what makes row n of x the gradient of row n of a matrix; x itself is kept already.
template <Extent R, Extent C, class E, Extent TC>
__tile__ void deliver_rows(Keeper<E> model, Place place, Tile<E, R, TC>) {
  using Identity = Tile<E, R, R>;
  keep(model, place.dy,
       ct::select(column_of_indices<R>(0) == row_of_indices<R>(0), ct::ones<Identity>(),
                  ct::zeros<Identity>()));
}

// ---- around launches --------------------------------------------------------------------------------------

/// A tile of a weight matrix, of TR rows and TC columns, as a block of the second launch reads it: the tile's column in
/// dy's, and in x's, tiles of the factors; its first element in the padded model, and from there the next row.
struct GradientTile {
  int dy, x, weight, stride;
};

/// All tiles of a model of `layers` layers, every parameter in exactly one. TR divides T, C and V, TC divides C.
template <int T, int C, int V, int TR, int TC>
std::vector<GradientTile> gradient_tiles(int layers) {
  using At = Padded<T, C, V>;
  using Layer = PaddedLayer<C>;
  using F = FactorColumns<T, C, V>;
  using L = LayerFactorColumns<C>;
  std::vector<GradientTile> tiles;
  const auto matrix = [&](int weight, int rows, int columns, int dy, int x) {
    for (int i = 0; i < rows; i += TR)
      for (int j = 0; j < columns; j += TC)
        tiles.push_back({(dy + i) / TR, (x + j) / TC, weight + i * columns + j, columns});
  };
  matrix(At::kWte, V, C, F::kToken, F::kDx);
  matrix(At::kWpe, T, C, F::kPosition, F::kDx);
  matrix(At::kLmHead, V, C, F::kDlogits, F::kX);
  for (int i = 0; i < layers; ++i) {
    const int weight = At::kLayers + i * Layer::kSize, first = F::kLayers + i * L::kSize;
    matrix(weight + Layer::kQ, C, C, first + L::kDq, first + L::kIn);
    matrix(weight + Layer::kK, C, C, first + L::kDk, first + L::kIn);
    matrix(weight + Layer::kV, C, C, first + L::kDv, first + L::kIn);
    matrix(weight + Layer::kO, C, C, first + L::kDmiddle, first + L::kMix);
    matrix(weight + Layer::kFc1, 4 * C, C, first + L::kDhidden, first + L::kMiddle);
    matrix(weight + Layer::kFc2, C, 4 * C, first + L::kDout, first + L::kHidden);
  }
  return tiles;
}

}  // namespace ladder::LADDER_SIDE::stage3
