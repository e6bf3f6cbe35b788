// What is known of a tile before it exists: compile-time numbers, extents and strides, and how shapes broadcast.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace cuda::tiles {
inline namespace on_cpu {

using std::integral;

/// A number that is part of its own type. `8_ic` is integral_constant<8>.
template <integral auto Value>
struct integral_constant {
  using type = integral_constant;
  using value_type = decltype(Value);
  static constexpr value_type value = Value;
  constexpr operator value_type() const noexcept { return Value; }
  constexpr value_type operator()() const noexcept { return Value; }
};

namespace literals {
/// Decimal digits only; int when it fits, long otherwise.
template <char... Digits>
constexpr auto operator""_ic() noexcept {
  static_assert(((Digits == '\'' || (Digits >= '0' && Digits <= '9')) && ...), "decimal digits only");
  constexpr long value = [] {
    long number = 0;
    ((number = Digits == '\'' ? number : number * 10 + (Digits - '0')), ...);
    return number;
  }();
  if constexpr (value <= 2147483647L)
    return integral_constant<static_cast<int>(value)>{};
  else
    return integral_constant<value>{};
}
}  // namespace literals

// Arithmetic on such numbers stays known at compile time.
template <auto X, auto Y>
constexpr integral_constant<X + Y> operator+(integral_constant<X>, integral_constant<Y>) noexcept {
  return {};
}
template <auto X, auto Y>
constexpr integral_constant<X - Y> operator-(integral_constant<X>, integral_constant<Y>) noexcept {
  return {};
}
template <auto X, auto Y>
constexpr integral_constant<X * Y> operator*(integral_constant<X>, integral_constant<Y>) noexcept {
  return {};
}
template <auto X, auto Y>
constexpr integral_constant<X / Y> operator/(integral_constant<X>, integral_constant<Y>) noexcept {
  return {};
}

inline constexpr std::size_t dynamic_extent = static_cast<std::size_t>(-1);
inline constexpr std::size_t dynamic_stride = static_cast<std::size_t>(-1);

namespace detail {

template <class T>
inline constexpr std::size_t static_or_dynamic = dynamic_extent;
template <auto Value>
inline constexpr std::size_t static_or_dynamic<integral_constant<Value>> = static_cast<std::size_t>(Value);

/// Some numbers known at compile time (Known[i] != dynamic_extent), the others held in `values`.
template <class Index, std::size_t... Known>
struct Numbers {
  static constexpr std::size_t count = sizeof...(Known);
  static constexpr std::size_t unknown = ((Known == dynamic_extent ? 1U : 0U) + ... + 0U);
  static constexpr std::array<std::size_t, count> known{Known...};
  std::array<Index, count> values{(Known == dynamic_extent ? Index{} : static_cast<Index>(Known))...};

  constexpr Numbers() = default;

  /// All of them, or only the unknown ones, in order.
  template <class... Given>
  constexpr explicit Numbers(std::in_place_t, Given... given) noexcept {
    const std::array<Index, sizeof...(Given)> numbers{static_cast<Index>(given)...};
    std::size_t next = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (known[i] == dynamic_extent) values[i] = numbers[next];
      if (sizeof...(Given) == count || known[i] == dynamic_extent) ++next;
    }
  }
  static constexpr std::size_t known_at(std::size_t i) noexcept {
    // No std::array::operator[] here: for an empty list it does not compile on every library.
    std::size_t at = 0, found = 0;
    ((found = at++ == i ? Known : found), ...);
    return found;
  }
};

template <std::size_t Count, std::size_t Rank, std::size_t Unknown>
concept GivesAll = Count != 0 && (Count == Unknown || Count == Rank);

}  // namespace detail

/// Sizes of a tensor, each known at compile time or held: extents{rows, integral_constant<64>{}}.
template <integral IndexType, std::size_t... Extents>
struct extents {
  using index_type = IndexType;
  using rank_type = std::size_t;
  constexpr extents() = default;
  template <class... Given>
  requires(std::is_convertible_v<Given, index_type>&&...) &&
      detail::GivesAll<
          sizeof...(Given), sizeof...(Extents),
          detail::Numbers<IndexType, Extents...>::unknown> constexpr explicit extents(Given... given) noexcept
      : numbers_(std::in_place, given...) {}
  static constexpr rank_type rank() noexcept { return sizeof...(Extents); }
  static constexpr rank_type rank_dynamic() noexcept {
    return detail::Numbers<IndexType, Extents...>::unknown;
  }
  static constexpr std::size_t static_extent(rank_type i) noexcept {
    return detail::Numbers<IndexType, Extents...>::known_at(i);
  }
  constexpr index_type extent(rank_type i) const noexcept { return numbers_.values[i]; }

 private:
  detail::Numbers<IndexType, Extents...> numbers_;
};
template <class... T>
extents(T...) -> extents<std::uint32_t, detail::static_or_dynamic<T>...>;

/// Distances between neighbours along each dimension, in elements: strides{leading_dimension, 1_ic}.
template <integral StrideType, std::size_t... Strides>
struct strides {
  using stride_type = StrideType;
  using rank_type = std::size_t;
  constexpr strides() = default;
  template <class... Given>
  requires(std::is_convertible_v<Given, stride_type>&&...) &&
      detail::GivesAll<sizeof...(Given), sizeof...(Strides),
                       detail::Numbers<StrideType, Strides...>::
                           unknown> constexpr explicit strides(Given... given) noexcept
      : numbers_(std::in_place, given...) {}
  static constexpr rank_type rank() noexcept { return sizeof...(Strides); }
  static constexpr std::size_t static_stride(rank_type i) noexcept {
    return detail::Numbers<StrideType, Strides...>::known_at(i);
  }
  constexpr stride_type stride(rank_type i) const noexcept { return numbers_.values[i]; }

