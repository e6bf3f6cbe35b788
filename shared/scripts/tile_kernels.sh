#!/bin/sh
# Compiles every tile kernel for sm_80, sm_90, sm_100 and sm_120, each with its own rows of the configuration table
# only, and stage 2's, the device's and the tile subset's for sm_90. That one, the only one that is also run, gets every
# instantiation; on the others LADDER_FEW_INSTANTIATIONS leaves every kernel in the types that models are trained in,
# fp32 and bf16, and of the one-launch kernels' three widths the first and the last. Nothing runs and no GPU is needed;
# nvcc is cuda_toolchain.sh's, installed when there is none.
#
#   sh shared/scripts/tile_kernels.sh FOLDER    leaves FOLDER/NAME.ARCHITECTURE.cubin, .log and .seconds
#   sh shared/scripts/tile_kernels.sh --list    the compilations, dearest first: about how dear, architecture, file
#   sh shared/scripts/tile_kernels.sh --one NVCC FOLDER ARCHITECTURE FILE    one of them
#
# Prints the seconds of processor of each file and architecture. LADDER_JOBS: how many at a time
# (default: as many as processors).
# Exit codes: 0 done, 1 a kernel does not compile or takes memory from the device's heap, 2 bad usage, 3 no compiler and
# none could be installed.
set -u

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P) || exit 3
architectures="80 90 100 120"
whole=90  # the architecture with every instantiation
. "$root/shared/scripts/processor_time.sh"
flags="-std=c++20 -O3 -DFMT_USE_CONSTEXPR=1 -DFMT_HEADER_ONLY"

# compile_one NVCC FOLDER ARCHITECTURE FILE: one line of the report. -tilecubin and -cubin skip the host's half, which
# is the same for every architecture and is what the C++ compilers see anyway.
compile_one() {
  name=$(basename "$4" .cu)
  case $4 in
    stage4_*) name=stage4_$name ;;  # launch_*.cubin are stage 3's, whose record tile_resources.sh makes
  esac
  case $4 in
    stage2_* | shared/device/*) kind="-cubin -DLADDER_CUDA_ARCHITECTURES=\"sm_$3\"" ;;
    *) kind="-enable-tile -tilecubin -DLADDER_TILE_ARCHITECTURES=$3" ;;
  esac
  [ "$3" = "$whole" ] || kind="$kind -DLADDER_FEW_INSTANTIATIONS"
  result=$2/$name.$3
  began=$(date +%s)
  # shellcheck disable=SC2086  # the flags are words
  (cd "$root" && "$1" $flags $kind -arch="sm_$3" -I . "$4" -o "$result.cubin") </dev/null >"$result.log" 2>&1
  outcome=$?
  # A struct that a __tile__ function returns from two places becomes an allocation from the device's heap, a hundred
  # times slower than the kernel around it; nothing else says so.
  if [ "$outcome" = 0 ] && grep -q __cuda_syscall_aligned_malloc "$result.cubin"; then
    echo "a kernel allocates from the device's heap: look for a struct with two places of return" >>"$result.log"
    outcome=1
  fi
  children_time "$result.times"
  rm -f "$result.times"
  used=$(whole_seconds "$children")
  echo "$used" >"$result.seconds"
  if [ "$outcome" = 0 ]; then word=ok; else word=FAILED; fi
  printf 'sm_%-4s %-23s %4d s of processor, %4d s passed  %s\n' "$3" "$name" "$used" $(($(date +%s) - began)) "$word"
  [ "$outcome" = 0 ] || { head -n 20 "$result.log"; return 1; }
}

# dearness ARCHITECTURE FILE: about what a compilation costs, in thousandths of a first `./ladder test`. Only an order
# and a first guess hang on it.
dearness() {
  case "$1 $2" in
    100*/launch_attention.cu) guess=150 ;;
    */launch_attention.cu) guess=70 ;;
    */launch_one_launch.cu | */launch_fused_step.cu) guess=40 ;;
    */launch_linear.cu) guess=25 ;;
    *stage4_nanogpt/launch_rows.cu) guess=55 ;;
    *) guess=10 ;;
  esac
  if [ "$1" = "$whole" ]; then echo $((guess * 5 / 2)); else echo "$guess"; fi
}

# Every compilation: of each tile kernel one an architecture, and those for the card that runs them: the tile subset's
# program, which is a test's, stage 2's kernels, and the device's own.
list_compilations() {
  (cd "$root" && find stage3_tiled_kernels stage4_nanogpt -name '*.cu' | sort) |
    while IFS= read -r file; do
      for architecture in $architectures; do echo "$architecture $file"; done
    done
  (cd "$root" && ls tests/tile/subset_gpu.cu stage2_naive_cuda/*.cu shared/device/*.cu) | sed "s/^/$whole /"
}
with_dearness() { while read -r architecture file; do echo "$(dearness "$architecture" "$file") $architecture $file"; done; }

case ${1-} in
  --one)
    shift
    compile_one "$@"
    exit $?
    ;;
  --list)
    list_compilations | with_dearness | sort -k 1,1nr
    exit
    ;;
esac
if [ $# -ne 1 ]; then
  echo "usage: sh shared/scripts/tile_kernels.sh FOLDER | --list" >&2
  exit 2
fi
folder=$1
nvcc=$(sh "$root/shared/scripts/cuda_toolchain.sh") || exit 3
mkdir -p "$folder" && rm -f "$folder"/*.cubin "$folder"/*.log "$folder"/*.seconds || exit 3

# The dearest first, so that no processor waits for the last one.
sh "$0" --list | cut -d ' ' -f 2,3 |
  xargs -n 2 -P "${LADDER_JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}" \
    sh "$0" --one "$nvcc" "$folder" || exit 1
