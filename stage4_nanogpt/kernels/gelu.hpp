// GELU on tiles, and its derivative, in both forms (model/config.hpp), in float and double.
//
// gelu(u) = u gate(u), so gelu'(u) = gate(u) + u gate'(u), where the gate goes from 0 to 1:
//   tanh  gate = (1 + tanh z) / 2 = 1 / (1 + exp(-2 z)), z = sqrt(2/pi) (u + 0.044715 u^3):
//         one power of two and one division, and no difference of numbers that are nearly equal
//   erf   gate = Phi(u), the integral of the normal distribution; gate' = exp(-u^2/2) / sqrt(2 pi).
//         There is no erf on tiles: Phi(-x) = exp(-x^2/2) P(t) / (x + 4) for x >= 0, t = (x - 4) / (x + 4), with a
//         polynomial P that erf_coefficients.py fitted; Phi(x) = 1 - Phi(-x)
//
// Far from 0 gates are exactly 0 and 1, so that gelu(u) is exactly 0 or u, and gelu'(u) 0 or 1. NaN stays NaN.
#pragma once

#include <type_traits>

#include "shared/model/config.hpp"
#include "stage3_tiled_kernels/kernels/element_type.hpp"

namespace ladder::LADDER_SIDE::stage4 {

using namespace stage3;

/// A gate and its derivative.
template <class Tile>
struct Gate {
  Tile value, slope;
};

/// Where gates have long been 0 or 1 in every type.
inline constexpr double kFar = 100.0;

/// 1 / x, in fp32 to two units in the last place.
template <class Tile>
__tile__ Tile reciprocal(Tile x) {
  using W = ct::tile_element_t<Tile>;
  if constexpr (std::is_same_v<W, float>)
    return ct::div(ct::full<Tile>(W(1)), x, ct::round_approximate_t{});
  else
    return ct::full<Tile>(W(1)) / x;
}

/// What erf_coefficients.py prints: P from its constant on. (C arrays: nvcc lets no kernel call std::array's functions.)
template <class W>
struct NormalTail {
  static constexpr int kLast = 9;
  static constexpr float kTerms[kLast + 1] = {
      0.755285144F,    -0.607896626F,   0.387136698F,   -0.186522678F,   0.0604066886F,
      -0.00752925081F, -0.00352618378F, 0.00157231791F, 0.000201261733F, -0.000120184399F};
};
template <>
struct NormalTail<double> {
  static constexpr int kLast = 22;
  static constexpr double kTerms[kLast + 1] = {
      0.7552851304157515,     -0.6078966419718917,     0.38713740074221886,     -0.18652185795969417,
      0.06039657489069947,    -0.007540188965593059,   -0.0034796923622425332,  0.0016308184418903596,
      0.00013334425401904912, -0.0002310948183193762,  -1.9078665316613576e-06, 3.5144181157760973e-05,
      7.150055959216099e-07,  -5.918892731763236e-06,  -6.25132104047868e-07,   1.0198048518135172e-06,
      2.6368248576407624e-07, -1.5426320536771075e-07, -7.63808205349045e-08,   1.457859334703646e-08,
      1.392402399350171e-08,  7.26954547902669e-11,    -9.653425420228504e-10};
};

/// P(t), of which `sum` holds the terms behind number I.
template <int I, class Tile>
__tile__ Tile normal_tail(Tile t, Tile sum) {
  constexpr ct::tile_element_t<Tile> coefficient = NormalTail<ct::tile_element_t<Tile>>::kTerms[I];
  const auto next = ct::fma(sum, t, ct::full<Tile>(coefficient));
  if constexpr (I == 0)
    return next;
  else
    return normal_tail<I - 1>(t, next);
}

/// For |v| <= kFar.
template <class Tile>
__tile__ Gate<Tile> erf_gate(Tile v) {
  using W = ct::tile_element_t<Tile>;
  constexpr int kLast = NormalTail<W>::kLast;
  constexpr W kPerRootTwoPi = 0.3989422804014327, kHalfLog2E = 0.5 * kLog2E,
              kLastCoefficient = NormalTail<W>::kTerms[kLast];
  const auto x = ct::abs(v);
  const auto inverse = reciprocal(x + W(4));
  const auto p = normal_tail<kLast - 1>((x - W(4)) * inverse, ct::full<Tile>(kLastCoefficient));
  const auto bell = power_of_two(v * v * -kHalfLog2E);
  const auto tail = bell * (p * inverse);
  return {ct::select(v < W(0), tail, W(1) - tail), bell * kPerRootTwoPi};
}

/// For |v| <= kFar. With e = exp(-2 z) the gate's derivative by 2 z is e / (1 + e)^2; where e overflows, the gate is 0.
template <class Tile>
__tile__ Gate<Tile> tanh_gate(Tile v) {
  using W = ct::tile_element_t<Tile>;
  constexpr W kOne = 2 * 0.7978845608028654, kThree = kOne * 0.044715;  // 2 z = kOne v + kThree v^3
  constexpr W kMost = sizeof(W) == 4 ? 1e30 : 1e300;
  const auto square = v * v;
  const auto e = power_of_two(v * (square * kThree + kOne) * static_cast<W>(-kLog2E));
  const auto gate = reciprocal(e + W(1));
  const auto slope = ct::min(e, ct::full<Tile>(kMost)) * gate * gate;
  return {gate, slope * (square * (W(3) * kThree) + kOne)};
}

template <Gelu Form, class Tile>
__tile__ Gate<Tile> gelu_gate(Tile v) {
  if constexpr (Form == Gelu::erf)
    return erf_gate(v);
  else
    return tanh_gate(v);
}

/// u where |u| <= kFar, else kFar or -kFar: what gates take, and where powers of u stay finite.
template <class Tile>
__tile__ Tile within_far(Tile u) {
  const auto far = ct::full<Tile>(static_cast<ct::tile_element_t<Tile>>(kFar));
  return ct::max(ct::min(u, far, ct::propagate_nan_t{}), -far, ct::propagate_nan_t{});
}

template <Gelu Form, class Tile>
__tile__ Tile gelu(Tile u) {
  const auto v = within_far(u);
  return ct::max(u, v, ct::propagate_nan_t{}) * gelu_gate<Form>(v).value;  // not -infinity times 0
}

/// gelu'(u).
template <Gelu Form, class Tile>
__tile__ Tile gelu_slope(Tile u) {
  const auto v = within_far(u);
  const auto gate = gelu_gate<Form>(v);
  return gate.value + v * gate.slope;
}

}  // namespace ladder::LADDER_SIDE::stage4
