// The examples of shared/tile/README.md, compiled and run: each block of code on that page stands here word for word.
#pragma once

#include "shared/tile/launch.hpp"

namespace ladder::LADDER_SIDE {

namespace ct = cuda::tiles;
using namespace ct::literals;

__tile_global__ void example_first(const float* x, float* y, int count) {
  // [a whole kernel]
  auto i = static_cast<int>(ct::bid().x) * 64 + ct::iota<ct::tile<int, ct::shape<64>>>();
  auto values = ct::load_masked(x + i, i < count, 0.0F);
  ct::store_masked(y + i, 2.0F * values, i < count);
}

__tile_global__ void example_making(float* out) {
  // [making tiles]
  using Row = ct::tile<float, ct::shape<1, 4>>;
  auto zeros = ct::zeros<Row>();                          // {0, 0, 0, 0}
  auto ones = ct::ones<Row>();                            // {1, 1, 1, 1}
  auto halves = ct::full<Row>(0.5F);                      // {0.5, 0.5, 0.5, 0.5}
  auto number = ct::iota<ct::tile<int, ct::shape<4>>>();  // {0, 1, 2, 3}
  auto one = ct::tile{2.5F};                              // a tile of shape<>, one element
  ct::store(out + number, ct::reshape<ct::shape<4>>(zeros + ones + halves + static_cast<float>(one)));
}

__tile_global__ void example_arithmetic(const float* in, float* out) {
  auto i = ct::iota<ct::tile<int, ct::shape<4>>>();
  auto a = ct::load(in + i);
  auto b = ct::load(in + 4 + i);
  // [arithmetic]
  auto sum = a + b - 1;             // + - * / and unary -, element by element
  auto product = ct::mul(a, b);     // add, sub, mul, div: the same as functions
  auto fused = ct::fma(a, b, sum);  // a * b + sum, rounded once
  auto even = i % 2;                // % and ceildiv for integers
  auto blocks = ct::ceildiv(i, 2);  // {0, 1, 1, 2}
  auto bits = (i & 1) | (i << 1) | (i >> 1) | (i ^ 3);
  auto quick = ct::div(a, b, ct::round_approximate_t{});  // float only, fewer exact bits
  // [end]
  ct::store(out + i, product + fused + quick + ct::element_cast<float>(even + blocks + bits));
}

__tile_global__ void example_comparing(const float* in, float* out) {
  auto i = ct::iota<ct::tile<int, ct::shape<4>>>();
  auto a = ct::load(in + i);
  auto b = ct::load(in + 4 + i);
  // [comparing and choosing]
  auto mask = (a < b && !(a == 0.0F)) || a >= 100;   // tile<bool>; both sides are always computed
  auto chosen = ct::select(mask, a, b);              // a where the mask is true, else b
  auto larger = ct::max(a, b);                       // and min; a NaN loses
  auto kept = ct::max(a, b, ct::propagate_nan_t{});  // a NaN wins
  auto bad = ct::isnan(a) || ct::isinf(a);
  // [end]
  ct::store(out + i, ct::select(bad, chosen, larger + kept));
}

__tile_global__ void example_functions(const float* in, float* out) {
  auto i = ct::iota<ct::tile<int, ct::shape<4>>>();
  auto x = ct::load(in + i);
  // [functions]
  auto a = ct::exp(x) + ct::exp2(x) + ct::tanh(x);
  auto b = ct::log(a) + ct::log2(a) + ct::sqrt(a) + ct::rsqrt(a);
  auto c = ct::abs(x) + ct::floor(x) + ct::ceil(x) + ct::sin(x) + ct::cos(x) + ct::pow(a, x);
  auto quick = ct::exp(x, ct::round_approximate_t{}) + ct::tanh(x, ct::round_approximate_t{});
  auto flushed = ct::exp2(x, ct::round_subnormals_to_zero_t{});
  // [end]
  ct::store(out + i, a + b + c + quick + flushed);
}

__tile_global__ void example_converting(const float* in, float* out) {
  auto i = ct::iota<ct::tile<int, ct::shape<4>>>();
  auto x = ct::load(in + i);
  // [converting]
  auto half = ct::element_cast<__nv_bfloat16>(x);   // to nearest, ties to even
  ct::tile<float, ct::shape<4>> wide = half;        // nothing is lost: no cast needed
  auto whole = ct::element_cast<int>(x);            // towards zero
  auto pattern = ct::element_bitcast<int>(x);       // the same 32 bits
  auto number = static_cast<float>(ct::sum<0>(x));  // a tile of one element to a scalar
  // [end]
  ct::store(out + i, wide + ct::element_cast<float>(whole + pattern) + number);
}

__tile_global__ void example_moving(const float* in, float* out) {
  auto i = ct::iota<ct::tile<int, ct::shape<8>>>();
  auto x = ct::load(in + i);
  // [moving elements]
  auto matrix = ct::reshape<ct::shape<2, 4>>(x);  // same order, another shape
  auto turned = ct::transpose(matrix);            // shape<4, 2>
  auto cube = ct::permute<ct::dimension_map<2, 0, 1>>(ct::reshape<ct::shape<2, 2, 2>>(x));
  auto many = ct::broadcast<ct::shape<4, 8>>(x);              // 4 equal rows
  auto right = ct::extract(matrix, ct::shape<2, 2>{}, 0, 1);  // parts are counted: columns 2 and 3
  auto joined = ct::cat<1>(matrix, matrix);                   // shape<2, 8>
  // [end]
  ct::store(out + i, ct::reshape<ct::shape<8>>(turned) + ct::reshape<ct::shape<8>>(cube) +
                         ct::reshape<ct::shape<8>>(ct::extract(many, ct::shape<1, 8>{}, 3, 0)) +
                         ct::reshape<ct::shape<8>>(ct::extract(joined, ct::shape<1, 8>{}, 1, 0)) +
                         static_cast<float>(ct::sum<0>(ct::reshape<ct::shape<4>>(right))));
}

__tile_global__ void example_reducing(const float* in, float* out) {
  auto i = ct::iota<ct::tile<int, ct::shape<8>>>();
  auto matrix = ct::reshape<ct::shape<2, 4>>(ct::load(in + i));
  // [reducing]
  auto row_sums = ct::sum<1>(matrix);        // shape<2, 1>: the dimension stays
  auto column_sums = ct::sum(matrix, 0_ic);  // shape<1, 4>; the other way to say which
  auto row_max = ct::reduce_max<1>(matrix);  // and reduce_min, prod
  auto any = ct::any_of<1>(matrix > 3.0F);   // and all_of
  auto centred = matrix - row_sums / 4.0F;   // so the result broadcasts back
  // [end]
  ct::store(out + i, ct::reshape<ct::shape<8>>(ct::select(any, centred * row_max, centred * column_sums)));
}

__tile_global__ void example_mma(const __nv_bfloat16* a_, const __nv_bfloat16* b_, float* out, int k) {
  // [matrix product]
  auto a_view = ct::partition_view{ct::tensor_span{a_, ct::extents{16_ic, k}}, ct::shape<16, 16>{}};
  auto b_view = ct::partition_view{ct::tensor_span{b_, ct::extents{16_ic, k}}, ct::shape<16, 16>{}};
  auto acc = ct::zeros<ct::tile<float, ct::shape<16, 16>>>();
  for (int step : ct::irange(0, (k + 15) / 16))
    acc = ct::mma(a_view.load_masked(0, step), ct::transpose(b_view.load_masked(0, step)), acc);
  // [end]
  ct::partition_view{ct::tensor_span{out, ct::extents{16_ic, 16_ic}}, ct::shape<16, 16>{}}.store(acc, 0, 0);
}

__tile_global__ void example_tf32(const float* in, float* out) {
  auto i = ct::iota<ct::tile<int, ct::shape<256>>>();
  auto x = ct::reshape<ct::shape<16, 16>>(ct::load(in + i));
  auto acc = ct::zeros<ct::tile<float, ct::shape<16, 16>>>();
  // [tf32]
  auto x_tf32 = ct::element_cast<__nv_tf32>(x);
  acc = ct::mma(x_tf32, ct::transpose(x_tf32), acc);
  // [end]
  ct::store(out + i, ct::reshape<ct::shape<256>>(acc));
}

__tile_global__ void example_pointers(const float* x, float* y, int count) {
  // [memory through pointers]
  auto i = ct::iota<ct::tile<int, ct::shape<8>>>();
  auto all = ct::load(x + i);                            // x[0] ... x[7]
  auto some = ct::load_masked(x + i, i < count, -1.0F);  // -1 where the mask is false
  ct::store(y + i, all);
  ct::store_masked(y + i, some, i < count);
  float first = ct::load(x);  // a scalar pointer gives a scalar
  ct::store(y, first + 1.0F);
}

__tile_global__ void example_views(const float* x_, float* y_, int rows_, int columns_, int stride_) {
  // [memory through views]
  auto x = ct::assume_aligned<16>(x_);  // promises that let the compiler copy in bulk
  const int columns = ct::assume_divisible<4>(columns_);
  const int stride = ct::assume_divisible<4>(stride_);
  const int rows = ct::assume_bounded_below<0>(rows_);
  auto dense = ct::partition_view{ct::tensor_span{x, ct::extents{rows, columns}}, ct::shape<4, 8>{}};
  auto strided = ct::partition_view{
      ct::tensor_span{y_, ct::layout_strided_mapping{ct::extents{rows, columns}, ct::strides{stride, 1_ic}}},
      ct::shape<4, 8>{}};
  auto t = dense.load_masked(0, 1);  // rows 0..3, columns 8..15; zero outside the tensor
  auto u = dense.load_masked<ct::view_padding::negative_inf>(0, 1);
  auto v = dense.load(0, 0);  // must lie inside: checked mode reports a tail
  strided.store_masked(t + ct::max(u, v), 0, 0);
  auto mixed = ct::extents{rows, ct::integral_constant<64>{}};  // one size at run time, one known
  // [end]
  (void)mixed;
}

__tile_global__ void example_grid(float* y, int tiles) {
  // [the grid]
  const auto [bx, by, bz] = ct::bid();   // this block; unsigned
  const auto blocks = ct::num_blocks();  // blocks.x, blocks.y, blocks.z
  for (unsigned tile = bx; tile < static_cast<unsigned>(tiles); tile += blocks.x)  // a persistent block
    ct::store(y + tile, static_cast<float>(by + bz));
}

[[using cutile: hint(900, num_worker_warps_per_cta = 8, occupancy = 2)]] __tile_global__ void example_hints(
    const float* x, float* y) {
  auto view = ct::partition_view{ct::tensor_span{x, ct::extents{64_ic}}, ct::shape<64>{}};
  auto out = ct::partition_view{ct::tensor_span{y, ct::extents{64_ic}}, ct::shape<64>{}};
  // [hints]
  ct::tile<float, ct::shape<64>> t;
  [[using cutile: hint(900, latency = 4)]] t = view.load(0);
  [[using cutile: hint(0, allow_tma = false)]] out.store(t, 0);
}

template <Hints H, int N>
[[using cutile: hint(900, num_worker_warps_per_cta = H.worker_warps, occupancy = H.occupancy)]]  //
__tile_global__ void
example_recorded(const float* x, float* y) {
  auto view = ct::partition_view{ct::tensor_span{x, ct::extents{64_ic}}, ct::shape<N>{}};
  ct::store(y, static_cast<float>(ct::sum<0>(view.load_masked(0))));
}

}  // namespace ladder::LADDER_SIDE
