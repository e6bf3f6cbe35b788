"""GPT-2 on a stage of the ladder against PyTorch, from the same weights: blocks, logits, gradients, greedy text.

    python3 tests/bench/pytorch_parity.py build/ladder [--model 12x768] [--weights random,trained] [--out RECORD.json]

Needs PyTorch, transformers and safetensors, which the product itself does not. For every element type T the reference
is PyTorch in fp64, with eager attention, from the weights as T rounds them. The error of a tensor is the norm of its
difference over the norm of the reference. The ladder passes where its error is within the limit of the type: in fp64
and fp32 the checker's rule, |e| <= tol (|ref| + rms(ref)) for every element; in tf32, bf16 and fp16 at most 1.25 times
the error that PyTorch itself makes in that type on the same machine, with the attention that nanoGPT runs. The loss, a
single number, goes by the checker's rule in every type. Greedy text must be the same token by token; in every type but
fp64 and fp32, a first difference is excused where the two largest logits of the reference are apart by at most twice the
largest error of a logit: two errors of that size can turn them round.

--out writes a run record, named after the file; `ladder tables` makes a table of those in tests/bench/results.

Exit codes: 0 all passed, 1 something did not, 2 bad usage, 3 a module or a GPU is missing; the ladder's own where it
ends with 2 or 3.
"""
import argparse
import copy
import datetime
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

from pytorch_judgement import DTYPES, TOLERANCE, lines_of, outcome_of, record_of, write_record

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMPT_TOKENS, GREEDY_TOKENS = 8, 50
TEXT_START = 1000  # where in a text the tokens lie that trained weights read


def make_parser():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ladder", type=pathlib.Path, help="the program")
    parser.add_argument("--stage", type=int, default=4)
    parser.add_argument("--device", choices=["cpu", "gpu"], default="gpu", help="where both run")
    parser.add_argument("--model", default="12x768", help="LAYERSxWIDTH; heads of 64 where the width allows")
    parser.add_argument("--positions", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=50257)
    parser.add_argument("--weights", default="random", help="random, trained, or both with a comma between")
    parser.add_argument("--train-steps", type=int, default=300, help="of PyTorch, for trained weights")
    parser.add_argument("--text", type=pathlib.Path, help="what trained weights are trained on, as bytes")
    parser.add_argument("--dtypes", help="with commas between; unless given, all that PyTorch has: no tf32 on a CPU")
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa",
                        help="of the PyTorch that is compared with: sdpa is what nanoGPT runs")
    parser.add_argument("--out", type=pathlib.Path, help="a JSON file for the run record")
    return parser


def types_of(options):
    if options.dtypes:
        return options.dtypes.split(",")
    return [name for name in DTYPES if options.device == "gpu" or name != "tf32"]


def problem_with_model(options):
    size = re.fullmatch(r"[1-9]\d*x([1-9]\d*)", options.model)
    if not size or int(size[1]) % 2 != 0:
        return f"--model {options.model}: is not LAYERSxWIDTH with an even width, such as 12x768"
    if options.positions < PROMPT_TOKENS + GREEDY_TOKENS:
        return f"--positions {options.positions}: greedy text needs {PROMPT_TOKENS + GREEDY_TOKENS}"
    if "trained" not in options.weights.split(","):
        return "" if options.vocabulary >= 2 else f"--vocabulary {options.vocabulary}: must be 2 or more"
    if options.train_steps < 1:
        return f"--train-steps {options.train_steps}: must be 1 or more"
    if options.vocabulary < 256:
        return f"--vocabulary {options.vocabulary}: trained weights read bytes and need 256 or more"
    if options.text is None or not options.text.is_file():
        return "trained weights need --text FILE"
    if options.text.stat().st_size < TEXT_START + options.positions + 2:
        return f"--text {options.text}: is shorter than {TEXT_START + options.positions + 2} bytes"
    return ""


