#include "shared/tile/views.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace cuda::tiles {
inline namespace on_cpu {
namespace detail {
namespace {

/// Reports a tile that an operation takes as a whole although it hangs over the tensor's end.
void check_tail(const ladder::tile::detail::Access& access, const ViewAccess& view, const Window& window) {
  for (std::size_t d = 0; d < view.rank; ++d)
    if (window.inside[d] < view.tile_extents[d])
      ladder::tile::fault(
          ladder::tile::FaultKind::unmasked_tail,
          fmt::format("{}: the tensor has {} elements along dimension {}, so only {} of the tile's {} are "
                      "inside; use {}_masked",
                      ladder::tile::detail::describe_tile(access), view.tensor_extents[d], d,
                      window.inside[d], view.tile_extents[d], view.operation));
}

}  // namespace

Window window_of(const ViewAccess& access) {
  Window window;
  window.offset = 0;
  window.whole = true;
  for (std::size_t d = 0; d < access.rank; ++d) {
    const auto extent = static_cast<std::int64_t>(access.tile_extents[d]);
    const std::int64_t first = access.index[d] * extent, remaining = access.tensor_extents[d] - first;
    const std::int64_t inside = first < 0 ? 0 : std::clamp<std::int64_t>(remaining, 0, extent);
    window.offset += first * access.steps[d];
    window.inside[d] = static_cast<std::size_t>(inside);
    window.whole = window.whole && inside == extent;
  }
  return window;
}

void check_window(const ViewAccess& access, const Window& window, const void* tensor,
                  std::size_t element_bytes, bool writes) {
  const ladder::tile::detail::Access tile{access.operation, access.tile_extents, access.rank,
                                          access.index.data(), tensor};
  if (access.must_be_whole && !window.whole) check_tail(tile, access, window);
  const Spread spread = spread_of(access, window);
  for_each_row(spread, [&](std::size_t first, std::int64_t row, std::size_t columns) {
    for (std::size_t j = 0; j < columns; ++j) {
      const std::int64_t element = window.offset + row + static_cast<std::int64_t>(j) * spread.column_step();
      const std::int64_t byte = element * static_cast<std::int64_t>(element_bytes);
      ladder::tile::detail::check_element(tile, first + j, advance(static_cast<const char*>(tensor), byte),
                                          element_bytes, writes);
    }
  });
}

void log_tensor(const ViewAccess& access, const void* tensor) {
  const std::int64_t* extents = access.tensor_extents.data();
  ladder::tile::this_block.log->add_tensor(tensor, {extents, extents + access.rank});
}

template void read_window(const ViewAccess&, const float*, float*, float);
template void read_window(const ViewAccess&, const double*, double*, double);
template void read_window(const ViewAccess&, const __nv_bfloat16*, __nv_bfloat16*, __nv_bfloat16);
template void read_window(const ViewAccess&, const __half*, __half*, __half);
template void read_window(const ViewAccess&, const std::int32_t*, std::int32_t*, std::int32_t);
template void write_window(const ViewAccess&, float*, const float*);
template void write_window(const ViewAccess&, double*, const double*);
template void write_window(const ViewAccess&, __nv_bfloat16*, const __nv_bfloat16*);
template void write_window(const ViewAccess&, __half*, const __half*);
template void write_window(const ViewAccess&, std::int32_t*, const std::int32_t*);
template void gather(float*, const float*, const Spread&, float);
template void gather(double*, const double*, const Spread&, double);
template void gather(__nv_bfloat16*, const __nv_bfloat16*, const Spread&, __nv_bfloat16);
template void gather(__half*, const __half*, const Spread&, __half);
template void gather(std::int32_t*, const std::int32_t*, const Spread&, std::int32_t);
template void gather(__nv_tf32*, const __nv_tf32*, const Spread&, __nv_tf32);

}  // namespace detail
}  // namespace on_cpu
}  // namespace cuda::tiles
