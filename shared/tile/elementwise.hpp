// Element by element: operators, comparisons, min and max, mathematical functions, select and casts.
//
// Arithmetic on 16-bit elements is done in fp32 and rounded once, which gives the correctly rounded result of + - * /
// and sqrt; integers wrap. Division by an integer zero is an error here as it is in C++.
#pragma once

#include "shared/tile/tile.hpp"

namespace cuda::tiles {
inline namespace on_cpu {

// ---- named choices that some operations take as a last argument ------------------------------------------------

enum class rounding_mode : unsigned char {
  round_ties_to_even,
  round_toward_zero,
  round_toward_negative,
  round_toward_positive,
  round_approximate,
  round_full,
  round_ties_to_away
};
template <rounding_mode Value>
struct rounding_mode_constant {
  static constexpr rounding_mode value = Value;
};
// The model rounds to nearest even; approximate and full are accepted, because they promise no bits.
using round_ties_to_even_t = rounding_mode_constant<rounding_mode::round_ties_to_even>;
using round_approximate_t = rounding_mode_constant<rounding_mode::round_approximate>;
using round_full_t = rounding_mode_constant<rounding_mode::round_full>;

enum class subnormals_rounding_mode : unsigned char { preserve_subnormals, round_subnormals_to_zero };
template <subnormals_rounding_mode Value>
struct subnormals_rounding_mode_constant {
  static constexpr subnormals_rounding_mode value = Value;
};
using preserve_subnormals_t =
    subnormals_rounding_mode_constant<subnormals_rounding_mode::preserve_subnormals>;
using round_subnormals_to_zero_t =
    subnormals_rounding_mode_constant<subnormals_rounding_mode::round_subnormals_to_zero>;

enum class nan_propagation_mode : unsigned char { suppress_nan, propagate_nan };
template <nan_propagation_mode Value>
struct nan_propagation_mode_constant {
  static constexpr nan_propagation_mode value = Value;
};
using suppress_nan_t = nan_propagation_mode_constant<nan_propagation_mode::suppress_nan>;
using propagate_nan_t = nan_propagation_mode_constant<nan_propagation_mode::propagate_nan>;

namespace detail {

/// f(x, y) on elements of any two types, computed in E's compute type and rounded to E.
template <class E, class F>
auto in_type_of(F f) {
  return [f](auto... x) {
    return convert<E>(static_cast<compute_t<E>>(f(convert<compute_t<E>>(convert<E>(x))...)));
  };
}

template <class Result, class F, class... T>
Result arithmetic(const char* name, F f, const T&... x) {
  return map<Result>(name, in_type_of<tile_element_t<Result>>(f), x...);
}

template <class A, class B, class F>
auto compare(const char* name, F f, const A& a, const B& b) {
  using Common = compute_t<common_scalar_t<tile_element_t<A>, tile_element_t<B>>>;
  return map<mutual_broadcast_t<A, B, bool>>(
      name, [f](auto x, auto y) { return f(convert<Common>(x), convert<Common>(y)); }, a, b);
}

/// Integers wrap around on a GPU; in C++ the signed ones must not.
template <class F, class E>
constexpr E wrapping(F f, E a, E b) {
  if constexpr (std::is_integral_v<E> && !std::is_same_v<E, bool>) {
    using U = std::conditional_t<(sizeof(E) < 4), unsigned, std::make_unsigned_t<E>>;
    return static_cast<E>(f(static_cast<U>(a), static_cast<U>(b)));
  } else {
    return static_cast<E>(f(a, b));
  }
}

/// The larger (Sign = 1) or smaller (-1): a NaN loses unless it propagates, and +0 is larger than -0.
template <int Sign, bool Propagate, class E>
E extreme(E a, E b) {
  if constexpr (std::is_floating_point_v<E>) {
    using Bits = std::conditional_t<sizeof(E) == 8, std::uint64_t, std::uint32_t>;
    const Bits bits_a = std::bit_cast<Bits>(a), bits_b = std::bit_cast<Bits>(b);
    const E equal = std::bit_cast<E>(Sign > 0 ? bits_a & bits_b : bits_a | bits_b);
    const E ordered = (Sign > 0 ? a > b : a < b) ? a : b;
    const E result = a == b ? equal : ordered;
    if constexpr (Propagate)
      return a != a ? a : b != b ? b : result;
    else
      return b != b ? a : result;  // when a is NaN the comparison is false, so b has won already
  } else {
    return (Sign > 0 ? a > b : a < b) ? a : b;
  }
}

}  // namespace detail

// ---- arithmetic ------------------------------------------------------------------------------------------------

#define LADDER_TILE_ARITHMETIC(symbol, function)                                                             \
  template <arithmetic_tile A, arithmetic_tile B>                                                            \
  requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> function(A a, B b) {         \
    return detail::arithmetic<arithmetic_tile_conversion_t<A, B>>(                                           \
        #function,                                                                                           \
        [](auto x, auto y) { return detail::wrapping([](auto u, auto v) { return u symbol v; }, x, y); }, a, \
        b);                                                                                                  \
  }                                                                                                          \
  template <arithmetic_tile A, arithmetic_tile B>                                                            \
  requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B>                              \
  operator symbol(A a, B b) { return cuda::tiles::function(a, b); }
LADDER_TILE_ARITHMETIC(+, add)
LADDER_TILE_ARITHMETIC(-, sub)
LADDER_TILE_ARITHMETIC(*, mul)
#undef LADDER_TILE_ARITHMETIC

/// Integers are divided towards zero.
template <arithmetic_tile A, arithmetic_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> div(A a, B b) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>>(
      "div", [](auto x, auto y) { return x / y; }, a, b);
}
template <arithmetic_tile A, arithmetic_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B>
operator/(A a, B b) { return cuda::tiles::div(a, b); }
template <rounding_mode Mode, arithmetic_tile A, arithmetic_tile B>
requires arithmetic_tile_convertible<A, B> && std::is_same_v < detail::arithmetic_element_t<A, B>,
float > arithmetic_tile_conversion_t<A, B> div(A a, B b, rounding_mode_constant<Mode>) {
  return cuda::tiles::div(a, b);
}

template <integral_tile A, integral_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B>
operator%(A a, B b) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>>(
      "mod", [](auto x, auto y) { return x % y; }, a, b);
}
template <integral_tile A, integral_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> ceildiv(A a, B b) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>>(
      "ceildiv", [](auto x, auto y) { return x / y + (x % y != 0 && ((x < 0) == (y < 0)) ? 1 : 0); }, a, b);
}
template <arithmetic_tile T>
T operator-(T a) {
  return detail::arithmetic<T>(
      "neg", [](auto x) { return detail::wrapping([](auto, auto v) { return -v; }, x, x); }, a);
}

