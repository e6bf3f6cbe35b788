// Memory through views: a tensor_span says where a tensor lies, a partition_view cuts it into tiles of one shape.
//
//   auto A = ct::partition_view{ct::tensor_span{a, ct::extents{M, K}}, ct::shape<64, 32>{}};
//   auto t = A.load(i, k);           // rows 64 i ..., columns 32 k ...: indices count tiles, not elements
//   auto t = A.load_masked(i, k);    // the same; elements outside the tensor are zero
#pragma once

#include <algorithm>

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

/// Where one tile of a view lies: per dimension, its first element, the step in memory, and how many elements the
/// tensor still has from there on.
template <std::size_t Rank>
struct Window {
  std::array<std::int64_t, Rank + 1> index{}, step{}, inside{};
  std::int64_t offset = 0;  ///< of the tile's first element, in elements from the tensor's
  bool whole = true;        ///< nothing of the tile is outside the tensor
};

template <class Span, class S, class... Index>
Window<S::rank()> window_of(const Span& span, Index... given) {
  Window<S::rank()> window;
  window.index = {static_cast<std::int64_t>(given)..., 0};
  for (std::size_t d = 0; d < S::rank(); ++d) {
    const std::int64_t first = window.index[d] * static_cast<std::int64_t>(S::static_extent(d));
    const std::int64_t remaining = static_cast<std::int64_t>(span.extent(d)) - first;
    window.step[d] = static_cast<std::int64_t>(span.mapping().stride(d));
    window.offset += first * window.step[d];
    window.inside[d] = first < 0 ? 0 : std::clamp<std::int64_t>(remaining, 0, S::static_extent(d));
    window.whole = window.whole && window.inside[d] == static_cast<std::int64_t>(S::static_extent(d));
  }
  return window;
}

