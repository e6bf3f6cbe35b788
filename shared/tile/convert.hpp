// convert(): one element of any type as another, and the types that elements are computed in.
#pragma once

#include "shared/tile/rules.hpp"

namespace cuda::tiles {
inline namespace on_cpu {
namespace detail {

/// One element from any type to any other, as element_cast does it: to nearest even, towards zero for integers.
template <class To, class From>
constexpr To convert(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (is_data_pointer<From>)
    return static_cast<To>(value);
  else if constexpr (std::is_same_v<To, bool>)
    return convert<double>(value) != 0.0;
  else if constexpr (is_16bit<From> || std::is_same_v<From, __nv_tf32>)
    return convert<To>(static_cast<float>(value));
  else if constexpr (is_16bit<To> || std::is_same_v<To, __nv_tf32>) {
    if constexpr (std::is_same_v<From, float>)
      return To(value);
    else
      return To(static_cast<double>(value));
  } else
    return static_cast<To>(value);
}

/// The type that an element is computed in: fp32 for the 16-bit ones, which are then rounded once.
template <class E>
using compute_t = std::conditional_t<is_16bit<E> || std::is_same_v<E, __nv_tf32>, float, E>;

}  // namespace detail
}  // namespace on_cpu
}  // namespace cuda::tiles
