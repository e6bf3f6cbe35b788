"""The numbers behind "From microGPT to GPT-2": what each change does in a model that is small enough to look at.

    python3 stage4_nanogpt/lessons.py build/ladder

Trains preset tiny on stage 1 (some seconds) and looks at its weights, activations and gradients through `ladder probe`. Needs
Python alone.

Exit codes: 0 done, 2 bad usage, else the ladder's own.
"""
import argparse
import array
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

TOKENS = "2,15,16,9,14,1,3,12,1,18,9,1,13,1,24,5,3,8,18,9,19"  # some numbers of letters: any do
TINY, WIDTH = ["--preset", "tiny", "--stage", "1"], 32
DEEP = 12  # layers, as GPT-2 has them


def call(ladder, *words):
    try:
        done = subprocess.run([str(ladder), *map(str, words)], capture_output=True, text=True)
    except OSError as error:
        print(f"lessons: {ladder}: {error.strerror}: name the program that ./ladder builds, build/ladder", file=sys.stderr)
        sys.exit(2)
    if done.returncode != 0:
        print(f"lessons: {done.stderr.strip()}", file=sys.stderr)
        sys.exit(done.returncode)
    return done.stdout


def read_tensors(path):
    """Of fp32 or fp64, as lists of numbers by name."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    codes = {"F32": "f", "F64": "d"}
    return {name: array.array(codes[entry["dtype"]], data[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]])
            for name, entry in header.items() if name != "__metadata__"}


def scale_tensors(path, to, ending, factor):
    """The same file, with every tensor whose name ends so multiplied."""
    data = bytearray(path.read_bytes())
    size = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8:8 + size]).items():
        if name.endswith(ending):
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            data[begin:end] = array.array("f", (factor * x for x in array.array("f", bytes(data[begin:end])))).tobytes()
    to.write_bytes(data)


def rms(values):
    return math.sqrt(math.fsum(x * x for x in values) / len(values))


def rows(values, width=WIDTH):
    return [values[i:i + width] for i in range(0, len(values), width)]


def bf16(value):
    """The bits of the nearest bfloat16, ties to even."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def norms(probe):
    """What LayerNorm takes away that RMSNorm leaves: the mean of a row."""
    stream = rows(probe["activation.layer1.mlp"])
    means = [abs(math.fsum(row) / WIDTH) for row in stream]
    deviations = [math.sqrt(math.fsum((x - math.fsum(row) / WIDTH) ** 2 for x in row) / WIDTH) for row in stream]
    return (f"LayerNorm         behind the last block a row's mean is {math.fsum(means) / len(means):.3f} at a deviation of "
            f"{math.fsum(deviations) / len(deviations):.2f}: what RMSNorm would leave in")


def residual(ladder, folder):
    """The stream behind 12 layers, with GPT-2's smaller projections and without."""
    drawn, louder = folder / "drawn.safetensors", folder / "louder.safetensors"
    call(ladder, "train", *TINY, "--n-layer", DEEP, "--steps", 0, "--save-weights", drawn)
    scale_tensors(drawn, louder, "c_proj.weight", math.sqrt(2 * DEEP))
    figures = []
    for weights in (drawn, louder):
        call(ladder, "probe", "--weights", weights, "--tokens", TOKENS, "--out", folder / "probe.safetensors")
        probe = read_tensors(folder / "probe.safetensors")
        figures.append(rms(probe[f"activation.layer{DEEP - 1}.mlp"]) / rms(probe["activation.embed"]))
    return (f"residual scaling  {DEEP} layers make the stream {figures[0]:.2f} times as loud as the embedding, with projections as "
            f"wide as the rest {figures[1]:.2f} times")


