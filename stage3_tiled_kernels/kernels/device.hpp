// The device that launches go to, as far as the table of configurations asks.
#pragma once

#include "stage3_tiled_kernels/configs.hpp"
#include "stage3_tiled_kernels/kernels/element_type.hpp"

// Architectures whose rows this build contains; the build may name fewer.
#ifndef LADDER_TILE_ARCHITECTURES
#define LADDER_TILE_ARCHITECTURES 80, 90, 100, 120
#endif

namespace ladder::LADDER_SIDE::stage3 {

#ifdef __CUDACC__
/// Compute capability of the current device, 90 for 9.0; asked again only where another has become current.
inline int card() {
  thread_local int asked = -1, capability = 0;
  int device = 0;
  detail::check_launch("cudaGetDevice", cudaGetDevice(&device));
  if (device == asked) return capability;
  int major = 0, minor = 0;
  detail::check_launch("cudaDeviceGetAttribute",
                       cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  detail::check_launch("cudaDeviceGetAttribute",
                       cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
  asked = device;
  return capability = 10 * major + minor;
}
inline constexpr std::array kBuilt = {LADDER_TILE_ARCHITECTURES};
#else
inline int card() { return table::kModelArchitecture; }
inline constexpr std::array kBuilt = {table::kModelArchitecture};
#endif

/// Calls body.operator()<A>() with the row of the table that this card uses, among those built: its own or
/// the nearest.
template <class Body>
void with_architecture(Body&& body) {
  const int architecture = table::nearest(card(), kBuilt);
  const auto matches = [&]<int A>() {
    if (A != architecture) return false;
    body.template operator()<A>();
    return true;
  };
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    static_cast<void>((matches.template operator()<kBuilt[I]>() || ...));
  }
  (std::make_index_sequence<kBuilt.size()>{});
}

}  // namespace ladder::LADDER_SIDE::stage3
