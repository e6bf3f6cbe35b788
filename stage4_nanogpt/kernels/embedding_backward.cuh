// The gradient of the embedding of tokens, from the rows sorted by token.
//
// Sorted, the rows of a token stand together: dwte_vc[v] is the sum of a run. A block takes a stretch of TR sorted rows
// and finds the sums of all runs in it by one product with the TR x TR matrix of equal tokens. A run that lies inside the
// stretch is done. One that reaches over an end leaves what the stretch has of it as a partial sum: at most two a
// stretch, its head, which goes on from the stretch before, and its tail, which begins here and goes on behind. A
// second kernel adds each tail and the heads that follow it, in order. No two blocks write to one row.
#pragma once

#include "stage3_tiled_kernels/launchers.hpp"
#include "stage4_nanogpt/configs.hpp"
#include "stage4_nanogpt/kernels/philox.hpp"

namespace ladder::LADDER_SIDE::stage4 {

/// The rows at places `at` of the order (a tile of int), and their tokens: -1 for padding and beyond the last row.
template <class Places>
__tile__ Places sorted_rows(const std::int32_t* order_n, Places at, int rows) {
  return ct::load_masked(order_n + at, at >= 0 && at < rows, 0);
}
template <class Places>
__tile__ Places sorted_tokens(const std::int32_t* order_n, const std::int32_t* tokens_n, Places at,
                              int rows) {
  const auto n = sorted_rows(order_n, at, rows);
  return ct::load_masked(tokens_n + n, at >= 0 && at < rows, -1);
}

/// The token at one place of the order, as a tile of one.
template <int TR>
__tile__ ct::tile<int, ct::shape<1, TR / TR>> sorted_token(const std::int32_t* order_n,
                                                           const std::int32_t* tokens_n, int at, int rows) {
  return sorted_tokens(order_n, tokens_n, ct::full<ct::tile<int, ct::shape<1, TR / TR>>>(at), rows);
}

// Computes: dwte_vc[v] += sum of dx_nc over the rows whose token is v, for runs inside a stretch of TR sorted rows;
//           edges_ec[2 k] = the head of stretch k, edges_ec[2 k + 1] its tail, where it has them
// Shapes:   order_n, tokens_n [N], dx_nc [N, C] -> dwte_vc [V, C], edges_ec [2 stretches, C]
// Map:      one block owns TR sorted rows and TC channels of them
// Traffic:  reads N C elements once, row by row wherever they are, and 3 N integers for every TC channels; reads and
//           writes a row of dwte_vc for every token that the batch has; writes at most 2 C for every TR rows
// FLOPs:    2 TR N C on the tensor cores, most of them with 0
// Bound:    memory
// Differs from the previous rung: stage 3 goes through all rows for every tile of the vocabulary; here a row is read once
template <class T, int TR, int TC>
__tile_global__ void embedding_backward_sorted_kernel(int rows, int channels,
                                                      const std::int32_t* __restrict__ order_n,
                                                      const std::int32_t* __restrict__ tokens_n,
                                                      const T* __restrict__ dx_nc,
                                                      Wide<T>* __restrict__ dwte_vc,
                                                      Wide<T>* __restrict__ edges_ec) {
  using W = Wide<T>;
  using Ones = ct::tile<T, ct::shape<TR, TR>>;
  const int stretch = ct::bid().x, begin = stretch * TR;
  const auto at = column_of_indices<TR>(begin);
  const auto n = sorted_rows(order_n, at, rows);
  const auto token = sorted_tokens(order_n, tokens_n, at, rows);
  const auto c = row_of_indices<TC>(ct::bid().y * TC);
  const auto dx = ct::load_masked(dx_nc + (ct::element_cast<std::int64_t>(n) * channels + c),
                                  token >= 0 && c < channels, T(0.0F));
  const auto equal = ct::select(token == ct::transpose(token), ct::ones<Ones>(), ct::zeros<Ones>());
  const auto sums = ct::mma(equal, dx, ct::zeros<ct::tile<W, ct::shape<TR, TC>>>());

  // The first row of each run here has the run's sum, and goes where the run's ends say.
  const auto same_before = sorted_tokens(order_n, tokens_n, at - 1, rows) == token;
  const auto goes_on = sorted_token<TR>(order_n, tokens_n, begin + TR, rows) == token;
  const auto head = token >= 0 && same_before && at == begin, starts = token >= 0 && !same_before;
  const auto inside = starts && !goes_on && c < channels;
  const auto target = dwte_vc + (ct::element_cast<std::int64_t>(token) * channels + c);
  ct::store_masked(target, ct::load_masked(target, inside, W(0)) + sums, inside);
  const auto edge =
      edges_ec + (ct::element_cast<std::int64_t>(2 * stretch + ct::element_cast<int>(starts)) * channels + c);
  ct::store_masked(edge, sums, (head || (starts && goes_on)) && c < channels);
}

// Computes: dwte_vc[v] += the tail of a stretch whose last token is v and goes on + the heads that follow it
// Shapes:   order_n, tokens_n [N], edges_ec [2 stretches, C] -> dwte_vc [V, C]
// Map:      one block owns a stretch and TC channels; it has nothing to do where the stretch has no tail
// Traffic:  reads at most 2 C for every TR rows, once; reads and writes a row of dwte_vc for each tail
// FLOPs:    at most 2 C for every TR rows
// Bound:    latency, where one token fills most of the batch
// Differs from the previous rung: it is new: the second of two stages, without atomics
template <class W, int TR, int TC, int TH>
__tile_global__ void embedding_backward_joined_kernel(int rows, int channels,
                                                      const std::int32_t* __restrict__ order_n,
                                                      const std::int32_t* __restrict__ tokens_n,
                                                      const W* __restrict__ edges_ec,
                                                      W* __restrict__ dwte_vc) {
  const int stretch = ct::bid().x, begin = stretch * TR, end = begin + TR;
  const int v = static_cast<int>(sorted_token<TR>(order_n, tokens_n, end - 1, rows));
  const int next = static_cast<int>(sorted_token<TR>(order_n, tokens_n, end, rows));
  const int first = static_cast<int>(sorted_token<TR>(order_n, tokens_n, begin, rows));
  const int before = static_cast<int>(sorted_token<TR>(order_n, tokens_n, begin - 1, rows));
  if (v >= 0 && v == next && !(first == v && before == v)) {
    const auto c = row_of_indices<TC>(ct::bid().y * TC);
    auto sums = ct::zeros<ct::tile<W, ct::shape<TH, TC>>>();
    int heads = stretch + 1;  // the first stretch whose head was not asked for
    bool more = true;
    while (more) {
      const auto k = column_of_indices<TH>(heads);
      const auto has_head = sorted_tokens(order_n, tokens_n, k * TR, rows) == v;
      const auto edge = edges_ec + (ct::element_cast<std::int64_t>(2 * k) * channels + c);
      sums = sums + ct::load_masked(edge, has_head && c < channels, W(0));
      heads = heads + TH;
      more = static_cast<int>(sorted_token<TR>(order_n, tokens_n, heads * TR, rows)) == v;
    }
    const int part = ct::bid().y;
    const auto tail =
        matrix<1, TC>(edges_ec, 2 * tiles_for(rows, TR), channels).load_masked(2 * stretch + 1, part);
    const auto dwte = matrix<1, TC>(dwte_vc + static_cast<std::int64_t>(v) * channels, 1, channels);
    dwte.store_masked(dwte.load_masked(0, part) + (tail + ct::sum<0>(sums)), 0, part);
  }
}

inline void launch_embedding_backward(const EmbeddingBackward& args, Stream& stream) {
  require_pointers("embedding_backward", {pointer("dx_nc", args.dx_nc), pointer("dwte_vc", args.dwte_vc),
                                          pointer("dwpe_tc", args.dwpe_tc)});
  const BatchView& batch = args.batch;
  with_stored_type(args.dx_nc.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using W = Wide<T>;
    constexpr table::EmbeddingTiles S = sizeof(T) == 2 ? table::kSortedNarrow : table::kSortedWide;
    const unsigned stretches = blocks_for(batch.rows, S.rows);
    const tile::Grid grid = {stretches, blocks_for(args.channels, S.channels)};
    W* edges_ec = static_cast<W*>(
        stream.workspace(2 * stretches * static_cast<std::size_t>(args.channels) * sizeof(W)));
    launch(stream, embedding_backward_sorted_kernel<T, S.rows, S.channels>,
           {"embedding_backward_sorted", grid}, batch.rows, args.channels, batch.order_n, batch.tokens_n,
           args.dx_nc.as<T>(), args.dwte_vc.as<W>(), edges_ec);
    launch(stream, embedding_backward_joined_kernel<W, S.rows, S.channels, table::kSortedHeads>,
           {"embedding_backward_joined", grid}, batch.rows, args.channels, batch.order_n, batch.tokens_n,
           edges_ec, args.dwte_vc.as<W>());
  });
  // Positions need no order: stage 3's kernel, whose own for tokens has nothing to do without a vocabulary.
  EmbeddingBackward positions = args;
  positions.vocabulary = 0;
  stage3::enqueue(positions, stream);
}

}  // namespace ladder::LADDER_SIDE::stage4
