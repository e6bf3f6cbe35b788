// Tiles of the kernels that go through a matrix row by row: norm, embedding, loss, element-wise.
#pragma once

namespace ladder::table {

/// Rows x channels of a tile of the row-wise kernels.
inline constexpr int kNormRows = 8, kNormChannels = 128;
inline constexpr int kEmbeddingRows = 16, kEmbeddingChannels = 32;
inline constexpr int kLossRows = 8, kLossColumns = 128;
/// Elements of a tile of the element-wise kernels.
inline constexpr int kLine = 1024;

}  // namespace ladder::table
