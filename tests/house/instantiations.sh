#!/bin/sh
# instantiations.sh STAGE LIBRARY: how many kernels, and loops of the tile model, each object of stage 3 or 4 on the CPU
# model holds. They are what compiling it costs: a tenth of a second of processor time for a kernel, in every first build. The
# limits leave room for a few more; who needs many looks first whether run-time arguments would do.
set -eu
stage=$1 library=$2
command -v nm > /dev/null || { echo "SKIPPED: nm is not installed"; exit 0; }
symbols=$(nm -C --defined-only "$library") || { echo "SKIPPED: nm cannot read $library"; exit 0; }

# count OBJECT PATTERN: functions of the object whose names match; the parts that compilers cut off do not count.
count() {
  printf '%s\n' "$symbols" | awk -v object="$1:" '/^[^ ]*\.o:$/ { inside = $0 == object; next } inside' |
    grep -E '^[0-9a-f]+ [TtWw] ' | grep -v '\[clone' | grep -cE "$2" || true
}

failed=0
# check OBJECT KERNELS LOOPS: neither none at all, which would be a wrong pattern, nor more than these.
check() {
  kernels=$(count "$1" ' [TtWw] (void )?ladder::on_cpu::stage[34]::[a-z0-9_]+_kernel[<(]')
  loops=$(count "$1" ' [TtWw] void cuda::tiles::on_cpu::detail::(map_rows|reduce_middle|load_pointed|store_pointed)<')
  echo "$1: $kernels kernels (at most $2), $loops loops (at most $3)"
  if [ "$kernels" -eq 0 ] || [ "$kernels" -gt "$2" ] || [ "$loops" -eq 0 ] || [ "$loops" -gt "$3" ]; then
    echo "error: $1 is outside its limits in tests/house/instantiations.sh"
    failed=1
  fi
}

case $stage in
  3)
    check launch_attention.cpp.o 46 50
    check launch_linear.cpp.o 69 42
    check launch_rows.cpp.o 41 95
    check launches.cpp.o 20 62
    ;;
  4)
    check launch_attention.cpp.o 46 62
    check launch_products.cpp.o 33 50
    check launch_rows.cpp.o 38 97
    ;;
  *) exit 2 ;;
esac
exit "$failed"
