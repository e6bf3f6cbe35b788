// Memory through views: a tensor_span says where a tensor lies, a partition_view cuts it into tiles of one shape.
//
//   auto A = ct::partition_view{ct::tensor_span{a, ct::extents{M, K}}, ct::shape<64, 32>{}};
//   auto t = A.load(i, k);           // rows 64 i ..., columns 32 k ...: indices count tiles, not elements
//   auto t = A.load_masked(i, k);    // the same; elements outside the tensor are zero
#pragma once

#include "shared/tile/pointers.hpp"

namespace cuda::tiles {
inline namespace on_cpu {

// ---- layouts: how an index becomes an offset ---------------------------------------------------------------------

/// Dense and row-major: the last dimension is contiguous.
template <class Extents>
struct layout_right_mapping {
  using extents_type = Extents;
  using index_type = typename Extents::index_type;
  using rank_type = typename Extents::rank_type;
  explicit constexpr layout_right_mapping(const Extents& e) noexcept : extents_(e) {}
  constexpr const Extents& extents() const noexcept { return extents_; }
  constexpr index_type stride(rank_type i) const noexcept {
    index_type result = 1;
    for (rank_type d = i + 1; d < Extents::rank(); ++d) result *= extents_.extent(d);
    return result;
  }

 private:
  Extents extents_;
};
struct layout_right {
  template <class E>
  using mapping = layout_right_mapping<E>;
};

/// Any strides: layout_strided_mapping{extents{M, K}, strides{leading_dimension, 1_ic}}.
template <class Strides>
struct layout_strided;
template <class Extents, class Strides>
struct layout_strided_mapping {
  static_assert(Extents::rank() == Strides::rank(), "as many strides as extents");
  using extents_type = Extents;
  using index_type = typename Extents::index_type;
  using rank_type = typename Extents::rank_type;
  using layout_type = layout_strided<Strides>;
  constexpr layout_strided_mapping(const Extents& e, const Strides& s) noexcept : extents_(e), strides_(s) {}
  constexpr const Extents& extents() const noexcept { return extents_; }
  constexpr index_type stride(rank_type i) const noexcept {
    return static_cast<index_type>(strides_.stride(i));
  }

 private:
  Extents extents_;
  Strides strides_;
};
template <class Strides>
struct layout_strided {
  template <class E>
  using mapping = layout_strided_mapping<E, Strides>;
};

namespace detail {
template <class T>
concept Mapping = requires {
  typename T::layout_type;
};
template <class T>
concept Extents = requires(const T& e) {
  e.extent(0);
};
}  // namespace detail

/// A pointer, and the extents and strides of the tensor that begins there.
template <class E, class Extents, class Layout = layout_right>
struct tensor_span {
  using element_type = E;
  using value_type = std::remove_cv_t<E>;
  using extents_type = Extents;
  using layout_type = Layout;
  using mapping_type = typename Layout::template mapping<Extents>;
  using index_type = typename Extents::index_type;
  using rank_type = typename Extents::rank_type;
  constexpr tensor_span(E* data, const mapping_type& mapping) noexcept : mapping_(mapping), data_(data) {}
  constexpr tensor_span(E* data, const Extents& e) noexcept requires std::is_same_v<Layout, layout_right>
      : mapping_(e), data_(data) {}
  constexpr const Extents& extents() const noexcept { return mapping_.extents(); }
  constexpr index_type extent(rank_type i) const noexcept { return extents().extent(i); }
  static constexpr rank_type rank() noexcept { return Extents::rank(); }
  constexpr const mapping_type& mapping() const noexcept { return mapping_; }
  constexpr E* data_handle() const noexcept { return data_; }

 private:
  mapping_type mapping_;
  E* data_;
};
template <class E, detail::Mapping M>
tensor_span(E*, const M&) -> tensor_span<E, typename M::extents_type, typename M::layout_type>;
template <class E, detail::Extents X>
tensor_span(E*, const X&) -> tensor_span<E, X, layout_right>;

// ---- what load_masked puts outside the tensor ----------------------------------------------------------------------

enum class view_padding : unsigned char { zero, negative_zero, positive_inf, negative_inf, nan };
template <view_padding Value>
struct view_padding_constant {
  static constexpr view_padding value = Value;
};
using view_padding_zero_t = view_padding_constant<view_padding::zero>;
using view_padding_positive_inf_t = view_padding_constant<view_padding::positive_inf>;
using view_padding_negative_inf_t = view_padding_constant<view_padding::negative_inf>;
using view_padding_nan_t = view_padding_constant<view_padding::nan>;

namespace detail {

template <class E, view_padding Padding>
constexpr E padding_value() {
  if constexpr (Padding == view_padding::zero)
    return convert<E>(0);
  else if constexpr (Padding == view_padding::negative_zero)
    return convert<E>(-0.0F);
  else if constexpr (Padding == view_padding::nan)
    return convert<E>(std::numeric_limits<float>::quiet_NaN());
  else
    return convert<E>(Padding == view_padding::positive_inf ? std::numeric_limits<float>::infinity()
                                                            : -std::numeric_limits<float>::infinity());
}

inline constexpr std::size_t most_dimensions = 8;

/// What a view says of one load or store: an operation, a shape and a tensor, as numbers.
struct ViewAccess {
  const char* operation;
  bool must_be_whole;
  std::size_t rank;
  const std::size_t* tile_extents;
  std::array<std::int64_t, most_dimensions> index;  ///< of the tile, counted in tiles
  std::array<std::int64_t, most_dimensions> tensor_extents, steps;
};

/// Where the tile lies in the tensor.
struct Window {
  std::array<std::size_t, most_dimensions> inside;  ///< how many of the tile's elements the tensor has
  std::int64_t offset;  ///< of the tile's first element, in elements from the tensor's
  bool whole;           ///< nothing of the tile is outside the tensor
};
Window window_of(const ViewAccess& access);

/// In checked mode: a tail that no mask excludes, then every element that is touched.
void check_window(const ViewAccess& access, const Window& window, const void* tensor,
                  std::size_t element_bytes, bool writes);

/// Adds to the log's last step which tensor it was.
void log_tensor(const ViewAccess& access, const void* tensor);

inline Spread spread_of(const ViewAccess& access, const Window& window) {
  return {access.rank, access.tile_extents, access.steps.data(), window.inside.data()};
}

/// Fills the tile at `out`; elements outside the tensor become `padding`.
template <class E>
[[gnu::noinline]] void read_window(const ViewAccess& access, const E* tensor, E* out, E padding) {
  const Window window = window_of(access);
  if (ladder::tile::this_block.checked) [[unlikely]]
    check_window(access, window, tensor, sizeof(E), false);
  gather(out, tensor + window.offset, spread_of(access, window), padding);
}

template <class E>
[[gnu::noinline]] void write_window(const ViewAccess& access, E* tensor, const E* in) {
  const Window window = window_of(access);
  if (ladder::tile::this_block.checked) [[unlikely]]
    check_window(access, window, tensor, sizeof(E), true);
  scatter(tensor + window.offset, in, spread_of(access, window));
}

// Made once, in views.cpp, for the types that tensors have.
extern template void read_window(const ViewAccess&, const float*, float*, float);
extern template void read_window(const ViewAccess&, const double*, double*, double);
extern template void read_window(const ViewAccess&, const __nv_bfloat16*, __nv_bfloat16*, __nv_bfloat16);
extern template void read_window(const ViewAccess&, const __half*, __half*, __half);
extern template void read_window(const ViewAccess&, const std::int32_t*, std::int32_t*, std::int32_t);
extern template void write_window(const ViewAccess&, float*, const float*);
extern template void write_window(const ViewAccess&, double*, const double*);
extern template void write_window(const ViewAccess&, __nv_bfloat16*, const __nv_bfloat16*);
extern template void write_window(const ViewAccess&, __half*, const __half*);
extern template void write_window(const ViewAccess&, std::int32_t*, const std::int32_t*);
extern template void gather(float*, const float*, const Spread&, float);
extern template void gather(double*, const double*, const Spread&, double);
extern template void gather(__nv_bfloat16*, const __nv_bfloat16*, const Spread&, __nv_bfloat16);
extern template void gather(__half*, const __half*, const Spread&, __half);
extern template void gather(std::int32_t*, const std::int32_t*, const Spread&, std::int32_t);
extern template void gather(__nv_tf32*, const __nv_tf32*, const Spread&, __nv_tf32);

}  // namespace detail

/// A tensor cut into tiles of shape Shape. Indices count tiles. Whatever the tensor's size, a tile may hang over its
/// end: then only the masked forms may touch it.
template <class Span, tile_shape Shape>
requires(Shape::rank() == Span::rank()) struct partition_view {
  using span_type = Span;
  using index_type = typename Span::index_type;
  using element_type = typename Span::element_type;
  using value_type = typename Span::value_type;
  using view_shape_type = Shape;
  using view_tile_type = tile<value_type, Shape>;

  constexpr partition_view(Span span, Shape) noexcept : span_(span) {}
  constexpr const Span& span() const noexcept { return span_; }

  /// The whole tile must lie inside the tensor.
  template <std::integral... Index>
  requires(sizeof...(Index) == Shape::rank()) view_tile_type load(Index... index)
  const { return read(access("load", true, index...), detail::poison<value_type>()); }

  /// Elements outside the tensor are not read; they are zero, or what Padding says.
  template <view_padding Padding = view_padding::zero, std::integral... Index>
  requires(sizeof...(Index) == Shape::rank()) view_tile_type load_masked(Index... index)
  const { return read(access("load_masked", false, index...), detail::padding_value<value_type, Padding>()); }
  template <view_padding Padding, std::integral... Index>
  requires(sizeof...(Index) == Shape::rank()) view_tile_type
      load_masked(view_padding_constant<Padding>, Index... index)
  const { return load_masked<Padding>(index...); }

  /// The whole tile must lie inside the tensor.
  template <non_narrowing_tile_convertible_to<view_tile_type> Value, std::integral... Index>
  requires(sizeof...(Index) == Shape::rank() &&
           !std::is_const_v<element_type>) void store(const Value& value, Index... index) const {
    write(access("store", true, index...), value);
  }

  /// Elements outside the tensor are left out.
  template <non_narrowing_tile_convertible_to<view_tile_type> Value, std::integral... Index>
  requires(sizeof...(Index) == Shape::rank() &&
           !std::is_const_v<element_type>) void store_masked(const Value& value, Index... index) const {
    write(access("store_masked", false, index...), value);
  }

 private:
  template <class... Index>
  detail::ViewAccess access(const char* operation, bool must_be_whole, Index... given) const {
    static_assert(Shape::rank() <= detail::most_dimensions);
    const std::array<std::int64_t, Shape::rank() + 1> index{static_cast<std::int64_t>(given)..., 0};
    detail::ViewAccess result;
    result.operation = operation;
    result.must_be_whole = must_be_whole;
    result.rank = Shape::rank();
    result.tile_extents = detail::extent_list<Shape>.data();
    for (std::size_t d = 0; d < Shape::rank(); ++d) {
      result.index[d] = index[d];
      result.tensor_extents[d] = static_cast<std::int64_t>(span_.extent(d));
      result.steps[d] = static_cast<std::int64_t>(span_.mapping().stride(d));
    }
    return result;
  }

  [[gnu::noinline]] view_tile_type read(const detail::ViewAccess& access, value_type padding) const {
    view_tile_type result{detail::Unfilled{}};
    detail::read_window<value_type>(access, span_.data_handle(), result.model_values(), padding);
    note(access, result);
    return result;
  }

  template <class Value>
  [[gnu::noinline]] void write(const detail::ViewAccess& access, const Value& given) const {
    if constexpr (std::is_same_v<Value, view_tile_type>) {
      detail::write_window<value_type>(access, span_.data_handle(), given.model_values());
      note(access, given, given);
    } else {
      const view_tile_type value(given);
      detail::write_window<value_type>(access, span_.data_handle(), value.model_values());
      note(access, value, given);
    }
  }

  template <class T, class... From>
  void note(const detail::ViewAccess& access, T& tile, const From&... from) const {
    if (ladder::tile::this_block.log == nullptr) [[likely]]
      return;
    detail::logged(access.operation, tile, access.index.data(), from...);
    detail::log_tensor(access, span_.data_handle());
  }

  Span span_;
};

}  // namespace on_cpu
}  // namespace cuda::tiles
