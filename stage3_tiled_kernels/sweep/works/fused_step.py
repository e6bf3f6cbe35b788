"""A training step of microGPT in two launches, a block a document: microseconds a step, all steps in one CUDA graph.

A configuration: products ("plain" or "split") and warps of the document kernel, documents and parameters of a tile of the
sum. Model, documents and reference are those of one_launch, a batch of them a step; the losses of the first CHECKED steps are
compared.
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


def tensors(work):
    """Those of a run of one document a step, with a document of every step and place in the batch."""
    each = one_launch.tensors(one_launch.Work(work.steps * work.batch, work.width, work.heads))
    count = each["start"].numel()
    each.update(rates=rates_of(work).cuda(), grad=torch.zeros(work.batch, count, device="cuda"),
                inputs=torch.zeros(work.batch, 16 * work.width, device="cuda"),
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
    return f"""#include "stage3_tiled_kernels/one_launch/document_kernel.cuh"
namespace ladder::on_gpu::stage3 {{
auto* keep_document = document_kernel<float, Products::{c['products']}, {c['warps']}, 16, {c['width']}, 32>;
auto* keep_step = document_step_kernel<float, {c['documents']}, {c['parameters']}>;
}}
"""


def call(module, c, work, t):
    """The run from its start, recorded once."""
    count = t["start"].numel()
    sizes = [count, 1, work.width, work.heads, work.heads, 27, (work.width // work.heads) ** -0.5, 1.0 / work.width,
             1.0 / work.batch]

    def steps():
        t["weight"].copy_(t["start"])
        t["m"].zero_()
        t["v"].zero_()
        for s in range(work.steps):
            rows = slice(s * work.batch, (s + 1) * work.batch)
            module.launch("document_kernel", (work.batch,), [*sizes, t["tokens"][rows], t["targets"][rows], t["weight"],
                                                             t["inputs"], t["grad"], t["loss"][s]])
            module.launch("document_step_kernel", (-(-count // c["parameters"]),),
                          [work.batch, count, t["grad"], t["rates"][s], t["weight"], t["m"], t["v"]])

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
