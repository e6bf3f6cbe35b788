// Tiles of the matrix products.
#pragma once

#include <array>

#include "shared/base/dtype.hpp"

namespace ladder::table {

/// How a product of tiles is made. fp32 has no tensor core. But a number of 24 bits is nearly the sum of two of tf32's
/// 11, and the product of two such sums, without that of their small halves, is three products that tensor cores know:
/// `split` is right to about 2^-22 of the factors.
enum class Products { plain, split };

/// C (rows x columns) is one block's; it walks along the inner dimension in steps of `inner`. The rest speaks to
/// the compiler and to the launcher; what is left out is the compiler's default.
struct ProductTiles {
  int rows, columns, inner;
  int warps = 4;       ///< warps that multiply; 8 are two groups, each with half of the accumulator
  int occupancy = 1;   ///< blocks that a multiprocessor must be able to hold: it limits registers
  int group = 8;       ///< rows of tiles that the grouped order goes down before the next column
  int persistent = 0;  ///< blocks of a multiprocessor that walk through the tiles; 0: a block for each tile
  bool bulk_store = true;  ///< whether the result may leave through the bulk copy engine
  int piece = 0;  ///< columns of the result that leave at once; 0: all, which need most shared memory
  Products products = Products::plain;
  bool operator==(const ProductTiles&) const = default;
};

/// Products: `masked` takes any shape and pointer; the others only rows that the bulk copy engine can take (16
/// bytes), and pay only when the matrix has at least one whole tile: `forward` for y = x W^T, `input` for dx = dy
/// W, `beside` for either when it reads a residual or a ReLU's mask as large as the result, `weight` for dW = dy^T x.
/// Where an element type has no faster tile, all are the same.
struct ProductRow {
  int architecture;
  Dtype dtype;
  ProductTiles masked, forward, input, beside, weight;
  /// The id of an item of knowledge that measured these tiles, or "untuned: why these", "static: ...".
  const char *forward_evidence, *input_evidence, *beside_evidence, *weight_evidence;
};

// What limits a tile: fp64 has a tensor core, but each element is two registers; fp32 has none, and products on the
// ordinary units, out of registers, spill at 64x64 already; the narrow types want at least 32x16.
inline constexpr ProductTiles k16{16, 16, 16}, k32{32, 32, 32}, k64{64, 64, 64}, k128{128, 128, 64};
/// fp32 on tensor cores: two accumulators (the sum, and the step that the tensor core sums), hence two groups of warps.
/// Steps of 64 are about a sixth faster (gemm_fp32-0186, -0188; a weight gradient gains nothing: -0093, -0103) and cut
/// off twice as much (insights-0004).
inline constexpr ProductTiles kSplit{
    .rows = 128, .columns = 128, .inner = 32, .warps = 8, .persistent = 1, .products = Products::split};
inline constexpr ProductTiles kSplit64{.rows = 64, .columns = 64, .inner = 32, .products = Products::split};
/// tf32: where both factors run along the inner dimension, tensor cores read shared memory as it lies; else a copy
/// has to transpose it first.
inline constexpr ProductTiles kTf32{.rows = 128, .columns = 128, .inner = 32, .persistent = 1};
inline constexpr ProductTiles kTf32Wide{
    .rows = 128, .columns = 256, .inner = 32, .warps = 8, .persistent = 1};
inline constexpr ProductTiles kTf32Long{
    .rows = 128, .columns = 128, .inner = 64, .warps = 8, .persistent = 1};
inline constexpr ProductTiles kTf32Small{.rows = 64, .columns = 64, .inner = 32};
/// Two groups of four warps with half of a wide accumulator each, on a persistent grid.
inline constexpr ProductTiles kWide{.rows = 128, .columns = 256, .inner = 64, .warps = 8, .persistent = 1};
/// The same for a result in fp32, which would take the shared memory of two of four steps if it left as a whole.
inline constexpr ProductTiles kWidePieces{
    .rows = 128, .columns = 256, .inner = 64, .warps = 8, .persistent = 1, .piece = 64};
/// The same beside a second tile as large as the result.
inline constexpr ProductTiles kWideHalves{
    .rows = 128, .columns = 256, .inner = 64, .warps = 8, .persistent = 1, .piece = 128};

/// Rows x columns of a tile of the pass that scales rows before a weight gradient; untuned.
inline constexpr int kScaleRows = 16, kScaleColumns = 256;

inline constexpr const char* kUntuned = "untuned: tiles that compile without spills";
inline constexpr const char* kStatic = "static: not run on hardware";
inline constexpr std::array kProductRows = {
    // clang-format off
    // spak table: products
    ProductRow{80, Dtype::fp64, k16, k16, k16, k16, k16, kUntuned, kUntuned, kUntuned, kUntuned},  // products_fp64_sm_80
    ProductRow{80, Dtype::fp32, k16, k32, k32, k32, k32, kUntuned, kUntuned, kUntuned, kUntuned},  // products_fp32_sm_80
    ProductRow{80, Dtype::tf32, k32, k32, k32, k32, k32, kUntuned, kUntuned, kUntuned, kUntuned},  // products_tf32_sm_80
    ProductRow{80, Dtype::fp16, k32, k32, k32, k32, k32, kUntuned, kUntuned, kUntuned, kUntuned},  // products_fp16_sm_80
    ProductRow{80, Dtype::bf16, k32, k128, k128, k128, k128, kStatic, kStatic, kStatic, kStatic},  // products_bf16_sm_80
    ProductRow{90, Dtype::fp32, k16, kSplit, kSplit, kSplit, kSplit, "gemm_fp32-0175", "gemm_fp32-0186", "gemm_fp32-0197", "gemm_fp32-0095"},  // products_fp32_sm_90
    ProductRow{90, Dtype::tf32, k32, kTf32Wide, kTf32Wide, kTf32Long, kTf32Long, "gemm_fp32-0224", "gemm_fp32-0229", "gemm_fp32-0238", "gemm_fp32-0208"},  // products_tf32_sm_90
    ProductRow{90, Dtype::bf16, k32, kWide, kWide, kWideHalves, kWidePieces, "gemm-0131", "gemm-0129", "gemm-0135", "gemm-0136"},  // products_bf16_sm_90
    ProductRow{100, Dtype::fp32, k16, kSplit, kSplit, kSplit, kSplit, kStatic, kStatic, kStatic, kStatic},  // products_fp32_sm_100
    ProductRow{100, Dtype::tf32, k32, kTf32, kTf32, kTf32, kTf32, kStatic, kStatic, kStatic, kStatic},  // products_tf32_sm_100
    ProductRow{100, Dtype::bf16, k32, k128, k128, k128, k128, kStatic, kStatic, kStatic, kStatic},  // products_bf16_sm_100
    ProductRow{120, Dtype::fp32, k16, kSplit64, kSplit64, kSplit64, kSplit64, kStatic, kStatic, kStatic, kStatic},  // products_fp32_sm_120
    ProductRow{120, Dtype::tf32, k32, kTf32Small, kTf32Small, kTf32Small, kTf32Small, kStatic, kStatic, kStatic, kStatic},  // products_tf32_sm_120
    ProductRow{120, Dtype::bf16, k32, k64, k64, k64, k64, kStatic, kStatic, kStatic, kStatic},  // products_bf16_sm_120
    // spak end
    // clang-format on
};

/// The row of the newest architecture that is not newer than `architecture`, for this type.
constexpr ProductRow product_tiles(int architecture, Dtype dtype) {
  ProductRow found = kProductRows[0];
  for (const ProductRow& row : kProductRows)
    if (row.dtype == dtype && row.architecture <= architecture) found = row;
  return found;
}

}  // namespace ladder::table
