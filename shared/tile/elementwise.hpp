// Element by element: operators, comparisons, min and max, mathematical functions, select and casts.
//
// Arithmetic on 16-bit elements is done in fp32 and rounded once, which gives the correctly rounded result of + - * /
// and sqrt; integers wrap. Division by an integer zero is an error here as it is in C++.
#pragma once

#include <cmath>
#include <functional>

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

// What an operation does to elements is a type with a call operator: the loops of loops.hpp are made for it, and for
// element types, but not for shapes. Lambdas inside the operations below would be other types for each shape.

/// F on elements of any types, computed in E's compute type and rounded to E.
template <class E, class F>
struct InTypeOf {
  template <class... X>
  E operator()(X... x) const {
    return convert<E>(static_cast<compute_t<E>>(F{}(convert<compute_t<E>>(convert<E>(x))...)));
  }
};

/// F on two elements, both converted to Common first.
template <class Common, class F>
struct InCommon {
  template <class X, class Y>
  bool operator()(X x, Y y) const {
    return F{}(convert<Common>(x), convert<Common>(y));
  }
};

template <class Result, class F, class... T>
Result arithmetic(const char* name, const T&... x) {
  return map<InTypeOf<tile_element_t<Result>, F>, Result>(name, x...);
}

template <class F, class A, class B>
auto compare(const char* name, const A& a, const B& b) {
  using Common = compute_t<common_scalar_t<tile_element_t<A>, tile_element_t<B>>>;
  return map<InCommon<Common, F>, mutual_broadcast_t<A, B, bool>>(name, a, b);
}

/// Integers wrap around on a GPU; in C++ the signed ones must not.
template <class F>
struct Wrapping {
  template <class E, class... More>
  E operator()(E x, More... more) const {
    if constexpr (std::is_integral_v<E> && !std::is_same_v<E, bool>) {
      using U = std::conditional_t<(sizeof(E) < 4), unsigned, std::make_unsigned_t<E>>;
      return static_cast<E>(F{}(static_cast<U>(x), static_cast<U>(more)...));
    } else {
      return static_cast<E>(F{}(x, more...));
    }
  }
};

/// The larger (Sign = 1) or smaller (-1): a NaN loses unless it propagates, and +0 is larger than -0.
template <int Sign, bool Propagate>
struct Extreme {
  template <class E>
  E operator()(E a, E b) const {
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
};

struct CeilDiv {
  template <class E>
  E operator()(E x, E y) const {
    return x / y + (x % y != 0 && ((x < 0) == (y < 0)) ? 1 : 0);
  }
};

struct Fma {
  template <class E>
  E operator()(E x, E y, E z) const {
    return std::fma(x, y, z);
  }
};

/// For 16-bit results: exact in fp64 before its one rounding.
template <class E>
struct FmaOf16Bit {
  template <class X, class Y>
  E operator()(X x, Y y, E z) const {
    return convert<E>(convert<double>(x) * convert<double>(y) + convert<double>(z));
  }
};

struct Abs {
  template <class E>
  E operator()(E x) const {
    if constexpr (std::is_floating_point_v<E>)
      return std::fabs(x);
    else
      return x < 0 ? Wrapping<std::negate<>>{}(x) : x;
  }
};

/// Keeps the type of the left operand, as Shr does.
struct Shl {
  template <class E, class I>
  E operator()(E x, I y) const {
    return static_cast<E>(static_cast<std::make_unsigned_t<E>>(x) << y);
  }
};
struct Shr {
  template <class E, class I>
  E operator()(E x, I y) const {
    return static_cast<E>(x >> y);
  }
};

struct Exp2FlushingSubnormals {
  float operator()(float x) const {
    const float y = std::exp2(x);
    return y < 0x1p-126F ? 0.0F : y;
  }
};

struct Pow {
  template <class E>
  E operator()(E x, E y) const {
    return static_cast<E>(std::pow(x, y));
  }
};

struct IsNan {
  template <class E>
  bool operator()(E x) const {
    return std::isnan(convert<double>(x));
  }
};
struct IsInf {
  template <class E>
  bool operator()(E x) const {
    return std::isinf(convert<double>(x));
  }
};

struct Select {
  template <class C, class E>
  E operator()(C condition, E x, E y) const {
    return convert<bool>(condition) ? x : y;
  }
};

template <class To>
struct BitCastTo {
  template <class From>
  To operator()(From x) const {
    return std::bit_cast<To>(x);
  }
};

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