/// a * b + c, rounded once.
template <arithmetic_tile A, arithmetic_tile B, basic_floating_point_tile C>
requires broadcastable_to<A, tile_shape_t<C>> && broadcastable_to<B, tile_shape_t<C>> &&
    non_narrowing_scalar_convertible_to<tile_element_t<A>, tile_element_t<C>> &&
    non_narrowing_scalar_convertible_to<tile_element_t<B>, tile_element_t<C>>
        C fma(A a, B b, C c) {
  if constexpr (detail::is_16bit<tile_element_t<C>>)  // exact in fp64 before its one rounding
    return detail::map<C>(
        "fma",
        [](auto x, auto y, auto z) {
          using E = tile_element_t<C>;
          return detail::convert<E>(detail::convert<double>(x) * detail::convert<double>(y) +
                                    detail::convert<double>(z));
        },
        a, b, c);
  else
    return detail::arithmetic<C>(
        "fma", [](auto x, auto y, auto z) { return std::fma(x, y, z); }, a, b, c);
}

template <arithmetic_tile T>
T abs(T a) {
  return detail::arithmetic<T>(
      "abs",
      [](auto x) {
        if constexpr (std::is_floating_point_v<decltype(x)>)
          return std::fabs(x);
        else
          return x < 0 ? detail::wrapping([](auto, auto v) { return -v; }, x, x) : x;
      },
      a);
}

// ---- bits and truth --------------------------------------------------------------------------------------------

#define LADDER_TILE_BITS(symbol, name)                                          \
  template <integral_tile A, integral_tile B>                                   \
  requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> \
  operator symbol(A a, B b) {                                                   \
    return detail::arithmetic<arithmetic_tile_conversion_t<A, B>>(              \
        name, [](auto x, auto y) { return x symbol y; }, a, b);                 \
  }
