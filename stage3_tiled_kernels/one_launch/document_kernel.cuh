// A training step of many documents in two launches: a block a document, then a block a piece of the model.
//
// Documents meet only where the gradients of weights are made. So each walks forward and backward on its own, as in
// train_kernel.cuh, and what must wait for all of them are these sums (factors.hpp). Nothing orders the memory of two
// blocks inside a launch; the end of a launch does.
#pragma once

#include "stage3_tiled_kernels/one_launch/document.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// By the time of a step of 64 documents on an H200 (knowledge/items/fused_step.jsonl): at a width of 64, split
/// products take 65 us where plain ones, which spill three times as much, take 174; the tiles of narrower models are
/// too small for tensor cores, and plain products win.
template <Extent C>
inline constexpr Products kDocumentProducts = C < 64 ? Products::plain : Products::split;
inline constexpr int kDocumentWarps = 8;

// Computes: a document's part in the loss of a step, and the factors of the gradient of every parameter
// Shapes:   tokens_bt, targets_bt [B, T], -1 behind a document's end; weight [P] as Padded lays it out; inputs_bltc
//           [B, L, T, C] scratch -> factors_nf [B T, F] as FactorColumns says, loss_b [B]
// Map:      one block owns one document and all that is computed from it
// Traffic:  reads the weights three times, out of the cache that all blocks share; writes 24 T C factors a layer,
//           some of them again for every matrix that shares them
// FLOPs:    about 4 N parameters + 12 N T C a layer, for the N positions of a document; split products three times that
// Bound:    latency: a document's longest chain of dependent operations; a multiprocessor holds one block
// Differs from the previous rung: no gradient of a weight is made here; in train_kernel.cuh Adam takes each at once
template <class E, Products P, int Warps, Extent T, Extent C, Extent V>
[[using cutile: hint(0, num_worker_warps_per_cta = Warps)]] __tile_global__ void document_kernel(
    int factor_columns, int layers, int width, int heads, int kv_heads, int vocabulary, E scale, E per_column,
    E share, const int* __restrict__ tokens_bt, const int* __restrict__ targets_bt,
    const E* __restrict__ weight, E* inputs_bltc, E* __restrict__ factors_nf, E* __restrict__ loss_b) {
  constexpr int kRow = T, kInput = T * C;
  const int b = ct::bid().x;
  const ModelSizes<E, P> sizes{layers, width, heads, kv_heads, vocabulary, scale, per_column, share};
  const Keeper<E> model{weight, factors_nf + static_cast<std::int64_t>(b) * kRow * factor_columns,
                        factor_columns};
  learn<C, V>(load_document<T>(tokens_bt + b * kRow, targets_bt + b * kRow), model, sizes,
              inputs_bltc + static_cast<std::int64_t>(b) * layers * kInput, loss_b + b);
}

/// Tiles of the second launch: rows of the factors at a time, rows and columns of a weight matrix.
template <Extent C>
struct StepTiles {
  static constexpr int kInner = 64, kRows = 16, kColumns = C < 32 ? C : 32;
};

// Computes: the gradient of a tile of a weight matrix over all documents, then Adam's step of it
// Shapes:   factors_nf [N, F], tiles [G] of GradientTile as integers, rates [8] -> weight, m, v [P]
// Map:      one block owns a tile and walks the rows of all documents: the order is fixed, so are the bits
// Traffic:  reads TR + TC factors a row, out of the cache, and 3 elements a parameter; writes 3
// FLOPs:    2 N a parameter, split products three times that
// Bound:    latency: the walk along the rows
// Differs from the previous rung: the sum over the batch is a product's inner dimension, as in stage 1, and Adam
//           follows at once
template <class E, Products P, int TK, int TR, int TC>
__tile_global__ void document_step_kernel(int rows, int columns, const int* __restrict__ tiles_g4,
                                          const E* __restrict__ factors_nf, const E* __restrict__ rates,
                                          E* __restrict__ weight, E* __restrict__ m, E* __restrict__ v) {
  const int* tile = tiles_g4 + 4 * static_cast<int>(ct::bid().x);
  const int dy_column = tile[0], x_column = tile[1], first = tile[2], stride = tile[3];
  const int width = ct::assume_divisible<16>(columns);
  const auto dy = matrix<TK, TR>(ct::assume_aligned<16>(factors_nf), rows, width);
  const auto x = matrix<TK, TC>(ct::assume_aligned<16>(factors_nf), rows, width);
  auto grad = ct::zeros<Tile<E, TR, TC>>();
  for (int i : ct::irange(0, tiles_for(rows, TK)))
    grad = add_product<P>(ct::transpose(dy.load_masked(i, dy_column)), x.load_masked(i, x_column), grad);
  const auto weights = matrix<TR, TC>(weight + first, TR, TC, stride);
  const auto means = matrix<TR, TC>(m + first, TR, TC, stride),
             squares = matrix<TR, TC>(v + first, TR, TC, stride);
  const auto adjusted =
      adam(weights.load(0, 0), means.load(0, 0), squares.load(0, 0), grad, load_rates(rates));
  weights.store(adjusted.weight, 0, 0);
  means.store(adjusted.mean, 0, 0);
  squares.store(adjusted.square, 0, 0);
}

}  // namespace ladder::LADDER_SIDE::stage3
