#include "shared/data/merge_table.hpp"

#include <bit>
#include <functional>
#include <queue>

#include "shared/base/error.hpp"

namespace ladder {
namespace {

constexpr std::size_t kShort = 64;  // up to here looking at every pair costs less than keeping them in order

}  // namespace

MergeTable::MergeTable(const BpeVocabulary& vocabulary) {
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i)
    if (const std::string& token = vocabulary.tokens[i]; token.size() == 1)
      byte_tokens_[static_cast<unsigned char>(token[0])] = static_cast<std::int32_t>(i);
  const std::size_t size = std::bit_ceil(2 * vocabulary.merges.size() + 2);
  slots_.assign(size, {~std::uint64_t{0}, {kNoRank, 0}});  // no pair has this key: numbers are not negative
  mask_ = size - 1;
  shift_ = 64 - std::countr_zero(size);
  std::uint32_t rank = 0;
  for (const BpeVocabulary::Merge& merge : vocabulary.merges) {
    const std::uint64_t key = key_of(merge.left, merge.right);
    std::size_t at = slot_of(key);
    while (slots_[at].found.rank != kNoRank) at = (at + 1) & mask_;
    slots_[at] = {key, {rank++, merge.whole}};
  }
}

void MergeTable::append_tokens(std::string_view piece, std::vector<std::int32_t>& tokens) const {
  if (piece.size() <= kShort)
    append_short(piece, tokens);
  else
    append_long(piece, tokens);
}

void MergeTable::append_short(std::string_view piece, std::vector<std::int32_t>& tokens) const {
  std::array<std::int32_t, kShort> parts;
  std::array<Found, kShort> pairs;  // of each part and the one behind it
  std::size_t count = piece.size();
  for (std::size_t i = 0; i < count; ++i) parts[i] = token_of(piece[i]);
  const auto pair_at = [&](std::size_t i) {
    return i + 1 < count ? find(parts[i], parts[i + 1]) : Found{kNoRank, 0};
  };
  for (std::size_t i = 0; i < count; ++i) pairs[i] = pair_at(i);
  for (;;) {
    std::size_t first = 0;
    for (std::size_t i = 1; i < count; ++i)
      if (pairs[i].rank < pairs[first].rank) first = i;
    if (count == 0 || pairs[first].rank == kNoRank) break;
    parts[first] = pairs[first].whole;
    --count;
    for (std::size_t i = first + 1; i < count; ++i) parts[i] = parts[i + 1], pairs[i] = pairs[i + 1];
    pairs[first] = pair_at(first);
    if (first > 0) pairs[first - 1] = pair_at(first - 1);
  }
  tokens.insert(tokens.end(), parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(count));
}

/// The parts are a list through indices, the pairs a heap by rank and then place. A pair that a merge beside it ended
/// stays in the heap and is passed over when it comes up.
void MergeTable::append_long(std::string_view piece, std::vector<std::int32_t>& tokens) const {
  constexpr auto kEnd = std::numeric_limits<std::uint32_t>::max();
  require(piece.size() < kEnd, "a piece of {} bytes without a break is too long for the tokenizer",
          piece.size());
  struct Part {
    std::int32_t token;
    std::uint32_t before, behind, rank;  ///< rank: of the pair with the part behind it
    std::int32_t whole;
  };
  const auto count = static_cast<std::uint32_t>(piece.size());
  std::vector<Part> parts(count);
  std::vector<std::uint64_t> entries;
  entries.reserve(count);
  const auto look = [&](std::uint32_t i) {
    Part& part = parts[i];
    const Found found = part.behind == kEnd ? Found{kNoRank, 0} : find(part.token, parts[part.behind].token);
    part.rank = found.rank, part.whole = found.whole;
    return found.rank != kNoRank;
  };
  const auto entry_of = [&](std::uint32_t i) { return (std::uint64_t{parts[i].rank} << 32) | i; };
  for (std::uint32_t i = 0; i < count; ++i)
    parts[i] = {token_of(piece[i]), i == 0 ? kEnd : i - 1, i + 1 < count ? i + 1 : kEnd, kNoRank, 0};
  for (std::uint32_t i = 0; i < count; ++i)
    if (look(i)) entries.push_back(entry_of(i));
  std::priority_queue heap(std::greater<>(), std::move(entries));
  while (!heap.empty()) {
    const std::uint64_t entry = heap.top();
    heap.pop();
    const auto i = static_cast<std::uint32_t>(entry);
    Part& part = parts[i];
    if (part.rank != entry >> 32) continue;
    Part& gone = parts[part.behind];
    part.token = part.whole;
    part.behind = gone.behind;
    gone.rank = kNoRank;
    if (part.behind != kEnd) parts[part.behind].before = i;
    if (look(i)) heap.push(entry_of(i));
    if (part.before != kEnd && look(part.before)) heap.push(entry_of(part.before));
  }
  for (std::uint32_t i = 0; i != kEnd; i = parts[i].behind) tokens.push_back(parts[i].token);
}

}  // namespace ladder