LADDER_TILE_BITS(&, "and")
LADDER_TILE_BITS(|, "or")
LADDER_TILE_BITS(^, "xor")
#undef LADDER_TILE_BITS

/// Keeps the element type of the left operand.
template <integral_tile A, integral_tile B>
requires broadcast_compatible<A, B> mutual_broadcast_t<A, B, tile_element_t<A>>
operator<<(A a, B b) {
  using E = tile_element_t<A>;
  return detail::map<mutual_broadcast_t<A, B, E>>(
      "shl", [](E x, auto y) { return static_cast<E>(static_cast<std::make_unsigned_t<E>>(x) << y); }, a, b);
}
template <integral_tile A, integral_tile B>
requires broadcast_compatible<A, B> mutual_broadcast_t<A, B, tile_element_t<A>>
operator>>(A a, B b) {
  using E = tile_element_t<A>;
  return detail::map<mutual_broadcast_t<A, B, E>>(
      "shr", [](E x, auto y) { return static_cast<E>(x >> y); }, a, b);
}

// && and || compute both sides, whatever the left one is.
#define LADDER_TILE_LOGIC(symbol, name)                                                                   \
  template <bool_tile_convertible A, bool_tile_convertible B>                                             \
  requires broadcast_compatible<A, B> mutual_broadcast_t<A, B, bool>                                      \
  operator symbol(A a, B b) {                                                                             \
    return detail::map<mutual_broadcast_t<A, B, bool>>(                                                   \
        name, [](auto x, auto y) { return detail::convert<bool>(x) symbol detail::convert<bool>(y); }, a, \
        b);                                                                                               \
  }
LADDER_TILE_LOGIC(&&, "both")
LADDER_TILE_LOGIC(||, "either")
#undef LADDER_TILE_LOGIC
template <bool_tile_convertible T>
tile_with_element_t<T, bool> operator!(T a) {
  return detail::map<tile_with_element_t<T, bool>>(
      "not", [](auto x) { return !detail::convert<bool>(x); }, a);
}

#define LADDER_TILE_COMPARISON(symbol, name)                               \
  template <arithmetic_tile A, arithmetic_tile B>                          \
  requires arithmetic_tile_comparable<A, B> mutual_broadcast_t<A, B, bool> \
  operator symbol(A a, B b) {                                              \
    return detail::compare(                                                \
        name, [](auto x, auto y) { return x symbol y; }, a, b);            \
  }
LADDER_TILE_COMPARISON(<, "less")
LADDER_TILE_COMPARISON(<=, "less_equal")
LADDER_TILE_COMPARISON(>, "greater")
LADDER_TILE_COMPARISON(>=, "greater_equal")
LADDER_TILE_COMPARISON(==, "equal")
LADDER_TILE_COMPARISON(!=, "not_equal")
#undef LADDER_TILE_COMPARISON

// ---- smaller and larger ----------------------------------------------------------------------------------------

