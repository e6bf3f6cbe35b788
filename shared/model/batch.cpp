#include "shared/model/batch.hpp"

#include <algorithm>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

/// Rows by token, as a counting sort has them: in two walks, however many there are.
std::vector<std::int32_t> rows_by_token(std::span<const std::int32_t> tokens_n) {
  const std::int32_t most = tokens_n.empty() ? -1 : std::ranges::max(tokens_n);
  // padding, which is -1, counts as the token behind the last
  const auto bucket = [most](std::int32_t token) {
    return static_cast<std::size_t>(token < 0 ? most + 1 : token);
  };
  std::vector<std::int32_t> next(static_cast<std::size_t>(most) + 3, 0);
  for (const std::int32_t token : tokens_n) ++next[bucket(token) + 1];
  for (std::size_t v = 1; v < next.size(); ++v) next[v] += next[v - 1];
  std::vector<std::int32_t> order(tokens_n.size());
  for (std::size_t n = 0; n < tokens_n.size(); ++n)
    order[static_cast<std::size_t>(next[bucket(tokens_n[n])]++)] = static_cast<std::int32_t>(n);
  return order;
}

}  // namespace

bool Batch::full() const {
  return rows() == batch() * max_length &&
         std::ranges::all_of(lengths_b, [&](int n) { return n == max_length; });
}

Batch make_batch(std::span<const Sequence> sequences, Layout layout, int block_size) {
  Batch batch;
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    const auto& [tokens, targets] = sequences[b];
    const int length = static_cast<int>(tokens.size());
    require(tokens.size() == targets.size(), "sequence {} has {} tokens but {} targets", b, tokens.size(),
            targets.size());
    require(length <= block_size, "sequence {} has {} tokens: the block size is {}", b, length, block_size);
    batch.starts_b.push_back(batch.rows());
    batch.lengths_b.push_back(length);
    batch.max_length = std::max(batch.max_length, length);
    batch.tokens_n.insert(batch.tokens_n.end(), tokens.begin(), tokens.end());
    batch.targets_n.insert(batch.targets_n.end(), targets.begin(), targets.end());
    batch.sequence_n.insert(batch.sequence_n.end(), tokens.size(), static_cast<std::int32_t>(b));
    const std::size_t padding = layout == Layout::padded ? static_cast<std::size_t>(block_size - length) : 0;
    for (auto* rows : {&batch.tokens_n, &batch.targets_n, &batch.sequence_n})
      rows->insert(rows->end(), padding, -1);
  }
  batch.order_n = rows_by_token(batch.tokens_n);
  return batch;
}

}  // namespace ladder
