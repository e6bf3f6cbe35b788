"""A training step of microGPT in two launches, a block a document: microseconds a step, all steps in one CUDA graph.

A configuration: products ("plain" or "split") and warps of the document kernel; rows of the factors at a time, rows and
columns of a weight's tile in the kernel that makes the gradients. Model, documents and reference are those of one_launch, a batch of them a step; the losses of the first CHECKED steps are
compared, as far as fp32 can be.
"""
from works import one_launch
from works.one_launch import LIMIT, rates_of, rivals  # noqa: F401: a work's interface

try:
    import torch
except ImportError:  # where configurations are only compiled
    torch = None

CHECKED = 20


class Work:
    def __init__(self, steps, width, heads, batch):
        self.steps, self.width, self.heads, self.batch = steps, width, heads, batch


WORKS = {"micro-batch": Work(50, 64, 4, 64), "micro x64": Work(50, 16, 4, 64), "width 32 x64": Work(50, 32, 4, 64)}


def factor_columns(c):
    """(first columns of what stands once, those of a layer, all), as factors.hpp lays them out for one layer."""
    once, at = {}, 0
    for name, columns in (("x", c), ("dx", c), ("dlogits", 32), ("token", 32), ("position", 16)):
        once[name], at = at, at + columns
    layer, at = {}, -(-at // c) * c
    for name, times in (("in", 1), ("dq", 1), ("dk", 1), ("dv", 1), ("mix", 1), ("dmiddle", 1), ("middle", 1),
                        ("dhidden", 4), ("dout", 1), ("hidden", 4)):
        layer[name], at = at, at + times * c
    return once, layer, at


def gradient_tiles(c, tile_rows, tile_columns):
    """Rows of GradientTile, of every matrix in the order in which the model lies in memory."""
    once, layer, _ = factor_columns(c)
    matrices = [(32, c, once["token"], once["dx"]), (16, c, once["position"], once["dx"]),
                (32, c, once["dlogits"], once["x"]), (c, c, layer["dq"], layer["in"]), (c, c, layer["dk"], layer["in"]),
                (c, c, layer["dv"], layer["in"]), (c, c, layer["dmiddle"], layer["mix"]),
                (4 * c, c, layer["dhidden"], layer["middle"]), (c, 4 * c, layer["dout"], layer["hidden"])]
    tiles, first = [], 0
    for rows, columns, dy, x in matrices:
        tiles += [[(dy + i) // tile_rows, (x + j) // tile_columns, first + i * columns + j, columns]
                  for i in range(0, rows, tile_rows) for j in range(0, columns, tile_columns)]
        first += rows * columns
    return torch.tensor(tiles, dtype=torch.int32)


def tensors(work):
    """Those of a run of one document a step, with a document of every step and place in the batch."""
    each = one_launch.tensors(one_launch.Work(work.steps * work.batch, work.width, work.heads))
    each.update(rates=rates_of(work).cuda(), inputs=torch.zeros(work.batch, 16 * work.width, device="cuda"),
                factors=torch.zeros(16 * work.batch, factor_columns(work.width)[2], device="cuda"),
                loss=torch.zeros(work.steps, work.batch, device="cuda"))
    return each


def losses_in(work, t, dtype):
    """The mean losses of the first CHECKED steps, all in one type."""
    matrices = [p.detach().to(dtype).requires_grad_() for p in one_launch.model_in_double(work, t)[0]]
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in matrices]
    losses = []
    for s in range(CHECKED):
        parts = []
        for d in range(s * work.batch, (s + 1) * work.batch):
            inside = t["tokens"][d] >= 0
            parts.append(one_launch.loss_of(matrices, t["tokens"][d][inside].long(), t["targets"][d][inside].long(),
                                            work.heads))
        loss = torch.stack(parts).mean()
        losses.append(loss.detach().double())
        one_launch.adam(work, s, matrices, moments, torch.autograd.grad(loss, matrices))
    return torch.stack(losses)


def reference(work, t):
    """Losses in fp64, of the steps that can be compared. Adam divides a gradient by its own size, so where the true one is
    almost nothing, rounding decides the step; a wide model soon shows it. From where PyTorch's own fp32 is off by a tenth of
    the limit, the steps prove nothing."""
    losses = losses_in(work, t, torch.double)
    off = (losses_in(work, t, torch.float) - losses).abs() / losses > LIMIT / 10
    t["compared"] = int(off.int().argmax()) if off.any() else CHECKED
    print(f"fused_step: {t['compared']} of {CHECKED} steps can be compared", flush=True)
    if t["compared"] < 5:
        raise ValueError("fewer than five steps can be compared")
    return {"loss": losses[:t["compared"]]}


def source(c):
    products = f"Products::{c['products']}"
    return f"""#include "stage3_tiled_kernels/one_launch/document_kernel.cuh"
namespace ladder::on_gpu::stage3 {{
auto* keep_document = document_kernel<float, {products}, {c['warps']}, 16, {c['width']}, 32>;
auto* keep_step = document_step_kernel<float, {products}, {c['inner']}, {c['rows']}, {c['columns']}>;
}}
"""


def call(module, c, work, t):
    """The run from its start, recorded once."""
    rows, columns = t["factors"].shape
    sizes = [columns, 1, work.width, work.heads, work.heads, 27, (work.width // work.heads) ** -0.5, 1.0 / work.width,
             1.0 / work.batch]
    tiles = gradient_tiles(work.width, c["rows"], c["columns"]).cuda()

    def steps():
        t["weight"].copy_(t["start"])
        t["m"].zero_()
        t["v"].zero_()
        for s in range(work.steps):
            documents = slice(s * work.batch, (s + 1) * work.batch)
            module.launch("document_kernel", (work.batch,), [*sizes, t["tokens"][documents], t["targets"][documents],
                                                             t["weight"], t["inputs"], t["factors"], t["loss"][s]])
            module.launch("document_step_kernel", (len(tiles),),
                          [rows, columns, tiles, t["factors"], t["rates"][s], t["weight"], t["m"], t["v"]])

    steps()  # loads the kernels, which a recording cannot
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        steps()
    return graph.replay


def poison(t):
    t["loss"].fill_(float("nan"))


def result(t, name):
    return t["loss"][:t["compared"]].sum(1)


def units(work):
    return work.steps


def rates(work, us):
    return {"batch": work.batch, "us_document": us / work.batch}