def narrow_updates(ladder, folder, weights):
    """How many weights one AdamW step moves in fp32, and how many of their bf16 copies."""
    lines = []
    before = read_tensors(weights)
    for rate in (1e-3, 1e-5):
        after = folder / "after.safetensors"
        call(ladder, "train", *TINY, "--init-weights", weights, "--steps", 1, "--schedule", "constant", "--lr", rate,
             "--save-weights", after)
        pairs = [(a, b) for name, values in read_tensors(after).items() for a, b in zip(before[name], values)]
        moved = sum(a != b for a, b in pairs) / len(pairs)
        seen = sum(bf16(a) != bf16(b) for a, b in pairs) / len(pairs)
        lines.append(f"at a rate of {rate:g} a step moves {moved:.0%} of the weights in fp32, {seen:.0%} of their copies in bf16")
    return "master weights    " + "; ".join(lines)


def tying(probe):
    """The embedding's gradient, most of which comes through the head."""
    tokens = set(map(int, TOKENS.split(",")[:-1]))
    gradient = rows(probe["gradient.transformer.wte.weight"])
    unread = [row for token, row in enumerate(gradient) if token not in tokens]
    return (f"tying             {len(unread)} of {len(gradient)} tokens do not occur in the text, and their embeddings have a "
            f"gradient all the same, {rms([x for row in unread for x in row]) / rms([x for row in gradient for x in row]):.2f} times the usual: "
            "through the head")


def bypass(probe):
    """The share of the gradient that attention's backward pass gives to the weights in front of it."""
    gradients = {name: values for name, values in probe.items() if name.startswith("gradient.")}
    squares = lambda names: math.fsum(x * x for name in names for x in gradients[name])
    behind = [name for name in gradients if ".attn.c_attn." in name or ".ln_1." in name]
    share = math.sqrt(squares(behind) / squares(gradients))
    count = sum(len(gradients[name]) for name in behind) / sum(map(len, gradients.values()))
    return (f"a bypass          {count:.0%} of the weights stand before attention's scores, with {share:.0%} of the gradient's norm: "
            "without attention's backward pass they would stay as they were drawn")


def gelu(probe, weights):
    """Inputs where ReLU's slope would be 0, and GELU's is not."""
    scale, shift, matrix, bias = (weights[f"transformer.h.0.{name}"] for name in
                                  ("ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias"))
    inputs = []
    for row in rows(probe["activation.layer0.attn"]):
        mean = math.fsum(row) / WIDTH
        deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in row) / WIDTH + 1e-5)
        normed = [(x - mean) / deviation * w + b for x, w, b in zip(row, scale, shift)]
        inputs += [math.fsum(w * x for w, x in zip(line, normed)) + b for line, b in zip(rows(matrix), bias)]
    slope = lambda u: 0.5 * (1 + math.erf(u / math.sqrt(2))) + u * math.exp(-u * u / 2) / math.sqrt(2 * math.pi)
    negative = [u for u in inputs if u < 0]
    alive = sum(abs(slope(u)) > 0.05 for u in negative)
    return (f"GELU              {len(negative) / len(inputs):.0%} of its inputs in the first block are below 0, where ReLU learns "
            f"nothing; of these {alive / len(negative):.0%} have a slope above 0.05 in size")


def lessons(ladder, folder):
    weights = folder / "weights.safetensors"
    call(ladder, "train", *TINY, "--steps", 1000, "--lr", 3e-3, "--save-weights", weights)
    call(ladder, "probe", "--weights", weights, "--tokens", TOKENS, "--out", folder / "trained.safetensors")
    probe = read_tensors(folder / "trained.safetensors")
    return [norms(probe), gelu(probe, read_tensors(weights)), tying(probe), residual(ladder, folder),
            narrow_updates(ladder, folder, weights), bypass(probe)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ladder", type=pathlib.Path, help="the program")
    options = parser.parse_args()
    if not options.ladder.is_file():
        parser.error(f"{options.ladder}: no such file")
    with tempfile.TemporaryDirectory() as folder:
        for line in lessons(options.ladder.resolve(), pathlib.Path(folder)):
            print(line)


if __name__ == "__main__":
    main()
