// tile<Element, Shape>: a value of N elements, and map(), which every element-wise operation is made of.
#pragma once

#include <initializer_list>
#include <limits>
#include <type_traits>

#include "shared/tile/block.hpp"
#include "shared/tile/block_log.hpp"
#include "shared/tile/loops.hpp"
#include "shared/tile/operations.hpp"

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
    for (Element& value : values_.elements) value = detail::poison<Element>();
  }
  explicit tile(detail::Unfilled) {}  // NOLINT: the caller fills it

  /// From a tile of another element type (or, for a tile of rank 0, a scalar): implicit where nothing can be lost.
  template <tile_like Other>
  requires tile_convertible_to<Other, tile> &&
      (!std::is_same_v<Other, tile>)explicit(!non_narrowing_tile_convertible_to<Other, tile>)
          tile(Other other) noexcept {
    if constexpr (detail::is_tile<Other>) {
      using From = tile_element_t<Other>;
      detail::map_rows<detail::ConvertTo<Element>>(values_.elements, 1, shape_size_v<Shape>,
                                                   detail::Operand<From, 1>{other.model_values(), 0});
    } else {
      values_.elements[0] = detail::convert<Element>(other);
    }
  }

  /// A tile of one element is a number when asked: float(t).
  template <scalar Other>
  requires(shape_size_v<Shape> == 1) &&
      (detail::scalar_converts<Element, Other>)explicit operator Other() const noexcept {
    return detail::convert<Other>(values_.elements[0]);
  }

  // The model's own access: kernels cannot use it, since the real tile has none.
  Element* model_values() { return values_.elements; }
  const Element* model_values() const { return values_.elements; }

 private:
  static constexpr std::size_t bytes = shape_size_v<Shape> * sizeof(Element);
  /// A struct of its own: of an array in the tile itself, -O1 leaves an empty loop where nothing fills it.
  struct Values {
    alignas(bytes >= 64 ? 64 : alignof(Element)) Element elements[shape_size_v<Shape>];
  };
  Values values_;

 public:
  std::uint32_t model_id = 0;  ///< the step that made this tile
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
double logged_value(const T& value) {
  if constexpr (is_data_pointer<T>)
    return static_cast<double>(reinterpret_cast<std::uintptr_t>(value));
  else
    return convert<double>(value);
}

/// What a log says of a type of tiles.
template <class T>
inline constexpr ladder::tile::TileType logged_type{
    type_name<tile_element_t<T>>(), extent_list<tile_shape_t<T>>.data(), tile_rank_v<T>, tile_size_v<T>};

/// The part of logged() that hardly any launch needs: apart, and the same code for every shape.
template <class E>
[[gnu::cold, gnu::noinline]] std::uint32_t write_down(const char* operation,
                                                      const ladder::tile::TileType& type, const E* values,
                                                      std::initializer_list<std::uint32_t> from,
                                                      const std::int64_t* at) {
  ladder::tile::BlockLog& log = *ladder::tile::this_block.log;
  double* const room = log.add(operation, type, from, at);
  for (std::size_t i = 0; i < type.size; ++i) room[i] = logged_value(values[i]);
  return log.last_id();
}

/// Writes `result` down as one step of the log, when this block has one. `at` is the index of a
/// tile of a view, or null.
template <class T, class... From>
void logged(const char* operation, T& result, const std::int64_t* at, const From&... from) {
  if (ladder::tile::this_block.log == nullptr) [[likely]]
    return;
  [[maybe_unused]] const std::uint32_t id =
      write_down(operation, logged_type<T>, values_of(result), {id_of(from)...}, at);
  if constexpr (is_tile<T> && !std::is_const_v<T>) result.model_id = id;
}

/// A result whose elements are about to be filled.
template <class R>
R unfilled() {
  if constexpr (is_tile<R>)
    return R(Unfilled{});
  else
    return R{};
}

/// x as an operand of map_rows() whose result is one row of all elements of shape R.
template <class T>
auto flat_operand(const T& x) {
  constexpr std::size_t step = tile_size_v<T> == 1 ? 0 : 1;
  return Operand<tile_element_t<T>, step>{values_of(x), 0};
}

/// The rows of x from element `first` of shape R on, as an operand of map_rows().
template <class R, class T>
auto row_operand(const T& x, std::size_t first = 0) {
  using S = tile_shape_t<T>;
  constexpr std::size_t step = last_extent<S>() == 1 ? 0 : 1;
  return Operand<tile_element_t<T>, step>{values_of(x) + broadcast_offset<S, R>(first),
                                          broadcast_row_step<S, R>()};
}

/// out[i] = F{}(a[i], b[i], ...) for every element of shape R, operands broadcast to it.
template <class F, class R, class E, class... T>
void map_elements(E* out, const T&... x) {
  static_assert(std::is_empty_v<F>, "an operation on elements is a type, so that all shapes share its loop");
  constexpr std::size_t size = shape_size_v<R>, columns = last_extent<R>();
  if constexpr (size == 1)
    *out = F{}(*values_of(x)...);
  else if constexpr (((tile_size_v<T> == size || tile_size_v<T> == 1) && ...))
    map_rows<F>(out, 1, size, flat_operand(x)...);
  else if constexpr (((broadcast_row_step<tile_shape_t<T>, R>() != irregular_rows) && ...))
    map_rows<F>(out, size / columns, columns, row_operand<R>(x)...);
  else
    for (std::size_t first = 0; first < size; first += columns)
      map_rows<F>(out + first, 1, columns, row_operand<R>(x, first)...);
}

/// `x` broadcast to shape R, without a step in a log.
template <class R, class T>
tile<tile_element_t<T>, R> broadcast_elements(const T& x) {
  tile<tile_element_t<T>, R> result{Unfilled{}};
  map_elements<Same, R>(result.model_values(), x);
  return result;
}

/// The element-wise operation `name`: a Result (tile or scalar) of F over the operands, broadcast. Out of line, like
/// everything that a kernel does to tiles: kernels do the same to the same types many times.
template <class F, class Result, class... T>
[[gnu::noinline]] Result map(const char* name, const T&... operands) {
  Result result = unfilled<Result>();
  map_elements<F, tile_shape_t<Result>>(values_of(result), operands...);
  logged(name, result, nullptr, operands...);
  return result;
}

}  // namespace detail
}  // namespace on_cpu
}  // namespace cuda::tiles
