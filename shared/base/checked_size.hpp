// Sizes of memory, computed so that a product too large for a std::size_t is an error and not a small number.
//
// A wrapped product asks for a few bytes and is written to as if it were gigabytes. So whatever is asked for
// is multiplied and added up here, before any of it is taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "shared/base/error.hpp"

namespace ladder {

/// Nothing larger can be addressed: no object may have more bytes than a pointer difference can count. A size
/// within it may be rounded up to any alignment without wrapping.
inline constexpr std::size_t kLargestSize = static_cast<std::size_t>(PTRDIFF_MAX);

namespace detail {

/// The error of both: the terms with their sign between them.
[[noreturn]] inline void too_large(std::string_view what, std::initializer_list<std::size_t> numbers,
                                   const char* sign) {
  std::string terms;
  for (const std::size_t number : numbers) terms += fmt::format("{}{}", terms.empty() ? "" : sign, number);
  throw MachineError(fmt::format("out of memory: {} would be larger than can be addressed: {}", what, terms));
}

}  // namespace detail

/// The product of `factors`; 1 of none. Throws MachineError "out of memory: WHAT would be larger than can be
/// addressed: A x B" when it is above kLargestSize.
inline std::size_t checked_product(std::initializer_list<std::size_t> factors, std::string_view what) {
  std::size_t product = 1;
  bool fits = true;
  for (const std::size_t factor : factors) {
    if (factor == 0) return 0;
    fits = fits && factor <= kLargestSize / product;
    if (fits) product *= factor;
  }
  if (!fits) detail::too_large(what, factors, " x ");
  return product;
}

/// The sum of `terms`; the same error.
inline std::size_t checked_sum(std::initializer_list<std::size_t> terms, std::string_view what) {
  std::size_t sum = 0;
  for (const std::size_t term : terms) {
    if (term > kLargestSize - sum) detail::too_large(what, terms, " + ");
    sum += term;
  }
  return sum;
}

/// `bytes` up to the next multiple of `alignment` (1 or more); the same error.
inline std::size_t checked_round_up(std::size_t bytes, std::size_t alignment, std::string_view what) {
  return checked_sum({bytes, alignment - 1}, what) / alignment * alignment;
}

}  // namespace ladder
