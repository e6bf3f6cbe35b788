"""The training run of `ladder train --stage 4` for GPT-2 in PyTorch: the same weights, windows and recipe.

    build/ladder train --preset gpt2 --data FOLDER --steps 0 --save-weights W.safetensors
    python3 tests/bench/pytorch_baseline.py --weights W.safetensors --data FOLDER --dtype bf16 --compile --out RUN.json

Needs PyTorch, numpy and safetensors, which the product itself does not. FOLDER holds the train.bin and val.bin of
`ladder prepare`, raw uint16. The model's shape comes from the weights' metadata. Flags that the ladder has, too, mean
the same here, and their defaults are those of its preset gpt2. Dropout's masks are PyTorch's own.

Every --eval-every steps, before the first and after the last the held-out loss is measured; the best is kept, and with
--save-weights its weights are. --time N trains some steps unmeasured and then N whose median is reported; without
--data these read random tokens. A step's time is the device's own, by CUDA events. Drawing the windows of the next step
belongs to it, evaluation does not.

--serve FILE is for `ladder speedup`, which runs this program beside itself: FILE holds the windows of the steps as int32, one
behind the other. Each line of the input, {"compiled": false, "dropout": true, "steps": 5}, asks for so many steps from the
initial weights, and is answered by {"losses": [...], "seconds": ...}; seconds are of all steps, on the clock on the wall.

--out writes JSON: losses, evaluations (pairs of step and held-out loss), best, ms, median_ms, peak_memory_gib (null on
a CPU), torch, device, config.

Exit codes: 0 done, 1 a loss is not finite, 2 bad usage or input, 3 a module, a GPU or its memory is missing.
"""
import argparse
import contextlib
import json
import math
import pathlib
import statistics
import sys
import time

from training_recipe import HELD_OUT, SCHEDULES, TRAINING, learning_rate, token_hash, window_starts

DTYPES = ["fp32", "tf32", "bf16", "fp16"]
ATTENTIONS = ["auto", "flash", "cudnn", "efficient", "math"]
WARM_UP = 20  # steps that --time does not measure, compiling among them
PROGRESS_LINES = 20
HEADER = (20240520).to_bytes(4, "little")  # how token files with a header begin


class Parser(argparse.ArgumentParser):
    def error(self, message):
        print(f"pytorch_baseline: {message}", file=sys.stderr)
        sys.exit(2)


