// Which operand types may meet, and what comes out: the C++ rules of tile arithmetic, apart from any values.
//
//   tile op tile      the wider element type; int with float gives float; bf16 with fp16 is an error
//   tile op scalar    the tile's element type; a scalar that does not fit it without loss is an error
//   tile < scalar     compared in the wider of the two
// Extents of 1 and missing leading dimensions broadcast.
#pragma once

#include "shared/tile/element.hpp"
#include "shared/tile/shape.hpp"

namespace cuda::tiles {
inline namespace on_cpu {

namespace detail {

template <class T>
inline constexpr bool is_16bit = std::is_same_v<T, __nv_bfloat16> || std::is_same_v<T, __half>;
template <class T>
inline constexpr bool is_computing_float =
    is_16bit<T> || std::is_same_v<T, float> || std::is_same_v<T, double>;
template <class T>
inline constexpr bool is_any_float = is_computing_float<T> || std::is_same_v<T, __nv_tf32>;
template <class T>
inline constexpr bool is_number = std::is_integral_v<T> || is_any_float<T>;
template <class T>
inline constexpr bool is_data_pointer = false;
template <class T>
inline constexpr bool is_data_pointer<T*> = is_number<std::remove_cv_t<T>>;
template <class T>
inline constexpr bool is_scalar = is_number<std::remove_cv_t<T>> || is_data_pointer<std::remove_cv_t<T>>;

}  // namespace detail

template <class Element, class Shape>
requires detail::is_scalar<Element> && tile_shape<Shape>
class tile;

namespace detail {
template <class T>
struct Parts {
  using element = T;
  using shape_type = shape<>;
  static constexpr bool is_tile = false;
};
template <class E, class S>
struct Parts<tile<E, S>> {
  using element = E;
  using shape_type = S;
  static constexpr bool is_tile = true;
};
template <class T>
inline constexpr bool is_tile = Parts<std::remove_cv_t<T>>::is_tile;
}  // namespace detail

/// A tile or a scalar: every operation takes both.
template <class T>
concept tile_like = detail::is_tile<T> || detail::is_scalar<std::remove_cv_t<T>>;
template <class T>
concept scalar = detail::is_scalar<std::remove_cv_t<T>>;

template <tile_like T>
using tile_element_t = typename detail::Parts<std::remove_cv_t<T>>::element;
template <tile_like T>
using tile_shape_t = typename detail::Parts<std::remove_cv_t<T>>::shape_type;
template <tile_like T>
inline constexpr std::size_t tile_rank_v = tile_shape_t<T>::rank();
template <tile_like T>
inline constexpr std::size_t tile_size_v = shape_size_v<tile_shape_t<T>>;

template <class T>
concept numeric_tile = tile_like<T> && detail::is_number<tile_element_t<T>>;
template <class T>
concept pointer_tile = tile_like<T> && detail::is_data_pointer<tile_element_t<T>>;
template <class T>
concept integral_tile = numeric_tile<T> && std::is_integral_v<tile_element_t<T>>;
template <class T>
concept floating_point_tile = numeric_tile<T> && detail::is_any_float<tile_element_t<T>>;
template <class T>
concept basic_floating_point_tile = floating_point_tile<T> && detail::is_computing_float<tile_element_t<T>>;
template <class T>
concept arithmetic_tile = integral_tile<T> || basic_floating_point_tile<T>;

namespace detail {

template <class T>
inline constexpr int float_rank = is_16bit<T>                    ? 0
                                  : std::is_same_v<T, __nv_tf32> ? 1
                                  : std::is_same_v<T, float>     ? 2
                                                                 : 3;

template <class T>
inline constexpr int integer_rank =
    std::is_same_v<T, bool>                                                                              ? 0
    : sizeof(T) == 1                                                                                     ? 1
    : sizeof(T) == 2                                                                                     ? 2
    : sizeof(T) == 4                                                                                     ? 3
    : std::is_same_v<std::make_signed_t<std::conditional_t<std::is_same_v<T, bool>, int, T>>, long long> ? 5
                                                                                                         : 4;

/// Values of Src that Dst cannot hold exist.
template <class Src, class Dst>
constexpr bool narrows() {
  if constexpr (std::is_same_v<Src, Dst>)
    return false;
  else if constexpr (is_any_float<Src> && is_any_float<Dst>)
    return float_rank<Src> >= float_rank<Dst>;
  else if constexpr (is_any_float<Src> || is_any_float<Dst>)
    return true;
  else if constexpr (std::is_integral_v<Src> && std::is_integral_v<Dst>)
    return !requires(Src x) { Dst{x}; };
  else
    return is_data_pointer<Src> && std::is_same_v<Dst, bool>;
}

template <class A, class B>
constexpr auto common_scalar() {
  if constexpr (std::is_same_v<A, B>) {
    return A{};
  } else if constexpr (is_any_float<A> && is_any_float<B>) {
    if constexpr (float_rank<A> < float_rank<B>)
      return B{};
    else
      return A{};
  } else if constexpr (is_any_float<A>) {
    return A{};
  } else if constexpr (is_any_float<B>) {
    return B{};
  } else if constexpr (std::is_signed_v<A> == std::is_signed_v<B>) {
    if constexpr (integer_rank<A> < integer_rank<B>)
      return B{};
    else
      return A{};
  } else {
    using Signed = std::conditional_t<std::is_signed_v<A>, A, B>;
    using Unsigned = std::conditional_t<std::is_signed_v<A>, B, A>;
    if constexpr ((integer_rank < Unsigned >> integer_rank<Signed>))
      return Unsigned{};
    else if constexpr (!narrows<Unsigned, Signed>())
      return Signed{};
    else
      return std::make_unsigned_t<Signed>{};
  }
}
template <class A, class B>
using common_scalar_t = decltype(common_scalar<A, B>());

template <class A, class B>
inline constexpr bool unordered_floats =
    is_any_float<A>&& is_any_float<B> && !std::is_same_v<A, B> && float_rank<A> == float_rank<B>;

/// An operand may become the result's type: without loss, or an integer that becomes floating point.
template <class Src, class Dst>
inline constexpr bool may_become = !narrows<Src, Dst>() || (std::is_integral_v<Src> && is_any_float<Dst>);

/// Element type of `A op B`.
template <class A, class B>
using arithmetic_element_t =
    std::conditional_t<is_tile<A> && !is_tile<B>, tile_element_t<A>,
                       std::conditional_t<is_tile<B> && !is_tile<A>, tile_element_t<B>,
                                          common_scalar_t<tile_element_t<A>, tile_element_t<B>>>>;

/// A tile of Element with T's shape, or Element alone when T is a scalar.
template <class T, class Element>
struct WithElement {
  using type = tile<Element, tile_shape_t<T>>;
};
template <class T, class Element>
requires(!is_tile<T>) struct WithElement<T, Element> {
  using type = Element;
};

template <class A, class B, class Element>
struct MutualBroadcast {
  using type = tile<Element, shape_broadcast_t<tile_shape_t<A>, tile_shape_t<B>>>;
};
template <class A, class B, class Element>
requires(!is_tile<A> && !is_tile<B>) struct MutualBroadcast<A, B, Element> {
  using type = Element;
};

template <class A, class B>
concept ArithmeticElements = !unordered_floats<tile_element_t<A>, tile_element_t<B>> &&
                             may_become<tile_element_t<A>, arithmetic_element_t<A, B>> &&
                             may_become<tile_element_t<B>, arithmetic_element_t<A, B>>;

template <class A, class B>
concept ComparableElements =
    !unordered_floats<tile_element_t<A>, tile_element_t<B>> &&
    may_become<tile_element_t<A>, common_scalar_t<tile_element_t<A>, tile_element_t<B>>> &&
    may_become<tile_element_t<B>, common_scalar_t<tile_element_t<A>, tile_element_t<B>>>;

template <class Src, class Dst>
inline constexpr bool scalar_converts = (is_number<Src> && is_number<Dst>) ||
                                        (is_data_pointer<Src> && std::is_same_v<Dst, bool>) ||
                                        (is_data_pointer<Src> && is_data_pointer<Dst> &&
                                         std::is_convertible_v<Src, Dst>);

}  // namespace detail

template <class A, class B>
concept broadcast_compatible = tile_like<A> && tile_like<B> &&
    detail::can_broadcast<tile_shape_t<A>, tile_shape_t<B>>();
template <class T, class S>
concept broadcastable_to = tile_like<T> && tile_shape<S> && detail::can_broadcast_to<tile_shape_t<T>, S>();

template <class A, class B>
concept arithmetic_tile_convertible = arithmetic_tile<A> && arithmetic_tile<B> &&
    broadcast_compatible<A, B> && detail::ArithmeticElements<A, B>;
template <class A, class B>
concept arithmetic_tile_comparable = arithmetic_tile<A> && arithmetic_tile<B> && broadcast_compatible<A, B> &&
    detail::ComparableElements<A, B>;

template <tile_like T, class Element>
using tile_with_element_t =
    typename detail::WithElement<std::remove_cv_t<T>, std::remove_cv_t<Element>>::type;
template <tile_like A, tile_like B, class Element>
requires broadcast_compatible<A, B>
using mutual_broadcast_t = typename detail::MutualBroadcast<std::remove_cv_t<A>, std::remove_cv_t<B>,
                                                            std::remove_cv_t<Element>>::type;
template <arithmetic_tile A, arithmetic_tile B>
requires arithmetic_tile_convertible<A, B>
using arithmetic_tile_conversion_t = mutual_broadcast_t<A, B, detail::arithmetic_element_t<A, B>>;

template <class A, class B>
concept tile_convertible_to =
    tile_like<A> && tile_like<B> && std::is_same_v<tile_shape_t<A>, tile_shape_t<B>> &&
    detail::scalar_converts<tile_element_t<A>, tile_element_t<B>>;
template <class A, class B>
concept non_narrowing_tile_convertible_to =
    tile_convertible_to<A, B> && !detail::narrows<tile_element_t<A>, tile_element_t<B>>();
template <class A, class B>
concept non_narrowing_scalar_convertible_to =
    scalar<A> && scalar<B> && detail::scalar_converts<A, B> && !detail::narrows<A, B>();
template <class T>
concept bool_tile_convertible = tile_like<T>;

template <class T>
concept loadable_tile = pointer_tile<T>;
template <class T>
concept storeable_tile = loadable_tile<T> && !std::is_const_v<std::remove_pointer_t<tile_element_t<T>>>;
template <loadable_tile T>
using tile_load_t = tile_with_element_t<T, std::remove_cv_t<std::remove_pointer_t<tile_element_t<T>>>>;

}  // namespace on_cpu
}  // namespace cuda::tiles
