// FNV-1a, 64 bits: tells two token streams (or two source trees) apart; not for secrets.
#pragma once

#include <cstdint>
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
  void add(std::string_view bytes) {
    for (char byte : bytes) add_byte(static_cast<unsigned char>(byte));
  }
  std::uint64_t value() const { return value_; }

 private:
  void add_byte(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001B3u; }

  std::uint64_t value_ = 0xCBF29CE484222325u;
};

/// Sixteen hexadecimal digits.
inline std::string hex64(std::uint64_t value) { return fmt::format("{:016x}", value); }

}  // namespace ladder
