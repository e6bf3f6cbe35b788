// tile<Element, Shape>: a value of N elements, and map(), which every element-wise operation is made of.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include "shared/tile/block.hpp"
#include "shared/tile/rules.hpp"
#include "shared/tile/trace.hpp"

namespace cuda::tiles {
inline namespace on_cpu {

namespace detail {

/// Says "leave the elements as they are": an operation that fills all of them follows.
struct Unfilled {};

/// What elements hold that nothing has given a value: NaN, so that using one shows in the result.
template <class E>
constexpr E poison() {
  if constexpr (std::is_same_v<E, double>)
    return std::numeric_limits<double>::quiet_NaN();
  else if constexpr (is_any_float<E>)
    return E{std::numeric_limits<float>::quiet_NaN()};
  else if constexpr (std::is_same_v<E, bool>)
    return true;
  else if constexpr (std::is_integral_v<E>)
    return static_cast<E>(std::numeric_limits<E>::max() - E{85});
  else
    return nullptr;
}

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

/// Elements in row-major order. Operations take and return tiles by value; there is no += and no [].
template <class Element, class Shape>
requires detail::is_scalar<Element> && tile_shape<Shape>
class tile final {
  static_assert(!std::is_const_v<Element> && !std::is_volatile_v<Element>,
                "a tile's element type has no const");

 public:
  using element_type = Element;
  using shape_type = Shape;
  using rank_type = typename shape_type::rank_type;
  using index_type = typename shape_type::index_type;

  /// No values yet. On a GPU they would be arbitrary; here they are NaN.
  tile() {
    for (Element& value : values_) value = detail::poison<Element>();
  }
  explicit tile(detail::Unfilled) {}  // NOLINT: the caller fills it

  /// From a tile of another element type (or, for a tile of rank 0, a scalar): implicit where nothing can be lost.
  template <tile_like Other>
  requires tile_convertible_to<Other, tile> &&
      (!std::is_same_v<Other, tile>)explicit(!non_narrowing_tile_convertible_to<Other, tile>)
          tile(Other other) noexcept {
    if constexpr (detail::is_tile<Other>) {
      for (std::size_t i = 0; i < shape_size_v<Shape>; ++i)
        values_[i] = detail::convert<Element>(other.model_values()[i]);
    } else {
      values_[0] = detail::convert<Element>(other);
    }
  }

  /// A tile of one element is a number when asked: float(t).
  template <scalar Other>
  requires(shape_size_v<Shape> == 1) &&
      (detail::scalar_converts<Element, Other>)explicit operator Other() const noexcept {
    return detail::convert<Other>(values_[0]);
  }

  // The model's own access: kernels cannot use it, since the real tile has none.
  Element* model_values() { return values_; }
  const Element* model_values() const { return values_; }

 private:
  static constexpr std::size_t bytes = shape_size_v<Shape> * sizeof(Element);
  alignas(bytes >= 64 ? 64 : alignof(Element)) Element values_[shape_size_v<Shape>];

 public:
  std::uint32_t model_id = 0;  ///< the trace's step that made this tile
};

template <scalar E>
tile(E) -> tile<std::remove_cv_t<E>, shape<>>;

namespace detail {

template <class T>
auto* values_of(T& operand) {
  if constexpr (is_tile<T>)
    return operand.model_values();
  else
    return &operand;
}
template <class T>
std::uint32_t id_of(const T& operand) {
  if constexpr (is_tile<T>)
    return operand.model_id;
  else
    return 0;
}

template <class E>
constexpr const char* type_name() {
  if constexpr (std::is_same_v<E, bool>)
    return "bool";
  else if constexpr (std::is_same_v<E, __nv_bfloat16>)
    return "bf16";
  else if constexpr (std::is_same_v<E, __half>)
    return "fp16";
  else if constexpr (std::is_same_v<E, __nv_tf32>)
    return "tf32";
  else if constexpr (std::is_same_v<E, float>)
    return "fp32";
  else if constexpr (std::is_same_v<E, double>)
    return "fp64";
  else if constexpr (is_data_pointer<E>)
    return "pointer";
  else if constexpr (std::is_signed_v<E>)
    return sizeof(E) == 8 ? "int64" : sizeof(E) == 4 ? "int32" : "int";
  else
    return sizeof(E) == 8 ? "uint64" : sizeof(E) == 4 ? "uint32" : "uint";
}

template <class T>
double traced_value(const T& value) {
  if constexpr (is_data_pointer<T>)
    return static_cast<double>(reinterpret_cast<std::uintptr_t>(value));
  else
    return convert<double>(value);
}

/// Writes `result` down as one step of the trace, when this block has one.
template <class T, class... From>
void traced(const char* operation, T& result, const std::int64_t* at, const From&... from) {
  using S = tile_shape_t<T>;
  ladder::tile::Trace* trace = ladder::tile::this_block.trace;
  if (trace == nullptr) [[likely]]
    return;
  ladder::tile::Trace::Step step{};
  step.operation = operation;
  step.from = {id_of(from)...};
  step.type = type_name<tile_element_t<T>>();
  for (std::size_t d = 0; d < S::rank(); ++d) {
    step.shape.push_back(S::static_extent(d));
    if (at != nullptr) step.at.push_back(at[d]);
  }
  for (std::size_t i = 0; i < tile_size_v<T>; ++i) step.values.push_back(traced_value(values_of(result)[i]));
  const std::uint32_t id = trace->add(std::move(step));
  if constexpr (is_tile<T>) result.model_id = id;
}

/// A result whose elements are about to be filled.
template <class R>
R unfilled() {
  if constexpr (is_tile<R>)
    return R(Unfilled{});
  else
    return R{};
}

/// An operand of map(): its elements, and at compile time how its shape lies in the result's.
template <class S, class E>
struct Operand {
  const E* values;
  template <class R>
  static constexpr bool is_whole = shape_size_v<S> == shape_size_v<R>;
  static constexpr bool is_single = shape_size_v<S> == 1;
  template <class R>
  static constexpr std::size_t step = [] {  // along the result's last dimension
    return S::rank() != 0 && S::static_extent(S::rank() - 1) != 1 ? 1 : 0;
  }();
};
template <class T>
auto operand(const T& x) {
  return Operand<tile_shape_t<T>, tile_element_t<T>>{values_of(x)};
}

template <class R>
constexpr std::size_t last_extent() {
  if constexpr (R::rank() == 0)
    return 1;
  else
    return R::static_extent(R::rank() - 1);
}

template <class E, class F, class... S, class... In>
void map_flat(E* __restrict__ out, std::size_t count, F f, Operand<S, In>... in) {
  for (std::size_t i = 0; i < count; ++i) out[i] = f(in.values[Operand<S, In>::is_single ? 0 : i]...);
}

template <class R, class E, class F, class... S, class... In>
void map_row(E* __restrict__ out, F f, Operand<S, In>... in) {
  for (std::size_t j = 0; j < last_extent<R>(); ++j)
    out[j] = f(in.values[j * Operand<S, In>::template step<R>]...);
}

/// out[i] = f(a[i], b[i], ...) for every element of shape R, operands broadcast to it.
template <class R, class E, class F, class... S, class... In>
void map_elements(E* out, F f, Operand<S, In>... in) {
  if constexpr (((Operand<S, In>::template is_whole<R> || Operand<S, In>::is_single) && ...)) {
    map_flat(out, shape_size_v<R>, f, in...);
  } else {
    constexpr std::size_t row = last_extent<R>();
    for (std::size_t first = 0; first < shape_size_v<R>; first += row)
      map_row<R>(out + first, f, Operand<S, In>{in.values + broadcast_offset<S, R>(first)}...);
  }
}

/// The element-wise operation `name`: a Result (tile or scalar) of f over the operands, broadcast.
template <class Result, class F, class... T>
Result map(const char* name, F f, const T&... operands) {
  Result result = unfilled<Result>();
  map_elements<tile_shape_t<Result>>(values_of(result), f, operand(operands)...);
  traced(name, result, nullptr, operands...);
  return result;
}

}  // namespace detail
}  // namespace on_cpu
}  // namespace cuda::tiles
