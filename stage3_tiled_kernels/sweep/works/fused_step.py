"""A training step of microGPT in two launches, a block a document: microseconds a step, all steps in one CUDA graph.

A configuration: products ("plain" or "split") and warps of the document kernel; rows of the factors at a time, rows and
columns of a weight's tile in the kernel that makes the gradients. Model and documents are those of one_launch, a batch of
them a step. The losses of the first CHECKED steps are compared: documents of random letters teach nothing, and from the tenth
step on rounding alone moves the losses by the limit, those of PyTorch in fp32 too.
"""
from works import one_launch
from works.one_launch import LIMIT, rates_of, rivals  # noqa: F401: a work's interface

try:
    import torch
except ImportError:  # where configurations are only compiled
    torch = None

CHECKED = 5


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


def reference(work, t):
    matrices, moments = one_launch.model_in_double(work, t)
    losses = []
    for s in range(CHECKED):
        parts = []
        for d in range(s * work.batch, (s + 1) * work.batch):
            inside = t["tokens"][d] >= 0
            parts.append(one_launch.loss_of(matrices, t["tokens"][d][inside].long(), t["targets"][d][inside].long(),
                                            work.heads))
        loss = torch.stack(parts).mean()
        losses.append(loss.detach())
        one_launch.adam(work, s, matrices, moments, torch.autograd.grad(loss, matrices))
    return {"loss": torch.stack(losses)}


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
    tiles = t["tiles"] = gradient_tiles(work.width, c["rows"], c["columns"]).cuda()  # kept: the recording reads it

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
    return t["loss"][:CHECKED].sum(1)


def units(work):
    return work.steps


def rates(work, us):
    return {"batch": work.batch, "us_document": us / work.batch}
