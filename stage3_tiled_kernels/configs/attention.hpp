// Tiles of attention.
#pragma once

#include <array>
#include <cstddef>

#include "shared/base/dtype.hpp"

namespace ladder::table {

/// FMHA: one block owns `queries` queries (or `keys` keys) of a head and walks along the other.
/// `warps` are those that compute; `occupancy` is how many blocks shall fit on a multiprocessor, which is what limits a
/// block's registers; the latencies tell the compiler how far ahead to load keys and values, or where keys are owned
/// queries and their gradients (1 to 10; 0: its own choice).
struct AttentionTiles {
  int queries, keys;
  int warps = 4, occupancy = 1;
  int key_latency = 0, value_latency = 0;
  bool operator==(const AttentionTiles&) const = default;
};

/// The kernels of attention that have rows of their own.
enum class AttentionPart { forward, key_value, query };

/// Head sizes round up to a class, the extent of the tile that holds a head; 0 where no class holds them.
/// Every type has 16 and 64; only the two types that models are trained in have 128.
constexpr int head_class(int head_dim, Dtype dtype) {
  if (head_dim <= 16) return 16;
  if (head_dim <= 64) return 64;
  const bool wide = dtype == Dtype::fp32 || dtype == Dtype::bf16;
  return head_dim <= 128 && wide ? 128 : 0;
}

/// What holds for any shape and pointer, on every architecture. fp32 has no tensor core: its products run out of
/// registers. Static: chosen by the compiler's report (no or the fewest spills), not by time.
constexpr AttentionTiles any_attention_tiles(Dtype dtype, int head, AttentionPart part) {
  const bool half = dtype == Dtype::bf16 || dtype == Dtype::fp16, by_key = part == AttentionPart::key_value;
  if (head == 16) return half ? AttentionTiles{32, 32} : AttentionTiles{16, 16};
  if (half) return by_key ? AttentionTiles{32, 64} : AttentionTiles{64, 64};
  if (dtype == Dtype::tf32) return {64, 64};
  if (dtype == Dtype::fp64) return {16, 16};
  return by_key && head == 64 ? AttentionTiles{16, 16, 8} : AttentionTiles{16, 8};
}

/// A row for the bulk copy engine: bf16, a head that fills its class, rows that begin on 16 bytes, full slots
/// of a multiple of 128 rows.
struct AttentionRow {
  int architecture, head;
  AttentionPart part;
  AttentionTiles tiles;
  const char* evidence;  ///< id of an item of knowledge, or why there is none
};

inline constexpr const char* kPublished = "published: RTX 5070, not run on hardware";
inline constexpr const char* kAmpere = "untuned: small tiles that do not spill, not run on hardware";
// Also measured with these tiles on sm_90: 16,384 positions (attention-0246), the whole backward pass (attention-0220).
inline constexpr std::array kAttentionRows = {
    // clang-format off
    // spak table: attention
    AttentionRow{80, 64, AttentionPart::forward, {64, 64}, kAmpere},  // attention_forward_64_sm_80
    AttentionRow{80, 64, AttentionPart::key_value, {64, 64}, kAmpere},  // attention_key_value_64_sm_80
    AttentionRow{80, 64, AttentionPart::query, {64, 64}, kAmpere},  // attention_query_64_sm_80
    AttentionRow{80, 128, AttentionPart::forward, {64, 64}, kAmpere},  // attention_forward_128_sm_80
    AttentionRow{80, 128, AttentionPart::key_value, {64, 64}, kAmpere},  // attention_key_value_128_sm_80
    AttentionRow{80, 128, AttentionPart::query, {64, 64}, kAmpere},  // attention_query_128_sm_80
    AttentionRow{90, 64, AttentionPart::forward, {64, 64, 4, 4, 2, 5}, "attention-0228"},  // attention_forward_64_sm_90
    AttentionRow{90, 64, AttentionPart::key_value, {64, 64, 4, 2, 1, 2}, "attention-0237"},  // attention_key_value_64_sm_90
    AttentionRow{90, 64, AttentionPart::query, {64, 64, 4, 3}, "attention-0220"},  // attention_query_64_sm_90
    AttentionRow{90, 128, AttentionPart::forward, {64, 128, 4, 2}, "attention-0222"},  // attention_forward_128_sm_90
    AttentionRow{90, 128, AttentionPart::key_value, {64, 64, 4, 2}, "attention-0234"},  // attention_key_value_128_sm_90
    AttentionRow{90, 128, AttentionPart::query, {128, 64, 8, 1}, "attention-0242"},  // attention_query_128_sm_90
    AttentionRow{100, 64, AttentionPart::forward, {64, 64, 4, 1, 2, 5}, kPublished},  // attention_forward_64_sm_100
    AttentionRow{100, 64, AttentionPart::key_value, {64, 64}, kPublished},  // attention_key_value_64_sm_100
    AttentionRow{100, 64, AttentionPart::query, {64, 64}, kPublished},  // attention_query_64_sm_100
    AttentionRow{100, 128, AttentionPart::forward, {64, 64, 4, 1, 2, 5}, kPublished},  // attention_forward_128_sm_100
    AttentionRow{100, 128, AttentionPart::key_value, {64, 64}, kPublished},  // attention_key_value_128_sm_100
    AttentionRow{100, 128, AttentionPart::query, {64, 64}, kPublished},  // attention_query_128_sm_100
    AttentionRow{120, 64, AttentionPart::forward, {64, 64, 4, 1, 2, 5}, kPublished},  // attention_forward_64_sm_120
    AttentionRow{120, 64, AttentionPart::key_value, {64, 64}, kPublished},  // attention_key_value_64_sm_120
    AttentionRow{120, 64, AttentionPart::query, {64, 64}, kPublished},  // attention_query_64_sm_120
    AttentionRow{120, 128, AttentionPart::forward, {64, 64, 4, 1, 2, 5}, kPublished},  // attention_forward_128_sm_120
    AttentionRow{120, 128, AttentionPart::key_value, {64, 64}, kPublished},  // attention_key_value_128_sm_120
    AttentionRow{120, 128, AttentionPart::query, {64, 64}, kPublished},  // attention_query_128_sm_120
    // spak end
    // clang-format on
};

/// The row of an architecture; every architecture, head class from 64 on and part has one.
constexpr AttentionTiles bulk_attention_tiles(int architecture, int head, AttentionPart part) {
  std::size_t i = 0;
  while (kAttentionRows[i].architecture != architecture || kAttentionRows[i].head != head ||
         kAttentionRows[i].part != part)
    ++i;
  return kAttentionRows[i].tiles;
}

}  // namespace ladder::table
