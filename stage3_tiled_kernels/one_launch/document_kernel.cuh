// A training step of many documents in two launches: a block a document, then a block a piece of the model.
//
// Documents meet only where their gradients are added up. So each walks forward and backward on its own, as in
// train_kernel.cuh, and what must wait for all of them is one sum. Nothing orders the memory of two blocks inside a
// launch; the end of a launch does.
#pragma once

#include "stage3_tiled_kernels/one_launch/document.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// Chosen by the compiler's report for sm_90: at a width of 64 split products spill a third of what plain ones do; of the
/// smaller tiles of narrower models it makes most products without tensor cores all the same.
template <Extent C>
inline constexpr Products kDocumentProducts = C < 64 ? Products::plain : Products::split;
inline constexpr int kDocumentWarps = 8;

// Computes: a document's part in the loss of a step and in the gradient of every parameter
// Shapes:   tokens_bt, targets_bt [B, T], -1 behind a document's end; weight [P] as Padded lays it out; inputs_bltc
//           [B, L, T, C] scratch -> grad_bp [B, P], loss_b [B]
// Map:      one block owns one document and all that is computed from it
// Traffic:  reads the weights three times, out of the cache that all blocks share; writes as many gradients as there are
//           parameters
// FLOPs:    about 6 N parameters + 12 N T C a layer, for the N positions of a document; split products three times that
// Bound:    latency: a document's longest chain of dependent operations; a multiprocessor holds one block
// Differs from the previous rung: a gradient goes to memory, where in one launch Adam takes it at once
template <class E, Products P, int Warps, Extent T, Extent C, Extent V>
[[using cutile: hint(0, num_worker_warps_per_cta = Warps)]] __tile_global__ void document_kernel(
    int parameters, int layers, int width, int heads, int kv_heads, int vocabulary, E scale, E per_column,
    E share, const int* tokens_bt, const int* targets_bt, const E* weight, E* inputs_bltc, E* grad_bp,
    E* loss_b) {
  constexpr int kRow = T, kInput = T * C;
  const int b = ct::bid().x;
  const ModelSizes<E, P> sizes{layers, width, heads, kv_heads, vocabulary, scale, per_column, share};
  const Collector<E> model{weight, grad_bp + static_cast<std::int64_t>(b) * parameters};
  learn<C, V>(load_document<T>(tokens_bt + b * kRow, targets_bt + b * kRow), model, sizes,
              inputs_bltc + static_cast<std::int64_t>(b) * layers * kInput, loss_b + b);
}

/// Parameters of a tile of the sum, and documents that are read at a time: enough loads on their way to hide the wait.
inline constexpr int kStepParameters = 64, kStepDocuments = 32;

// Computes: the sum of all documents' gradients, then Adam's step
// Shapes:   grad_bp [B, P], rates [8] -> weight, m, v [P]
// Map:      one block owns 64 parameters and walks the documents, 32 at a time: the order is fixed, so are the bits
// Traffic:  reads B + 3 elements a parameter, writes 3
// FLOPs:    B + 12 a parameter
// Bound:    memory; for microGPT the cache
// Differs from the previous rung: the sum over the batch is a pass of its own, not a product's inner dimension
template <class E, int TB, int TP>
__tile_global__ void document_step_kernel(int batch, int parameters, const E* __restrict__ grad_bp,
                                          const E* __restrict__ rates, E* __restrict__ weight,
                                          E* __restrict__ m, E* __restrict__ v) {
  const int tile = ct::bid().x;
  const auto grad = matrix<TB, TP>(grad_bp, batch, parameters);
  auto sum = ct::zeros<Tile<E, TB, TP>>();
  for (int i : ct::irange(0, tiles_for(batch, TB))) sum = sum + grad.load_masked(i, tile);
  const auto total = ct::reshape<ct::shape<TP>>(ct::sum<0>(sum));
  const auto weights = vector<TP>(weight, parameters);
  const auto means = vector<TP>(m, parameters), squares = vector<TP>(v, parameters);
  const auto adjusted = adam(weights.load_masked(tile), means.load_masked(tile), squares.load_masked(tile),
                             total, load_rates(rates));
  weights.store_masked(adjusted.weight, tile);
  means.store_masked(adjusted.mean, tile);
  squares.store_masked(adjusted.square, tile);
}

}  // namespace ladder::LADDER_SIDE::stage3
