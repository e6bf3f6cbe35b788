// How the model, laid out as layout.hpp says, is read and updated in memory.
#pragma once

#include "stage3_tiled_kernels/one_launch/attention.hpp"
#include "stage3_tiled_kernels/one_launch/layout.hpp"

namespace ladder::LADDER_SIDE::stage3 {

/// A padded R x C matrix at `data`, in tiles of TR x TC. Used by load_part and store_part only.
template <Extent R, Extent C, Extent TR = R, Extent TC = C, class E>
__tile__ auto padded(E* data) {
  return ct::partition_view{
      ct::tensor_span{ct::assume_aligned<16>(data),
                      ct::extents{ct::integral_constant<R>{}, ct::integral_constant<C>{}}},
      ct::shape<TR, TC>{}};
}

/// Part (i, j) of a padded matrix, past the bulk copy engine: one small tile waits longer for it than for its data.
template <Extent R, Extent C, Extent TR = R, Extent TC = C, class E>
__tile__ Tile<std::remove_const_t<E>, TR, TC> load_part(E* data, int i = 0, int j = 0) {
  const auto view = padded<R, C, TR, TC>(data);
  Tile<std::remove_const_t<E>, TR, TC> part;
  [[using cutile: hint(0, allow_tma = false)]] part = view.load(i, j);
  return part;
}
template <Extent R, Extent C, Extent TR, Extent TC, class E>
__tile__ void store_part(E* data, Tile<E, TR, TC> part, int i = 0, int j = 0) {
  const auto view = padded<R, C, TR, TC>(data);
  [[using cutile: hint(0, allow_tma = false)]] view.store(part, i, j);
}

/// Adam's numbers for one step: those of StepConstants, its corrections as factors.
template <class E>
struct Rates {
  E rate, eps, keep1, take1, keep2, take2, inverse1, inverse2;
};
inline constexpr int kRates = 8;

template <class E>
__tile__ Rates<E> load_rates(const E* rates) {
  return {ct::load(rates),     ct::load(rates + 1), ct::load(rates + 2), ct::load(rates + 3),
          ct::load(rates + 4), ct::load(rates + 5), ct::load(rates + 6), ct::load(rates + 7)};
}

/// What Adam makes of a parameter, its moments and its gradient.
template <class Parameters>
struct Adjusted {
  Parameters weight, mean, square;
};

template <class E, class Parameters>
__tile__ Adjusted<Parameters> adam(Parameters weight, Parameters mean, Parameters square, Parameters grad,
                                   Rates<E> rates) {
  const auto new_mean = mean * rates.keep1 + grad * rates.take1;
  const auto new_square = square * rates.keep2 + grad * rates.take2 * grad;
  const auto spread = root(new_square * rates.inverse2) + rates.eps;
  return {weight - quotient(new_mean * (rates.inverse1 * rates.rate), spread), new_mean, new_square};
}

// ---- where a weight's gradient goes -----------------------------------------------------------------------

// The backward pass delivers each gradient to its model, by deliver_product() and deliver_rows(): an Updater applies it
// at once, a Keeper (factors.hpp) keeps what it is made of.

/// Where a matrix lies in the model (or layer), and where the factors of its gradient are kept
/// when they are (factors.hpp).
struct Place {
  int weight, dy, x;
};

/// Where one block is the whole step: Adam takes a gradient at once, and it never lies in memory.
/// Parameters and moments are three buffers of one layout. None is __restrict__, so that what a step stores
/// is what the next one loads.
template <class E>
struct Updater {
  E *weight, *m, *v;
  Rates<E> rates;

  __tile__ Updater at(int offset, int = 0) const { return {weight + offset, m + offset, v + offset, rates}; }
};

/// One Adam step of the part (i, j) of a padded R x C matrix, whose gradient is `grad`.
template <Extent R, Extent C, class E, Extent TR, Extent TC>
__tile__ void apply_gradient(Updater<E> matrix, Tile<E, TR, TC> grad, int i = 0, int j = 0) {
  const auto adjusted =
      adam(load_part<R, C, TR, TC>(matrix.weight, i, j), load_part<R, C, TR, TC>(matrix.m, i, j),
           load_part<R, C, TR, TC>(matrix.v, i, j), grad, matrix.rates);
  store_part<R, C>(matrix.m, adjusted.mean, i, j);
  store_part<R, C>(matrix.v, adjusted.square, i, j);
  store_part<R, C>(matrix.weight, adjusted.weight, i, j);
}

/// dy [T, TR], x [T, TC]: dy^T x is the gradient of part (i, j) of the padded R x C matrix.
template <Products P, Extent R, Extent C, class E, Extent T, Extent TR, Extent TC>
__tile__ void deliver_product(Updater<E> model, Place place, Tile<E, T, TR> dy, Tile<E, T, TC> x, int i = 0,
                              int j = 0) {
  apply_gradient<R, C>(model.at(place.weight), product_tn<P>(dy, x), i, j);
}

/// The gradient of a whole matrix is `grad`.
template <Extent R, Extent C, class E>
__tile__ void deliver_rows(Updater<E> model, Place place, Tile<E, R, C> grad) {
  apply_gradient<R, C>(model.at(place.weight), grad);
}

}  // namespace ladder::LADDER_SIDE::stage3
