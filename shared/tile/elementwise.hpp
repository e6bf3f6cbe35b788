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

template <class Result, class F, class... T>
Result arithmetic(const char* name, const T&... x) {
  return map<InTypeOf<tile_element_t<Result>, F>, Result>(name, x...);
}

template <class F, class A, class B>
auto compare(const char* name, const A& a, const B& b) {
  using Common = compute_t<common_scalar_t<tile_element_t<A>, tile_element_t<B>>>;
  return map<InCommon<Common, F>, mutual_broadcast_t<A, B, bool>>(name, a, b);
}

}  // namespace detail

// ---- arithmetic ------------------------------------------------------------------------------------------------

#define LADDER_TILE_ARITHMETIC(symbol, function, Operation)                                                  \
  template <arithmetic_tile A, arithmetic_tile B>                                                            \
  requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> function(const A& a,         \
                                                                                         const B& b) {       \
    return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, detail::Wrapping<Operation>>(#function, a, \
                                                                                               b);           \
  }                                                                                                          \
  template <arithmetic_tile A, arithmetic_tile B>                                                            \
  requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B>                              \
  operator symbol(const A& a, const B& b) {                                                                  \
    return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, detail::Wrapping<Operation>>(#function, a, \
                                                                                               b);           \
  }
LADDER_TILE_ARITHMETIC(+, add, std::plus<>)
LADDER_TILE_ARITHMETIC(-, sub, std::minus<>)
LADDER_TILE_ARITHMETIC(*, mul, std::multiplies<>)
#undef LADDER_TILE_ARITHMETIC

/// Integers are divided towards zero.
template <arithmetic_tile A, arithmetic_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> div(const A& a, const B& b) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, std::divides<>>("div", a, b);
}
template <arithmetic_tile A, arithmetic_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B>
operator/(const A& a, const B& b) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, std::divides<>>("div", a, b);
}
template <rounding_mode Mode, arithmetic_tile A, arithmetic_tile B>
requires arithmetic_tile_convertible<A, B> && std::is_same_v < detail::arithmetic_element_t<A, B>,
float > arithmetic_tile_conversion_t<A, B> div(const A& a, const B& b, rounding_mode_constant<Mode>) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, std::divides<>>("div", a, b);
}

template <integral_tile A, integral_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B>
operator%(const A& a, const B& b) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, std::modulus<>>("mod", a, b);
}
template <integral_tile A, integral_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> ceildiv(const A& a,
                                                                                      const B& b) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, detail::CeilDiv>("ceildiv", a, b);
}
/// The upper half of the bits of the product, of signed numbers as of unsigned ones.
template <integral_tile A, integral_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> mulhi(const A& a, const B& b) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, detail::MulHi>("mulhi", a, b);
}
template <arithmetic_tile T>
T operator-(const T& a) {
  return detail::arithmetic<T, detail::Wrapping<std::negate<>>>("neg", a);
}

/// a * b + c, rounded once.
template <arithmetic_tile A, arithmetic_tile B, basic_floating_point_tile C>
requires broadcastable_to<A, tile_shape_t<C>> && broadcastable_to<B, tile_shape_t<C>> &&
    non_narrowing_scalar_convertible_to<tile_element_t<A>, tile_element_t<C>> &&
    non_narrowing_scalar_convertible_to<tile_element_t<B>, tile_element_t<C>>
        C fma(const A& a, const B& b, const C& c) {
  if constexpr (detail::is_16bit<tile_element_t<C>>)
    return detail::map<detail::FmaOf16Bit<tile_element_t<C>>, C>("fma", a, b, c);
  else
    return detail::arithmetic<C, detail::Fma>("fma", a, b, c);
}

template <arithmetic_tile T>
T abs(const T& a) {
  return detail::arithmetic<T, detail::Abs>("abs", a);
}

// ---- bits and truth --------------------------------------------------------------------------------------------

#define LADDER_TILE_BITS(symbol, name, Operation)                                         \
  template <integral_tile A, integral_tile B>                                             \
  requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B>           \
  operator symbol(const A& a, const B& b) {                                               \
    return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, Operation>(name, a, b); \
  }
