// Memory through tiles of pointers: pointer + iota, load, store, their masked forms, and the assume_ functions.
#pragma once

#include "shared/tile/checks.hpp"
#include "shared/tile/rearrange.hpp"

namespace cuda::tiles {
inline namespace on_cpu {

// ---- pointer arithmetic: pointer + integers gives a tile of pointers --------------------------------------------

namespace detail {
/// Through integers, so that a masked-off address outside of everything is no undefined behaviour.
template <class P>
P advance(P pointer, std::int64_t elements) {
  const std::int64_t bytes = elements * static_cast<std::int64_t>(sizeof(*pointer));
  return reinterpret_cast<P>(reinterpret_cast<std::uintptr_t>(pointer) + static_cast<std::uintptr_t>(bytes));
}

struct Advance {
  template <class P, class I>
  P operator()(P pointer, I elements) const {
    return advance(pointer, static_cast<std::int64_t>(elements));
  }
};
struct GoBack {
  template <class P, class I>
  P operator()(P pointer, I elements) const {
    return advance(pointer, -static_cast<std::int64_t>(elements));
  }
};
}  // namespace detail

template <pointer_tile P, integral_tile I>
requires broadcast_compatible<P, I> mutual_broadcast_t<P, I, tile_element_t<P>>
operator+(P pointers, I offsets) {
  return detail::map<detail::Advance, mutual_broadcast_t<P, I, tile_element_t<P>>>("address", pointers,
                                                                                   offsets);
}
template <integral_tile I, pointer_tile P>
requires broadcast_compatible<P, I> mutual_broadcast_t<I, P, tile_element_t<P>>
operator+(I offsets, P pointers) { return pointers + offsets; }
template <pointer_tile P, integral_tile I>
requires broadcast_compatible<P, I> mutual_broadcast_t<P, I, tile_element_t<P>>
operator-(P pointers, I offsets) {
  return detail::map<detail::GoBack, mutual_broadcast_t<P, I, tile_element_t<P>>>("address", pointers,
                                                                                  offsets);
}

namespace detail {

/// The mask of a load or store: element j of row i is values[i * row_step + j * step].
template <class E>
struct MaskRows {
  const E* values;
  std::size_t rows, columns, row_step, step;
};

/// For elements whose mask is true: checks them in checked mode, then calls f(i, pointer).
template <class P, class M, class F>
void for_each_address(const ladder::tile::detail::Access& access, const P* pointers, const MaskRows<M>& mask,
                      bool writes, F f) {
  const bool checked = ladder::tile::this_block.checked;
  for (std::size_t row = 0; row < mask.rows; ++row)
    for (std::size_t j = 0; j < mask.columns; ++j) {
      if (!convert<bool>(mask.values[row * mask.row_step + j * mask.step])) continue;
      const std::size_t i = row * mask.columns + j;
      if (checked) [[unlikely]]
        ladder::tile::detail::check_element(access, i, pointers[i], sizeof(*pointers[i]), writes);
      f(i, pointers[i]);
    }
}

template <class E, class P, class M>
[[gnu::noinline]] void load_pointed(const ladder::tile::detail::Access& access, E* out, const P* pointers,
                                    const MaskRows<M>& mask) {
  for_each_address(access, pointers, mask, false, [&](std::size_t i, P pointer) { out[i] = *pointer; });
}

template <class E, class P, class M>
[[gnu::noinline]] void store_pointed(const ladder::tile::detail::Access& access, const P* pointers,
                                     const E* values, const MaskRows<M>& mask) {
  using Stored = std::remove_pointer_t<P>;
  for_each_address(access, pointers, mask, true,
                   [&](std::size_t i, P pointer) { *pointer = convert<Stored>(values[i]); });
}

/// `mask` for elements of shape S.
template <class S, class Mask>
MaskRows<tile_element_t<Mask>> mask_rows(const Mask& mask) {
  const auto rows = row_operand<S>(mask);
  constexpr std::size_t columns = last_extent<S>();
  return {rows.values, shape_size_v<S> / columns, columns, rows.row_step,
          last_extent<tile_shape_t<Mask>>() == 1 ? 0U : 1U};
}

template <class S>
ladder::tile::detail::Access access_of(const char* operation) {
  return {operation, extent_list<S>.data(), S::rank()};
}

template <class Result, class P, class Mask>
Result load_into(const char* name, Result result, const P& pointers, const Mask& mask) {
  using S = tile_shape_t<P>;
  if constexpr (broadcast_row_step<tile_shape_t<Mask>, S>() == irregular_rows) {
    return load_into(name, result, pointers, broadcast_elements<S>(mask));
  } else {
    load_pointed(access_of<S>(name), values_of(result), values_of(pointers), mask_rows<S>(mask));
    logged(name, result, nullptr, pointers);
    return result;
  }
}

template <class P, class Value, class Mask>
void store_from(const char* name, const P& pointers, Value value, const Mask& mask) {
  using S = tile_shape_t<P>;
  if constexpr (broadcast_row_step<tile_shape_t<Mask>, S>() == irregular_rows) {
    store_from(name, pointers, value, broadcast_elements<S>(mask));
  } else {
    store_pointed(access_of<S>(name), values_of(pointers), values_of(std::as_const(value)),
                  mask_rows<S>(mask));
    logged(name, value, nullptr, pointers, value);
  }
}

template <class T>
T poisoned() {
  if constexpr (is_tile<T>)
    return T();
  else
    return poison<T>();
}

}  // namespace detail

/// The elements that the pointers point to. A scalar pointer gives a scalar.
template <loadable_tile P>
tile_load_t<P> load(P pointers) {
  return detail::load_into("load", detail::unfilled<tile_load_t<P>>(), pointers, true);
}

/// Where the mask is false nothing is read, and the element is NaN (on a GPU: whatever).
template <loadable_tile P, bool_tile_convertible Mask>
requires broadcastable_to<Mask, tile_shape_t<P>> tile_load_t<P> load_masked(P pointers, Mask mask) {
  return detail::load_into("load_masked", detail::poisoned<tile_load_t<P>>(), pointers, mask);
}

/// Where the mask is false nothing is read, and the element is `padding`.
template <loadable_tile P, bool_tile_convertible Mask, tile_like Padding>
requires broadcastable_to<Mask, tile_shape_t<P>> && broadcastable_to<Padding, tile_shape_t<P>> &&
    non_narrowing_scalar_convertible_to<tile_element_t<Padding>, tile_element_t<tile_load_t<P>>>
        tile_load_t<P> load_masked(P pointers, Mask mask, Padding padding) {
  using E = tile_element_t<tile_load_t<P>>;
  auto result = detail::unfilled<tile_load_t<P>>();
  detail::map_elements<detail::ConvertTo<E>, tile_shape_t<P>>(detail::values_of(result), padding);
  return detail::load_into("load_masked", result, pointers, mask);
}

template <storeable_tile P, non_narrowing_tile_convertible_to<tile_load_t<P>> Value>
void store(P pointers, Value value) {
  detail::store_from("store", pointers, value, true);
}
template <storeable_tile P, non_narrowing_tile_convertible_to<tile_load_t<P>> Value,
          bool_tile_convertible Mask>
requires broadcastable_to<Mask, tile_shape_t<P>>
void store_masked(P pointers, Value value, Mask mask) {
  detail::store_from("store_masked", pointers, value, mask);
}

// ---- promises to the compiler: true or reported, in every mode ---------------------------------------------------

/// The address is a multiple of Alignment bytes.
template <integral auto Alignment, pointer_tile P>
requires(Alignment > 0 && (Alignment & (Alignment - 1)) == 0) [[nodiscard]] P
    assume_aligned(P pointers, integral_constant<Alignment> = {}) {
  for (std::size_t i = 0; i < tile_size_v<P>; ++i) {
    const auto address = reinterpret_cast<std::uintptr_t>(detail::values_of(pointers)[i]);
    if (address % static_cast<std::uintptr_t>(Alignment) != 0)
      ladder::tile::detail::false_alignment(Alignment, address);
  }
  return pointers;
}

/// The number is a multiple of Divisor.
template <integral auto Divisor, integral_tile T>
requires(Divisor > 0 && (Divisor & (Divisor - 1)) == 0) [[nodiscard]] T
    assume_divisible(T numbers, integral_constant<Divisor> = {}) {
  for (std::size_t i = 0; i < tile_size_v<T>; ++i) {
    const auto number = static_cast<std::int64_t>(detail::values_of(numbers)[i]);
    if (number % static_cast<std::int64_t>(Divisor) != 0)
      ladder::tile::detail::not_divisible(Divisor, number);
  }
  return numbers;
}

/// The number is at least Low (and at most High).
template <integral auto Low, integral auto High, integral_tile T>
[[nodiscard]] T assume_bounded(T numbers, integral_constant<Low> = {}, integral_constant<High> = {}) {
  for (std::size_t i = 0; i < tile_size_v<T>; ++i) {
    const auto number = static_cast<std::int64_t>(detail::values_of(numbers)[i]);
    if (number < static_cast<std::int64_t>(Low) || number > static_cast<std::int64_t>(High))
      ladder::tile::detail::not_bounded(Low, High, number);
  }
  return numbers;
}
template <integral auto Low, integral_tile T>
[[nodiscard]] T assume_bounded_below(T numbers, integral_constant<Low> = {}) {
  constexpr auto highest = std::numeric_limits<tile_element_t<T>>::max();
  return assume_bounded(numbers, integral_constant<Low>{}, integral_constant<highest>{});
}

}  // namespace on_cpu
}  // namespace cuda::tiles