/// Calls row(first element of the tile, offset in the tensor, elements inside the tensor) for each row of the tile,
/// a row being its last dimension.
template <class S, class F>
void for_each_row(const Window<S::rank()>& window, F row) {
  constexpr std::size_t length = last_extent<S>();
  for (std::size_t first = 0; first < shape_size_v<S>; first += length) {
    std::int64_t offset = window.offset,
                 inside = S::rank() == 0 ? 1 : window.inside[S::rank() - (S::rank() != 0)];
    std::size_t rest = first / length;
    for (std::size_t d = S::rank(); d-- > 1;) {
      const auto i = static_cast<std::int64_t>(rest % S::static_extent(d - 1));
      rest /= S::static_extent(d - 1);
      offset += i * window.step[d - 1];
      if (i >= window.inside[d - 1]) inside = 0;
    }
    row(first, offset, static_cast<std::size_t>(inside));
  }
}

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
  const { return read("load", detail::poison<value_type>(), true, index...); }

  /// Elements outside the tensor are not read; they are zero, or what Padding says.
  template <view_padding Padding = view_padding::zero, std::integral... Index>
  requires(sizeof...(Index) == Shape::rank()) view_tile_type load_masked(Index... index)
  const { return read("load_masked", detail::padding_value<value_type, Padding>(), false, index...); }
  template <view_padding Padding, std::integral... Index>
  requires(sizeof...(Index) == Shape::rank()) view_tile_type
      load_masked(view_padding_constant<Padding>, Index... index)
  const { return load_masked<Padding>(index...); }

  /// The whole tile must lie inside the tensor.
  template <non_narrowing_tile_convertible_to<view_tile_type> Value, std::integral... Index>
  requires(sizeof...(Index) == Shape::rank() &&
           !std::is_const_v<element_type>) void store(Value value, Index... index) const {
    write("store", value, true, index...);
  }

  /// Elements outside the tensor are left out.
  template <non_narrowing_tile_convertible_to<view_tile_type> Value, std::integral... Index>
  requires(sizeof...(Index) == Shape::rank() &&
           !std::is_const_v<element_type>) void store_masked(Value value, Index... index) const {
    write("store_masked", value, false, index...);
  }

 private:
  template <class... Index>
  view_tile_type read(const char* name, value_type padding, bool must_be_whole, Index... index) const {
    view_tile_type result{detail::Unfilled{}};
    value_type* out = result.model_values();
    const auto window = detail::window_of<Span, Shape>(span_, index...);
    check(name, window, must_be_whole, false);
    const std::int64_t step = window.step[Shape::rank() - (Shape::rank() != 0)];
    detail::for_each_row<Shape>(window, [&](std::size_t first, std::int64_t offset, std::size_t inside) {
      const element_type* in = span_.data_handle() + offset;
      value_type* __restrict__ row = out + first;
      if (step == 1)
        for (std::size_t j = 0; j < inside; ++j) row[j] = in[j];
      else
        for (std::size_t j = 0; j < inside; ++j) row[j] = in[static_cast<std::int64_t>(j) * step];
      for (std::size_t j = inside; j < detail::last_extent<Shape>(); ++j) row[j] = padding;
    });
    detail::traced(name, result, window.index.data());
    trace_tensor();
    return result;
  }

  template <class Value, class... Index>
  void write(const char* name, const Value& given, bool must_be_whole, Index... index) const {
    view_tile_type value = converted(given);
    const value_type* in = value.model_values();
    const auto window = detail::window_of<Span, Shape>(span_, index...);
    check(name, window, must_be_whole, true);
    const std::int64_t step = window.step[Shape::rank() - (Shape::rank() != 0)];
    detail::for_each_row<Shape>(window, [&](std::size_t first, std::int64_t offset, std::size_t inside) {
      element_type* out = span_.data_handle() + offset;
      for (std::size_t j = 0; j < inside; ++j) out[static_cast<std::int64_t>(j) * step] = in[first + j];
    });
    detail::traced(name, value, window.index.data(), given);
    trace_tensor();
  }

  /// Adds to the trace's last step, when there is a trace, which tensor this view is of.
  void trace_tensor() const {
    if (ladder::tile::this_block.trace == nullptr) [[likely]]
      return;
    std::vector<std::int64_t> extents;
    for (std::size_t d = 0; d < Shape::rank(); ++d)
      extents.push_back(static_cast<std::int64_t>(span_.extent(d)));
    ladder::tile::this_block.trace->add_tensor(span_.data_handle(), std::move(extents));
  }

  template <class Value>
  static view_tile_type converted(const Value& given) {
    if constexpr (std::is_same_v<Value, view_tile_type>)
      return given;
    else
      return view_tile_type(given);
  }

  /// In checked mode: a tail that no mask excludes, then every element that is touched.
  void check(const char* name, const detail::Window<Shape::rank()>& window, bool must_be_whole,
             bool writes) const {
    if (!ladder::tile::this_block.checked) [[likely]]
      return;
    const ladder::tile::detail::Access access{name, detail::extent_list<Shape>.data(), Shape::rank(),
                                              window.index.data(), span_.data_handle()};
    if (must_be_whole && !window.whole) report_tail(access, window);
    const std::int64_t step = window.step[Shape::rank() - (Shape::rank() != 0)];
    detail::for_each_row<Shape>(window, [&](std::size_t first, std::int64_t offset, std::size_t inside) {
      for (std::size_t j = 0; j < inside; ++j)
        ladder::tile::detail::check_element(
            access, first + j,
            detail::advance(span_.data_handle(), offset + static_cast<std::int64_t>(j) * step),
            sizeof(value_type), writes);
    });
  }

  void report_tail(const ladder::tile::detail::Access& access,
                   const detail::Window<Shape::rank()>& window) const {
    for (std::size_t d = 0; d < Shape::rank(); ++d)
      if (window.inside[d] < static_cast<std::int64_t>(Shape::static_extent(d)))
        ladder::tile::fault(
            ladder::tile::FaultKind::unmasked_tail,
            fmt::format("{}: the tensor has {} elements along dimension {}, so only {} of the tile's {} are "
                        "inside; use {}_masked",
                        ladder::tile::detail::describe_tile(access), span_.extent(d), d, window.inside[d],
                        Shape::static_extent(d), access.operation));
  }

  Span span_;
};

}  // namespace on_cpu
}  // namespace cuda::tiles
