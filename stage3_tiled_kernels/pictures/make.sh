#!/bin/sh
# Makes again what the README shows of the CPU tile model: pictures and texts of `ladder tile-trace`.
set -eu
cd "$(dirname "$0")/../.."
program=${1:-./ladder}
for kernel in matmul attention; do
  "$program" tile-trace "$kernel" --brief -o "stage3_tiled_kernels/pictures/$kernel.svg"
  "$program" tables capture "tile-trace-$kernel" -- tile-trace "$kernel" --brief
done
"$program" tables
