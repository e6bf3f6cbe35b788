"""A whole training run of microGPT in one launch: microseconds a step.

A configuration: block, width, vocabulary (the tiles' extents). Documents are names of random letters, so that a bundle needs no
data; the reference is the same model in fp64 with PyTorch's own gradients, for the first CHECKED steps.
"""
try:
    import torch
except ImportError:  # where configurations are only compiled
    torch = None

LIMIT = 1e-5
CHECKED = 100
BETA1, BETA2, EPS, RATE = 0.85, 0.99, 1e-8, 0.01


class Work:
    def __init__(self, steps, width, heads):
        self.steps, self.width, self.heads = steps, width, heads


WORKS = {"micro": Work(1000, 16, 4)}


def documents(work, block):
    """tokens and targets [S, T], -1 behind each document's end."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.full((work.steps, block), -1, dtype=torch.int32)
    targets = tokens.clone()
    for s in range(work.steps):
        length = int(torch.randint(3, 12, (1,), generator=generator))
        letters = torch.randint(0, 26, (length,), generator=generator, dtype=torch.int32)
        line = torch.cat([torch.tensor([26]), letters, torch.tensor([26])]).int()
        tokens[s, :length + 1], targets[s, :length + 1] = line[:-1], line[1:]
    return tokens, targets


def rates_of(work):
    rows = [[RATE * (1 - s / work.steps), EPS, BETA1, 1 - BETA1, BETA2, 1 - BETA2, 1 / (1 - BETA1 ** (s + 1)),
             1 / (1 - BETA2 ** (s + 1))] for s in range(work.steps)]
    return torch.tensor(rows, dtype=torch.float32)


def shapes(work):
    """The padded matrices in the order of memory.hpp, with the rows that the model uses."""
    c = work.width
    return [(32, c, 27), (16, c, 16), (32, c, 27)] + [(c, c, c)] * 4 + [(4 * c, c, 4 * c), (c, 4 * c, c)]


def tensors(work):
    generator = torch.Generator().manual_seed(2)
    parts = []
    for rows, columns, used in shapes(work):
        part = torch.zeros(rows, columns)
        part[:used] = torch.randn(used, columns, generator=generator) * 0.08
        parts.append(part.flatten())
    tokens, targets = documents(work, 16)
    start = torch.cat(parts).cuda()
    return {"start": start, "weight": start.clone(), "m": torch.zeros_like(start), "v": torch.zeros_like(start),
            "tokens": tokens.cuda(), "targets": targets.cuda(), "rates": rates_of(work).cuda(),
            "inputs": torch.zeros(16 * work.width, device="cuda"), "loss": torch.zeros(work.steps, device="cuda")}


def loss_of(matrices, tokens, targets, heads):
    wte, wpe, lm_head, wq, wk, wv, wo, fc1, fc2 = matrices
    norm = lambda x: x * (x.square().mean(1, keepdim=True) + 1e-5) ** -0.5
    n, width = len(tokens), wte.shape[1]
    x = norm(wte[tokens] + wpe[:n])
    y = norm(x)
    q, k, v = ((y @ w.t()).view(n, heads, -1).transpose(0, 1) for w in (wq, wk, wv))
    score = q @ k.transpose(1, 2) / (width // heads) ** 0.5
    score = score.masked_fill(torch.ones(n, n, device=x.device).triu(1).bool(), -1e20)
    x = x + (score.softmax(2) @ v).transpose(0, 1).reshape(n, width) @ wo.t()
    x = x + (norm(x) @ fc1.t()).relu() @ fc2.t()
    return torch.nn.functional.cross_entropy((x @ lm_head.t())[:, :27], targets)


def adam(work, s, matrices, moments, gradients):
    """Step s of a run, in place."""
    with torch.no_grad():
        for p, g, (m, v) in zip(matrices, gradients, moments):
            m.mul_(BETA1).add_(g, alpha=1 - BETA1)
            v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
            spread = (v / (1 - BETA2 ** (s + 1))).sqrt() + EPS
            p -= RATE * (1 - s / work.steps) * (m / (1 - BETA1 ** (s + 1))) / spread


def model_in_double(work, t):
    """The model's matrices at the start of the run, and Adam's moments of zero."""
    matrices, at = [], 0
    for rows, columns, _ in shapes(work):
        part = t["start"][at:at + rows * columns].double().view(rows, columns)
        matrices.append(part.clone().requires_grad_())
        at += rows * columns
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in matrices]
    return matrices, moments


def reference(work, t):
    matrices, moments = model_in_double(work, t)
    losses = []
    for s in range(CHECKED):
        inside = t["tokens"][s] >= 0
        loss = loss_of(matrices, t["tokens"][s][inside].long(), t["targets"][s][inside].long(), work.heads)
        losses.append(loss.detach())
        adam(work, s, matrices, moments, torch.autograd.grad(loss, matrices))
    return {"loss": torch.stack(losses)}


def rivals(work, t):
    return {}


def source(configuration):
    extents = ", ".join(str(configuration[name]) for name in ("block", "width", "vocabulary"))
    return f"""#include "stage3_tiled_kernels/one_launch/train_kernel.cuh"
auto* keep = ladder::on_gpu::stage3::train_kernel<float, {extents}>;
"""


def call(module, configuration, work, t):
    """The run from its start: what it trained before is put back first."""
    arguments = [work.steps, 1, work.width, work.heads, work.heads, 27, (work.width // work.heads) ** -0.5,
                 1.0 / work.width] + [t[k] for k in ("tokens", "targets", "rates", "weight", "m", "v", "inputs", "loss")]

    def run():
        t["weight"].copy_(t["start"])
        t["m"].zero_()
        t["v"].zero_()
        module.launch("train_kernel", (1,), arguments)

    return run


def poison(t):
    t["loss"].fill_(float("nan"))


def result(t, name):
    return t["loss"][:CHECKED]


def units(work):
    return work.steps


def rates(work, us):
    return {"steps": work.steps, "us_run": us * work.steps}
