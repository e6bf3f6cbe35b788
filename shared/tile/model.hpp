// The CPU side of launch.hpp: CUDA Tile C++'s vocabulary as ordinary C++, and a launch that runs a grid of blocks.
#pragma once

// Hints to NVIDIA's compiler, [[using cutile : hint(...)]], stand in kernel text and mean nothing here.
#pragma GCC diagnostic ignored "-Wattributes"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wunknown-attributes"
#endif

#include <functional>

#include "shared/tile/mma.hpp"
#include "shared/tile/views.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): CUDA's names
#define __tile_global__
#define __tile__
// NOLINTEND(bugprone-reserved-identifier)

namespace cuda::tiles {
inline namespace on_cpu {

/// Which block of the grid this is.
inline ladder::tile::Index bid() noexcept { return ladder::tile::this_block.id; }

/// How many blocks the grid has along x, y and z.
inline ladder::tile::Grid num_blocks() noexcept { return ladder::tile::this_block.grid; }

/// The numbers from `low` up to, not including, `high`: for (int k : ct::irange(0, n)).
template <integral T>
class irange {
 public:
  class iterator {
   public:
    constexpr iterator(T current, T step) noexcept : current_(current), step_(step) {}
    constexpr T operator*() const noexcept { return current_; }
    constexpr iterator& operator++() noexcept {
      current_ = static_cast<T>(current_ + step_);
      return *this;
    }
    constexpr bool operator==(T end) const noexcept { return current_ >= end; }

   private:
    T current_, step_;
  };
  constexpr irange(T low, T high, T step = 1) noexcept : low_(low), high_(high), step_(step) {}
  constexpr iterator begin() const noexcept { return {low_, step_}; }
  constexpr T end() const noexcept { return high_; }

 private:
  T low_, high_, step_;
};
template <class A, class B>
irange(A, B) -> irange<arithmetic_tile_conversion_t<A, B>>;
template <class A, class B, class C>
irange(A, B, C) -> irange<arithmetic_tile_conversion_t<arithmetic_tile_conversion_t<A, B>, C>>;

}  // namespace on_cpu
}  // namespace cuda::tiles

namespace ladder {
class WorkerPool;
}

namespace ladder::tile {

/// How the model runs. Set from LADDER_TILE_THREADS and LADDER_TILE_SMS when the program starts.
struct Options {
  int threads = 0;  ///< of a launch without a stream; 0: one for each core; 1: no other thread, for debuggers
  int sm_count = 4;  ///< multiprocessors that the emulated device claims to have, for persistent grids
};
Options& options();

/// Calls `block` once for each block of the grid with this_block set: spread over `workers`, or (null, checked mode, a
/// block that is followed) in order on this thread. The first exception in block order comes out.
void run_grid(const Launch& launch, WorkerPool* workers, const std::function<void()>& block);

/// The threads that launches without a stream share; null when there is only this one.
WorkerPool* shared_workers();

}  // namespace ladder::tile
