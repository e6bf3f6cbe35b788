// What operations do to elements.
//
// Each is a type with a call operator: the loops of loops.hpp are made for it and for element types, but not for
// shapes. A lambda inside an operation on tiles would be another type for each shape.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>

#include "shared/tile/convert.hpp"

namespace cuda::tiles {
inline namespace on_cpu {
namespace detail {

struct Same {
  template <class E>
  E operator()(E x) const {
    return x;
  }
};

template <class To>
struct ConvertTo {
  template <class From>
  constexpr To operator()(From value) const {
    return convert<To>(value);
  }
};

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

/// The upper half of the product of the bits as unsigned numbers, which is what a GPU makes of signed ones, too (seen on
/// an H100).
struct MulHi {
  template <class E>
  E operator()(E x, E y) const {
    using Bits = std::make_unsigned_t<E>;
    static_assert(sizeof(E) <= 4, "the CPU model multiplies halves of up to 32 bits");
    const auto product = std::uint64_t{static_cast<Bits>(x)} * std::uint64_t{static_cast<Bits>(y)};
    return static_cast<E>(product >> 8 * sizeof(E));
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
}  // namespace on_cpu
}  // namespace cuda::tiles