LADDER_TILE_BITS(&, "and", std::bit_and<>)
LADDER_TILE_BITS(|, "or", std::bit_or<>)
LADDER_TILE_BITS(^, "xor", std::bit_xor<>)
#undef LADDER_TILE_BITS

/// Keeps the element type of the left operand.
template <integral_tile A, integral_tile B>
requires broadcast_compatible<A, B> mutual_broadcast_t<A, B, tile_element_t<A>>
operator<<(const A& a, const B& b) {
  return detail::map<detail::Shl, mutual_broadcast_t<A, B, tile_element_t<A>>>("shl", a, b);
}
template <integral_tile A, integral_tile B>
requires broadcast_compatible<A, B> mutual_broadcast_t<A, B, tile_element_t<A>>
operator>>(const A& a, const B& b) {
  return detail::map<detail::Shr, mutual_broadcast_t<A, B, tile_element_t<A>>>("shr", a, b);
}

// && and || compute both sides, whatever the left one is.
#define LADDER_TILE_LOGIC(symbol, name, Operation)                                                     \
  template <bool_tile_convertible A, bool_tile_convertible B>                                          \
  requires broadcast_compatible<A, B> mutual_broadcast_t<A, B, bool>                                   \
  operator symbol(const A& a, const B& b) {                                                            \
    return detail::map<detail::InCommon<bool, Operation>, mutual_broadcast_t<A, B, bool>>(name, a, b); \
  }
LADDER_TILE_LOGIC(&&, "both", std::logical_and<>)
LADDER_TILE_LOGIC(||, "either", std::logical_or<>)
#undef LADDER_TILE_LOGIC
template <bool_tile_convertible T>
tile_with_element_t<T, bool> operator!(const T& a) {
  return detail::map<detail::InTypeOf<bool, std::logical_not<>>, tile_with_element_t<T, bool>>("not", a);
}

#define LADDER_TILE_COMPARISON(symbol, name, Operation)                    \
  template <arithmetic_tile A, arithmetic_tile B>                          \
  requires arithmetic_tile_comparable<A, B> mutual_broadcast_t<A, B, bool> \
  operator symbol(const A& a, const B& b) { return detail::compare<Operation>(name, a, b); }
LADDER_TILE_COMPARISON(<, "less", std::less<>)
LADDER_TILE_COMPARISON(<=, "less_equal", std::less_equal<>)
LADDER_TILE_COMPARISON(>, "greater", std::greater<>)
LADDER_TILE_COMPARISON(>=, "greater_equal", std::greater_equal<>)
LADDER_TILE_COMPARISON(==, "equal", std::equal_to<>)
LADDER_TILE_COMPARISON(!=, "not_equal", std::not_equal_to<>)
#undef LADDER_TILE_COMPARISON

// ---- smaller and larger ----------------------------------------------------------------------------------------

#define LADDER_TILE_EXTREME(name, sign)                                                                    \
  template <arithmetic_tile A, arithmetic_tile B>                                                          \
  requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> name(const A& a,           \
                                                                                     const B& b) {         \
    return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, detail::Extreme<sign, false>>(#name, a,  \
                                                                                                b);        \
  }                                                                                                        \
  template <nan_propagation_mode Nan, arithmetic_tile A, arithmetic_tile B>                                \
  requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> name(                      \
      const A& a, const B& b, nan_propagation_mode_constant<Nan>) {                                        \
    constexpr bool propagate = Nan == nan_propagation_mode::propagate_nan;                                 \
    return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, detail::Extreme<sign, propagate>>(#name, \
                                                                                                    a, b); \
  }
LADDER_TILE_EXTREME(max, 1)
LADDER_TILE_EXTREME(min, -1)
#undef LADDER_TILE_EXTREME

// ---- mathematical functions ------------------------------------------------------------------------------------

