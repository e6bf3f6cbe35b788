// Making tiles and moving their elements about: full, zeros, iota, reshape, broadcast, permute, cat, extract;
// and reductions along one dimension.
#pragma once

#include "shared/base/error.hpp"
#include "shared/tile/elementwise.hpp"

namespace cuda::tiles {
inline namespace on_cpu {

template <tile_like T>
T full(tile_element_t<T> value) {
  return detail::map<T>(
      "full", [](auto x) { return x; }, value);
}
template <numeric_tile T>
T zeros() {
  return detail::map<T>(
      "zeros", [](auto x) { return x; }, detail::convert<tile_element_t<T>>(0));
}
template <numeric_tile T>
T ones() {
  return detail::map<T>(
      "ones", [](auto x) { return x; }, detail::convert<tile_element_t<T>>(1));
}

/// 0, 1, 2, ... in row-major order, as integers.
template <integral_tile T>
T iota() {
  T result = detail::unfilled<T>();
  for (std::size_t i = 0; i < tile_size_v<T>; ++i)
    detail::values_of(result)[i] = static_cast<tile_element_t<T>>(i);
  detail::traced("iota", result, nullptr);
  return result;
}

/// The same elements in the same row-major order, under another shape of the same size.
template <tile_shape Shape, tile_like T>
requires(tile_size_v<T> == shape_size_v<Shape>) tile<tile_element_t<T>, Shape> reshape(T a, Shape = {}) {
  tile<tile_element_t<T>, Shape> result{detail::Unfilled{}};
  for (std::size_t i = 0; i < tile_size_v<T>; ++i) result.model_values()[i] = detail::values_of(a)[i];
  detail::traced("reshape", result, nullptr, a);
  return result;
}

/// Repeated along dimensions of extent 1 and along new leading ones.
template <tile_shape Shape, tile_like T>
requires broadcastable_to<T, Shape> tile<tile_element_t<T>, Shape> broadcast(T a, Shape = {}) {
  return detail::map<tile<tile_element_t<T>, Shape>>(
      "broadcast", [](auto x) { return x; }, a);
}

// ---- permutation -----------------------------------------------------------------------------------------------

/// Dimension i of the result is dimension mapping(i) of the operand: dimension_map<1, 0> transposes.
template <std::size_t... Map>
struct dimension_map {
  constexpr dimension_map() noexcept = default;
  template <class... T>
  requires(sizeof...(T) > 0) constexpr explicit dimension_map(T...) noexcept {}
  static constexpr std::size_t rank() noexcept { return sizeof...(Map); }
  static constexpr std::size_t mapping(std::size_t i) noexcept {
    return std::array<std::size_t, sizeof...(Map)>{Map...}[i];
  }
};
template <auto... V>
dimension_map(integral_constant<V>...) -> dimension_map<static_cast<std::size_t>(V)...>;

namespace detail {

template <class S, class Map, std::size_t... I>
constexpr auto permuted_shape(std::index_sequence<I...>) {
  return shape<S::static_extent(Map::mapping(I))...>{};
}

/// out = a with dimensions permuted: walks the result in order and gathers.
template <class S, class R, class Map, class E>
void permute_elements(E* __restrict__ out, const E* __restrict__ in) {
  if constexpr (R::rank() == 2) {
    constexpr std::size_t rows = R::static_extent(0), columns = R::static_extent(1);
    constexpr std::size_t row_step = dense_stride<S>(Map::mapping(0)),
                          column_step = dense_stride<S>(Map::mapping(1));
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j) out[i * columns + j] = in[i * row_step + j * column_step];
  } else {
    for (std::size_t flat = 0; flat < shape_size_v<R>; ++flat) {
      std::size_t rest = flat, offset = 0;
      for (std::size_t d = R::rank(); d-- > 0;) {
        offset += rest % R::static_extent(d) * dense_stride<S>(Map::mapping(d));
        rest /= R::static_extent(d);
      }
      out[flat] = in[offset];
    }
  }
}

template <class Map, class T>
auto permuted(const char* name, const T& a) {
  using R = decltype(permuted_shape<tile_shape_t<T>, Map>(std::make_index_sequence<Map::rank()>{}));
  tile<tile_element_t<T>, R> result{Unfilled{}};
  permute_elements<tile_shape_t<T>, R, Map>(result.model_values(), values_of(a));
  traced(name, result, nullptr, a);
  return result;
}

template <std::size_t... I>
constexpr auto swap_first_two(std::index_sequence<I...>) {
  return dimension_map<(I < 2 ? 1 - I : I)...>{};
}

}  // namespace detail

template <class Map, tile_like T>
requires(Map::rank() == tile_rank_v<T> && tile_rank_v<T> > 0) auto permute(T a, Map = {}) {
  return detail::permuted<Map>("permute", a);
}

/// Swaps the first two dimensions; a tile of lower rank stays as it is.
template <tile_like T>
auto transpose(T a) {
  if constexpr (tile_rank_v<T> < 2)
    return a;
  else
    return detail::permuted<decltype(detail::swap_first_two(std::make_index_sequence<tile_rank_v<T>>{}))>(
        "transpose", a);
}

// ---- cutting and joining ---------------------------------------------------------------------------------------

namespace detail {

/// Calls f(offset in the large tile, offset in the small one) for each element of the small tile placed at `corner`.
template <class Large, class Small, class F>
void for_each_in_part(const std::array<std::size_t, Large::rank()>& corner, F f) {
  for (std::size_t flat = 0; flat < shape_size_v<Small>; ++flat) {
    std::size_t rest = flat, offset = 0;
    for (std::size_t d = Large::rank(); d-- > 0;) {
      offset += (corner[d] + rest % Small::static_extent(d)) * dense_stride<Large>(d);
      rest /= Small::static_extent(d);
    }
    f(offset, flat);
  }
}

/// Element where part `index` begins. Throws InputError when there is no such part.
template <class Large, class Small, class... Index>
std::array<std::size_t, Large::rank()> corner_of(Index... index) {
  std::array<std::size_t, Large::rank()> corner{static_cast<std::size_t>(index)...};
  for (std::size_t d = 0; d < Large::rank(); ++d) {
    corner[d] *= Small::static_extent(d);
    ladder::require(corner[d] < Large::static_extent(d),
                    "kernel {}: part {} along dimension {} of a tile that has {}",
                    ladder::tile::this_block.kernel, corner[d] / Small::static_extent(d), d,
                    Large::static_extent(d) / Small::static_extent(d));
  }
  return corner;
}

template <class A, class B, std::size_t Dim, std::size_t... I>
constexpr auto joined_shape(std::index_sequence<I...>) {
  return shape<(I == Dim ? A::static_extent(I) + B::static_extent(I) : A::static_extent(I))...>{};
}

}  // namespace detail

/// The part of shape Shape at `index`, counted in parts: extract(t, shape<4, 8>{}, 1, 0) begins at element (4, 0).
template <tile_shape Shape, tile_like T, class... Index>
requires(sizeof...(Index) == Shape::rank() &&
         Shape::rank() == tile_rank_v<T>) tile<tile_element_t<T>, Shape> extract(T a, Shape, Index... index) {
  tile<tile_element_t<T>, Shape> result{detail::Unfilled{}};
  const auto corner = detail::corner_of<tile_shape_t<T>, Shape>(index...);
  detail::for_each_in_part<tile_shape_t<T>, Shape>(
      corner, [&](std::size_t from, std::size_t to) { result.model_values()[to] = a.model_values()[from]; });
  detail::traced("extract", result, nullptr, a);
  return result;
}

/// Two tiles of one type, one after the other along dimension Dim.
template <integral auto Dim, tile_like T>
auto cat(T a, T b, integral_constant<Dim> = {}) {
  using S = tile_shape_t<T>;
  using R = decltype(detail::joined_shape<S, S, Dim>(std::make_index_sequence<S::rank()>{}));
  tile<tile_element_t<T>, R> result{detail::Unfilled{}};
  std::array<std::size_t, S::rank()> corner{};
  detail::for_each_in_part<R, S>(
      corner, [&](std::size_t to, std::size_t from) { result.model_values()[to] = a.model_values()[from]; });
  corner[Dim] = S::static_extent(Dim);
  detail::for_each_in_part<R, S>(
      corner, [&](std::size_t to, std::size_t from) { result.model_values()[to] = b.model_values()[from]; });
  detail::traced("cat", result, nullptr, a, b);
  return result;
}

// ---- reductions ------------------------------------------------------------------------------------------------

namespace detail {

template <class S, std::size_t Dim, std::size_t... I>
constexpr auto reduced_shape(std::index_sequence<I...>) {
  return shape<(I == Dim ? 1 : S::static_extent(I))...>{};
}
template <class T, std::size_t Dim>
using reduced_shape_t =
    decltype(reduced_shape<tile_shape_t<T>, Dim>(std::make_index_sequence<tile_rank_v<T>>{}));

/// Folds `length` slices of `inner` elements into the first: halves are added until one is left, so that the rounding
/// error grows with log2(length), as it does where the lanes of a warp add in pairs.
template <class C, class F>
void fold_halves(C* values, std::size_t length, std::size_t inner, F f) {
  for (std::size_t half = length / 2; half > 0; half /= 2) {
    C* __restrict__ low = values;
    const C* __restrict__ high = values + half * inner;
    for (std::size_t i = 0; i < half * inner; ++i) low[i] = f(low[i], high[i]);
  }
}

/// The reduction `name` of `a` along dimension Dim, which stays with extent 1. Compute is the type it is done in.
template <std::size_t Dim, class Element, class Compute, class T, class F>
tile<Element, reduced_shape_t<T, Dim>> reduce(const char* name, const T& a, F f) {
  using S = tile_shape_t<T>;
  constexpr std::size_t length = S::static_extent(Dim), inner = dense_stride<S>(Dim);
  tile<Element, reduced_shape_t<T, Dim>> result{Unfilled{}};
  Compute scratch[length * inner];
  for (std::size_t outer = 0; outer < shape_size_v<S> / (length * inner); ++outer) {
    for (std::size_t i = 0; i < length * inner; ++i)
      scratch[i] = convert<Compute>(a.model_values()[outer * length * inner + i]);
    fold_halves(scratch, length, inner, f);
    for (std::size_t i = 0; i < inner; ++i)
      result.model_values()[outer * inner + i] = convert<Element>(scratch[i]);
  }
  traced(name, result, nullptr, a);
  return result;
}

template <auto Dim, class T>
concept Dimension = tile_like<T> && Dim >= 0 && static_cast<std::size_t>(Dim) < tile_rank_v<T>;

}  // namespace detail

#define LADDER_TILE_REDUCTION(name, expression)                                    \
  template <integral auto Dim, arithmetic_tile T>                                  \
  requires detail::Dimension<Dim, T>                                               \
  auto name(T a, integral_constant<Dim> = {}) {                                    \
    using E = tile_element_t<T>;                                                   \
    return detail::reduce<static_cast<std::size_t>(Dim), E, detail::compute_t<E>>( \
        #name, a, [](auto x, auto y) { return expression; });                      \
  }
LADDER_TILE_REDUCTION(sum, detail::wrapping([](auto u, auto v) { return u + v; }, x, y))
LADDER_TILE_REDUCTION(prod, detail::wrapping([](auto u, auto v) { return u * v; }, x, y))
LADDER_TILE_REDUCTION(reduce_max, (detail::extreme<1, false>(x, y)))
LADDER_TILE_REDUCTION(reduce_min, (detail::extreme<-1, false>(x, y)))
#undef LADDER_TILE_REDUCTION

template <integral auto Dim, bool_tile_convertible T>
requires detail::Dimension<Dim, T>
auto any_of(T a, integral_constant<Dim> = {}) {
  return detail::reduce<static_cast<std::size_t>(Dim), bool, bool>("any_of", a,
                                                                   [](bool x, bool y) { return x || y; });
}
template <integral auto Dim, bool_tile_convertible T>
requires detail::Dimension<Dim, T>
auto all_of(T a, integral_constant<Dim> = {}) {
  return detail::reduce<static_cast<std::size_t>(Dim), bool, bool>("all_of", a,
                                                                   [](bool x, bool y) { return x && y; });
}

}  // namespace on_cpu
}  // namespace cuda::tiles