def problem_with(options):
    """What is wrong with the call, in one line; empty where nothing is."""
    kinds, dtypes = options.weights.split(","), types_of(options)
    if not options.ladder.is_file():
        return f"{options.ladder}: no such program"
    if unknown := [name for name in kinds if name not in ("random", "trained")]:
        return f"--weights {unknown[0]}: valid are random and trained"
    if unknown := [name for name in dtypes if name not in DTYPES]:
        return f"--dtypes {unknown[0]}: valid are {', '.join(DTYPES)}"
    if options.device == "cpu" and "tf32" in dtypes:
        return "--dtypes tf32: PyTorch computes in fp32 there on the CPU: leave it out"
    if options.out and not options.out.parent.is_dir():
        return f"--out {options.out}: there is no such folder"
    return problem_with_model(options)


def arguments():
    options = make_parser().parse_args()
    if problem := problem_with(options):
        print(f"pytorch_parity: {problem}", file=sys.stderr)
        sys.exit(2)
    return options


try:
    import torch
    import transformers
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"pytorch_parity: {missing}: pip install torch transformers safetensors", file=sys.stderr)
    sys.exit(3)

TYPES = {"fp64": torch.float64, "fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16,
         "fp16": torch.float16}


def config_of(options, attention="eager"):
    layers, width = (int(part) for part in options.model.split("x"))
    heads = width // 64 if width % 64 == 0 else 2
    return transformers.GPT2Config(
        vocab_size=options.vocabulary, n_positions=options.positions, n_embd=width, n_layer=layers, n_head=heads,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, attn_implementation=attention)


