// What the compiler must accept and refuse, as static assertions: the same file is read with the model's headers and
// with NVIDIA's, so that neither can be laxer than the other in what kernels rely on.
#pragma once

#include <cstdint>
#include <type_traits>

#include "shared/tile/launch.hpp"

namespace ladder::LADDER_SIDE::tile_rules {

namespace ct = cuda::tiles;
using namespace ct::literals;

template <class E, std::size_t... N>
using Tile = ct::tile<E, ct::shape<N...>>;

template <class A, class B>
using Sum = decltype(std::declval<A>() + std::declval<B>());
template <class A, class B>
concept Adds = requires(A a, B b) {
  a + b;
};
template <class A, class B>
concept Compares = requires(A a, B b) {
  a < b;
};
template <class A, class B>
concept TakesMaximum = requires(A a, B b) {
  ct::max(a, b);
};
template <class C, class A, class B>
concept Selects = requires(C c, A a, B b) {
  ct::select(c, a, b);
};
template <class P, class V>
concept Stores = requires(P p, V v) {
  ct::store(p, v);
};
template <class A, class B, class C>
concept Multiplies = requires(A a, B b, C c) {
  ct::mma(a, b, c);
};
template <class E, std::size_t N>
concept Exists = requires {
  typename ct::tile<E, ct::shape<N>>;
};
template <class A, class B>
concept BecomesQuietly = std::is_convertible_v<A, B>;
template <class E, class T>
concept Casts = requires(T t) {
  ct::element_cast<E>(t);
};
template <class S, class T>
concept Broadcasts = requires(T t) {
  ct::broadcast<S>(t);
};
template <class S, class T>
concept Reshapes = requires(T t) {
  ct::reshape<S>(t);
};

using F4 = Tile<float, 4>;
using D4 = Tile<double, 4>;
using B4 = Tile<__nv_bfloat16, 4>;
using H4 = Tile<__half, 4>;
using I4 = Tile<int, 4>;
using U4 = Tile<unsigned, 4>;
using L4 = Tile<std::int64_t, 4>;
using X4 = Tile<__nv_tf32, 4>;
using M4 = Tile<bool, 4>;

// Extents are powers of two.
static_assert(Exists<float, 1> && Exists<float, 64> && !Exists<float, 3> && !Exists<float, 48>);

// Two tiles meet in the wider type; bf16 and fp16 do not meet, nor signed and unsigned; tf32 has no arithmetic.
static_assert(std::is_same_v<Sum<F4, D4>, D4> && std::is_same_v<Sum<B4, F4>, F4> &&
              std::is_same_v<Sum<I4, F4>, F4>);
static_assert(std::is_same_v<Sum<I4, L4>, L4> && std::is_same_v<Sum<I4, H4>, H4>);
static_assert(std::is_same_v<Sum<Tile<short, 4>, Tile<short, 4>>, Tile<short, 4>>);  // no promotion to int
static_assert(!Adds<B4, H4> && !Adds<I4, U4> && !Adds<X4, X4> && !Adds<F4, Tile<float, 8>>);

// A tile and a scalar give the tile's type; what does not fit it is an error.
static_assert(std::is_same_v<Sum<F4, float>, F4> && std::is_same_v<Sum<F4, int>, F4> &&
              std::is_same_v<Sum<B4, int>, B4>);
static_assert(std::is_same_v<Sum<D4, float>, D4> && std::is_same_v<Sum<L4, int>, L4>);
static_assert(!Adds<F4, double> && !Adds<B4, float> && !Adds<I4, float> && !Adds<I4, unsigned> &&
              !Adds<U4, int>);
static_assert(!Adds<I4, std::int64_t>);

// Comparisons widen, but still do not mix signed with unsigned.
static_assert(Compares<F4, double> && Compares<I4, std::int64_t> && !Compares<I4, unsigned> &&
              !Compares<B4, H4>);
static_assert(std::is_same_v<decltype(F4() < F4()), M4>);

// Shapes broadcast at the last dimension.
static_assert(std::is_same_v<Sum<Tile<float, 2, 1>, Tile<float, 1, 4>>, Tile<float, 2, 4>>);
static_assert(std::is_same_v<Sum<Tile<float, 2, 2, 1>, Tile<float, 4>>, Tile<float, 2, 2, 4>>);
static_assert(Broadcasts<ct::shape<2, 4>, F4> && !Broadcasts<ct::shape<4, 2>, F4>);
static_assert(Reshapes<ct::shape<2, 2>, F4> && !Reshapes<ct::shape<2, 4>, F4>);

// There is no +=, no [], and a tile of several elements is no condition.
template <class T>
concept HasSubscript = requires(T t) {
  t[0];
};
template <class T>
concept HasPlusAssign = requires(T t) {
  t += t;
};
static_assert(!HasSubscript<F4> && !HasPlusAssign<F4>);
static_assert(!std::is_constructible_v<bool, M4> && std::is_constructible_v<float, Tile<float, 1>>);

// Conversions that lose nothing are implicit, the others need element_cast.
static_assert(BecomesQuietly<B4, F4> && BecomesQuietly<H4, F4> && BecomesQuietly<F4, D4> &&
              BecomesQuietly<X4, F4>);
static_assert(!BecomesQuietly<F4, B4> && !BecomesQuietly<D4, F4> && !BecomesQuietly<I4, F4> &&
              !BecomesQuietly<F4, I4>);
static_assert(Casts<__nv_bfloat16, F4> && Casts<int, F4> && Casts<__nv_tf32, F4> && Casts<float, X4> &&
              Casts<bool, I4>);

// select's branches have one type.
static_assert(Selects<M4, F4, F4> && !Selects<M4, F4, D4> && !Selects<M4, F4, float>);
static_assert(TakesMaximum<F4, float> && TakesMaximum<F4, int> && !TakesMaximum<F4, double>);

// A store may widen and may not narrow; the value has the pointers' shape.
static_assert(Stores<Tile<float*, 4>, F4> && Stores<Tile<float*, 4>, B4>);
static_assert(!Stores<Tile<__nv_bfloat16*, 4>, F4> && !Stores<Tile<float*, 4>, Tile<float, 1>>);
static_assert(!Stores<Tile<const float*, 4>, F4>);
static_assert(std::is_same_v<Sum<float*, I4>, Tile<float*, 4>>);

// mma: one element type on both sides, fp32 accumulators (fp64 for fp64).
template <class E, class Acc>
concept MultipliesSquares = Multiplies<Tile<E, 2, 2>, Tile<E, 2, 2>, Tile<Acc, 2, 2>>;
static_assert(MultipliesSquares<__nv_bfloat16, float> && MultipliesSquares<__half, float> &&
              MultipliesSquares<float, float>);
static_assert(MultipliesSquares<__nv_tf32, float> && MultipliesSquares<double, double>);
static_assert(!MultipliesSquares<float, double> && !MultipliesSquares<__nv_bfloat16, __nv_bfloat16>);
static_assert(!Multiplies<Tile<__half, 2, 2>, Tile<__nv_bfloat16, 2, 2>, Tile<float, 2, 2>>);
static_assert(!Multiplies<Tile<float, 2, 4>, Tile<float, 2, 2>, Tile<float, 2, 2>>);

// Shapes of results.
static_assert(std::is_same_v<decltype(ct::sum<1>(Tile<float, 2, 4>())), Tile<float, 2, 1>>);
static_assert(std::is_same_v<decltype(ct::reduce_max(Tile<float, 2, 4>(), 0_ic)), Tile<float, 1, 4>>);
static_assert(std::is_same_v<decltype(ct::transpose(Tile<float, 2, 4>())), Tile<float, 4, 2>>);
static_assert(std::is_same_v<decltype(ct::permute(Tile<float, 2, 4, 8>(), ct::dimension_map<2, 0, 1>{})),
                             Tile<float, 8, 2, 4>>);
static_assert(
    std::is_same_v<decltype(ct::cat<1>(Tile<float, 2, 4>(), Tile<float, 2, 4>())), Tile<float, 2, 8>>);
static_assert(std::is_same_v<decltype(ct::iota<Tile<int, 4>>()), Tile<int, 4>>);
static_assert(std::is_same_v<decltype(ct::max(1, 2L)), long>);

}  // namespace ladder::LADDER_SIDE::tile_rules
