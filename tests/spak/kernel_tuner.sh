#!/bin/sh
# Kernel Tuner itself reads what `ladder spak export` writes: kernel_tuner.sh LADDER
#
# Its wheels are put into a virtual environment in the user's cache folder the first time (LADDER_ORACLES_VENV names another).
# Without python3 or a network: a line that begins with SKIPPED.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
pins=$here/../../requirements-oracles.txt
venv=${LADDER_ORACLES_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/gpt-ladder/oracles}
ladder=$1

if ! cmp -s "$pins" "$venv/pins.txt"; then
  { python3 -m venv "$venv" && timeout 600 "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --retries 2 \
    --timeout 15 -r "$pins" && cp "$pins" "$venv/pins.txt"; } >/dev/null 2>&1 ||
    { echo "SKIPPED: Kernel Tuner could not be installed"; exit 0; }
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >system.spak <<'END'
system S {
  engineering_loop L {
    parameter tile: [16, 32, 64, 128]
    parameter bulk: [true, false]
    parameter order: ["rows", "columns"]
    measure { cmd: "./kernel {{tile}} {{bulk}} {{order}}" metric: "us" objective: "minimize" }
  }
}
END
cat >kernel <<'END'
#!/bin/sh
[ "$1$2" != 16true ] || exit 3
[ "$1$3" != 128rows ] || { echo '__SPAK_TRACE__ {"type": "Performance", "passed": false, "us": 1}'; exit 0; }
bulk=5; [ "$2" != true ] || bulk=0
order=3; [ "$3" != rows ] || order=0
echo "__SPAK_TRACE__ {\"type\": \"Performance\", \"us\": $((2000 / $1 + bulk + order)), \"device\": \"none\"}"
END
chmod +x kernel
"$ladder" spak tune system.spak --out trace.jsonl
"$ladder" spak export system.spak --trace trace.jsonl -o t4.json
"$ladder" spak export system.spak --trace trace.jsonl --format kernel-tuner -o cache.json
# 128, bulk, by columns: 15 + 3 us, in milliseconds.
"$venv/bin/python" "$here/kernel_tuner_reads.py" t4.json cache.json time lower 0.018
# And back: what T4 holds is what was exported.
"$ladder" spak import t4.json --system S --loop L --into again.jsonl
"$ladder" spak tune system.spak --out again.jsonl | grep "16 points are in again.jsonl already"