def make_model(options):
    """A GPT-2 with weights that hide nothing: biases and norms are random too."""
    torch.manual_seed(42)
    model = transformers.GPT2LMHeadModel(config_of(options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * (0.1 if ".ln_" in name else 0.02))
    return model


def train(model, options, device):
    """PyTorch's own training in fp32, on the bytes of a text."""
    allow_tf32(False)
    data = torch.tensor(list(options.text.read_bytes()), device=device)
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1)
    generator = torch.Generator().manual_seed(1)
    loss = None
    for _ in range(options.train_steps):
        starts = torch.randint(len(data) - options.positions - 1, (8,), generator=generator).tolist()
        batch = torch.stack([data[s:s + options.positions] for s in starts])
        loss = model(batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(f"trained {options.train_steps} steps, last loss {loss.item():.4f}", flush=True)
    return model.cpu().eval()


def probe_torch(model, tokens, device):
    """Residual stream, logits, loss and gradients, under the ladder's names."""
    model = model.to(device).eval()
    kept = {}
    hooks = []
    for i, block in enumerate(model.transformer.h):
        hooks.append(block.ln_2.register_forward_pre_hook(
            lambda _m, x, i=i: kept.__setitem__(f"activation.layer{i}.attn", x[0].detach())))
        hooks.append(block.register_forward_hook(
            lambda _m, _x, y, i=i: kept.__setitem__(f"activation.layer{i}.mlp",
                                                    (y[0] if isinstance(y, tuple) else y).detach())))
    hooks.append(model.transformer.h[0].register_forward_pre_hook(
        lambda _m, x: kept.__setitem__("activation.embed", x[0].detach())))
    ids = torch.tensor([tokens], device=device)
    logits = model(ids[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits[0].double() if logits.dtype == torch.float64 else logits[0].float(),
                                             ids[0, 1:])
    model.zero_grad()
    loss.backward()
    for hook in hooks:
        hook.remove()
    kept["activation.logits"] = logits.detach()
    kept["loss"] = loss.detach().reshape(1)
    for name, parameter in model.named_parameters():
        conv1d = name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
        kept["gradient." + name] = (parameter.grad.t() if conv1d else parameter.grad).detach()
    result = {name: tensor.double().reshape(-1).cpu() for name, tensor in kept.items()}
    model.cpu()
    return result


def run_ladder(options, words):
    program = str(options.ladder.resolve())
    # In the folder of the sources, which a program that was carried to this machine looks for where it is started.
    done = subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"pytorch_parity: ladder {' '.join(words[:6])} ...: {done.stderr.strip()}", file=sys.stderr)
        sys.exit(done.returncode if done.returncode in (2, 3) else 1)


def place(options, dtype):
    return ["--stage", str(options.stage), "--dtype", dtype, "--device", options.device]


def probe_ladder(options, weights, tokens, dtype, folder):
    out = folder / "probe.safetensors"
    run_ladder(options, ["probe", "--weights", str(weights), "--tokens", ",".join(map(str, tokens)),
                         *place(options, dtype), "--out", str(out)])
    return {name: tensor.double().reshape(-1) for name, tensor in load_file(out).items()}


def greedy_ladder(options, weights, prompt, dtype, folder):
    out = folder / "greedy.json"
    run_ladder(options, ["sample", "--weights", str(weights), "--tokens", ",".join(map(str, prompt)), "--greedy",
                         "--max-tokens", str(GREEDY_TOKENS), *place(options, dtype), "--json", str(out)])
    tokens = json.loads(out.read_text())["tokens"]
    return tokens[0] if tokens and isinstance(tokens[0], list) else tokens


def greedy_torch(model, prompt, device):
    """The reference's tokens, and at each of them how far the largest logit is above the second."""
    model = model.to(device).eval()
    tokens, gaps = list(prompt), []
    with torch.no_grad():
        for _ in range(GREEDY_TOKENS):
            logits = model(torch.tensor([tokens], device=device)).logits[0, -1]
            top = torch.topk(logits, 2).values
            gaps.append((top[0] - top[1]).item())
            tokens.append(int(logits.argmax()))
    model.cpu()
    return tokens, gaps


def norm_error(got, want):
    return ((got - want).norm() / (want.norm() + 1e-300)).item()


def scaled_error(got, want):
    """The largest |e| / (|ref| + rms(ref))."""
    rms = want.pow(2).mean().sqrt()
    return ((got - want).abs() / (want.abs() + rms + 1e-300)).max().item()


def largest_difference(got, want):
    return (got - want).abs().max().item()


def measured(measure, got, want):
    """Infinity for a result that is not finite, which no limit lets pass."""
    value = measure(got, want)
    return value if torch.isfinite(got).all() and math.isfinite(value) else math.inf


def with_attention(model, options, attention):
    """The same weights with another attention: transformers chooses it when a model is made."""
    other = transformers.GPT2LMHeadModel(config_of(options, attention)).eval()
    other.load_state_dict(model.state_dict())
    return other


def rounded(model, dtype):
    """A copy with the weights as the type rounds them, to be cast to the type or to fp64."""
    rounded_copy = copy.deepcopy(model)
    return rounded_copy.to(TYPES[dtype]) if dtype in ("bf16", "fp16") else rounded_copy


def allow_tf32(allowed):
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def probe_rivals(models, tokens, dtype, device):
    """PyTorch itself in the type, by the name of its attention. In fp64 it would be the reference again: none."""
    if dtype == "fp64":
        return {}
    allow_tf32(dtype == "tf32")
    try:
        return {attention: probe_torch(rounded(model, dtype), tokens, device) for attention, model in models.items()}
    finally:
        allow_tf32(False)  # what comes next, the training of other weights too, is in fp32


def tensor_row(name, want, own, rivals, options):
    row = {"tensor": name, "error": measured(norm_error, own[name], want),
           "scaled": measured(scaled_error, own[name], want),
           "difference": measured(largest_difference, own[name], want)}
    if rivals:
        rival = rivals[options.attention][name]
        row.update(pytorch=measured(norm_error, rival, want), pytorch_scaled=measured(scaled_error, rival, want),
                   pytorch_eager=measured(norm_error, rivals["eager"][name], want))
    return row


def compare_dtype(models, weights, tokens, dtype, options, device, folder):
    """`models`: PyTorch's, by the name of their attention; the eager one becomes the reference."""
    rivals = probe_rivals(models, tokens, dtype, device)
    reference_model = rounded(models["eager"], dtype).double()
    reference = probe_torch(reference_model, tokens, device)
    own = probe_ladder(options, weights, tokens, dtype, folder)
    rows = [tensor_row(name, want, own, rivals, options) for name, want in reference.items()]
    greedy = compare_greedy(reference_model, weights, tokens[:PROMPT_TOKENS], dtype, options, device, folder,
                            own["activation.logits"], reference["activation.logits"])
    return outcome_of(rows, dtype, greedy)


def compare_greedy(reference_model, weights, prompt, dtype, options, device, folder, own_logits, want_logits):
    want, gaps = greedy_torch(reference_model, prompt, device)
    got = greedy_ladder(options, weights, prompt, dtype, folder)
    same = 0
    while same < GREEDY_TOKENS and got[len(prompt) + same] == want[len(prompt) + same]:
        same += 1
    error = (own_logits - want_logits).abs().max().item()
    excused = dtype not in TOLERANCE and same < GREEDY_TOKENS and gaps[same] <= 2 * error
    return {"same": same, "of": GREEDY_TOKENS, "passed": same == GREEDY_TOKENS or excused, "excused": excused}


def prepared(kind, options, device):
    """A model with weights of a kind, and the tokens that it reads."""
    model = make_model(options).eval()
    if kind == "trained":
        model = train(model, options, device)
        return model, list(options.text.read_bytes()[TEXT_START:TEXT_START + options.positions + 1])
    generator = torch.Generator().manual_seed(7)
    return model, torch.randint(options.vocabulary, (options.positions + 1,), generator=generator).tolist()


def compare_weights(kind, options, device):
    """An outcome a type."""
    model, tokens = prepared(kind, options, device)
    models = {"eager": model}
    if options.attention != "eager":
        models[options.attention] = with_attention(model, options, options.attention)
    outcomes = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        save_file({key: value.contiguous().clone() for key, value in model.state_dict().items()
                   if key != "lm_head.weight"}, folder / "model.safetensors")
        (folder / "config.json").write_text(model.config.to_json_string())
        for dtype in types_of(options):
            outcome = compare_dtype(models, folder / "model.safetensors", tokens, dtype, options, device, folder)
            outcomes.append({"weights": kind, **outcome})
            print("\n".join(lines_of(kind, outcome)), flush=True)
    return outcomes


def command_of(options):
    """The call, with files by their names alone: where they lie is this machine's business."""
    words = ["python3 tests/bench/pytorch_parity.py build/ladder"]
    for name, value in vars(options).items():
        if name not in ("ladder", "out") and value != make_parser().get_default(name):
            shown = value.name if isinstance(value, pathlib.Path) else value
            words.append(f"--{name.replace('_', '-')} {shown}")
    return " ".join(words)


def work_of(options):
    config, kinds = config_of(options), options.weights.split(",")
    weights = ["random weights"] if "random" in kinds else []
    if "trained" in kinds:
        weights.append(f"weights that PyTorch trained in fp32 for {options.train_steps} steps")
    return (f"GPT-2 of {config.n_layer} layers, width {config.n_embd}, heads of {config.n_embd // config.n_head}, "
            f"{options.positions} positions, {options.vocabulary} tokens; {' and '.join(weights)}; "
            f"beside PyTorch {torch.__version__} ({options.attention} attention), "
            f"transformers {transformers.__version__}")


def facts_of(options):
    """What the program says of the machine, of its build, and of the sources that the figures depend on."""
    sources = f"stage{options.stage}{'-gpu' if options.device == 'gpu' and options.stage >= 2 else ''}"
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "info.json"
        run_ladder(options, ["info", "--sources", sources, "--json", str(path)])
        facts = json.loads(path.read_text())
    if options.device == "cpu":
        facts["machine"].pop("gpu", None)  # it had no part in this
    return facts


def record(outcomes, options):
    layers, width = options.model.split("x")
    shared = {"model": f"{layers} x {width}", "emulated": options.device == "cpu" and options.stage >= 2,
              "attention": options.attention, "torch": torch.__version__, "transformers": transformers.__version__}
    rows = [(f"{layers} x {width}, {outcome['weights']} weights, {outcome['dtype']}", {**shared, **outcome})
            for outcome in outcomes]
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    write_record(options.out, record_of(options.out.stem, command_of(options), work_of(options), now,
                                        facts_of(options), rows))
    print(f"recorded {options.out}")


def main():
    options = arguments()
    if options.device == "gpu" and not torch.cuda.is_available():
        print("pytorch_parity: no GPU here: add --device cpu", file=sys.stderr)
        return 3
    device = "cuda" if options.device == "gpu" else "cpu"
    outcomes = [outcome for kind in options.weights.split(",") for outcome in compare_weights(kind, options, device)]
    if options.out:
        record(outcomes, options)
    return 0 if all(outcome["passed"] for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
