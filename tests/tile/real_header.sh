#!/bin/sh
# Reads every kernel of tests/tile with NVIDIA's own tile header: what the CPU model accepts must be real CUDA Tile C++.
# Needs the header files of the CUDA wheels, no nvcc and no GPU.
#   real_header.sh COMPILER SOURCE_DIR [INCLUDE_DIR_OF_CUDA]
set -eu
compiler=$1
source_dir=$2
include=${3:-}
if [ -z "$include" ]; then
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/gpt-ladder/cuda
  for candidate in "$cache"/lib/python3*/site-packages/nvidia/cu13/include; do
    if [ -f "$candidate/cuda_tile.h" ]; then include=$candidate; fi
  done
fi
if [ -z "$include" ] || [ ! -f "$include/cuda_tile.h" ]; then
  echo "SKIPPED: no cuda_tile.h here (the CUDA wheels are not installed)"
  exit 0
fi
check() {
  "$compiler" -std=c++20 -fsyntax-only -DLADDER_TILE_REAL_HEADER -Wno-attributes \
    -isystem "$include" -I "$source_dir" "$@"
}
check "$source_dir/tests/tile/whole_subset.cpp"
# The check itself must be able to fail: the first line is right, the second narrows, which NVIDIA's header refuses.
right='#include "shared/tile/launch.hpp"
namespace ct = cuda::tiles;
__tile__ auto twice(ct::tile<float, ct::shape<4>> t) { return t * 2.0F; }'
printf '%s\n' "$right" | check -x c++ -
if printf '%s\n' "$right" | sed 's/2.0F/2.0/' | check -x c++ - 2>/dev/null; then
  echo "NVIDIA's header accepted a narrowing product: the check is not looking at it" >&2
  exit 1
fi
echo "every kernel of tests/tile is accepted with $include/cuda_tile.h"
