// Which two tokens merge, into what and how early: the table that BPE asks for every pair, and the merging of one piece.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "shared/data/bpe_vocabulary.hpp"

namespace ladder {

/// A hash table with open addresses, at most half full: one probe answers most questions.
class MergeTable {
 public:
  static constexpr std::uint32_t kNoRank = std::numeric_limits<std::uint32_t>::max();
  struct Found {
    std::uint32_t rank;  ///< the smaller, the earlier; kNoRank: the two do not merge
    std::int32_t whole;
  };

  /// The vocabulary is as parse_bpe_vocabulary makes it: all bytes are tokens.
  explicit MergeTable(const BpeVocabulary& vocabulary);

  std::int32_t token_of(char byte) const { return byte_tokens_[static_cast<unsigned char>(byte)]; }
  Found find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = key_of(left, right);
    std::size_t at = slot_of(key);
    while (slots_[at].key != key && slots_[at].found.rank != kNoRank) at = (at + 1) & mask_;
    return slots_[at].key == key ? slots_[at].found : Found{kNoRank, 0};
  }

  /// The tokens of one piece, behind those that `tokens` has: of all pairs the one of the lowest rank is merged, of
  /// equals the first, until no pair has one. The time grows as n log n with the piece.
  void append_tokens(std::string_view piece, std::vector<std::int32_t>& tokens) const;

 private:
  struct Slot {
    std::uint64_t key;
    Found found;  ///< rank kNoRank: the slot is free
  };

  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) | static_cast<std::uint32_t>(right);
  }
  std::size_t slot_of(std::uint64_t key) const { return (key * 0x9E3779B97F4A7C15u) >> shift_; }
  void append_short(std::string_view piece, std::vector<std::int32_t>& tokens) const;
  void append_long(std::string_view piece, std::vector<std::int32_t>& tokens) const;

  std::array<std::int32_t, 256> byte_tokens_{};
  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  int shift_ = 0;
};

}  // namespace ladder