def number(kind, least, says, below=math.inf):
    """A number's reader for argparse, which names the flag before the message."""
    def read(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value < below:
            raise argparse.ArgumentTypeError(f"is {text}: it must be {says}")
        return value
    return read


COUNT, WHOLE = number(int, 1, "1 or more"), number(int, 0, "0 or more")
RATE, SHARE = number(float, 0, "a finite number of 0 or more"), number(float, 0, "from 0 to below 1", 1)
POSITIVE = number(float, sys.float_info.min, "a positive number")
SEED = number(int, 0, "from 0 to 4294967295", 1 << 32)


def add_recipe(parser):
    parser.add_argument("--steps", type=WHOLE, default=1000)
    parser.add_argument("--schedule", choices=SCHEDULES, default="linear", help="of the learning rate")
    parser.add_argument("--schedule-steps", type=WHOLE, default=0, help="its length; 0: --steps")
    parser.add_argument("--warmup-steps", type=WHOLE, default=0, help="in which the learning rate rises")
    parser.add_argument("--lr", type=RATE, default=6e-4)
    parser.add_argument("--min-lr", type=RATE, default=0.0)
    parser.add_argument("--batch-size", type=COUNT, default=64, help="windows in a micro-batch")
    parser.add_argument("--grad-accum", type=COUNT, default=1, help="micro-batches in a step")
    parser.add_argument("--beta1", type=SHARE, default=0.9)
    parser.add_argument("--beta2", type=SHARE, default=0.95)
    parser.add_argument("--eps", type=POSITIVE, default=1e-8)
    parser.add_argument("--weight-decay", type=RATE, default=0.1, help="of tensors with two dimensions")
    parser.add_argument("--clip", type=RATE, default=1.0, help="largest norm of the gradients; 0: no clipping")
    parser.add_argument("--dropout", type=SHARE, help="unless given, the one of the model")
    parser.add_argument("--seed", type=SEED, default=42)
    parser.add_argument("--eval-every", type=WHOLE, default=0, help="steps between evaluations; 0: none")
    parser.add_argument("--eval-batches", type=COUNT, default=200, help="of --batch-size held-out windows each")


def make_parser():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--weights", type=pathlib.Path, required=True, help="what --save-weights of the ladder wrote")
    parser.add_argument("--data", type=pathlib.Path, help="folder with train.bin and val.bin")
    add_recipe(parser)
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--threads", type=WHOLE, default=0, help="on a CPU; 0: as many as PyTorch takes")
    parser.add_argument("--attention", choices=ATTENTIONS, default="auto", help="which of PyTorch's kernels")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--mode", choices=["default", "reduce-overhead"], default="default", help="of --compile")
    parser.add_argument("--pad-vocabulary", type=COUNT, default=1, metavar="N",
                        help="round the head's rows up to a multiple of N, which never win and never train")
    parser.add_argument("--time", type=WHOLE, default=0, metavar="N", help="measure N steps, and train no further")
    parser.add_argument("--serve", type=pathlib.Path, metavar="FILE", help="answer requests on windows of this file")
    parser.add_argument("--save-weights", type=pathlib.Path, help="the best weights, else the last, as safetensors")
    parser.add_argument("--out", type=pathlib.Path, help="a JSON file for the results")
    return parser


def problem_with(options):
    """What is wrong with the call, in one line; empty where nothing is."""
    if not options.weights.is_file():
        return f"--weights {options.weights}: no such file"
    if options.serve is not None and not options.serve.is_file():
        return f"--serve {options.serve}: no such file"
    if options.data is None and not options.time and not options.serve:
        return "--data is missing: the folder that ladder prepare wrote"
    if options.time and options.eval_every:
        return "--time measures training alone: leave out --eval-every"
    if options.device == "cpu" and options.dtype == "tf32":
        return "--dtype tf32: PyTorch computes in fp32 there on the CPU: leave it out"
    if options.device == "cpu" and options.attention in ("cudnn", "efficient"):
        return f"--attention {options.attention}: is for GPUs: valid are auto, flash, math"
    if options.mode != "default" and not options.compile:
        return f"--mode {options.mode}: belongs to --compile"
    for flag, path in (("--out", options.out), ("--save-weights", options.save_weights)):
        if path and not path.parent.is_dir():
            return f"{flag} {path}: there is no such folder"
    return ""


def arguments():
    options = make_parser().parse_args()
    if problem := problem_with(options):
        make_parser().error(problem)
    return options


try:
    import numpy
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from pytorch_gpt2 import Refused, make_model, read_weights, save_model
    from pytorch_race import GivenWindows, Race, finite, to_device
except ImportError as missing:
    print(f"pytorch_baseline: {missing}: pip install torch numpy safetensors", file=sys.stderr)
    sys.exit(3)

KERNELS = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION,
           "efficient": SDPBackend.EFFICIENT_ATTENTION, "math": SDPBackend.MATH}
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def read_tokens(path):
    if not path.is_file() or path.stat().st_size == 0:
        raise Refused(f"{path}: there are no tokens: write them with ladder prepare")
    with path.open("rb") as file:
        if file.read(4) == HEADER or path.stat().st_size % 2 != 0:
            raise Refused(f"{path}: is not raw uint16, as ladder prepare writes them")
    return numpy.memmap(path, dtype="<u2", mode="r")


