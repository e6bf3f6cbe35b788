#!/bin/sh
# The export of nanoGPT's checkpoints: bad input, and, where python3 has torch and safetensors, a checkpoint all the way.
# usage: export_nanogpt.sh SOURCE_DIR LADDER
set -eu
script=$1/stage4_nanogpt/export_nanogpt.py ladder=$2
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# refused CODE PART ARGUMENT...: exit code CODE, PART in one line on stderr, nothing written
refused() {
  code=$1 part=$2
  shift 2
  status=0
  python3 "$script" "$@" 2>err || status=$?
  [ "$status" -eq "$code" ] && grep -q -- "$part" err && [ ! -e out ] && return
  echo "export_nanogpt.py $*: exit code $status, stderr:"
  cat err
  exit 1
}

echo text >text
python3 -c '
import pickle
class Code:
    def __reduce__(self):
        return (print, ("a pickle ran code",))
def write(name, meta):
    with open(name, "wb") as file:
        pickle.dump(meta, file)
table = lambda characters: {"vocab_size": len(characters), "itos": dict(enumerate(characters))}
write("meta.pkl", table("abcdefghijk"))
write("words.pkl", table(["ab", "c"]))
write("unsorted.pkl", table("ba"))
write("code.pkl", Code())
'
refused 2 CKPT
refused 2 out text
refused 2 'missing: cannot be read' missing --out out
refused 2 'text: is no meta.pkl' text --out out --meta text
refused 2 'missing: is no meta.pkl' text --out out --meta missing
refused 2 'words.pkl: .*single characters' text --out out --meta words.pkl
refused 2 'unsorted.pkl: .*in order' text --out out --meta unsorted.pkl
refused 2 'code.pkl: .*builtins.print' text --out out --meta code.pkl
PYTHONDONTWRITEBYTECODE=1 python3 -c '
import os, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import export_nanogpt
def half(path):
    open(path, "w").write("half")
    raise OSError(28, "No space left on device", path)
try:
    export_nanogpt.write_whole("whole", half)
except OSError:
    sys.exit(1 if os.path.exists("whole") or os.path.exists("whole.tmp") else 0)
sys.exit(1)
' "$script" || { echo "a file whose writing failed was left behind"; exit 1; }
if ! python3 -c 'import torch, safetensors' 2>/dev/null; then
  refused 3 'is missing' text --out out --meta meta.pkl
  echo "bad input is refused; no torch and safetensors here: no checkpoint was exported"
  exit 0
fi
refused 2 'text: is no checkpoint' text --out out
python3 -c '
import torch
torch.manual_seed(1)
C, T, V = 8, 6, 11
shapes = {"wte.weight": (V, C), "wpe.weight": (T, C), "ln_f.weight": (C,), "h.0.ln_1.weight": (C,),
          "h.0.attn.c_attn.weight": (3 * C, C), "h.0.attn.c_proj.weight": (C, C), "h.0.ln_2.weight": (C,),
          "h.0.mlp.c_fc.weight": (4 * C, C), "h.0.mlp.c_proj.weight": (C, 4 * C)}
model = {"_orig_mod.transformer." + name: torch.randn(shape) for name, shape in shapes.items()}
model["_orig_mod.lm_head.weight"] = model["_orig_mod.transformer.wte.weight"]
model["_orig_mod.transformer.h.0.attn.bias"] = torch.ones(1, 1, T, T)
torch.save({"model": model, "model_args": {"n_layer": 1, "n_head": 2, "n_embd": C, "block_size": T,
            "vocab_size": V, "bias": False, "dropout": 0.2}, "iter_num": 5, "config": {"out_dir": "out"}}, "ckpt.pt")
'
python3 "$script" ckpt.pt --out out --meta meta.pkl
"$ladder" sample --weights out --prompt abc --max-tokens 9 --num-samples 2 >sampled
[ "$(wc -l <sampled)" -eq 2 ] && ! grep -qv '^abc[a-k]*$' sampled || { echo "not what was expected:"; cat sampled; exit 1; }
echo "a checkpoint was exported and read"
