// Embedding: look up a row for each token and for each position, add them. Backward: a product with a matrix
// of ones and zeros.
#pragma once

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::stage3 {

// Computes: x_nc[n] = wte_vc[token(n)] + wpe_tc[position(n)]; rows of no sequence get 0
// Shapes:   tokens_n, sequence_n [N], starts_b [B], wte_vc [V, C], wpe_tc [T, C] -> x_nc [N, C]
// Map:      one block owns a TN x TC tile of x_nc; a gather: a tile of pointers, one for each element
// Traffic:  reads 2 N C elements, writes N C
// FLOPs:    N C
// Bound:    memory
// Differs from the previous rung: the tokens of a tile are loaded once for all its channels
template <class T, int TN, int TC>
__tile_global__ void embedding_forward_kernel(int rows, int channels,
                                              const std::int32_t* __restrict__ tokens_n,
                                              const std::int32_t* __restrict__ sequence_n,
                                              const std::int32_t* __restrict__ starts_b, int first,
                                              const T* __restrict__ wte_vc, const T* __restrict__ wpe_tc,
                                              T* __restrict__ x_nc) {
  const int tile_n = ct::bid().y, tile_c = ct::bid().x;
  const auto n = column_of_indices<TN>(tile_n * TN);
  const auto c = row_of_indices<TC>(tile_c * TC);
  const auto b = ct::load_masked(sequence_n + n, n < rows, -1);
  const auto valid = b >= 0;
  const auto token = ct::load_masked(tokens_n + n, valid, 0);
  const auto t = n - ct::load_masked(starts_b + b, valid, 0) + first;
  const auto inside = valid && (c < channels);
  const auto wte =
      ct::load_masked(wte_vc + (ct::element_cast<std::int64_t>(token) * channels + c), inside, T(0.0F));
  const auto wpe =
      ct::load_masked(wpe_tc + (ct::element_cast<std::int64_t>(t) * channels + c), inside, T(0.0F));
  matrix<TN, TC>(x_nc, rows, channels).store_masked(wte + wpe, tile_n, tile_c);
}

inline void launch_embedding_forward(const EmbeddingForward& args, Stream& stream) {
  require_pointers("embedding_forward", {pointer("wte_vc", args.wte_vc), pointer("wpe_tc", args.wpe_tc),
                                         pointer("x_nc", args.x_nc)});
  constexpr int TN = table::kEmbeddingRows, TC = table::kEmbeddingChannels;
  with_stored_type(args.x_nc.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, embedding_forward_kernel<T, TN, TC>,
           {"embedding_forward", {blocks_for(args.channels, TC), blocks_for(args.batch.rows, TN)}},
           args.batch.rows, args.channels, args.batch.tokens_n, args.batch.sequence_n, args.batch.starts_b,
           args.batch.first, args.wte_vc.as<T>(), args.wpe_tc.as<T>(), args.x_nc.as<T>());
  });
}

// Computes: dwte_vc[v] += sum of dx_nc over the rows whose token is v
// Shapes:   tokens_n [N], dx_nc [N, C] -> dwte_vc [V, C]
// Map:      one block owns a TV x TC tile of dwte_vc and walks all rows, TN at a time: which_vn is 1 where
//           token(n) = v, and which_vn dx_nc is the sum wanted. No two blocks add to one element, and the
//           order is fixed
// Traffic:  reads N C elements and N tokens for every TV tokens of the vocabulary; reads and writes V C
// FLOPs:    2 V N C on the tensor cores, most of them with 0: cheap while the vocabulary is small
// Bound:    memory for a vocabulary of characters
// Differs from the previous rung: a search of one thread through all tokens becomes a product of two tiles
template <class T, int TV, int TC, int TN>
__tile_global__ void embedding_backward_token_kernel(int rows, int channels, int vocabulary,
                                                     const std::int32_t* __restrict__ tokens_n,
                                                     const T* __restrict__ dx_nc,
                                                     Wide<T>* __restrict__ dwte_vc) {
  const int tile_v = ct::bid().y, tile_c = ct::bid().x;
  const auto v = column_of_indices<TV>(tile_v * TV);
  const auto dwte = matrix<TV, TC>(dwte_vc, vocabulary, channels);
  const auto dx = matrix<TN, TC>(dx_nc, rows, channels);
  auto sum = dwte.load_masked(tile_v, tile_c);
  for (int i : ct::irange(0, tiles_for(rows, TN))) {
    const auto n = row_of_indices<TN>(i * TN);
    const auto token = ct::load_masked(tokens_n + n, n < rows, -1);
    const auto which = ct::select(v == token, ct::ones<ct::tile<T, ct::shape<TV, TN>>>(),
                                  ct::zeros<ct::tile<T, ct::shape<TV, TN>>>());
    sum = ct::mma(which, dx.load_masked(i, tile_c), sum);
  }
  dwte.store_masked(sum, tile_v, tile_c);
}

// Computes: dwpe_tc[t] += sum of dx_nc over the rows at position t
// Shapes:   starts_b, lengths_b [B], dx_nc [N, C] -> dwpe_tc [T, C]
// Map:      one block owns a TT x TC tile of dwpe_tc and walks the sequences in order
// Traffic:  reads N C elements, reads and writes T C
// FLOPs:    N C
// Bound:    memory
// Differs from the previous rung: a tile of positions at once; a sequence that ends inside it gives zeros
//           behind its end
template <class T, int TT, int TC>
__tile_global__ void embedding_backward_position_kernel(int batch, int channels, int block_size,
                                                        const std::int32_t* __restrict__ starts_b,
                                                        const std::int32_t* __restrict__ lengths_b,
                                                        const T* __restrict__ dx_nc,
                                                        Wide<T>* __restrict__ dwpe_tc) {
  const int tile_t = ct::bid().y, tile_c = ct::bid().x;
  const auto dwpe = matrix<TT, TC>(dwpe_tc, block_size, channels);
  auto sum = dwpe.load_masked(tile_t, tile_c);
  for (int b : ct::irange(0, batch)) {
    const int length = lengths_b[b];
    if (tile_t * TT < length) {
      const auto dx =
          matrix<TT, TC>(dx_nc + static_cast<std::int64_t>(starts_b[b]) * channels, length, channels);
      sum = sum + ct::element_cast<Wide<T>>(dx.load_masked(tile_t, tile_c));
    }
  }
  dwpe.store_masked(sum, tile_t, tile_c);
}

inline void launch_embedding_backward(const EmbeddingBackward& args, Stream& stream) {
  require_pointers("embedding_backward", {pointer("dx_nc", args.dx_nc), pointer("dwte_vc", args.dwte_vc),
                                          pointer("dwpe_tc", args.dwpe_tc)});
  constexpr int TV = table::kEmbeddingRows, TC = table::kEmbeddingChannels, TN = table::kEmbeddingRows;
  with_stored_type(args.dx_nc.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, embedding_backward_token_kernel<T, TV, TC, TN>,
           {"embedding_backward_token", {blocks_for(args.channels, TC), blocks_for(args.vocabulary, TV)}},
           args.batch.rows, args.channels, args.vocabulary, args.batch.tokens_n, args.dx_nc.as<T>(),
           args.dwte_vc.as<Wide<T>>());
    launch(stream, embedding_backward_position_kernel<T, TN, TC>,
           {"embedding_backward_position", {blocks_for(args.channels, TC), blocks_for(args.block_size, TN)}},
           args.batch.batch, args.channels, args.block_size, args.batch.starts_b, args.batch.lengths_b,
           args.dx_nc.as<T>(), args.dwpe_tc.as<Wide<T>>());
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
