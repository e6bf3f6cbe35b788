#!/bin/sh
# Everything that stage 3 proves on a GPU: tests over the full lists, sanitizers, records.
#
#   tests/stage3/gpu_run.sh BUILD OUT [TEXT]
#
# BUILD: a build folder of the `gpu` preset, made here or carried here (link it with -DLADDER_PORTABLE=ON
# -DLADDER_MARCH=x86-64-v3 for that). Needed of it: ladder, tests/stage3/stage3_kernels, tests/stage3/stage3_model,
# tests/stage3/stage3_machine, tests/stage3/stage3_one_launch, tests/stage3/stage3_fused_step,
# tests/tile/test_tile_subset_gpu, tests/train/test_ops_engine.
# OUT: gets tests.log, full.log, sanitizer.log, bench.log, records.tgz and summary.txt. TEXT: character data for preset
# `small`; the embedded names otherwise. Run from the repository root: records carry a hash of the sources that lie
# there. PARTS="tests full sanitizer parity bench" chooses among the parts.
set -u
[ $# -ge 2 ] || { sed -n '2,13p' "$0"; exit 2; }
build=$1
out=$2
text=${3:-}
parts=${PARTS:-tests full sanitizer parity bench}
[ -f shared/model/ops.hpp ] || { echo "gpu_run.sh: start it from the repository root" >&2; exit 2; }
mkdir -p "$out" || exit 2
summary=$out/summary.txt
: >"$summary"
ladder=$build/ladder
tests=$build/tests/stage3
results=tests/bench/results
mkdir -p "$results"

. tests/support/gpu_steps.sh

export LADDER_DEVICE=gpu
"$ladder" info >"$out/tests.log" 2>&1
grep -E 'on a GPU|machine' "$out/tests.log" | tee -a "$summary"

# The operations of the tile language first: what follows is written in them.
if has tests; then
  try "$out/tests.log" 120 "tile subset against the CPU model" "$build/tests/tile/test_tile_subset_gpu"
  try "$out/tests.log" 100 test_ops_engine "$build/tests/train/test_ops_engine"
  for test in stage3_kernels stage3_model stage3_machine stage3_one_launch stage3_fused_step; do try "$out/tests.log" 200 "$test" "$tests/$test"; done
  grep -E 'largest error|against stage 1|shapes:|half blocks|last ten' "$out/tests.log" | tee -a "$summary"
fi

# Every length with every head size, kind of heads and width: minutes, most of them the double reference on the CPU;
# hence all types at a time.
if has full; then
  for type in fp64 fp32 tf32 bf16 fp16; do
    LADDER_FULL=1 try "$out/full-$type.log" 560 "$type, every combination" \
      "$tests/stage3_kernels" "kernels of every type*" -c "$type" &
  done
  wait
  cat "$out"/full-*.log >"$out/full.log"
  failures=$((failures + $(grep -c '^FAILED.*every combination' "$summary")))
  grep -hE 'every combination|^ ' "$out/full.log" | tail -n 250 >>"$summary"
fi

# The leak check is off: static objects of the runtime outlive main. Errors that CUDA reports on purpose (the test that
# asks for too much memory) are no finding.
if has sanitizer; then
  # sanitize NAME SECONDS PROGRAM FILTER...
  sanitize() {
    what="$tool $1" seconds=$2 program=$tests/$3
    shift 3
    if [ "$tool" = racecheck ]; then
      races "$out/sanitizer.log" "$seconds" "$what" "$program" "$@"
    else
      try "$out/sanitizer.log" "$seconds" "$what" compute-sanitizer --tool "$tool" --report-api-errors no --error-exitcode 9 "$program" "$@"
    fi
  }
  for tool in memcheck racecheck initcheck; do
    sanitize "stage3_kernels" 150 stage3_kernels "the double instantiation matches plain loops"
    for type in fp32 tf32 bf16; do  # the types whose products use bulk copies
      sanitize "stage3_kernels, $type" 250 stage3_kernels "kernels of every type*" -c $type
    done
    sanitize "stage3_kernels, half blocks" 150 stage3_kernels "each half block of every type*"
    sanitize "stage3_model" 100 stage3_model "activations and gradients*"
    sanitize "stage3_machine" 250 stage3_machine "a recorded step*"
    sanitize "stage3_one_launch" 60 stage3_one_launch "two launches end*"
    sanitize "stage3_fused_step" 60 stage3_fused_step "the same bits*"
  done
  grep -c 'ERROR SUMMARY: 0 errors' "$out/sanitizer.log" | sed 's/$/ sanitizer runs with 0 errors/' | tee -a "$summary"
fi

if has parity; then
  for type in fp64 fp32 tf32 bf16 fp16; do
    try "$out/bench.log" 90 "parity $type" "$ladder" parity --from 1 --to 3 --dtype $type \
      --json "$out/parity-$type.json" --record --name parity-stage3-$type-"$card"
  done
fi

if has bench; then
  log=$out/bench.log
  stream=
  [ -n "$text" ] && stream="--data $text"
  try "$log" 60 "profile micro" "$ladder" profile --stage 3 --device gpu --record --name profile-stage3-micro-"$card"
  # shellcheck disable=SC2086
  {
    try "$log" 60 "profile small" "$ladder" profile --stage 3 --device gpu --preset small $stream --record --name profile-stage3-small-"$card"
    try "$log" 60 "profile small, bf16" "$ladder" profile --stage 3 --device gpu --dtype bf16 --preset small $stream --record --name profile-stage3-small-bf16-"$card"
    try "$log" 60 "decode small" "$ladder" profile --stage 3 --device gpu --decode --preset small $stream --record --name decode-stage3-"$card"
    try "$log" 150 "speedup small" "$ladder" speedup --size small --rounds 3 $stream --record --name speedup-small-"$card"
  }
  try "$log" 90 "speedup micro" "$ladder" speedup --size micro --rounds 5 --record --name speedup-micro-"$card"
  LADDER_GRAPHS=0 try "$log" 90 "speedup micro, no graph" "$ladder" speedup --size micro --rounds 3 --record --name speedup-micro-no-graph-"$card"
  try "$log" 120 "speedup micro-batch" "$ladder" speedup --size micro-batch --rounds 3 --record --name speedup-micro-batch-"$card"
fi

(cd "$results" && tar czf - ./*-"$card".json 2>/dev/null) >"$out/records.tgz"
[ -f "$out/bench.log" ] && grep -vE '^(===|$)' "$out/bench.log" | tail -n 120
cat "$summary"
echo "$failures failed"
[ "$failures" = 0 ]