 private:
  detail::Numbers<StrideType, Strides...> numbers_;
};
template <class... T>
strides(T...) -> strides<std::uint32_t, detail::static_or_dynamic<T>...>;

/// The shape of a tile: every extent known.
template <std::size_t... Extents>
using shape = extents<std::uint32_t, Extents...>;

namespace detail {
template <class T>
inline constexpr bool is_shape = false;
template <std::size_t... E>
inline constexpr bool is_shape<extents<std::uint32_t, E...>> = ((E != dynamic_extent) && ...);
template <class T>
inline constexpr std::size_t size_of_shape = 0;
template <class I, std::size_t... E>
inline constexpr std::size_t size_of_shape<extents<I, E...>> = (E * ... * 1U);
template <class T>
inline constexpr bool powers_of_two = false;
template <class I, std::size_t... E>
inline constexpr bool powers_of_two<extents<I, E...>> = ((E != 0 && (E & (E - 1)) == 0) && ...);
}  // namespace detail

template <class T>
inline constexpr std::size_t shape_size_v = detail::size_of_shape<std::remove_cv_t<T>>;

/// What a tile can have as its shape: all extents known, each a power of two.
template <class T>
concept tile_shape =
    detail::is_shape<std::remove_cv_t<T>> && detail::powers_of_two<std::remove_cv_t<T>> && shape_size_v<T>
<= 16777216;

namespace detail {

/// Extent of dimension `i` of a result of rank `rank`, for a shape aligned at its last dimension; 1 where it has none.
template <class S>
constexpr std::size_t aligned_extent(std::size_t rank, std::size_t i) {
  const std::size_t missing = rank - S::rank();
  return i < missing ? 1 : S::static_extent(i - missing);
}

template <class A, class B>
inline constexpr std::size_t broadcast_rank = A::rank() < B::rank() ? B::rank() : A::rank();

template <class A, class B>
constexpr bool can_broadcast() {
  for (std::size_t i = 0; i < broadcast_rank<A, B>; ++i) {
    const std::size_t a = aligned_extent<A>(broadcast_rank<A, B>, i),
                      b = aligned_extent<B>(broadcast_rank<A, B>, i);
    if (a != b && a != 1 && b != 1) return false;
  }
  return true;
}

template <class A, class B>
constexpr bool can_broadcast_to() {
  if (A::rank() > B::rank()) return false;
  for (std::size_t i = 0; i < B::rank(); ++i) {
    const std::size_t a = aligned_extent<A>(B::rank() < A::rank() ? A::rank() : B::rank(), i);
    if (a != B::static_extent(i) && a != 1) return false;
  }
  return true;
}

template <class A, class B, std::size_t... I>
constexpr auto broadcast_shape(std::index_sequence<I...>) {
  constexpr std::size_t rank = broadcast_rank<A, B>;
  return shape<(aligned_extent<A>(rank, I) == 1 ? aligned_extent<B>(rank, I)
                                                : aligned_extent<A>(rank, I))...>{};
}

/// Distance in elements between neighbours along dimension i of a dense tile of shape S.
template <class S>
constexpr std::size_t dense_stride(std::size_t i) {
  std::size_t stride = 1;
  for (std::size_t d = i + 1; d < S::rank(); ++d) stride *= S::static_extent(d);
  return stride;
}

/// Where element `flat` of a dense tile of shape R finds its operand in a dense tile of shape S that broadcasts to R.
template <class S, class R>
constexpr std::size_t broadcast_offset(std::size_t flat) {
  constexpr std::size_t missing = R::rank() - S::rank();
  std::size_t offset = 0;
  for (std::size_t i = R::rank(); i-- > missing;) {
    const std::size_t extent = R::static_extent(i), coordinate = flat % extent;
    flat /= extent;
    if (S::static_extent(i - missing) != 1) offset += coordinate * dense_stride<S>(i - missing);
  }
  return offset;
}

template <class S>
constexpr std::size_t last_extent() {
  return aligned_extent<S>(S::rank() + 1, S::rank());
}

inline constexpr std::size_t irregular_rows = static_cast<std::size_t>(-1);

/// How many elements a tile of shape S that broadcasts to R advances from one row of R to the next, whichever row it
/// is: its own row, or nothing where every row of R meets the same. irregular_rows where it depends on the row.
template <class S, class R>
constexpr std::size_t broadcast_row_step() {
  bool follows = true, repeats = true;
  for (std::size_t i = 0; i + 1 < R::rank(); ++i) {
    const std::size_t extent = aligned_extent<S>(R::rank(), i);
    follows = follows && extent == R::static_extent(i);
    repeats = repeats && extent == 1;
  }
  return follows ? last_extent<S>() : repeats ? 0 : irregular_rows;
}

template <class S, std::size_t... I>
constexpr std::array<std::size_t, S::rank() + 1> extents_of(std::index_sequence<I...>) {
  return {S::static_extent(I)..., 0};
}
/// The extents of a shape as numbers, for functions that are the same for every shape; a zero behind them.
template <class S>
inline constexpr std::array<std::size_t, S::rank() + 1> extent_list =
    extents_of<S>(std::make_index_sequence<S::rank()>{});

}  // namespace detail

template <class A, class B>
requires(detail::can_broadcast<A, B>()) using shape_broadcast_t =
    decltype(detail::broadcast_shape<A, B>(std::make_index_sequence<detail::broadcast_rank<A, B>>{}));

}  // namespace on_cpu
}  // namespace cuda::tiles
