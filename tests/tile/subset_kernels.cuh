// Every operation of the subset in a kernel, for comparing the CPU model with a GPU, element by element.
//
// A kernel runs as one block and writes its results one after the other into `out`, 64 elements each: slot 0, slot 1,
// ... subset_run.cuh names the slots.
#pragma once

#include "shared/tile/launch.hpp"

namespace ladder::LADDER_SIDE {

namespace ct = cuda::tiles;
using namespace ct::literals;

template <class T>
using Square = ct::tile<T, ct::shape<8, 8>>;

/// The 64 elements at `data`, as 8 by 8.
template <class T>
__tile__ Square<T> square_at(const T* data) {
  return ct::load(data + ct::iota<Square<int>>());
}

/// Writes `value`, broadcast to 8 by 8, into `slot` of `out`.
template <class T, class Value>
__tile__ void put(T* out, int slot, Value value) {
  ct::store(out + slot * 64 + ct::iota<Square<int>>(), ct::broadcast<ct::shape<8, 8>>(value));
}

template <class T>
__tile_global__ void subset_arithmetic(const T* a_, const T* b_, T* out) {
  auto a = square_at(a_);
  auto b = square_at(b_);
  put(out, 0, a + b);
  put(out, 1, a - b);
  put(out, 2, a * b);
  put(out, 3, a / b);
  put(out, 4, -a);
  put(out, 5, ct::fma(a, b, b));
  put(out, 6, ct::abs(a));
  put(out, 7, ct::max(a, b));
  put(out, 8, ct::min(a, b));
  put(out, 9, ct::max(a, b, ct::propagate_nan_t{}));
  put(out, 10, ct::select(a < b, a, b));
  put(out, 11, 2 * a + 1);
  put(out, 12, ct::sqrt(ct::abs(a)));
  put(out, 13, ct::floor(a));
  put(out, 14, ct::ceil(a));
}

template <class T>
__tile_global__ void subset_mathematics(const T* a_, T* out) {
  auto a = square_at(a_);
  auto positive = ct::abs(a) + 1;
  put(out, 0, ct::exp(a));
  put(out, 1, ct::exp2(a));
  put(out, 2, ct::log(positive));
  put(out, 3, ct::log2(positive));
  put(out, 4, ct::rsqrt(positive));
  put(out, 5, ct::tanh(a));
  put(out, 6, ct::sin(a));
  put(out, 7, ct::cos(a));
  put(out, 8, ct::pow(positive, a));
}

__tile_global__ void subset_approximate(const float* a_, float* out) {
  auto a = square_at(a_);
  put(out, 0, ct::exp(a, ct::round_approximate_t{}));
  put(out, 1, ct::tanh(a, ct::round_approximate_t{}));
  put(out, 2, ct::exp2(a, ct::round_subnormals_to_zero_t{}));
  put(out, 3, ct::div(a, ct::abs(a) + 1.0F, ct::round_approximate_t{}));
}

template <class T>
__tile_global__ void subset_comparisons(const T* a_, const T* b_, int* out) {
  auto a = square_at(a_);
  auto b = square_at(b_);
  put(out, 0, ct::element_cast<int>(a < b));
  put(out, 1, ct::element_cast<int>(a <= b));
  put(out, 2, ct::element_cast<int>(a > b));
  put(out, 3, ct::element_cast<int>(a >= b));
  put(out, 4, ct::element_cast<int>(a == b));
  put(out, 5, ct::element_cast<int>(a != b));
  put(out, 6, ct::element_cast<int>(a < 0 && b < 0));
  put(out, 7, ct::element_cast<int>(a < 0 || b < 0));
  put(out, 8, ct::element_cast<int>(!(a < 0)));
  put(out, 9, ct::element_cast<int>(ct::isnan(a)));
  put(out, 10, ct::element_cast<int>(ct::isinf(a)));
}

__tile_global__ void subset_integers(const int* a_, const int* b_, int* out) {
  auto a = square_at(a_);
  auto b = square_at(b_);
  put(out, 0, a + b);
  put(out, 1, a - b);
  put(out, 2, a * b);
  put(out, 3, a / b);
  put(out, 4, a % b);
  put(out, 5, ct::ceildiv(a, b));
  put(out, 6, a & b);
  put(out, 7, a | b);
  put(out, 8, a ^ b);
  put(out, 9, a << 3);
  put(out, 10, a >> 2);
  put(out, 11, ct::min(a, b));
  put(out, 12, ct::max(a, 5));
  put(out, 13, ct::abs(a));
  put(out, 14, -a);
  put(out, 15, ct::element_cast<int>(ct::element_cast<bool>(a % 2)));
  put(out, 16, ct::sum<0>(a));
  put(out, 17, ct::reduce_max<1>(a));
  put(out, 18, ct::element_cast<int>(ct::any_of<1>(a > b)));
  put(out, 19, ct::element_cast<int>(ct::all_of<0>(a > b)));
}

/// What a counter-based generator of random words is made of; results as the int of the same bits.
__tile_global__ void subset_words(const int* a_, const int* b_, int* out) {
  auto a = ct::element_bitcast<std::uint32_t>(square_at(a_) * 0x01234567);
  auto b = ct::element_bitcast<std::uint32_t>(square_at(b_) * 0x05050505);
  put(out, 0, ct::element_bitcast<int>(a * b));
  put(out, 1, ct::element_bitcast<int>(ct::mulhi(a, b)));
  put(out, 2, ct::element_bitcast<int>(ct::mulhi(a, 0xD2511F53U)));
  put(out, 3, ct::element_bitcast<int>(a + 0xBB67AE85U));
  put(out, 4, ct::element_bitcast<int>(a ^ b));
  put(out, 5, ct::element_cast<int>(a >= b));
  put(out, 6, ct::mulhi(square_at(a_) * 0x01234567, square_at(b_) * 0x05050505));
}

/// fp32 to every other type and back, so that the results fit one array.
__tile_global__ void subset_casts(const float* a_, float* out) {
  auto a = square_at(a_);
  put(out, 0, ct::element_cast<float>(ct::element_cast<__nv_bfloat16>(a)));
  put(out, 1, ct::element_cast<float>(ct::element_cast<__half>(a)));
  put(out, 2, ct::element_cast<float>(ct::element_cast<__nv_tf32>(a)));
  put(out, 3, ct::element_cast<float>(ct::element_cast<double>(a)));
  put(out, 4, ct::element_cast<float>(ct::element_cast<int>(ct::min(ct::max(a, -1e6F), 1e6F))));
  put(out, 5, ct::element_bitcast<float>(ct::element_bitcast<int>(a) ^ 1));
}

__tile_global__ void subset_narrowing(const double* a_, float* out) {
  auto a = square_at(a_);
  put(out, 0, ct::element_cast<float>(a));
  put(out, 1, ct::element_cast<float>(ct::element_cast<__nv_bfloat16>(a)));
  put(out, 2, ct::element_cast<float>(ct::element_cast<__half>(a)));
}

template <class T>
__tile_global__ void subset_shapes(const T* a_, const T* b_, T* out) {
  auto a = square_at(a_);
  auto b = square_at(b_);
  put(out, 0, ct::transpose(a));
  put(out, 1, ct::reshape<ct::shape<8, 8>>(ct::transpose(ct::reshape<ct::shape<16, 4>>(a))));
  put(out, 2,
      ct::reshape<ct::shape<8, 8>>(
          ct::permute<ct::dimension_map<2, 0, 1>>(ct::reshape<ct::shape<2, 8, 4>>(a))));
  put(out, 3, ct::broadcast<ct::shape<8, 8>>(ct::extract(a, ct::shape<1, 8>{}, 3, 0)));
  put(out, 4, ct::cat<0>(ct::extract(a, ct::shape<4, 8>{}, 1, 0), ct::extract(b, ct::shape<4, 8>{}, 0, 0)));
  put(out, 5,
      ct::cat(ct::extract(a, ct::shape<8, 4>{}, 0, 1), ct::extract(b, ct::shape<8, 4>{}, 0, 0), 1_ic));
  put(out, 6, ct::zeros<Square<T>>());
  put(out, 7, ct::ones<Square<T>>());
  put(out, 8, ct::full<Square<T>>(T(2.5F)));
  put(out, 9, ct::reduce_max<0>(a));
  put(out, 10, ct::reduce_min<1>(a));
}

template <class T>
__tile_global__ void subset_sums(const T* a_, T* out) {
  auto a = square_at(a_);
  put(out, 0, ct::sum<0>(a));
  put(out, 1, ct::sum<1>(a));
  put(out, 2, ct::prod<1>(a));
}

/// a b + a, with a and b both 32 by 32 of small integers: every sum is exact, whatever the order.
template <class T, class Acc>
__tile_global__ void subset_mma(const T* a_, const T* b_, Acc* out) {
  auto a_view = ct::partition_view{ct::tensor_span{a_, ct::extents{32_ic, 32_ic}}, ct::shape<32, 32>{}};
  auto b_view = ct::partition_view{ct::tensor_span{b_, ct::extents{32_ic, 32_ic}}, ct::shape<32, 32>{}};
  auto out_view = ct::partition_view{ct::tensor_span{out, ct::extents{32_ic, 32_ic}}, ct::shape<32, 32>{}};
  auto a = a_view.load(0, 0);
  out_view.store(ct::mma(a, b_view.load(0, 0), ct::element_cast<Acc>(a)), 0, 0);
}

/// tf32 operands come from fp32 memory by a cast.
__tile_global__ void subset_mma_tf32(const float* a_, const float* b_, float* out) {
  auto a_view = ct::partition_view{ct::tensor_span{a_, ct::extents{32_ic, 32_ic}}, ct::shape<32, 32>{}};
  auto b_view = ct::partition_view{ct::tensor_span{b_, ct::extents{32_ic, 32_ic}}, ct::shape<32, 32>{}};
  auto out_view = ct::partition_view{ct::tensor_span{out, ct::extents{32_ic, 32_ic}}, ct::shape<32, 32>{}};
  auto a = a_view.load(0, 0);
  auto a_tf32 = ct::element_cast<__nv_tf32>(a);
  auto b_tf32 = ct::element_cast<__nv_tf32>(b_view.load(0, 0));
  out_view.store(ct::mma(a_tf32, b_tf32, a), 0, 0);
}

/// `in` and `out` hold 64 elements a slot; views have tails and strides, and all sizes are run-time values.
__tile_global__ void subset_memory(const float* in, float* out, int five, int seven, int eight) {
  auto dense = ct::partition_view{ct::tensor_span{in, ct::extents{five, seven}}, ct::shape<8, 8>{}};
  put(out, 0, dense.load_masked(0, 0));
  put(out, 1, dense.load_masked<ct::view_padding::negative_inf>(0, 0));
  put(out, 2, dense.load_masked(ct::view_padding_nan_t{}, 0, 0));
  auto strided = ct::partition_view{
      ct::tensor_span{in, ct::layout_strided_mapping{ct::extents{seven, five}, ct::strides{eight, 1_ic}}},
      ct::shape<4, 4>{}};
  put(out, 3,
      ct::cat<0>(ct::cat<1>(strided.load_masked(0, 0), strided.load_masked(0, 1)),
                 ct::cat<1>(strided.load_masked(1, 0), strided.load_masked(1, 1))));
  auto turned = ct::partition_view{
      ct::tensor_span{in, ct::layout_strided_mapping{ct::extents{eight, eight}, ct::strides{1_ic, eight}}},
      ct::shape<8, 8>{}};
  put(out, 4, turned.load(0, 0));
  auto mixed = ct::partition_view{ct::tensor_span{in, ct::extents{five, 8_ic}}, ct::shape<8, 8>{}};
  put(out, 5, mixed.load_masked(0, 0));

  auto i = ct::iota<Square<int>>();
  put(out, 6, ct::load_masked(in + i, i % 3 == 0, 7.0F));
  ct::store_masked(out + 7 * 64 + i, ct::full<Square<float>>(3.0F), i % 2 == 0);
  auto target =
      ct::partition_view{ct::tensor_span{out + 8 * 64, ct::extents{seven, eight}}, ct::shape<4, 8>{}};
  target.store_masked(ct::extract(square_at(in), ct::shape<4, 8>{}, 1, 0), 1, 0);
  target.store(ct::extract(square_at(in), ct::shape<4, 8>{}, 0, 0), 0, 0);
  int sum = 0;
  for (int k : ct::irange(0, seven, 2)) sum += k;
  put(out, 9, ct::full<Square<float>>(static_cast<float>(sum)));
}

/// One element a block: its own number, from its index and the grid's size.
__tile_global__ void subset_grid(int* out) {
  const auto [x, y, z] = ct::bid();
  const auto blocks = ct::num_blocks();
  const unsigned number = (z * blocks.y + y) * blocks.x + x;
  ct::store(out + number, static_cast<int>(number));
}

}  // namespace ladder::LADDER_SIDE
