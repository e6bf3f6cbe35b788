#include "shared/data/bpe.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "shared/base/error.hpp"
#include "shared/data/gpt2_pattern.hpp"

namespace ladder {
namespace {

/// The tokens of the pieces that came before: a text repeats its words. Grows to kMost pieces and then begins anew, so
/// that it never needs more than some megabytes.
class PieceCache {
 public:
  explicit PieceCache(const MergeTable& table) : table_(table), slots_(256, 0) {}

  void append_tokens(std::string_view piece, std::vector<std::int32_t>& tokens) {
    if (piece.size() == 1) return tokens.push_back(table_.token_of(piece[0]));
    if (piece.size() > kLongest) return table_.append_tokens(piece, tokens);
    const std::size_t hash = std::hash<std::string_view>()(piece);
    std::size_t at = hash & (slots_.size() - 1);
    for (; slots_[at] != 0; at = (at + 1) & (slots_.size() - 1)) {
      const Entry& entry = entries_[slots_[at] - 1];
      if (entry.hash != hash || std::string_view(bytes_).substr(entry.bytes, entry.size) != piece) continue;
      const auto begin = tokens_.begin() + entry.tokens;
      tokens.insert(tokens.end(), begin, begin + entry.count);
      return;
    }
    const std::size_t before = tokens.size();
    table_.append_tokens(piece, tokens);
    add(at, hash, piece, std::span(tokens).subspan(before));
  }

 private:
  static constexpr std::size_t kLongest = 48, kMost = 1 << 16;
  struct Entry {
    std::size_t hash;
    std::uint32_t bytes, tokens;  ///< where they begin in bytes_ and tokens_
    std::uint16_t size, count;
  };

  void add(std::size_t at, std::size_t hash, std::string_view piece, std::span<const std::int32_t> tokens) {
    entries_.push_back({hash, static_cast<std::uint32_t>(bytes_.size()),
                        static_cast<std::uint32_t>(tokens_.size()), static_cast<std::uint16_t>(piece.size()),
                        static_cast<std::uint16_t>(tokens.size())});
    bytes_ += piece;
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    slots_[at] = static_cast<std::uint32_t>(entries_.size());
    if (entries_.size() == kMost) {
      entries_.clear(), bytes_.clear(), tokens_.clear();
      std::fill(slots_.begin(), slots_.end(), 0);
    } else if (2 * entries_.size() > slots_.size()) {
      grow();
    }
  }

  void grow() {
    slots_.assign(4 * slots_.size(), 0);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      std::size_t at = entries_[i].hash & (slots_.size() - 1);
      while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = static_cast<std::uint32_t>(i + 1);
    }
  }

  const MergeTable& table_;
  std::vector<std::uint32_t>
      slots_;  ///< the number of an entry, counted from 1; 0: free. A power of two of them
  std::vector<Entry> entries_;
  std::string bytes_;
  std::vector<std::int32_t> tokens_;
};

}  // namespace

BpeTokenizer::BpeTokenizer(BpeVocabulary vocabulary)
    : vocabulary_(std::move(vocabulary)), table_(vocabulary_) {
  const auto& tokens = vocabulary_.tokens;
  const auto found = std::find(tokens.begin(), tokens.end(), kEndOfText);
  if (found != tokens.end()) end_of_text_ = static_cast<std::int32_t>(found - tokens.begin());
  start_token_ = end_of_text_ >= 0 ? end_of_text_ : table_.token_of('\n');
}

std::vector<std::int32_t> BpeTokenizer::encode(std::u32string_view text) const {
  return encode_bytes(encode_utf8(text));
}

std::vector<std::int32_t> BpeTokenizer::encode_bytes(std::string_view bytes) const {
  std::vector<std::int32_t> all;
  encode_bytes(bytes, [&](std::span<const std::int32_t> tokens) {
    all.insert(all.end(), tokens.begin(), tokens.end());
  });
  return all;
}

void BpeTokenizer::encode_bytes(std::string_view bytes,
                                const std::function<void(std::span<const std::int32_t>)>& take) const {
  constexpr std::size_t kAtOnce = 1 << 14;
  PieceCache cache(table_);
  Gpt2Pattern pattern;
  std::vector<std::int32_t> tokens;
  pattern.for_each_piece(bytes, [&](std::string_view piece) {
    cache.append_tokens(piece, tokens);
    if (tokens.size() < kAtOnce) return;
    take(tokens);
    tokens.clear();
  });
  if (!tokens.empty()) take(tokens);
}

std::string BpeTokenizer::decode(std::span<const std::int32_t> tokens) const {
  std::string bytes;
  for (const std::int32_t token : tokens) {
    require_token(token);
    bytes += vocabulary_.tokens[static_cast<std::size_t>(token)];
  }
  return bytes;
}

}  // namespace ladder