#define LADDER_TILE_EXTREME(name, sign)                                                          \
  template <arithmetic_tile A, arithmetic_tile B>                                                \
  requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> name(A a, B b) { \
    return detail::arithmetic<arithmetic_tile_conversion_t<A, B>>(                               \
        #name, [](auto x, auto y) { return detail::extreme<sign, false>(x, y); }, a, b);         \
  }                                                                                              \
  template <nan_propagation_mode Nan, arithmetic_tile A, arithmetic_tile B>                      \
  requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> name(            \
      A a, B b, nan_propagation_mode_constant<Nan>) {                                            \
    return detail::arithmetic<arithmetic_tile_conversion_t<A, B>>(                               \
        #name,                                                                                   \
        [](auto x, auto y) {                                                                     \
          return detail::extreme<sign, Nan == nan_propagation_mode::propagate_nan>(x, y);        \
        },                                                                                       \
        a, b);                                                                                   \
  }
LADDER_TILE_EXTREME(max, 1)
LADDER_TILE_EXTREME(min, -1)
#undef LADDER_TILE_EXTREME

// ---- mathematical functions ------------------------------------------------------------------------------------

#define LADDER_TILE_MATH(name, expression)            \
  template <basic_floating_point_tile T>              \
  T name(T a) {                                       \
    return detail::arithmetic<T>(                     \
        #name, [](auto x) { return expression; }, a); \
  }
LADDER_TILE_MATH(exp, std::exp(x))
LADDER_TILE_MATH(exp2, std::exp2(x))
LADDER_TILE_MATH(log, std::log(x))
LADDER_TILE_MATH(log2, std::log2(x))
LADDER_TILE_MATH(sqrt, std::sqrt(x))
LADDER_TILE_MATH(rsqrt, static_cast<decltype(x)>(1) / std::sqrt(x))
LADDER_TILE_MATH(tanh, std::tanh(x))
LADDER_TILE_MATH(sin, std::sin(x))
LADDER_TILE_MATH(cos, std::cos(x))
LADDER_TILE_MATH(floor, std::floor(x))
LADDER_TILE_MATH(ceil, std::ceil(x))
#undef LADDER_TILE_MATH

template <basic_floating_point_tile T, rounding_mode Mode>
T exp(T a, rounding_mode_constant<Mode>) {
  return cuda::tiles::exp(a);
}
template <basic_floating_point_tile T, rounding_mode Mode>
T tanh(T a, rounding_mode_constant<Mode>) {
  return cuda::tiles::tanh(a);
}
template <basic_floating_point_tile T, rounding_mode Mode>
T sqrt(T a, rounding_mode_constant<Mode>) {
  return cuda::tiles::sqrt(a);
}

/// With round_subnormals_to_zero (fp32 only), a subnormal argument or result becomes zero.
template <basic_floating_point_tile T, subnormals_rounding_mode Mode>
requires(Mode == subnormals_rounding_mode::preserve_subnormals || std::is_same_v<tile_element_t<T>, float>) T
    exp2(T a, subnormals_rounding_mode_constant<Mode>) {
  return detail::arithmetic<T>(
      "exp2",
      [](auto x) {
        const auto y = std::exp2(x);
        if constexpr (Mode == subnormals_rounding_mode::preserve_subnormals)
          return y;
        else
          return y < 0x1p-126F ? 0.0F : y;
      },
      a);
}

template <basic_floating_point_tile A, arithmetic_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> pow(A a, B b) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>>(
      "pow", [](auto x, auto y) { return static_cast<decltype(x)>(std::pow(x, y)); }, a, b);
}

template <floating_point_tile T>
tile_with_element_t<T, bool> isnan(T a) {
  return detail::map<tile_with_element_t<T, bool>>(
      "isnan", [](auto x) { return std::isnan(detail::convert<double>(x)); }, a);
}
template <floating_point_tile T>
tile_with_element_t<T, bool> isinf(T a) {
  return detail::map<tile_with_element_t<T, bool>>(
      "isinf", [](auto x) { return std::isinf(detail::convert<double>(x)); }, a);
}

// ---- choosing and converting -----------------------------------------------------------------------------------

/// where(condition) a else b. Both branches have the same type; the condition broadcasts to it.
template <tile_like T, bool_tile_convertible C>
requires broadcastable_to<C, tile_shape_t<T>> T select(C condition, T a, T b) {
  return detail::map<T>(
      "select", [](auto c, auto x, auto y) { return detail::convert<bool>(c) ? x : y; }, condition, a, b);
}

/// Every element converted to Element: to nearest even, towards zero for integers, != 0 for bool.
template <scalar Element, tile_like T>
requires tile_convertible_to<T, tile_with_element_t<T, Element>> tile_with_element_t<T, Element> element_cast(
    T a) {
  return detail::map<tile_with_element_t<T, Element>>(
      "element_cast", [](auto x) { return detail::convert<Element>(x); }, a);
}

/// The same bits, read as another type of the same size.
template <scalar Element, tile_like T>
requires(sizeof(Element) == sizeof(tile_element_t<T>) &&
         !std::is_same_v<Element, __nv_tf32>) tile_with_element_t<T, Element> element_bitcast(T a) {
  return detail::map<tile_with_element_t<T, Element>>(
      "element_bitcast", [](auto x) { return std::bit_cast<Element>(x); }, a);
}

}  // namespace on_cpu
}  // namespace cuda::tiles