class Windows:
    """The batches of a run, drawn as the ladder draws them."""

    def __init__(self, options, shape):
        self.options, self.block, self.vocabulary = options, shape["block_size"], shape["vocab_size"]
        if options.data:
            files = {TRAINING: "train.bin", **({HELD_OUT: "val.bin"} if options.eval_every else {})}
            self.streams = {purpose: read_tokens(options.data / name) for purpose, name in files.items()}
        else:
            random = numpy.random.default_rng(options.seed)
            self.streams = {TRAINING: random.integers(min(self.vocabulary, 1 << 16), size=(1 << 20) + self.block)}
        for stream in self.streams.values():
            if len(stream) <= self.block:
                raise Refused(f"{len(stream)} tokens are too few: one window is {self.block + 1}")

    def draw(self, purpose, step, first, count):
        """Windows `first` and on: an array of block + 1 tokens a row."""
        stream, indices = self.streams[purpose], numpy.arange(first, first + count, dtype=numpy.uint64)
        starts = window_starts(len(stream), self.block, self.options.seed, purpose, step, indices)
        windows = stream[starts.astype(numpy.int64)[:, None] + numpy.arange(self.block + 1)].astype(numpy.int64)
        if windows.max() >= self.vocabulary:
            raise Refused(f"token {windows.max()} is not in the vocabulary, 0 to {self.vocabulary - 1}")
        return windows

    def batch(self, purpose, step, number_of_batch):
        """Tokens and targets on the device."""
        size = self.options.batch_size
        return to_device(self.draw(purpose, step, number_of_batch * size, size), self.options)

    def step(self, step):
        return [self.batch(TRAINING, step, g) for g in range(self.options.grad_accum)]

    def hash(self):
        return token_hash(self.draw(TRAINING, 0, 0, self.options.batch_size * self.options.grad_accum).tolist())


