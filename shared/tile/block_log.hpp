// BlockLog: what each tile holds after each operation of one block.
//
//   BlockLog log({0, 1, 0});                       // the block to follow
//   launch(matmul<float>, {"matmul", {2, 2}, {.occupancy = 2}}, ...);
//   write_file("matmul.json", log.json());
//
// {"format": "ladder-tile-trace/1", "kernel": "matmul", "hints": {"worker_warps": 0, "occupancy": 2},
//  "block": [0, 1, 0], "grid": [2, 2, 1], "steps": [
//   {"id": 1, "op": "load", "from": [], "type": "float", "shape": [8, 8], "values": [...], "at": [0, 2]}, ...]}
// Hints are those of the launch, 0 where it gave none. "from" are the ids of the operands: 0 for a scalar or a tile
// that no operation made. A store is a step as well. Loads and stores through a view also say which tensor: "extents",
// and its name when it lies in a tile::Buffer. The command `ladder tile-trace` and the format's name keep the older
// word "trace": files and calls made with them stay good.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "shared/tile/block.hpp"

namespace ladder::tile {

/// What is known of a step's result before its values.
struct TileType {
  const char* element;
  const std::size_t* extents;
  std::size_t rank, size;
};

class BlockLog {
 public:
  struct Step {
    std::uint32_t id;
    const char* operation;
    std::vector<std::uint32_t> from;
    const char* type;
    std::vector<std::size_t> shape;
    std::vector<double> values;
    /// Index of the tile in its partition view, for loads and stores through one.
    std::vector<std::int64_t> at;
    std::string tensor;                 ///< name of the Buffer that the view's tensor lies in, or empty
    std::vector<std::int64_t> extents;  ///< of the view's tensor
  };

  /// Follows block `id` of every launch whose kernel's name begins with `kernel` until this object ends. At most one
  /// BlockLog exists at a time; while it does, blocks run one after the other on the calling thread.
  explicit BlockLog(Index id, std::string kernel = {});
  BlockLog(const BlockLog&) = delete;
  BlockLog& operator=(const BlockLog&) = delete;
  ~BlockLog();

  Index block() const { return block_; }
  const std::string& kernel() const { return kernel_; }
  const std::vector<Step>& steps() const { return steps_; }

  /// Whether block `id` of a launch of `kernel` is to be written down.
  bool follows(const char* kernel, Index id) const;

  /// A launch begins; one that is followed gives the log its name, grid and hints.
  void launched(const Launch& launch);
  const Grid& grid() const { return grid_; }

  /// Begins a step and gives room for its values. `at` may be null.
  double* add(const char* operation, const TileType& type, std::initializer_list<std::uint32_t> from,
              const std::int64_t* at);
  /// Of the last step.
  std::uint32_t last_id() const { return static_cast<std::uint32_t>(steps_.size()); }

  /// The last step went through a view of the tensor that begins at `data`.
  void add_tensor(const void* data, std::vector<std::int64_t> extents);

  std::string json() const;

 private:
  bool concerns(const char* kernel) const;

  Index block_;
  std::string only_, kernel_;
  Grid grid_;
  Hints hints_;
  std::vector<Step> steps_;
};

/// The BlockLog that exists, or null.
BlockLog* current_log();

}  // namespace ladder::tile
