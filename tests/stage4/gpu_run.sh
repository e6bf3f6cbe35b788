#!/bin/sh
# Everything that stage 4 proves on a GPU: tests in every type, sanitizers, parity with the stages below and with PyTorch.
#
#   tests/stage4/gpu_run.sh BUILD OUT [TEXT]
#
# BUILD: a build folder of the `gpu` preset, made here or carried here (see tests/stage3/gpu_run.sh). Needed of it: ladder,
# tests/stage4/stage4_rows, _products, _model, _trained and _machine, tests/tile/test_tile_subset_gpu.
# OUT: gets tests.log, sanitizer.log, parity.log, records.tgz and summary.txt. TEXT: what is trained on. Run from the
# repository root: records carry a hash of the sources that lie there. PARTS="tests sanitizer parity pytorch bench checklist race
# gpt2" chooses among the parts; `pytorch` and the last three need torch, transformers and safetensors. TOOLS="memcheck
# racecheck initcheck" chooses among the sanitizers, which may run beside each other, each with its own OUT. VOCABULARY: a
# folder with GPT-2's, for what trains GPT-2 of 124M parameters: GPT2_STEPS (3,000) steps, killed after GPT2_KILL (150) seconds
# and resumed, on Python sources that lie on the machine.
set -u
[ $# -ge 2 ] || { sed -n '2,16p' "$0"; exit 2; }
build=$1
out=$2
text=${3:-}
parts=${PARTS:-tests sanitizer parity pytorch bench checklist race gpt2}
vocabulary=${VOCABULARY:-}
[ -f shared/model/ops.hpp ] || { echo "gpu_run.sh: start it from the repository root" >&2; exit 2; }
mkdir -p "$out" || exit 2
summary=$out/summary.txt
: >"$summary"
ladder=$build/ladder
tests=$build/tests/stage4
results=tests/bench/results
mkdir -p "$results"

. tests/support/gpu_steps.sh

export LADDER_DEVICE=gpu
"$ladder" info >"$out/tests.log" 2>&1
grep -E 'on a GPU|machine' "$out/tests.log" | tee -a "$summary"

if has tests; then
  try "$out/tests.log" 120 "tile subset against the CPU model" "$build/tests/tile/test_tile_subset_gpu"
  for test in stage4_rows stage4_products stage4_model stage4_trained stage4_machine; do try "$out/tests.log" 300 "$test" "$tests/$test"; done
  grep -E 'largest error|tensors$|^  |greedy' "$out/tests.log" | sort -u >>"$summary"
fi

# As stage 3's: the leak check is off, and errors that CUDA reports on purpose are no finding.
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
  for tool in ${TOOLS:-memcheck racecheck initcheck}; do
    for type in fp32 bf16; do  # without and with bulk copies
      sanitize "rows, $type" 200 stage4_rows "row kernels of every type match plain loops" -c $type
      sanitize "products, $type" 200 stage4_products "*every type*" -c $type
    done
    # racecheck did not end within four minutes; what a recorded step launches are the kernels above
    [ "$tool" = racecheck ] || sanitize "machine" 150 stage4_machine "a recorded step*"
  done
  grep -c 'ERROR SUMMARY: 0 errors' "$out/sanitizer.log" | sed 's/$/ sanitizer runs with 0 errors/' | tee -a "$summary"
fi

if has parity; then
  try "$out/parity.log" 300 "parity of both texts, every type" "$ladder" parity --from 1 --to 4 --dtype all --steps 100 \
    --record --name parity-stage4-"$card"
  try "$out/parity.log" 200 "parity with dropout, every type" "$ladder" parity --from 1 --to 4 --dtype all --preset tiny \
    --dropout 0.2 --steps 100 --record --name parity-stage4-dropout-"$card"
  tail -n 30 "$out/parity.log" >>"$summary"
fi

if has pytorch; then
  weights=random
  stream=
  [ -n "$text" ] && weights=random,trained stream="--text $text"
  # shellcheck disable=SC2086
  {
    try "$out/parity.log" 550 "12 x 768 beside PyTorch" python3 tests/bench/pytorch_parity.py "$ladder" \
      --weights $weights $stream --out "$results/pytorch-parity-12x768-$card.json"
    try "$out/parity.log" 120 "2 x 64 beside PyTorch" python3 tests/bench/pytorch_parity.py "$ladder" --model 2x64 \
      --positions 64 --vocabulary 300 --weights $weights $stream --out "$results/pytorch-parity-2x64-$card.json"
  }
  grep -E 'weights, |worst element|FAILED' "$out/parity.log" | tail -n 120 >>"$summary"
fi

if has bench; then
  stream=
  [ -n "$text" ] && stream="--data $text"
  for type in bf16 fp32; do
    # shellcheck disable=SC2086
    try "$out/bench.log" 90 "profile shakespeare_char, $type" "$ladder" profile --stage 4 --device gpu --dtype $type \
      --preset shakespeare_char $stream --record --name profile-stage4-shakespeare-$type-"$card"
  done
  tokens=
  [ -n "$vocabulary" ] && "$ladder" prepare "$text" --tokenizer "$vocabulary" --out "$out/tokens" >"$out/prepare.log" 2>&1 &&
    tokens="$out/tokens"
  [ -n "$tokens" ] && try "$out/bench.log" 90 "profile gpt2, bf16" "$ladder" profile --stage 4 --device gpu --dtype bf16 \
    --preset gpt2 --data "$tokens" --steps 20 --record --name profile-stage4-gpt2-bf16-"$card"
  cat "$out/bench.log" >>"$summary"
fi

if has checklist; then
  stream=
  [ -n "$text" ] && stream="--data $text"
  # shellcheck disable=SC2086
  try "$out/checklist.log" 420 "the five steps, beside PyTorch" "$ladder" checklist --device gpu $stream --record \
    --name shakespeare-"$card" --json "$out/checklist.json" --report "$out/checklist.html"
  cat "$out/checklist.log" >>"$summary"
fi

if has race; then
  stream=
  [ -n "$text" ] && stream="--data $text"
  # shellcheck disable=SC2086
  try "$out/race.log" 200 "shakespeare_char beside PyTorch" "$ladder" speedup --size shakespeare_char --dtype bf16 \
    --device gpu $stream --record --name speedup-shakespeare-"$card"
  if [ -n "$vocabulary" ]; then
    "$ladder" prepare "$text" --tokenizer "$vocabulary" --out "$out/tokens" >"$out/prepare.log" 2>&1
    try "$out/race.log" 200 "gpt2 beside PyTorch" "$ladder" speedup --size gpt2 --dtype bf16 --device gpu \
      --data "$out/tokens" --record --name speedup-gpt2-"$card"
  fi
  cat "$out/race.log" >>"$summary"
fi

if has gpt2 && [ -n "$vocabulary" ]; then
  python3 tests/bench/package_text.py torch transformers sympy numpy --out "$out/packages.txt" | tee -a "$summary"
  "$ladder" prepare "$out/packages.txt" --tokenizer "$vocabulary" --out "$out/packages" >>"$summary" 2>&1
  rm -f "$out/gpt2.jsonl"
  "$ladder" train --stage 4 --device gpu --dtype bf16 --preset gpt2 --data "$out/packages" --steps "${GPT2_STEPS:-3000}" \
    --eval-every 500 --checkpoint "$out/gpt2" --checkpoint-every 250 --json-lines "$out/gpt2.jsonl" >"$out/gpt2.log" 2>&1 &
  sleep "${GPT2_KILL:-150}"
  kill -9 $!
  try "$out/gpt2.log" 560 "gpt2, resumed" "$ladder" train --device gpu --checkpoint "$out/gpt2" --resume --samples 2 \
    --json-lines "$out/gpt2.jsonl" --record --name gpt2-"$card"
  try "$out/gpt2.log" 20 "the steps done twice" python3 tests/stage4/repeated_steps.py "$out/gpt2.jsonl"
  cat "$out/gpt2.log" >>"$summary"
fi

(cd "$results" && tar czf - ./*-"$card".json 2>/dev/null) >"$out/records.tgz"
cat "$summary"
echo "$failures failed"
[ "$failures" = 0 ]
