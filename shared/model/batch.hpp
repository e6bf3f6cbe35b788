// One micro-batch of token sequences, laid out as rows.
//
// A batch is B sequences. All their positions are stored as N rows, one after the other; sequence b owns the rows
// starts_b[b] .. starts_b[b] + lengths_b[b] - 1, and its position t is row starts_b[b] + t. Two layouts share this
// one description:
//   packed: starts are the running sum of the lengths, N = sum of lengths; nothing is wasted. CPUs use it.
//   padded: starts_b[b] = b * T, N = B * T; the shape is the same at every step, which a captured CUDA graph needs.
// Rows that belong to no sequence (padding) have token -1, target -1 and sequence -1: every operation must write
// zeros there and take nothing from them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "shared/model/optimizer.hpp"

namespace ladder {

/// What an operation sees of a batch: sizes, and pointers in the memory of the stage that runs it.
struct BatchView {
  int batch = 0;       ///< B, number of sequences
  int rows = 0;        ///< N, number of rows, padding included
  int max_length = 0;  ///< longest sequence; at most block_size
  const std::int32_t* tokens_n = nullptr;
  const std::int32_t* targets_n = nullptr;
  const std::int32_t* sequence_n = nullptr;  ///< the sequence that owns the row, or -1
  const std::int32_t* starts_b = nullptr;
  const std::int32_t* lengths_b = nullptr;
  const std::int32_t* order_n =
      nullptr;        ///< the rows sorted by token, those of one token in order; padding last
  bool full = false;  ///< every sequence has max_length rows, all of them with tokens
  /// Positions before row 0, whose keys and values are in memory already: text is generated a row at a time. Only with
  /// one sequence, and only forward.
  int first = 0;
  /// Numbers of the step and micro-batch, in the stage's memory; null outside a step.
  const StepConstants* step = nullptr;
};

/// A batch in host memory.
struct Batch {
  int max_length = 0;
  std::vector<std::int32_t> tokens_n, targets_n, sequence_n, starts_b, lengths_b, order_n;
  /// Of a probe: it is as in this training step, with its dropout. A step's own batches get theirs from the engine.
  std::optional<StepConstants> step = std::nullopt;

  int batch() const { return static_cast<int>(lengths_b.size()); }
  int rows() const { return static_cast<int>(tokens_n.size()); }
  bool full() const;  ///< every sequence has max_length rows, all of them with tokens
  BatchView view() const {
    return {batch(),           rows(),          max_length,       tokens_n.data(), targets_n.data(),
            sequence_n.data(), starts_b.data(), lengths_b.data(), order_n.data(),  full()};
  }
};

/// A sequence of n tokens and the n tokens that follow them.
struct Sequence {
  std::vector<std::int32_t> tokens, targets;
};

enum class Layout { packed, padded };

/// Lays sequences out as rows. `block_size` is T of the padded layout; sequences may be empty (length 0).
/// Throws InputError when tokens and targets differ in length or a sequence is longer than block_size.
Batch make_batch(std::span<const Sequence> sequences, Layout layout, int block_size);

}  // namespace ladder
