// What the kernels of attention share: where a head lies in memory, which keys a tile of queries sees, which
// tiles.
#pragma once

#include <cmath>

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::stage3 {

inline constexpr double kLog2E = 1.4426950408889634;
inline constexpr double kLn2 = 0.6931471805599453;

// ---- inside kernels ---------------------------------------------------------------------------------------

/// Head `head` of `length` rows from row `start` on, as tiles of TR rows x D channels, D >= head_dim; zeros
/// behind head_dim and behind the last row. Bulk: head_dim is D, and all rows begin on 16 bytes.
template <int TR, int D, bool Bulk, class T>
__tile__ auto head_of(T* data_np, int start, int head, int length, int head_dim, int row_stride) {
  T* first = data_np + static_cast<std::int64_t>(start) * row_stride + head * head_dim;
  if constexpr (Bulk) {
    constexpr int divisor = 16 / static_cast<int>(sizeof(T));
    const int stride = ct::assume_divisible<divisor>(row_stride);
    return ct::partition_view{
        ct::tensor_span{ct::assume_aligned<16>(first),
                        ct::layout_strided_mapping{ct::extents{length, ct::integral_constant<D>{}},
                                                   ct::strides{stride, 1_ic}}},
        ct::shape<TR, D>{}};
  } else {
    return matrix<TR, D>(first, length, head_dim, row_stride);
  }
}

/// The statistic of head `head` for `length` rows from row `start` on, in tiles of TR.
template <int TR, class T>
__tile__ auto statistic_of(T* data_hn, int start, int head, int length, int rows) {
  return vector<TR>(data_hn + static_cast<std::int64_t>(head) * rows + start, length);
}

/// Tiles of keys: [0, whole) are seen by every query of the block, [whole, all) by some of them.
struct KeyTiles {
  int whole, all;
};

/// For TQ queries from position `first` on. Causal: query t sees the keys up to t, so tiles that end at or
/// before the first query's own key are whole. Nothing is seen from behind the sequence's end.
template <int TQ, int TK>
__tile__ KeyTiles visible_keys(int first, int length, bool causal) {
  if (first >= length) return {0, 0};
  const int last = causal && first + TQ < length ? first + TQ : length;
  const int common = causal && first + 1 < length ? first + 1 : length;
  return {common / TK, tiles_for(last, TK)};
}

// ---- around launches --------------------------------------------------------------------------------------

template <class Args>
double attention_scale(const Args& args) {
  return 1.0 / std::sqrt(static_cast<double>(args.head_dim));
}

/// Pairs of a query and a key that it sees, over all heads, when every sequence has max_length rows.
template <class Args>
double attention_pairs(const Args& args) {
  const double length = args.batch.max_length;
  return 1.0 * args.batch.batch * args.heads * length * (args.causal ? (length + 1) / 2 : length);
}

/// Blocks of `tile` rows for every sequence and head. A sequence owns the rows up to the start of the next
/// one: its length in the packed layout, the block size (rows / batch) in the padded one; each block looks up
/// which.
inline tile::Grid attention_grid(const BatchView& batch, int tile, int heads) {
  if (batch.batch == 0) return {0};
  const int mean = (batch.rows + batch.batch - 1) / batch.batch;
  const int longest = mean > batch.max_length ? mean : batch.max_length;
  return {blocks_for(longest, tile), static_cast<unsigned>(heads), static_cast<unsigned>(batch.batch)};
}

/// Whether every row of every head begins on 16 bytes.
template <class Args>
bool attention_bulk(const Args& args, std::initializer_list<const void*> pointers) {
  const std::size_t element = size_of(args.out_nc.dtype);
  for (const void* data : pointers)
    if (reinterpret_cast<std::uintptr_t>(data) % 16 != 0) return false;
  return static_cast<std::size_t>(args.row_stride) * element % 16 == 0 &&
         static_cast<std::size_t>(args.head_dim) * element % 16 == 0;
}

/// Throws InputError unless there is a kernel for this number and size of heads.
inline void require_heads(int heads, int kv_heads, int head_dim, Dtype dtype) {
  require(heads > 0 && kv_heads > 0 && heads % kv_heads == 0,
          "attention: {} heads cannot share {} key/value heads: the first must be a multiple of the second",
          heads, kv_heads);
  const int most = table::head_class(128, dtype) == 128 ? 128 : 64;
  require(head_dim > 0 && head_dim <= most,
          "attention: no kernel for head size {} in {}: there are kernels for 1 to 64 in every type, and up "
          "to 128 in "
          "fp32 and bf16",
          head_dim, name_of(dtype));
}

/// Calls body.operator()<E, TQ, TK, D, Bulk>() with the element type and the tiles of the table. Only bf16 at
/// head sizes of exactly 64 and 128 has kernels of its own for the bulk copy engine.
template <class Args, class Body>
void with_attention_tiles(const Args& args, bool bulk, Body&& body) {
  require_heads(args.heads, args.kv_heads, args.head_dim, args.out_nc.dtype);
  with_element_type(args.out_nc.dtype, [&](auto type) {
    using E = typename decltype(type)::type;
    with_architecture([&]<int Architecture>() {
      const auto with_head = [&]<int D>() {
        if constexpr (table::head_class(D, dtype_of<E>) == D) {
          if (table::head_class(args.head_dim, dtype_of<E>) != D) return;
          constexpr table::AttentionTiles size = table::attention_tiles(Architecture, dtype_of<E>, D);
          if constexpr (dtype_of<E> == Dtype::bf16 && D >= 64) {
            if (bulk && args.head_dim == D)
              return body.template operator()<E, size.queries, size.keys, D, true>();
          }
          body.template operator()<E, size.queries, size.keys, D, false>();
        }
      };
      with_head.template operator()<16>();
      with_head.template operator()<64>();
      with_head.template operator()<128>();
    });
  });
}

}  // namespace ladder::LADDER_SIDE::stage3
