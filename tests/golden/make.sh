#!/bin/sh
# Makes the goldens anew: stage 0's with the interpreter baseline, the trained GPT-2 with stage 1. Run it only when the
# embedded names change.
# Full-precision losses (repr of the doubles) and samples; times and machine are left out.
# usage: tests/golden/make.sh [NAMES_TXT]   with the public names.txt, also the two traces on it
set -eu
cd "$(dirname "$0")/../.."

golden() {  # golden OUTPUT DATA FLAGS...
  output=$1 data=$2
  shift 2
  python3 shared/baseline/microgpt.py --data "$data" --trace "$output.tmp" "$@" >/dev/null
  python3 - "$output" <<'PYTHON'
import json, os, sys
path = sys.argv[1]
with open(path + ".tmp") as file:
    trace = json.load(file)
kept = {key: trace[key] for key in ("format", "config", "loss", "samples")}
with open(path, "w") as file:
    json.dump(kept, file, indent=0)
    file.write("\n")
os.remove(path + ".tmp")
PYTHON
}

names=shared/data/names.txt
golden tests/golden/embedded_l1_c16_h4_t16.json $names --seed 42 --steps 100
golden tests/golden/embedded_l2_c16_h4_t16.json $names --seed 1 --steps 50 --n-layer 2 --temperature 0.8
golden tests/golden/embedded_l1_c24_h3_t8.json $names --seed 7 --steps 50 --n-embd 24 --n-head 3 --block-size 8
# A GPT-2 of 27,360 parameters, trained: what untrained weights hide, these show.
./ladder train --stage 1 --preset tiny --steps 2000 --lr 3e-3 --samples 0 --save-weights tests/golden/gpt2/trained_tiny.safetensors
[ $# -eq 0 ] && exit 0
golden tests/golden/names_l1_c16_h4_t16.json "$1" --seed 42 --steps 1000
golden tests/golden/names_l2_c16_h4_t16.json "$1" --seed 1 --steps 100 --n-layer 2
