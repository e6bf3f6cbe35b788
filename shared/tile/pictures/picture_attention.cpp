// The picture of one block of attention: which tiles of keys it visits, and its running softmax in numbers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "shared/tile/pictures/flow.hpp"
#include "shared/tile/pictures/picture.hpp"
#include "shared/tile/pictures/tile_svg.hpp"

namespace ladder {
namespace {

constexpr double kRow = 14, kColumn = 46;

/// Sizes of a walk: queries and keys of the sequence, and of a tile.
struct Extents {
  std::int64_t queries, keys;
  std::size_t tile_queries, tile_keys;
  std::int64_t first;  ///< the block's first query
};

Extents extents_of(const AttentionWalk& walk) {
  const BlockStep &q = *walk.queries.load, &k = *walk.keys[0].keys.load;
  return {q.extents[0], k.extents[0], q.shape[0], k.shape[0],
          q.at[0] * static_cast<std::int64_t>(q.shape[0])};
}

const KeyStep* visit_of(const AttentionWalk& walk, std::int64_t tile) {
  for (const KeyStep& key : walk.keys)
    if (key.keys.load->at[0] == tile) return &key;
  return nullptr;
}

/// The matrix of scores; in the block's band the tiles that it made, and what became of the others.
void score_matrix(TileSvg& svg, Place at, double cell, const AttentionWalk& walk, const Extents& e,
                  double scale) {
  const auto tile_keys = static_cast<double>(e.tile_keys), tile_queries = static_cast<double>(e.tile_queries);
  svg.matrix(at, cell, e.queries, e.keys, e.tile_queries, e.tile_keys);
  const std::int64_t tiles =
      (e.keys + static_cast<std::int64_t>(e.tile_keys) - 1) / static_cast<std::int64_t>(e.tile_keys);
  for (std::int64_t j = 0; j < tiles; ++j) {
    const Place corner{at.x + cell * static_cast<double>(j) * tile_keys,
                       at.y + cell * static_cast<double>(e.first)};
    const double right = std::min(corner.x + cell * tile_keys, at.x + cell * static_cast<double>(e.keys));
    const double middle = (corner.x + right) / 2;  // of what exists
    const KeyStep* key = visit_of(walk, j);
    svg.text({middle, at.y - 4}, fmt::format("keys {}", j), "c");
    if (key == nullptr) {
      svg.text({middle, corner.y + cell * tile_queries / 2}, "skipped", "c");
      continue;
    }
    svg.heat(corner, cell, e.tile_queries, e.tile_keys, key->scores->values, scale);
    svg.box(corner, cell * tile_keys, cell * tile_queries,
            fmt::format("class='tile' data-tile='{} ({})'", key->keys.load->tensor,
                        fmt::join(key->keys.load->at, ", ")));
    svg.text({middle, corner.y - 3}, key->masked ? "masked" : "whole", "c");
  }
}

/// One line a query: maximum, shrink and sum after each tile of keys.
void running_softmax(TileSvg& svg, Place at, const AttentionWalk& walk, const Extents& e) {
  for (std::size_t s = 0; s < walk.keys.size(); ++s) {
    const double x = at.x + 52 + 3 * kColumn * static_cast<double>(s);
    svg.text({x + 1.5 * kColumn, at.y - 16}, fmt::format("after keys {}", walk.keys[s].keys.load->at[0]),
             "c");
    svg.text({x + kColumn - 4, at.y - 3}, "m", "n");
    svg.text({x + 2 * kColumn - 4, at.y - 3}, "shrink", "n");
    svg.text({x + 3 * kColumn - 4, at.y - 3}, "l", "n");
  }
  for (std::size_t r = 0; r < e.tile_queries; ++r) {
    const double y = at.y + kRow * (static_cast<double>(r) + 0.8);
    const bool exists = e.first + static_cast<std::int64_t>(r) < e.queries;
    svg.text({at.x + 40, y},
             exists ? fmt::format("query {}", e.first + static_cast<std::int64_t>(r)) : "padding", "n");
    for (std::size_t s = 0; s < walk.keys.size(); ++s) {
      const double x = at.x + 52 + 3 * kColumn * static_cast<double>(s) - 4;
      const KeyStep& key = walk.keys[s];
      svg.text({x + kColumn, y}, short_number(key.largest->values.at(r)), "n");
      svg.text({x + 2 * kColumn, y}, short_number(key.shrink->values.at(r)), "n");
      svg.text({x + 3 * kColumn, y}, short_number(key.sum->values.at(r)), "n");
    }
  }
}

/// The weighted sum of values after each tile of keys, and what is stored in the end.
void sums_of_values(TileSvg& svg, Place at, const AttentionWalk& walk) {
  constexpr double cell = 6;
  double scale = 0.0;
  for (const KeyStep& key : walk.keys) scale = largest_magnitude(key.out->values, scale);
  const auto map = [&](std::size_t i, const BlockStep& step, const std::string& words, double of) {
    const std::size_t rows = step.shape[0], columns = step.shape[1];
    const double x = at.x + static_cast<double>(i) * (cell * static_cast<double>(columns) + 60);
    svg.text({x, at.y - 5}, words, "s");
    svg.heat({x, at.y}, cell, rows, columns, step.values, of);
    svg.box({x, at.y}, cell * static_cast<double>(columns), cell * static_cast<double>(rows), "class='edge'");
  };
  for (std::size_t i = 0; i < walk.keys.size(); ++i)
    map(i, *walk.keys[i].out, fmt::format("sum of p v after keys {}", walk.keys[i].keys.load->at[0]), scale);
  map(walk.keys.size(), *walk.stored_out, "stored: divided by l", largest_magnitude(walk.stored_out->values));
}

}  // namespace

std::string attention_picture(const LoggedBlock& logged) {
  const AttentionWalk walk = attention_of(logged.steps);
  const Extents e = extents_of(walk);
  double scale = 0.0;
  for (const KeyStep& key : walk.keys) scale = largest_magnitude(key.scores->values, scale);
  const double cell = std::max(1.0, std::floor(300.0 / static_cast<double>(std::max(e.queries, e.keys))));
  const double matrix_width = cell * static_cast<double>(e.keys + static_cast<std::int64_t>(e.tile_keys));
  const double table_width = 60 + 3 * kColumn * static_cast<double>(walk.keys.size());
  const double middle =
      84 +
      std::max(cell * static_cast<double>(e.queries + static_cast<std::int64_t>(e.tile_queries)),
               kRow * static_cast<double>(e.tile_queries) + 20) +
      20;
  const double out_height = 6.0 * static_cast<double>(walk.keys[0].out->shape[0]);
  TileSvg svg(
      std::max(24 + matrix_width + table_width,
               24 + static_cast<double>(walk.keys.size() + 1) *
                        (6.0 * static_cast<double>(walk.keys[0].out->shape[1]) + 60)),
      middle + out_height + 12,
      fmt::format("{}, block ({}, {}, {}): queries {} to {} of {}", logged.kernel, logged.block.x,
                  logged.block.y, logged.block.z, e.first,
                  std::min(e.first + static_cast<std::int64_t>(e.tile_queries), e.queries) - 1, e.queries));
  svg.text(
      {12, 40},
      fmt::format("the scores q k^T that the block makes, blue to red: -{0} to {0}; grey: masked, a key that "
                  "the query does not see",
                  short_number(scale)),
      "s");
  svg.text({12, 53},
           "m: the largest score so far, times log2(e)/sqrt(D). l: the sum so far of 2^(score - m). shrink: "
           "2^(m before - m), by which l and the sum of p v are multiplied",
           "s");
  score_matrix(svg, {12, 84}, cell, walk, e, scale);
  running_softmax(svg, {12 + matrix_width, 84}, walk, e);
  sums_of_values(svg, {12, middle}, walk);
  return svg.finish();
}

}  // namespace ladder
