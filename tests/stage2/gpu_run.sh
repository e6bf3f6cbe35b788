#!/bin/sh
# Everything that stage 2 proves on a GPU, in one call of some eight minutes: tests, sanitizers, records.
#
#   tests/stage2/gpu_run.sh BUILD OUT [TEXT]
#
# BUILD: a build folder of the `gpu` preset, made here or carried here (link it with -DLADDER_PORTABLE=ON
# -DLADDER_MARCH=x86-64-v3 for that). OUT: gets tests.log, sanitizer.log, bench.log, crossover.svg, records.tgz and
# summary.txt. TEXT: character data for preset `small`; the embedded names otherwise. Run from the repository root:
# records carry a hash of the sources that lie there. PARTS="tests sanitizer variants bench" chooses among the parts.
set -u
[ $# -ge 2 ] || { sed -n '2,11p' "$0"; exit 2; }
build=$1
out=$2
text=${3:-}
parts=${PARTS:-tests sanitizer variants bench}
[ -f shared/model/ops.hpp ] || { echo "gpu_run.sh: start it from the repository root" >&2; exit 2; }
mkdir -p "$out" || exit 2
summary=$out/summary.txt
: >"$summary"
ladder=$build/ladder
tests=$build/tests/stage2
results=tests/bench/results
mkdir -p "$results"

. tests/support/gpu_steps.sh

export LADDER_DEVICE=gpu
"$ladder" info >"$out/tests.log" 2>&1
grep -E 'on a GPU|machine' "$out/tests.log" | tee -a "$summary"

if has tests; then
  for test in stage2_kernels stage2_model stage2_machine; do try "$out/tests.log" 120 "$test" "$tests/$test"; done
  grep -E 'largest error|against stage 1' "$out/tests.log" | tee -a "$summary"
fi

# The leak check is off: static objects of the runtime outlive main. Errors that CUDA reports on purpose (the test that
# asks for too much memory) are no finding.
if has sanitizer; then
  for tool in memcheck racecheck initcheck; do
    check="compute-sanitizer --tool $tool --report-api-errors no --error-exitcode 9"
    # shellcheck disable=SC2086
    {
      try "$out/sanitizer.log" 150 "$tool stage2_kernels" $check "$tests/stage2_kernels" "kernels match plain loops"
      try "$out/sanitizer.log" 100 "$tool stage2_model" $check "$tests/stage2_model" "activations and gradients*"
      try "$out/sanitizer.log" 100 "$tool stage2_machine" $check "$tests/stage2_machine" "a recorded step*"
    }
  done
  grep -c 'ERROR SUMMARY: 0 errors' "$out/sanitizer.log" | sed 's/$/ sanitizer runs with 0 errors/' | tee -a "$summary"
fi

if has variants; then
  try "$out/bench.log" 60 "linear variants" "$build/tests/stage2/linear_variants" "$results/stage2-linear-variants.json"
fi

if has bench; then
  log=$out/bench.log
  stream=
  [ -n "$text" ] && stream="--data $text"
  try "$log" 60 "parity" "$ladder" parity --from 1 --to 2 --dtype fp32 --record --name parity-"$card"
  try "$log" 60 "profile micro" "$ladder" profile --stage 2 --device gpu --record --name profile-stage2-micro-"$card"
  # shellcheck disable=SC2086
  {
    try "$log" 60 "profile small" "$ladder" profile --stage 2 --device gpu --preset small $stream --record --name profile-stage2-small-"$card"
    try "$log" 60 "decode small" "$ladder" profile --stage 2 --device gpu --decode --preset small $stream --record --name decode-stage2-"$card"
    try "$log" 120 "speedup small" "$ladder" speedup --size small --rounds 3 $stream --record --name speedup-small-"$card"
  }
  try "$log" 60 "speedup micro" "$ladder" speedup --size micro --rounds 5 --record --name speedup-micro-"$card"
  LADDER_GRAPHS=0 try "$log" 60 "speedup micro, no graph" "$ladder" speedup --size micro --rounds 3 --record --name speedup-micro-no-graph-"$card"
  try "$log" 90 "speedup micro-batch" "$ladder" speedup --size micro-batch --rounds 3 --record --name speedup-micro-batch-"$card"
  try "$log" 120 "crossover" "$ladder" crossover --rounds 3 --patience 8 -o "$out/crossover.svg" --record --name crossover-"$card"
fi

(cd "$results" && tar czf - ./*-"$card".json ./stage2-linear-variants.json 2>/dev/null) >"$out/records.tgz"
[ -f "$out/bench.log" ] && grep -vE '^(===|$)' "$out/bench.log" | tail -n 120
cat "$summary"
echo "$failures failed"
[ "$failures" = 0 ]
