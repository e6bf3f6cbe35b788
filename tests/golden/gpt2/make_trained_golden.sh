#!/bin/sh
# Makes pytorch_trained/ anew: a GPT-2 of 27,360 parameters that PyTorch trained on the embedded names, and what PyTorch says
# of it in fp64: the logits of 32 held-out tokens and a greedy text. Run it only when what is compared changes.
# usage: tests/golden/gpt2/make_trained_golden.sh LADDER      python3 must have torch, numpy, safetensors, transformers
set -eu
[ $# = 1 ] || { sed -n '2,4p' "$0"; exit 2; }
ladder=$(realpath "$1")
cd "$(dirname "$0")/../../.."
out=tests/golden/gpt2/pytorch_trained
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p $out
"$ladder" prepare shared/data/names.txt --out "$work/data"
"$ladder" train --preset tiny --data "$work/data" --steps 0 --save-weights "$work/initial.safetensors"
python3 tests/bench/pytorch_baseline.py --weights "$work/initial.safetensors" --data "$work/data" --device cpu --steps 1000 \
  --schedule cosine --warmup-steps 50 --lr 3e-3 --min-lr 3e-4 --batch-size 8 --eval-every 250 --eval-batches 20 \
  --save-weights $out/model.safetensors
chmod 644 $out/model.safetensors
python3 - "$work" $out <<'PYTHON'
import json, struct, sys
work, out = sys.argv[1:]
with open(f"{work}/data/val.bin", "rb") as file:
    tokens = list(struct.unpack("<32H", file.read(64)))
with open(f"{out}/model.safetensors", "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
request = {"weights": f"{out}/model.safetensors", "model": json.loads(header["__metadata__"]["model"]), "tokens": tokens,
           "prompt": tokens[:8], "max_tokens": 50}
with open(f"{work}/request.json", "w") as file:
    json.dump(request, file)
PYTHON
python3 shared/parity/gpt2_pytorch.py "$work/request.json" "$work/answer.json"
python3 - "$work" $out <<'PYTHON'
import json, sys
work, out = sys.argv[1:]
request, answer = (json.load(open(f"{work}/{name}.json")) for name in ("request", "answer"))
golden = {"tokens": request["tokens"], "prompt": request["prompt"], **answer}
with open(f"{out}/golden.json", "w") as file:
    json.dump(golden, file, indent=0)
    file.write("\n")
PYTHON
