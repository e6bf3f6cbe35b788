// What every tile kernel and launcher needs: the three types behind a Dtype, views of
// matrices, and checked pointers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include "shared/base/error.hpp"
#include "shared/model/ops.hpp"
#include "shared/tile/launch.hpp"
#include "stage3_tiled_kernels/preconditions.hpp"

namespace ladder::LADDER_SIDE::stage3 {

namespace ct = cuda::tiles;
using namespace ct::literals;

/// An element type E of the stage, as three types:
///   Stored   what lies in memory
///   Operand  what ct::mma multiplies
///   Wide     sums, statistics, gradients
template <class E>
struct Element {
  using Stored = E;
  using Operand = E;
  using Wide = float;
};
template <>
struct Element<double> {
  using Stored = double;
  using Operand = double;
  using Wide = double;
};
/// tf32 is fp32 in memory, rounded to ten bits of mantissa on its way into a product.
template <>
struct Element<__nv_tf32> {
  using Stored = float;
  using Operand = __nv_tf32;
  using Wide = float;
};
template <class E>
using Stored = typename Element<E>::Stored;
template <class E>
using Operand = typename Element<E>::Operand;
template <class E>
using Wide = typename Element<E>::Wide;

template <class E>
inline constexpr Dtype dtype_of = Dtype::fp32;
template <>
inline constexpr Dtype dtype_of<double> = Dtype::fp64;
template <>
inline constexpr Dtype dtype_of<__nv_tf32> = Dtype::tf32;
template <>
inline constexpr Dtype dtype_of<__nv_bfloat16> = Dtype::bf16;
template <>
inline constexpr Dtype dtype_of<__half> = Dtype::fp16;

/// Whether this build is only to show that every kernel compiles, which takes few of the instantiations;
/// tile_kernels.sh alone asks for it.
#ifdef LADDER_FEW_INSTANTIATIONS
inline constexpr bool kFewInstantiations = true;
#else
inline constexpr bool kFewInstantiations = false;
#endif

/// Whether this build has kernels for E: for all types, or for those that models are trained in.
template <class E>
inline constexpr bool kHasKernels =
    !kFewInstantiations || dtype_of<E> == Dtype::fp32 || dtype_of<E> == Dtype::bf16;

/// Names a type in a call.
template <class T>
struct Type {
  using type = T;
};

/// Calls body(Type<E>{}) with the element type of `dtype`: for kernels with a matrix product.
template <class Body>
void with_element_type(Dtype dtype, Body&& body) {
  const auto call = [&](auto type) {
    if constexpr (kHasKernels<typename decltype(type)::type>)
      body(type);
    else
      throw InputError(fmt::format("this build has no kernels in {}", name_of(dtype)));
  };
  switch (dtype) {
    case Dtype::fp64:
      return call(Type<double>{});
    case Dtype::fp32:
      return call(Type<float>{});
    case Dtype::tf32:
      return call(Type<__nv_tf32>{});
    case Dtype::bf16:
      return call(Type<__nv_bfloat16>{});
    case Dtype::fp16:
      return call(Type<__half>{});
  }
}

/// Calls body(Type<T>{}) with the type that `dtype` is stored as: for kernels
/// without one, where tf32 is fp32.
template <class Body>
void with_stored_type(Dtype dtype, Body&& body) {
  with_element_type(dtype == Dtype::tf32 ? Dtype::fp32 : dtype, [&](auto type) {
    if constexpr (!std::is_same_v<typename decltype(type)::type, __nv_tf32>) body(type);
  });
}

// ---- inside kernels ---------------------------------------------------------------------------------------

/// Below every number of type W: the score of a key that is not seen, and of a column behind the vocabulary.
template <class W>
inline constexpr W kBelowAll = -std::numeric_limits<W>::infinity();

inline constexpr double kLog2E = 1.4426950408889634;
inline constexpr double kLn2 = 0.6931471805599453;

/// 2^x; in fp32 results below 2^-126 are 0, which spares three instructions a score that would
/// scale them back and forth.
template <class Tile>
__tile__ Tile power_of_two(Tile x) {
  if constexpr (std::is_same_v<ct::tile_element_t<Tile>, float>)
    return ct::exp2(x, ct::round_subnormals_to_zero_t{});
  else
    return ct::exp2(x);
}

/// Tiles of `size` that cover `count` elements.
__tile__ inline int tiles_for(int count, int size) { return (count + size - 1) / size; }

/// 0, 1, 2, ... from `first` on, as a column of N rows and as a row of N columns: for masks.
template <int N>
__tile__ auto column_of_indices(int first) {
  return ct::reshape<ct::shape<N, 1>>(ct::iota<ct::tile<int, ct::shape<N>>>()) + first;
}
template <int N>
__tile__ auto row_of_indices(int first) {
  return ct::reshape<ct::shape<1, N>>(ct::iota<ct::tile<int, ct::shape<N>>>()) + first;
}

/// Tells the compiler that `data` is 16-byte aligned when Divisor (elements that divide every row) says so.
/// Both promises together are what the bulk copy engine needs.
template <int Divisor, class T>
__tile__ T* promised(T* data) {
  if constexpr (Divisor > 1)
    return ct::assume_aligned<16>(data);
  else
    return data;
}

/// A dense row-major matrix cut into tiles of TR x TC. Loads beyond its edge give
/// zeros, stores leave it alone.
template <int TR, int TC, class T>
__tile__ auto matrix(T* data, int rows, int columns) {
  return ct::partition_view{ct::tensor_span{data, ct::extents{rows, columns}}, ct::shape<TR, TC>{}};
}

/// The same with rows `stride` elements apart.
template <int TR, int TC, class T>
__tile__ auto matrix(T* data, int rows, int columns, int stride) {
  return ct::partition_view{ct::tensor_span{data, ct::layout_strided_mapping{ct::extents{rows, columns},
                                                                             ct::strides{stride, 1_ic}}},
                            ct::shape<TR, TC>{}};
}

/// `depth` matrices of rows x columns, one behind the other.
template <int TR, int TC, class T>
__tile__ auto matrices(T* data, int depth, int rows, int columns) {
  return ct::partition_view{ct::tensor_span{data, ct::extents{depth, rows, columns}}, ct::shape<1, TR, TC>{}};
}

/// A vector cut into tiles of TN.
template <int TN, class T>
__tile__ auto vector(T* data, int count) {
  return ct::partition_view{ct::tensor_span{data, ct::extents{count}}, ct::shape<TN>{}};
}

// ---- around launches --------------------------------------------------------------------------------------

/// A pointer of a launcher's arguments, for require_pointers.
struct Pointer {
  const char* name;
  const void* data;
  std::size_t element;  ///< bytes
};

template <class Role>
Pointer pointer(const char* name, Ref<Role> ref) {
  return {name, ref.data, size_of(ref.dtype)};
}

/// Throws InputError naming the first pointer that is null or not a multiple of its element's size.
inline void require_pointers(const char* launcher, std::initializer_list<Pointer> pointers) {
  for (const auto& [name, data, element] : pointers)
    ladder::stage3::require_given(launcher, name, data, element);
}

inline unsigned blocks_for(int count, int size) { return static_cast<unsigned>((count + size - 1) / size); }

}  // namespace ladder::LADDER_SIDE::stage3
