"""What `ladder speedup` asks pytorch_baseline.py for: steps of a race, on its windows, from its initial weights."""
import functools
import json
import math
import sys
import time

import numpy
import torch

from pytorch_gpt2 import Attention, Refused
from training_recipe import learning_rate


def finite(value):
    """JSON has neither infinities nor NaN: "inf", "-inf" and "nan", as the ladder writes and reads them."""
    if isinstance(value, list):
        return [finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def to_device(windows, options):
    """Tokens and targets of windows [B, T + 1]."""
    both = torch.from_numpy(numpy.stack([windows[:, :-1], windows[:, 1:]]))
    if options.device == "cuda":
        both = both.pin_memory().to("cuda", non_blocking=True)
    return both[0], both[1]


class GivenWindows:
    """The batches of a race, as the ladder wrote them."""

    def __init__(self, options, shape):
        self.options = options
        windows = numpy.fromfile(options.serve, dtype="<i4").astype(numpy.int64)
        self.shape = (-1, options.grad_accum, options.batch_size, shape["block_size"] + 1)
        if windows.size == 0 or windows.size % math.prod(self.shape[1:]) != 0:
            raise Refused(f"{options.serve}: is not a whole number of steps")
        if windows.min() < 0 or windows.max() >= shape["vocab_size"]:
            raise Refused(f"{options.serve}: holds tokens outside the vocabulary")
        self.steps = windows.reshape(self.shape)

    def step(self, step):
        return [to_device(windows, self.options) for windows in self.steps[step]]


class Race:
    """Answers requests for steps from the initial weights, compiled or not, with dropout or without."""

    def __init__(self, options, trainer, windows):
        self.options, self.trainer, self.windows = options, trainer, windows
        self.model = model = trainer.model
        self.initial = [parameter.detach().clone() for parameter in model.parameters()]
        self.dropouts = {module: module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
        self.attentions = {module: module.dropout for module in model.modules() if isinstance(module, Attention)}

    def wait(self):
        if self.options.device == "cuda":
            torch.cuda.synchronize()

    def set_dropout(self, on):
        for module, share in self.dropouts.items():
            module.p = share if on else 0.0
        for module, share in self.attentions.items():
            module.dropout = share if on else 0.0

    @torch.no_grad()
    def restart(self):
        for parameter, value in zip(self.model.parameters(), self.initial):
            parameter.copy_(value)
        for state in self.trainer.optimizer.state.values():
            for moment in state.values():
                moment.zero_()
        # What a step that ran out of memory left.
        self.trainer.optimizer.zero_grad(set_to_none=not self.trainer.own_gradients)

    def rate(self, step):
        options = self.options
        return learning_rate(step, options.schedule, options.lr, options.min_lr, options.warmup_steps,
                             options.schedule_steps)

    def train(self, compiled, dropout, steps):
        self.trainer.loss = self.compiled() if compiled else self.model
        self.set_dropout(dropout)
        self.restart()
        batches, losses = self.windows.step(0), []
        self.wait()
        begin = time.perf_counter()
        for step in range(steps):
            losses.append(self.trainer.step(self.rate(step), batches))
            if step + 1 < steps:
                batches = self.windows.step(step + 1)  # while the GPU still computes
        self.wait()
        seconds = time.perf_counter() - begin
        return {"losses": finite([loss.item() for loss in losses]), "seconds": seconds}

    @functools.cache
    def compiled(self):
        return torch.compile(self.model, mode=self.options.mode)

    def answer(self, line):
        try:
            answer = self.train(**json.loads(line))
        except RuntimeError as problem:  # no memory, or no compiler for torch.compile
            answer = {"problem": f"{problem}\n{type(problem).__name__}".strip().splitlines()[0]}
        if self.options.device == "cuda":
            torch.cuda.empty_cache()  # the ladder's engines are on the same card
        return answer

    def serve(self):
        device = torch.cuda.get_device_name() if self.options.device == "cuda" else f"{torch.get_num_threads()} threads"
        print(json.dumps({"version": f"PyTorch {torch.__version__}", "device": device}), flush=True)
        for line in sys.stdin:
            print(json.dumps(self.answer(line)), flush=True)
        return 0