def make_optimizer(model, options):
    groups = [{"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": options.weight_decay},
              {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options.lr, betas=(options.beta1, options.beta2), eps=options.eps,
                             fused=options.device == "cuda")


class Trainer:
    def __init__(self, model, options):
        self.model, self.options = model, options
        self.loss = torch.compile(model, mode=options.mode) if options.compile else model
        self.optimizer = make_optimizer(model, options)
        self.scaler = torch.amp.GradScaler(options.device, enabled=options.dtype == "fp16")
        # A CUDA graph's results lie in memory that its next launch overwrites: gradients get memory of their own.
        self.own_gradients = options.mode == "reduce-overhead"
        if self.own_gradients:
            for parameter in model.parameters():
                parameter.grad = torch.zeros_like(parameter)

    def forward(self, batch):
        torch.compiler.cudagraph_mark_step_begin()
        half = HALVES.get(self.options.dtype)
        with torch.autocast(self.options.device, half) if half else contextlib.nullcontext():
            return self.loss(*batch)

    def step(self, rate, batches):
        """One step; its loss stays on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        total = 0.0
        for batch in batches:
            loss = self.forward(batch)
            total = total + loss.detach()
            self.scaler.scale(loss / len(batches)).backward()
        if self.options.clip > 0:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=not self.own_gradients)
        return total / len(batches)

    @torch.no_grad()
    def held_out(self, windows):
        self.model.eval()
        total = 0.0
        for number_of_batch in range(self.options.eval_batches):
            total = total + self.forward(windows.batch(HELD_OUT, 0, number_of_batch)).double()
        self.model.train()
        return (total / self.options.eval_batches).item()


class Watch:
    """The times of steps, on the device's own clock."""

    def __init__(self, device):
        self.on_gpu, self.marks = device == "cuda", []

    def mark(self):
        if self.on_gpu:
            self.marks.append(torch.cuda.Event(enable_timing=True))
            self.marks[-1].record()
        else:
            self.marks.append(time.perf_counter())

    def ms(self, first=0):
        """Of every pair of marks from pair `first` on."""
        if self.on_gpu:
            torch.cuda.synchronize()
        pairs = list(zip(self.marks[::2], self.marks[1::2]))[first:]
        return [start.elapsed_time(end) if self.on_gpu else 1000 * (end - start) for start, end in pairs]


class Run:
    """A training run and what is kept of it."""

    def __init__(self, options, model, windows, metadata):
        self.options, self.windows, self.metadata = options, windows, metadata
        self.trainer, self.watch = Trainer(model, options), Watch(options.device)
        self.steps = WARM_UP + options.time if options.time else options.steps
        self.losses, self.evaluations = [], []

    def best(self):
        finite_ones = [pair for pair in self.evaluations if math.isfinite(pair[1])]
        return min(finite_ones, key=lambda pair: pair[1], default=None)

    def evaluate(self, step):
        loss = self.trainer.held_out(self.windows)
        self.evaluations.append([step, loss])
        print(f"step {step}: held out {loss:.4f}", flush=True)
        if self.best() is self.evaluations[-1]:
            self.save()

    def save(self):
        if self.options.save_weights:
            save_model(self.trainer.model, self.options.save_weights, self.metadata)

    def progress(self):
        step = len(self.losses)
        if step % max(1, self.steps // PROGRESS_LINES) == 0 or step == self.steps:
            loss, ms = self.losses[-1].item(), self.watch.ms(step - 1)[0]
            print(f"step {step}/{self.steps}: loss {loss:.4f}, {ms:.2f} ms", flush=True)

    def train(self):
        options, every = self.options, self.options.eval_every
        batches = self.windows.step(0)
        for s in range(self.steps):
            if every and s % every == 0:
                self.evaluate(s)
            rate = learning_rate(s, options.schedule, options.lr, options.min_lr, options.warmup_steps,
                                 options.schedule_steps or self.steps)
            self.watch.mark()
            self.losses.append(self.trainer.step(rate, batches))
            batches = self.windows.step(s + 1)  # while the GPU still computes
            self.watch.mark()
            self.progress()
        if every:
            self.evaluate(self.steps)
        else:
            self.save()

    def results(self):
        skipped = WARM_UP if self.options.time else 0
        ms = self.watch.ms(skipped)
        on_gpu = self.options.device == "cuda"
        return {"losses": [loss.item() for loss in self.losses[skipped:]], "evaluations": self.evaluations,
                "best": self.best(), "ms": ms, "median_ms": statistics.median(ms) if ms else None,
                "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None,
                "torch": torch.__version__,
                "device": torch.cuda.get_device_name() if on_gpu else f"cpu, {torch.get_num_threads()} threads"}


def config_of(options, shape):
    """The resolved settings, with files by their names alone: where they lie is this machine's business."""
    settings = {name: value.name if isinstance(value, pathlib.Path) else value for name, value in vars(options).items()}
    return {**settings, "dropout": shape["dropout"], "model": shape}


def write_results(path, results):
    """Completely or not at all."""
    unfinished = path.with_suffix(".unfinished")
    kept = {name: finite(value) for name, value in results.items()}
    unfinished.write_text(json.dumps(kept, indent=1, allow_nan=False) + "\n")
    unfinished.replace(path)


def run(options):
    torch.manual_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = options.dtype == "tf32"
    torch.backends.cudnn.allow_tf32 = options.dtype == "tf32"
    shape, tensors, metadata = read_weights(options.weights)
    if options.dropout is not None:
        shape["dropout"] = options.dropout
    if options.serve:
        model = make_model(shape, tensors, options.weights, options.pad_vocabulary).to(options.device).train()
        with sdpa_kernel(KERNELS[options.attention]) if options.attention != "auto" else contextlib.nullcontext():
            return Race(options, Trainer(model, options), GivenWindows(options, shape)).serve()
    config = config_of(options, shape)
    print(f"config    {json.dumps(config)}")
    windows = Windows(options, shape)
    print(f"tokens    step 0 has hash {windows.hash()}" if options.data else "tokens    random", flush=True)
    model = make_model(shape, tensors, options.weights, options.pad_vocabulary).to(options.device)
    training = Run(options, model.train(), windows, metadata)
    with sdpa_kernel(KERNELS[options.attention]) if options.attention != "auto" else contextlib.nullcontext():
        training.train()
    results = {**training.results(), "config": config}
    if results["ms"]:
        print(f"median {results['median_ms']:.3f} ms of {len(results['ms'])} steps, {results['device']}, "
              f"PyTorch {results['torch']}")
    if options.out:
        write_results(options.out, results)
    if all(map(math.isfinite, results["losses"])):
        return 0
    print("pytorch_baseline: a loss is not finite: try a smaller --lr", file=sys.stderr)
    return 1


def main():
    options = arguments()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("pytorch_baseline: no GPU here: add --device cpu", file=sys.stderr)
        return 3
    try:
        return run(options)
    except Refused as problem:
        make_parser().error(str(problem))
    except torch.cuda.OutOfMemoryError as problem:
        print(f"pytorch_baseline: {str(problem).splitlines()[0]}", file=sys.stderr)
        return 3
    except RuntimeError as problem:
        if "No available kernel" not in str(problem):
            raise
        make_parser().error(f"--attention {options.attention}: has no kernel here for {options.dtype}")


if __name__ == "__main__":
    sys.exit(main())
