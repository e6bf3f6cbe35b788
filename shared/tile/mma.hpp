// mma: the matrix product that tensor cores do. acc + a b, with a (M, K), b (K, N), acc (M, N).
//
//   elements of a and b    accumulator    how the GPU does it
//   bf16, fp16, tf32       float          tensor cores
//   float                  float          one multiply-add after the other, never tf32
//   double                 double         tensor cores in fp64
// A product of two 16-bit or tf32 elements is exact in fp32; only the additions round.
#pragma once

#include "shared/tile/rearrange.hpp"

namespace ladder::tile {

/// out_mn = acc_mn + a_mk b_kn, all dense and row-major, over k in ascending order. Fused multiply-adds
/// where the processor has them.
void multiply_add(const float* a_mk, const float* b_kn, const float* acc_mn, float* out_mn, std::size_t m,
                  std::size_t n, std::size_t k);
void multiply_add(const double* a_mk, const double* b_kn, const double* acc_mn, double* out_mn, std::size_t m,
                  std::size_t n, std::size_t k);

}  // namespace ladder::tile

namespace cuda::tiles {
inline namespace on_cpu {

namespace detail {

template <class E, class Acc>
inline constexpr bool mma_elements = ((is_16bit<E> || std::is_same_v<E, __nv_tf32> ||
                                       std::is_same_v<E, float>)&&std::is_same_v<Acc, float>) ||
                                     (std::is_same_v<E, double> && std::is_same_v<Acc, double>);

/// Extents from the end: of (M, K), (K, N), (M, N), or the same behind a batch dimension.
template <class A, class B, class C>
constexpr bool mma_shapes() {
  if (A::rank() != C::rank() || B::rank() != C::rank() || C::rank() < 2 || C::rank() > 3) return false;
  const std::size_t r = C::rank();
  const bool batches = r == 2 || ((A::static_extent(0) == 1 || A::static_extent(0) == C::static_extent(0)) &&
                                  (B::static_extent(0) == 1 || B::static_extent(0) == C::static_extent(0)));
  return batches && A::static_extent(r - 1) == B::static_extent(r - 2) &&
         A::static_extent(r - 2) == C::static_extent(r - 2) &&
         B::static_extent(r - 1) == C::static_extent(r - 1);
}

/// `values` as fp32 or fp64: themselves, or converted into `scratch`.
template <class C, class E>
const C* widened(const E* values, [[maybe_unused]] C* scratch, [[maybe_unused]] std::size_t count) {
  if constexpr (std::is_same_v<C, E>) {
    return values;
  } else {
    map_rows<ConvertTo<C>>(scratch, 1, count, Operand<E, 1>{values, 0});
    return scratch;
  }
}

}  // namespace detail

template <numeric_tile A, numeric_tile B, numeric_tile Acc>
requires(std::is_same_v<tile_element_t<A>, tile_element_t<B>>&&
             detail::mma_elements<tile_element_t<A>, tile_element_t<Acc>>&&
                 detail::mma_shapes<tile_shape_t<A>, tile_shape_t<B>, tile_shape_t<Acc>>())
    [[gnu::noinline]] Acc mma(const A& a, const B& b, const Acc& acc) {
  using C = tile_element_t<Acc>;
  constexpr bool as_is = std::is_same_v<C, tile_element_t<A>>;
  constexpr std::size_t r = tile_rank_v<Acc>, m = tile_shape_t<Acc>::static_extent(r - 2);
  constexpr std::size_t n = tile_shape_t<Acc>::static_extent(r - 1),
                        k = tile_shape_t<A>::static_extent(r - 1);
  [[maybe_unused]] alignas(64) C a_scratch[as_is ? 1 : tile_size_v<A>];
  [[maybe_unused]] alignas(64) C b_scratch[as_is ? 1 : tile_size_v<B>];
  Acc result = detail::unfilled<Acc>();
  const C* a_values = detail::widened<C>(a.model_values(), a_scratch, tile_size_v<A>);
  const C* b_values = detail::widened<C>(b.model_values(), b_scratch, tile_size_v<B>);
  for (std::size_t batch = 0; batch < tile_size_v<Acc> / (m * n); ++batch)
    ladder::tile::multiply_add(a_values + (tile_size_v<A> == m * k ? 0 : batch * m * k),
                               b_values + (tile_size_v<B> == k * n ? 0 : batch * k * n),
                               acc.model_values() + batch * m * n, result.model_values() + batch * m * n, m,
                               n, k);
  detail::logged("mma", result, nullptr, a, b, acc);
  return result;
}

}  // namespace on_cpu
}  // namespace cuda::tiles
