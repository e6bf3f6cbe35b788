// Tiles from written-out numbers and back, for tests on the CPU model.
#pragma once

#include <catch2/catch.hpp>

#include <initializer_list>
#include <vector>

#include "shared/tile/launch.hpp"

namespace ladder::tile_test {

namespace ct = cuda::tiles;

/// The tile of shape Extents whose elements are `numbers`, in row-major order.
template <class E, std::size_t... Extents>
ct::tile<E, ct::shape<Extents...>> tile_of(const std::vector<double>& numbers) {
  ct::tile<E, ct::shape<Extents...>> result;
  REQUIRE(numbers.size() == (Extents * ... * 1U));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    result.model_values()[i] = ct::detail::convert<E>(numbers[i]);
  return result;
}

/// Elements of a tile, or the one value of a scalar, as numbers.
template <class T>
std::vector<double> numbers_of(const T& t) {
  std::vector<double> result;
  for (std::size_t i = 0; i < ct::tile_size_v<T>; ++i)
    result.push_back(ct::detail::convert<double>(ct::detail::values_of(t)[i]));
  return result;
}

/// T is a tile of Element with these extents, holding `expected`.
template <class Element, std::size_t... Extents, class T>
void expect(const T& t, const std::vector<double>& expected) {
  static_assert(std::is_same_v<T, ct::tile<Element, ct::shape<Extents...>>>);
  CHECK(numbers_of(t) == expected);
}

}  // namespace ladder::tile_test