#define LADDER_TILE_MATH(name, Operation, expression)          \
  namespace detail {                                           \
  struct Operation {                                           \
    template <class E>                                         \
    E operator()(E x) const {                                  \
      return expression;                                       \
    }                                                          \
  };                                                           \
  }                                                            \
  template <basic_floating_point_tile T>                       \
  T name(const T& a) {                                         \
    return detail::arithmetic<T, detail::Operation>(#name, a); \
  }
LADDER_TILE_MATH(exp, Exp, std::exp(x))
LADDER_TILE_MATH(exp2, Exp2, std::exp2(x))
LADDER_TILE_MATH(log, Log, std::log(x))
LADDER_TILE_MATH(log2, Log2, std::log2(x))
LADDER_TILE_MATH(sqrt, Sqrt, std::sqrt(x))
LADDER_TILE_MATH(rsqrt, Rsqrt, static_cast<E>(1) / std::sqrt(x))
LADDER_TILE_MATH(tanh, Tanh, std::tanh(x))
LADDER_TILE_MATH(sin, Sin, std::sin(x))
LADDER_TILE_MATH(cos, Cos, std::cos(x))
LADDER_TILE_MATH(floor, Floor, std::floor(x))
LADDER_TILE_MATH(ceil, Ceil, std::ceil(x))
#undef LADDER_TILE_MATH

template <basic_floating_point_tile T, rounding_mode Mode>
T exp(const T& a, rounding_mode_constant<Mode>) {
  return cuda::tiles::exp(a);
}
template <basic_floating_point_tile T, rounding_mode Mode>
T tanh(const T& a, rounding_mode_constant<Mode>) {
  return cuda::tiles::tanh(a);
}
template <basic_floating_point_tile T, rounding_mode Mode>
T sqrt(const T& a, rounding_mode_constant<Mode>) {
  return cuda::tiles::sqrt(a);
}

/// With round_subnormals_to_zero (fp32 only), a subnormal argument or result becomes zero.
template <basic_floating_point_tile T, subnormals_rounding_mode Mode>
requires(Mode == subnormals_rounding_mode::preserve_subnormals || std::is_same_v<tile_element_t<T>, float>) T
    exp2(const T& a, subnormals_rounding_mode_constant<Mode>) {
  if constexpr (Mode == subnormals_rounding_mode::preserve_subnormals)
    return cuda::tiles::exp2(a);
  else
    return detail::arithmetic<T, detail::Exp2FlushingSubnormals>("exp2", a);
}

template <basic_floating_point_tile A, arithmetic_tile B>
requires arithmetic_tile_convertible<A, B> arithmetic_tile_conversion_t<A, B> pow(const A& a, const B& b) {
  return detail::arithmetic<arithmetic_tile_conversion_t<A, B>, detail::Pow>("pow", a, b);
}

template <floating_point_tile T>
tile_with_element_t<T, bool> isnan(const T& a) {
  return detail::map<detail::IsNan, tile_with_element_t<T, bool>>("isnan", a);
}
template <floating_point_tile T>
tile_with_element_t<T, bool> isinf(const T& a) {
  return detail::map<detail::IsInf, tile_with_element_t<T, bool>>("isinf", a);
}

// ---- choosing and converting -----------------------------------------------------------------------------------

/// where(condition) a else b. Both branches have the same type; the condition broadcasts to it.
template <tile_like T, bool_tile_convertible C>
requires broadcastable_to<C, tile_shape_t<T>> T select(const C& condition, const T& a, const T& b) {
  return detail::map<detail::Select, T>("select", condition, a, b);
}

/// Every element converted to Element: to nearest even, towards zero for integers, != 0 for bool.
template <scalar Element, tile_like T>
requires tile_convertible_to<T, tile_with_element_t<T, Element>> tile_with_element_t<T, Element> element_cast(
    const T& a) {
  return detail::map<detail::ConvertTo<std::remove_cv_t<Element>>, tile_with_element_t<T, Element>>(
      "element_cast", a);
}

/// The same bits, read as another type of the same size.
template <scalar Element, tile_like T>
requires(sizeof(Element) == sizeof(tile_element_t<T>) &&
         !std::is_same_v<Element, __nv_tf32>) tile_with_element_t<T, Element> element_bitcast(const T& a) {
  return detail::map<detail::BitCastTo<Element>, tile_with_element_t<T, Element>>("element_bitcast", a);
}

}  // namespace on_cpu
}  // namespace cuda::tiles
