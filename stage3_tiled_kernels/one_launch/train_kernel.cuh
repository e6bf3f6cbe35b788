// A whole training run in one launch: one block walks the steps.
//
// A step of microGPT is some fifty small operations, each waiting for the one before. Launched one by one, each
// pays for its start and for a trip of its result through memory. Here the activations of a step are tiles, which
// the compiler keeps in registers and shared memory; only weights, moments and, with several layers, each
// layer's input are in memory, which for a model of this size means the cache.
#pragma once

#include "stage3_tiled_kernels/one_launch/document.hpp"

namespace ladder::LADDER_SIDE::stage3 {

// Computes: `steps` training steps of microGPT, batch 1: forward, loss, backward, Adam
// Shapes:   tokens_st, targets_st [S, T], -1 behind a document's end; rates [S, 8]; weight, m, v as Padded lays them
//           out; inputs [L, T, C] scratch -> loss_s [S], and weight, m, v after the last step
// Map:      one block owns everything; document.hpp says how it walks a step. Eight warps: with four, the tiles spill (one_launch-0007)
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
  constexpr int kRow = T;
  const ModelSizes<E, Products::plain> sizes{layers,     width, heads,      kv_heads,
                                             vocabulary, scale, per_column, static_cast<E>(1)};
  for (int s : ct::irange(0, steps)) {
    const Updater<E> model{weight, m, v, load_rates(rates_s + s * kRates)};
    learn<C, V>(load_document<T>(tokens_st + s * kRow, targets_st + s * kRow), model, sizes, inputs,
                loss_s + s);
  }
}

}  // namespace ladder::LADDER_SIDE::stage3
