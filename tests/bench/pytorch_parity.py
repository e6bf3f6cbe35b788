"""GPT-2 on a stage of the ladder against PyTorch, from the same weights: blocks, logits, gradients, greedy text.

    python3 tests/bench/pytorch_parity.py build/ladder [--model 12x768] [--weights random,trained] [--out FILE.json]

Needs PyTorch, transformers and safetensors, which the product itself does not. For every element type T the reference is
PyTorch in fp64 from the weights as T rounds them. The error of a tensor is the norm of its difference over the norm of the
reference. The ladder passes where its error is within the limit of the type: in fp64 and fp32 the checker's rule,
|e| <= tol (|ref| + rms(ref)) for every element; in tf32, bf16 and fp16 at most 1.25 times the error that PyTorch itself
makes in that type on the same machine. Greedy text must be the same token by token; in 16 bits only until the two
largest logits of the reference lie nearer to each other than the error measured there.

Exit codes: 0 all passed, 1 something did not, 2 bad usage, 3 a module or a GPU is missing.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

RATIO = 1.25  # of PyTorch's own error, in types of less than 24 bits
TOLERANCE = {"fp64": 1e-10, "fp32": 1e-4}
GREEDY_TOKENS = 50


def arguments():
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
    parser.add_argument("--dtypes", default="fp64,fp32,tf32,bf16,fp16")
    parser.add_argument("--out", type=pathlib.Path, help="a JSON file for the results")
    options = parser.parse_args()
    if not options.ladder.is_file():
        parser.error(f"{options.ladder}: no such program")
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


def make_model(options):
    """A GPT-2 with weights that hide nothing: biases and norms are random too."""
    layers, width = (int(part) for part in options.model.split("x"))
    heads = width // 64 if width % 64 == 0 else 2
    config = transformers.GPT2Config(
        vocab_size=options.vocabulary, n_positions=options.positions, n_embd=width, n_layer=layers, n_head=heads,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, attn_implementation="eager")
    torch.manual_seed(42)
    model = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * (0.1 if ".ln_" in name else 0.02))
    return model


def train(model, options, device):
    """PyTorch's own training in fp32, on the bytes of a text."""
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
    done = subprocess.run([str(options.ladder), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"pytorch_parity: ladder {' '.join(words[:6])} ...: {done.stderr.strip()}")


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


def scaled_error(got, want):
    """The largest |e| / (|ref| + rms(ref))."""
    if not torch.isfinite(got).all():
        return math.inf
    rms = want.pow(2).mean().sqrt()
    return ((got - want).abs() / (want.abs() + rms + 1e-300)).max().item()


def norm_error(got, want):
    if not torch.isfinite(got).all():
        return math.inf
    return ((got - want).norm() / (want.norm() + 1e-300)).item()


def rounded(model, dtype):
    """The model with the weights as the type rounds them, to be cast to the type or to fp64."""
    copy = transformers.GPT2LMHeadModel(model.config).eval()
    copy.load_state_dict(model.state_dict())
    return copy.to(TYPES[dtype]) if dtype in ("bf16", "fp16") else copy


def compare_dtype(model, weights, tokens, dtype, options, device, folder):
    torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
    torch.backends.cudnn.allow_tf32 = dtype == "tf32"
    copy = rounded(model, dtype)
    rival = probe_torch(copy if dtype != "fp64" else copy.double(), tokens, device)
    reference_model = copy.double()
    reference = probe_torch(reference_model, tokens, device)
    own = probe_ladder(options, weights, tokens, dtype, folder)
    rows, passed = [], True
    for name, want in reference.items():
        row = {"tensor": name, "error": norm_error(own[name], want), "pytorch": norm_error(rival[name], want),
               "largest": scaled_error(own[name], want), "pytorch_largest": scaled_error(rival[name], want)}
        row["passed"] = (row["largest"] <= TOLERANCE[dtype] if dtype in TOLERANCE
                         else row["error"] <= RATIO * row["pytorch"])
        passed = passed and row["passed"]
        rows.append(row)
    greedy = compare_greedy(reference_model, weights, tokens[:8], dtype, options, device, folder,
                            own["activation.logits"], reference["activation.logits"])
    return {"dtype": dtype, "rows": rows, "greedy": greedy, "passed": passed and greedy["passed"]}


def compare_greedy(reference_model, weights, prompt, dtype, options, device, folder, own_logits, want_logits):
    want, gaps = greedy_torch(reference_model, prompt, device)
    got = greedy_ladder(options, weights, prompt, dtype, folder)
    same = 0
    while same < GREEDY_TOKENS and got[len(prompt) + same] == want[len(prompt) + same]:
        same += 1
    error = (own_logits - want_logits).abs().max().item()
    excused = dtype not in TOLERANCE and same < GREEDY_TOKENS and gaps[same] <= 2 * error
    return {"same": same, "of": GREEDY_TOKENS, "passed": same == GREEDY_TOKENS or excused, "excused": excused}


def summary(kind, outcome):
    worst = {}
    for row in outcome["rows"]:
        group = row["tensor"].split(".")[0] if row["tensor"] != "activation.logits" else "logits"
        ratio = row["error"] / max(row["pytorch"], 1e-300)
        best = worst.get(group)
        if best is None or ratio > best["ratio"]:
            worst[group] = {"ratio": ratio, **row}
    print(f"{kind} weights, {outcome['dtype']}: {'passed' if outcome['passed'] else 'FAILED'}, greedy "
          f"{outcome['greedy']['same']} of {outcome['greedy']['of']}")
    for group, row in worst.items():
        print(f"  {group:<10} worst of PyTorch's error x {row['ratio']:.3f}: {row['error']:.3g} against "
              f"{row['pytorch']:.3g} ({row['tensor']}); largest element {row['largest']:.3g} against "
              f"{row['pytorch_largest']:.3g}")
    for row in outcome["rows"]:
        if not row["passed"]:
            print(f"  FAILED {row['tensor']}: {row['error']:.3g}, PyTorch {row['pytorch']:.3g}")
    sys.stdout.flush()


def main():
    options = arguments()
    if options.device == "gpu" and not torch.cuda.is_available():
        print("pytorch_parity: no GPU here: add --device cpu", file=sys.stderr)
        return 3
    device = "cuda" if options.device == "gpu" else "cpu"
    results = {"model": options.model, "positions": options.positions, "vocabulary": options.vocabulary,
               "torch": torch.__version__, "transformers": transformers.__version__,
               "device": torch.cuda.get_device_name() if device == "cuda" else "cpu", "outcomes": []}
    for kind in options.weights.split(","):
        model = make_model(options).eval()
        if kind == "trained":
            if options.text is None:
                print("pytorch_parity: trained weights need --text FILE", file=sys.stderr)
                return 2
            model = train(model, options, device)
            tokens = list(options.text.read_bytes()[1000:1001 + options.positions])
        else:
            generator = torch.Generator().manual_seed(7)
            tokens = torch.randint(options.vocabulary, (options.positions + 1,), generator=generator).tolist()
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            save_file({key: value.contiguous().clone() for key, value in model.state_dict().items()
                       if key != "lm_head.weight"}, folder / "model.safetensors")
            (folder / "config.json").write_text(model.config.to_json_string())
            for dtype in options.dtypes.split(","):
                outcome = compare_dtype(model, folder / "model.safetensors", tokens, dtype, options, device, folder)
                outcome["weights"] = kind
                summary(kind, outcome)
                results["outcomes"].append(outcome)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")
    return 0 if all(outcome["passed"] for outcome in results["outcomes"]) else 1


if __name__ == "__main__":
    sys.exit(main())
