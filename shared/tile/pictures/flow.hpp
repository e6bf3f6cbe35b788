// Reads a block's steps: which loads a product's operands come from, and what one walk of attention over its keys did.
// Everything is found by following the steps' operands; nothing here knows a kernel's name or its tile sizes.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/tile/block_log.hpp"

namespace ladder {

using BlockSteps = std::vector<tile::BlockLog::Step>;
using BlockStep = tile::BlockLog::Step;

/// An operand that was loaded and then at most cast, scaled by a number, reshaped or turned.
struct LoadedTile {
  const BlockStep* load = nullptr;
  bool transposed = false;
  explicit operator bool() const { return load != nullptr; }
};

/// Walks back from step `id` through steps with one operand to a load through a view.
LoadedTile loaded_tile(const BlockSteps& steps, std::uint32_t id);

/// Whether step `id` is, or comes from, step `ancestor`, over any operands.
bool comes_from(const BlockSteps& steps, std::uint32_t id, std::uint32_t ancestor);

/// One turn of the loop of a product.
struct ProductStep {
  LoadedTile left, right;
  const BlockStep* sum;  ///< the accumulator after it
};

/// One tile of the result: the chain of mma steps that ends in its store.
struct Product {
  std::vector<ProductStep> steps;
  const BlockStep* store = nullptr;
};

/// The tiles that the block makes, one after the other (several on a persistent grid). Throws InputError when there is
/// none, or one that is no sum of products.
std::vector<Product> products_of(const BlockSteps& steps);

/// What attention did with one tile of keys.
struct KeyStep {
  LoadedTile keys;
  const BlockStep* scores;   ///< q k^T; masked elements hold the mask's value
  bool masked;               ///< some of it was hidden
  const BlockStep* largest;  ///< the running maximum after this tile
  const BlockStep* shrink;   ///< what the sums so far are multiplied by
  const BlockStep* powers;   ///< 2^(score - maximum)
  const BlockStep* sum;      ///< the running sum after this tile
  const BlockStep* out;      ///< the weighted sum of values after this tile
};

struct AttentionWalk {
  LoadedTile queries;
  std::vector<KeyStep> keys;
  const BlockStep* stored_out;
  const BlockStep* stored_lse;
};

/// Throws InputError when the steps are not such a walk.
AttentionWalk attention_of(const BlockSteps& steps);

}  // namespace ladder
