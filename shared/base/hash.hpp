// Hashes of 64 bits: FNV-1a tells two token streams (or two source trees) apart, a faster one whole files; not for secrets.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "shared/base/error.hpp"

namespace ladder {

class Hash64 {
 public:
  /// Adds eight bytes, least significant first, so that the result does not depend on the machine.
  void add(std::uint64_t word) {
    for (int shift = 0; shift < 64; shift += 8) add_byte(static_cast<unsigned char>(word >> shift));
  }
  /// The same as add() of a word with these sixteen bits, in two multiplications instead of eight: a byte of 0 only
  /// multiplies, and the factors of six of them are one number. For files of billions of tokens.
  void add_short(std::uint16_t word) {
    add_byte(static_cast<unsigned char>(word));
    value_ = (value_ ^ (word >> 8)) * kPrimeToThe7th;
  }
  void add(std::string_view bytes) {
    for (char byte : bytes) add_byte(static_cast<unsigned char>(byte));
  }
  std::uint64_t value() const { return value_; }

 private:
  static constexpr std::uint64_t kPrime = 0x100000001B3u;
  static constexpr std::uint64_t kPrimeToThe7th =
      kPrime * kPrime * kPrime * kPrime * kPrime * kPrime * kPrime;

  void add_byte(unsigned char byte) { value_ = (value_ ^ byte) * kPrime; }

  std::uint64_t value_ = 0xCBF29CE484222325u;
};

/// A checksum of bytes, eight at a time, for files of gigabytes. Every step can be undone, so that a change within one word
/// is always seen, and others but for one in 2^64.
class Checksum64 {
 public:
  void add(std::span<const std::byte> bytes) {
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) add_word(bytes.subspan(at, 8));
    add_word(bytes.subspan(at));
    step(bytes.size());
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  std::uint64_t value() const { return value_; }

 private:
  void add_word(std::span<const std::byte> bytes) {
    std::uint64_t word = 0;
    if (!bytes.empty()) std::memcpy(&word, bytes.data(), bytes.size());  // data() of nothing may be null
    step(word);
  }
  void step(std::uint64_t word) { value_ = std::rotl(value_ ^ word, 29) * 0x9E3779B97F4A7C15u; }

  std::uint64_t value_ = 0xCBF29CE484222325u;
};

/// Sixteen hexadecimal digits.
inline std::string hex64(std::uint64_t value) { return fmt::format("{:016x}", value); }

}  // namespace ladder
