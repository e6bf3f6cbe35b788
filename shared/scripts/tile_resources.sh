#!/bin/sh
# Renews the record of what each tile kernel needs of a multiprocessor (registers, shared memory, spills, threads,
# resident blocks) on every architecture of the table, in the types that tile_kernels.sh compiles for it. Needs no GPU;
# then `ladder tables` renews the README.
#
#   sh shared/scripts/tile_resources.sh BUILD_FOLDER [CUBIN_FOLDER]
#
# With CUBIN_FOLDER it reads what tile_kernels.sh left there, otherwise it compiles every kernel first.
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P) || exit 3
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "usage: sh shared/scripts/tile_resources.sh BUILD_FOLDER [CUBIN_FOLDER]" >&2
  exit 2
fi
build=$1
cubins=${2:-$build/cubins}
if [ $# = 1 ]; then sh "$root/shared/scripts/tile_kernels.sh" "$cubins" || exit $?; fi
cuobjdump=$(sh "$root/shared/scripts/cuda_toolchain.sh" --cuobjdump) || exit 3
cmake --build "$build" --target tile_resources </dev/null >&2 || exit 3
program=$(find "$build" -type f -name tile_resources | head -n 1)
exec "$program" "$cubins" "$cuobjdump" "$root/tests/bench/results/stage3-resources.json"
