// What the kernels of attention share: where a head lies in memory, which keys a tile of
// queries sees, which tiles.
#pragma once

#include <cmath>

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::stage3 {

// ---- inside kernels ---------------------------------------------------------------------------------------

/// The rows of one sequence: `slot` rows from `start` on, of which the first `length` hold tokens.
struct SequenceRows {
  int start, length, slot;
};

/// Bulk: every sequence has `slot` rows and fills them, so that no block waits for a look-up before its first key.
template <bool Bulk>
__tile__ SequenceRows rows_of(int b, int batch, int rows, int slot, const std::int32_t* __restrict__ starts_b,
                              const std::int32_t* __restrict__ lengths_b) {
  if constexpr (Bulk) {
    return {b * slot, slot, slot};
  } else {
    const int start = starts_b[b];
    return {start, lengths_b[b], (b + 1 < batch ? starts_b[b + 1] : rows) - start};
  }
}

/// `value` in the rows that hold tokens, `otherwise` in those behind a sequence's end, of which Bulk has none.
template <bool Bulk, class Rows, class Tile>
__tile__ Tile inside_or(Rows inside, Tile value, Tile otherwise) {
  if constexpr (Bulk)
    return value;
  else
    return ct::select(inside, value, otherwise);
}

/// The key/value head of query head h, h / group without a division: group_inverse is 2^16 / group, rounded up.
/// Rounding adds less than h / 2^16 to the quotient, which takes 1 / group to reach the next integer: exact where heads
/// group <= 2^16, and within an int below 2^15 heads, which GptConfig sees to.
__tile__ inline int key_value_head(int h, int group_inverse) { return h * group_inverse >> 16; }

/// Rows of `heads` heads, cut into tiles of TR rows x D channels of one head: tile (first_tile<TR, Bulk>(start) + i,
/// head_column<Bulk>(head)) is the i-th of this sequence and head. The bulk copy engine wants a description of the
/// matrix that is known before the launch, in which nothing depends on the block. (Otherwise every block makes one for
/// itself, and loses the registers that the loop needs.) So there are two ways to look at the same memory:
///   Bulk       the whole matrix [rows, heads * D]; all rows begin on 16 bytes, all slots are full and multiples of TR
///   otherwise  the rows of this sequence and head: those from `length` on, and the channels from head_dim on, are zeros
template <int TR, int D, bool Bulk, class T>
__tile__ auto head_tiles(T* data_np, int rows, int heads, int row_stride, int start, int length, int head,
                         int head_dim) {
  if constexpr (Bulk) {
    constexpr int divisor = 16 / static_cast<int>(sizeof(T));
    const int stride = ct::assume_divisible<divisor>(row_stride);
    return ct::partition_view{
        ct::tensor_span{ct::assume_aligned<16>(data_np),
                        ct::layout_strided_mapping{ct::extents{rows, heads * D}, ct::strides{stride, 1_ic}}},
        ct::shape<TR, D>{}};
  } else {
    T* first = data_np + static_cast<std::int64_t>(start) * row_stride + head * head_dim;
    return matrix<TR, D>(first, length, head_dim, row_stride);
  }
}

/// A number for every row and head, [heads, rows], in tiles of TR: tile first_tile<TR, Bulk>(start + head * rows) + i.
template <int TR, bool Bulk, class T>
__tile__ auto statistic_tiles(T* data_hn, int rows, int heads, int start, int length, int head) {
  if constexpr (Bulk)
    return vector<TR>(data_hn, heads * rows);
  else
    return vector<TR>(data_hn + static_cast<std::int64_t>(head) * rows + start, length);
}

template <int TR, bool Bulk>
__tile__ int first_tile(int start) {
  return Bulk ? start / TR : 0;
}

template <bool Bulk>
__tile__ int head_column(int head) {
  return Bulk ? head : 0;
}

/// Loads a tile; Latency, 1 to 10, tells the compiler how far ahead of its use it should ask for it, 0 says nothing.
template <int Latency, class View>
__tile__ auto load_ahead(View view, int row, int column) {
  if constexpr (Latency > 0) {
    decltype(view.load_masked(row, column)) loaded;
    [[using cutile: hint(0, latency = Latency)]] loaded = view.load_masked(row, column);
    return loaded;
  } else {
    return view.load_masked(row, column);
  }
}

/// Tiles of keys: [0, whole) are seen by every query of the block, [whole, all) by some of them.
struct KeyTiles {
  int whole, all;
};

/// For TQ queries from position `first` on. Causal: query t sees the keys up to t, so tiles that end at or before the
/// first query's own key are whole. Nothing is seen from behind the sequence's end. One place of return:
/// a struct that is returned from two becomes an allocation from the device's heap (insights-0001).
template <int TQ, int TK>
__tile__ KeyTiles visible_keys(int first, int length, bool causal) {
  const int last = causal && first + TQ < length ? first + TQ : length;
  const int common = causal && first + 1 < length ? first + 1 : length;
  const int inside = first < length ? 1 : 0;
  return {inside * (common / TK), inside * tiles_for(last, TK)};
}

/// The last key that the queries at positions t see: one number a query, so that a mask is one comparison a score.
template <class Positions>
__tile__ auto last_visible_key(Positions t, int length, bool causal) {
  return ct::min(t + (causal ? 0 : length), length - 1);
}

/// Tiles of queries that see a tile of keys: those in [whole, whole_end) see all of it, those of [first, whole) and
/// [whole_end, end) a part.
struct QueryTiles {
  int first, whole, whole_end, end;
};

/// For TK keys from position `first` on; the queries that see them are at the same positions or behind when causal.
template <int TQ, int TK>
__tile__ QueryTiles seeing_queries(int first, int length, bool causal) {
  const int inside = first < length ? 1 : 0;
  const int end = inside * tiles_for(length, TQ);
  const int begin = causal ? inside * (first / TQ) : 0;
  const int behind = causal ? tiles_for(first + TK - 1, TQ) : 0;
  const int whole = behind < end ? behind : end;
  const int full = first + TK <= length ? length / TQ : 0;
  return {begin, whole, full > whole ? full : whole, end};
}

// Where weights may be dropped (stage 4's dropout). A kernel makes one Keep for its sequence, from the arguments behind
// its own, and of it one for a tile of weights, which it applies to what stands in their place.

/// What keeps every tile as it is.
struct KeptWhole {
  template <class Tile>
  __tile__ Tile operator()(Tile weights) const {
    return weights;
  }
};

/// Drops nothing. Another Keep has the same functions; in_sequence() takes more arguments behind the first.
struct KeepAll {
  __tile__ static KeepAll in_sequence(int) { return {}; }
  /// For TQ queries and TK keys of query head h, from the first of each on: queries by keys, and keys by queries.
  template <int TQ, int TK>
  __tile__ KeptWhole by_query(int, int, int) const {
    return {};
  }
  template <int TK, int TQ>
  __tile__ KeptWhole by_key(int, int, int) const {
    return {};
  }
};

// ---- around launches --------------------------------------------------------------------------------------

template <class Args>
double attention_scale(const Args& args) {
  return 1.0 / std::sqrt(static_cast<double>(args.head_dim));
}

/// Blocks of `tile` rows for every sequence and head. A sequence owns the rows up to the start of
/// the next one: its length in the packed layout, the block size (rows / batch) in the padded one;
/// each block looks up which.
inline tile::Grid attention_grid(const BatchView& batch, int tile, int heads) {
  if (batch.batch == 0) return {0};
  const int mean = (batch.rows + batch.batch - 1) / batch.batch;
  const int longest = mean > batch.max_length ? mean : batch.max_length;
  return {blocks_for(longest, tile), static_cast<unsigned>(heads), static_cast<unsigned>(batch.batch)};
}

/// Rows of the largest tile that may look at all sequences at once.
inline constexpr int kSlotDivisor = 128;

/// Whether the bulk copy engine can do it: every row of every head begins on 16 bytes, every sequence on a multiple of
/// the tiles, and no row is empty.
template <class Args>
bool attention_bulk(const Args& args, std::initializer_list<const void*> pointers) {
  const std::size_t element = size_of(args.out_nc.dtype);
  for (const void* data : pointers)
    if (reinterpret_cast<std::uintptr_t>(data) % 16 != 0) return false;
  return args.batch.full && args.batch.first == 0 && args.batch.max_length % kSlotDivisor == 0 &&
         static_cast<std::size_t>(args.row_stride) * element % 16 == 0 &&
         static_cast<std::size_t>(args.head_dim) * element % 16 == 0;
}

/// What key_value_head() wants of an operation.
template <class Args>
int group_inverse(const Args& args) {
  const int group = args.heads / args.kv_heads;
  return ((1 << 16) + group - 1) / group;
}

/// Throws InputError unless there is a kernel for this number and size of heads.
inline void require_heads(int heads, int kv_heads, int head_dim, Dtype dtype) {
  require(heads > 0 && kv_heads > 0 && heads % kv_heads == 0,
          "attention: {} heads cannot share {} key/value heads: the first must be a multiple of the second",
          heads, kv_heads);
  require(std::int64_t{heads} * (heads / kv_heads) <= 1 << 16,
          "attention: {} heads in groups of {}: their product may be at most 65536", heads, heads / kv_heads);
  const int most = table::head_class(128, dtype) == 128 ? 128 : 64;
  require(head_dim > 0 && head_dim <= most,
          "attention: no kernel for head size {} in {}: there are kernels for 1 to 64 in every type, and up "
          "to 128 in "
          "fp32 and bf16",
          head_dim, name_of(dtype));
}

/// Calls body.operator()<E, Architecture, D, Bulk>() with the element type, the head's class, and whether the bulk copy
/// engine has kernels for it: only bf16 at head sizes of exactly 64 and 128 does.
template <class Args, class Body>
void with_attention_kernels(const Args& args, bool bulk, Body&& body) {
  require_heads(args.heads, args.kv_heads, args.head_dim, args.out_nc.dtype);
  with_element_type(args.out_nc.dtype, [&](auto type) {
    using E = typename decltype(type)::type;
    with_architecture([&]<int Architecture>() {
      const auto with_head = [&]<int D>() {
        if constexpr (table::head_class(D, dtype_of<E>) == D) {
          if (table::head_class(args.head_dim, dtype_of<E>) != D) return;
          if constexpr (dtype_of<E> == Dtype::bf16 && D >= 64) {
            if (bulk && args.head_dim == D) return body.template operator()<E, Architecture, D, true>();
          }
          body.template operator()<E, Architecture, D, false>();
        }
      };
      with_head.template operator()<16>();
      with_head.template operator()<64>();
      with_head.template operator()<128>();
    });
  });
}

/// The tiles of the table for one kernel.
template <class E, int Architecture, int D, bool Bulk>
constexpr table::AttentionTiles tiles_of(table::AttentionPart part) {
  if constexpr (Bulk)
    return table::bulk_attention_tiles(Architecture, D, part);
  else
    return table::any_attention_tiles(dtype_of<E>, D, part);
}

/// How a launch drops weights: not at all. Another type has the same members: names of the launches, the Keep of its
/// kernels and what that takes, tiles, and whether the bulk copy engine feeds causal kernels only.
struct DropNothing {
  static constexpr const char *kForward = "attention_forward", *kBackward = "attention_backward",
                              *kBackwardQuery = "attention_backward_query",
                              *kBackwardKeyValue = "attention_backward_key_value";
  static constexpr bool kBulkIsCausal = false;
  template <class W>
  using Keep = KeepAll;

  template <class W, class Body>
  void with_arguments(Body&& body) const {
    body();
  }
  template <class E, int Architecture, int D, bool Bulk>
  static constexpr table::AttentionTiles tiles(table::AttentionPart part) {
    return tiles_of<E, Architecture, D, Bulk>(part);
  }
};

}  // namespace ladder::LADDER_SIDE::stage3
