// Making tiles and moving their elements about: full, zeros, iota, reshape, broadcast, permute, cat, extract;
// and reductions along one dimension.
#pragma once

#include <algorithm>

#include "shared/tile/checks.hpp"
#include "shared/tile/elementwise.hpp"

namespace cuda::tiles {
inline namespace on_cpu {

template <tile_like T>
T full(tile_element_t<T> value) {
  return detail::map<detail::Same, T>("full", value);
}
template <numeric_tile T>
T zeros() {
  return detail::map<detail::Same, T>("zeros", detail::convert<tile_element_t<T>>(0));
}
template <numeric_tile T>
T ones() {
  return detail::map<detail::Same, T>("ones", detail::convert<tile_element_t<T>>(1));
}

/// 0, 1, 2, ... in row-major order, as integers.
template <integral_tile T>
T iota() {
  T result = detail::unfilled<T>();
  detail::count_up(detail::values_of(result), tile_size_v<T>);
  detail::logged("iota", result, nullptr);
  return result;
}

/// The same elements in the same row-major order, under another shape of the same size.
template <tile_shape Shape, tile_like T>
requires(tile_size_v<T> == shape_size_v<Shape>) tile<tile_element_t<T>, Shape> reshape(const T& a,
                                                                                       Shape = {}) {
  tile<tile_element_t<T>, Shape> result{detail::Unfilled{}};
  std::copy_n(detail::values_of(a), tile_size_v<T>, result.model_values());
  detail::logged("reshape", result, nullptr, a);
  return result;
}

/// Repeated along dimensions of extent 1 and along new leading ones.
template <tile_shape Shape, tile_like T>
requires broadcastable_to<T, Shape> tile<tile_element_t<T>, Shape> broadcast(const T& a, Shape = {}) {
  return detail::map<detail::Same, tile<tile_element_t<T>, Shape>>("broadcast", a);
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

/// In the operand, distances between neighbours along each dimension of the result.
template <class S, class Map, std::size_t... I>
constexpr std::array<std::int64_t, S::rank()> permuted_steps(std::index_sequence<I...>) {
  return {static_cast<std::int64_t>(dense_stride<S>(Map::mapping(I)))...};
}

template <class Map, class T>
[[gnu::noinline]] auto permuted(const char* name, const T& a) {
  using S = tile_shape_t<T>;
  constexpr auto dimensions = std::make_index_sequence<Map::rank()>{};
  using R = decltype(permuted_shape<S, Map>(dimensions));
  static constexpr auto steps = permuted_steps<S, Map>(dimensions);
  tile<tile_element_t<T>, R> result{Unfilled{}};
  const std::size_t* extents = extent_list<R>.data();
  gather(result.model_values(), values_of(a), {Map::rank(), extents, steps.data(), extents}, {});
  logged(name, result, nullptr, a);
  return result;
}

template <std::size_t... I>
constexpr auto swap_first_two(std::index_sequence<I...>) {
  return dimension_map<(I < 2 ? 1 - I : I)...>{};
}

}  // namespace detail

template <class Map, tile_like T>
requires(Map::rank() == tile_rank_v<T> && tile_rank_v<T> > 0) auto permute(const T& a, Map = {}) {
  return detail::permuted<Map>("permute", a);
}

/// Swaps the first two dimensions; a tile of lower rank stays as it is.
template <tile_like T>
auto transpose(const T& a) {
  if constexpr (tile_rank_v<T> < 2)
    return a;
  else
    return detail::permuted<decltype(detail::swap_first_two(std::make_index_sequence<tile_rank_v<T>>{}))>(
        "transpose", a);
}

// ---- cutting and joining ---------------------------------------------------------------------------------------

namespace detail {

template <class S, std::size_t... I>
constexpr std::array<std::int64_t, S::rank() + 1> dense_steps(std::index_sequence<I...>) {
  return {static_cast<std::int64_t>(dense_stride<S>(I))..., 0};
}
template <class S>
inline constexpr auto step_list = dense_steps<S>(std::make_index_sequence<S::rank()>{});

/// How a tile of shape Small lies as a part of a larger one.
template <class Large, class Small>
Spread part_of() {
  const std::size_t* extents = extent_list<Small>.data();
  return {Small::rank(), extents, step_list<Large>.data(), extents};
}

/// The element of a tile of shape Large where part `index` begins. Throws InputError when there is no such part.
template <class Large, class Small, class... Index>
std::int64_t corner_of(Index... index) {
  const std::array<std::size_t, Large::rank() + 1> part{static_cast<std::size_t>(index)..., 0};
  std::int64_t corner = 0;
  for (std::size_t d = 0; d < Large::rank(); ++d) {
    const std::size_t parts = Large::static_extent(d) / Small::static_extent(d);
    if (part[d] >= parts) ladder::tile::detail::no_such_part(part[d], d, parts);
    corner += static_cast<std::int64_t>(part[d] * Small::static_extent(d) * dense_stride<Large>(d));
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
         Shape::rank() == tile_rank_v<T>) tile<tile_element_t<T>, Shape> extract(const T& a, Shape,
                                                                                 Index... index) {
  tile<tile_element_t<T>, Shape> result{detail::Unfilled{}};
  const std::int64_t corner = detail::corner_of<tile_shape_t<T>, Shape>(index...);
  detail::gather(result.model_values(), a.model_values() + corner, detail::part_of<tile_shape_t<T>, Shape>(),
                 {});
  detail::logged("extract", result, nullptr, a);
  return result;
}

/// Two tiles of one type, one after the other along dimension Dim.
template <integral auto Dim, tile_like T>
auto cat(const T& a, const T& b, integral_constant<Dim> = {}) {
  using S = tile_shape_t<T>;
  using R = decltype(detail::joined_shape<S, S, Dim>(std::make_index_sequence<S::rank()>{}));
  tile<tile_element_t<T>, R> result{detail::Unfilled{}};
  const detail::Spread part = detail::part_of<R, S>();
  const std::size_t second = S::static_extent(Dim) * detail::dense_stride<R>(Dim);
  detail::scatter(result.model_values(), a.model_values(), part);
  detail::scatter(result.model_values() + second, b.model_values(), part);
  detail::logged("cat", result, nullptr, a, b);
  return result;
}

// ---- reductions ------------------------------------------------------------------------------------------------

namespace detail {

using Maximum = Extreme<1, false>;
using Minimum = Extreme<-1, false>;

template <class S, std::size_t Dim, std::size_t... I>
constexpr auto reduced_shape(std::index_sequence<I...>) {
  return shape<(I == Dim ? 1 : S::static_extent(I))...>{};
}
template <class T, std::size_t Dim>
using reduced_shape_t =
    decltype(reduced_shape<tile_shape_t<T>, Dim>(std::make_index_sequence<tile_rank_v<T>>{}));

/// The reduction `name` of `a` along dimension Dim, which stays with extent 1. Compute is the type it is done in.
template <std::size_t Dim, class F, class Element, class Compute, class T>
[[gnu::noinline]] tile<Element, reduced_shape_t<T, Dim>> reduce(const char* name, const T& a) {
  using S = tile_shape_t<T>;
  constexpr std::size_t length = S::static_extent(Dim), inner = dense_stride<S>(Dim);
  constexpr std::size_t outer = shape_size_v<S> / (length * inner);
  tile<Element, reduced_shape_t<T, Dim>> result{Unfilled{}};
  alignas(64) Compute scratch[length * inner];
  reduce_middle<F>(result.model_values(), a.model_values(), scratch, outer, length, inner);
  logged(name, result, nullptr, a);
  return result;
}

template <auto Dim, class T>
concept Dimension = tile_like<T> && Dim >= 0 && static_cast<std::size_t>(Dim) < tile_rank_v<T>;

}  // namespace detail

#define LADDER_TILE_REDUCTION(name, Operation)                                                          \
  template <integral auto Dim, arithmetic_tile T>                                                       \
  requires detail::Dimension<Dim, T>                                                                    \
  auto name(const T& a, integral_constant<Dim> = {}) {                                                  \
    using E = tile_element_t<T>;                                                                        \
    return detail::reduce<static_cast<std::size_t>(Dim), Operation, E, detail::compute_t<E>>(#name, a); \
  }
LADDER_TILE_REDUCTION(sum, detail::Wrapping<std::plus<>>)
LADDER_TILE_REDUCTION(prod, detail::Wrapping<std::multiplies<>>)
LADDER_TILE_REDUCTION(reduce_max, detail::Maximum)
LADDER_TILE_REDUCTION(reduce_min, detail::Minimum)
#undef LADDER_TILE_REDUCTION

template <integral auto Dim, bool_tile_convertible T>
requires detail::Dimension<Dim, T>
auto any_of(const T& a, integral_constant<Dim> = {}) {
  return detail::reduce<static_cast<std::size_t>(Dim), std::logical_or<>, bool, bool>("any_of", a);
}
template <integral auto Dim, bool_tile_convertible T>
requires detail::Dimension<Dim, T>
auto all_of(const T& a, integral_constant<Dim> = {}) {
  return detail::reduce<static_cast<std::size_t>(Dim), std::logical_and<>, bool, bool>("all_of", a);
}

}  // namespace on_cpu
}  // namespace cuda::tiles
