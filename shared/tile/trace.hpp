// Trace: what each tile holds after each operation of one block.
//
//   Trace trace({0, 1, 0});                       // the block to follow
//   launch(matmul<float>, {"matmul", {2, 2}, {.occupancy = 2}}, ...);
//   write_file("matmul.json", trace.json());
//
// {"format": "ladder-tile-trace/1", "kernel": "matmul", "hints": {"worker_warps": 0, "occupancy": 2}, "block": [0, 1, 0],
//  "steps": [
//   {"id": 1, "op": "load", "from": [], "type": "float", "shape": [8, 8], "values": [...], "at": [0, 2]}, ...]}
// Hints are those of the launch, 0 where it gave none. "from" are the ids of the operands: 0 for a scalar or a tile that no operation made. A store is a step as well.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/tile/block.hpp"

namespace ladder::tile {

class Trace {
 public:
  struct Step {
    std::uint32_t id;
    const char* operation;
    std::vector<std::uint32_t> from;
    const char* type;
    std::vector<std::size_t> shape;
    std::vector<double> values;
    std::vector<std::int64_t>
        at;  ///< index of the tile in its partition view, for loads and stores through one
  };

  /// Follows block `id` of every launch until this object ends. At most one Trace exists at a time; while it does,
  /// blocks run one after the other on the calling thread.
  explicit Trace(Index id);
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;
  ~Trace();

  Index block() const { return block_; }
  const std::vector<Step>& steps() const { return steps_; }
  void begin(const char* kernel, const Hints& hints) {
    kernel_ = kernel;
    hints_ = hints;
  }

  /// Writes a step down and returns its id.
  std::uint32_t add(Step step);

  std::string json() const;

 private:
  Index block_;
  std::string kernel_;
  Hints hints_;
  std::vector<Step> steps_;
};

/// The Trace that exists, or null.
Trace* current_trace();

}  // namespace ladder::tile
