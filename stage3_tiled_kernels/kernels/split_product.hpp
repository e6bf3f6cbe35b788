// Products of fp32 tiles on tensor cores that know no fp32.
#pragma once

#include "stage3_tiled_kernels/kernels/device.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// An extent of a tile, of the type that lets a call deduce it.
using Extent = std::size_t;

template <class E, Extent Rows, Extent Columns>
using Tile = ct::tile<E, ct::shape<Rows, Columns>>;

using table::Products;

/// An fp32 tile as high + low, each exact in tf32 but for low's last bit or two.
template <Extent M, Extent N>
struct Split {
  Tile<__nv_tf32, M, N> high, low;
};

template <Extent M, Extent N>
__tile__ Split<M, N> split(Tile<float, M, N> x) {
  const auto high = ct::element_cast<__nv_tf32>(x);
  return {high, ct::element_cast<__nv_tf32>(x - ct::element_cast<float>(high))};
}

/// a [M, K], b [K, N], sum [M, N] -> sum + a b; factors other than fp32 are always plain. A tensor core adds with
/// fewer bits than fp32 has and cuts the rest off, an error that grows with the inner dimension (4e-5 of the result at
/// 8,192, where fp32 makes 2e-6). Hence it sums only the 3 K products of this call, small ones first; the long sum is
/// made by ordinary additions.
template <Products P, class A, class E, Extent M, Extent N, Extent K>
__tile__ Tile<E, M, N> add_product(Tile<A, M, K> a, Tile<A, K, N> b, Tile<E, M, N> sum) {
  if constexpr (P == Products::split && std::is_same_v<A, float>) {
    const auto x = split(a);
    const auto y = split(b);
    const auto small = ct::mma(x.low, y.high, ct::mma(x.high, y.low, ct::zeros<Tile<E, M, N>>()));
    return sum + ct::mma(x.high, y.high, small);
  } else {
    return ct::mma(a, b, sum);
  }
}

}  // namespace ladder::LADDER_SIDE::stage3
