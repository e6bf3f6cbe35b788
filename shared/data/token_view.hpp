// Tokens in memory: a view that does not own them, and the owner for those that were made here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "shared/base/hash.hpp"
#include "shared/model/batch.hpp"

namespace ladder {

/// A run of tokens stored elsewhere, in two bytes each or in four; read as int32 either way. The owner must outlive it.
class TokenView {
 public:
  TokenView() = default;
  TokenView(std::span<const std::uint16_t> tokens) : tokens_(tokens) {}
  TokenView(std::span<const std::int32_t> tokens) : tokens_(tokens) {}

  std::size_t size() const {
    return std::visit([](auto tokens) { return tokens.size(); }, tokens_);
  }
  bool empty() const { return size() == 0; }
  std::int32_t operator[](std::size_t i) const {
    return std::visit([i](auto tokens) { return static_cast<std::int32_t>(tokens[i]); }, tokens_);
  }
  /// The `count` tokens from `begin` on; begin + count <= size().
  TokenView part(std::size_t begin, std::size_t count) const {
    return std::visit([&](auto tokens) { return TokenView(tokens.subspan(begin, count)); }, tokens_);
  }
  std::vector<std::int32_t> copy() const {
    return std::visit([](auto tokens) { return std::vector<std::int32_t>(tokens.begin(), tokens.end()); },
                      tokens_);
  }
  /// `length` tokens from `begin` on and the ones that follow each; begin + length < size().
  Sequence sequence(std::size_t begin, std::size_t length) const {
    return {part(begin, length).copy(), part(begin + 1, length).copy()};
  }
  /// Calls body(token) for all of them in order.
  template <class Body>
  void for_each(Body&& body) const {
    std::visit(
        [&](auto tokens) {
          for (const auto token : tokens) body(static_cast<std::int32_t>(token));
        },
        tokens_);
  }
  /// Adds every token as eight bytes; how they are stored does not matter.
  void add_to(Hash64& hash) const {
    std::visit(
        [&](auto tokens) {
          for (const auto token : tokens) {
            if constexpr (sizeof token == 2)
              hash.add_short(token);
            else
              hash.add(static_cast<std::uint64_t>(token));
          }
        },
        tokens_);
  }

 private:
  std::variant<std::span<const std::uint16_t>, std::span<const std::int32_t>> tokens_;
};

/// Tokens of a vocabulary, in two bytes each where all of its numbers fit into them.
class OwnedTokens {
 public:
  explicit OwnedTokens(int vocab_size) : wide_(vocab_size > 0x10000) {}

  /// Each must be from 0 to vocab_size - 1.
  void append(std::span<const std::int32_t> tokens) {
    if (wide_) {
      in_four_bytes_.insert(in_four_bytes_.end(), tokens.begin(), tokens.end());
    } else {
      for (const std::int32_t token : tokens) in_two_bytes_.push_back(static_cast<std::uint16_t>(token));
    }
  }
  void append(std::int32_t token) { append({&token, 1}); }
  std::size_t size() const { return wide_ ? in_four_bytes_.size() : in_two_bytes_.size(); }
  std::size_t bytes() const { return size() * (wide_ ? sizeof(std::int32_t) : sizeof(std::uint16_t)); }
  /// Until the next append().
  TokenView view() const { return wide_ ? TokenView(in_four_bytes_) : TokenView(in_two_bytes_); }

 private:
  bool wide_;
  std::vector<std::uint16_t> in_two_bytes_;
  std::vector<std::int32_t> in_four_bytes_;
};

}  // namespace ladder
