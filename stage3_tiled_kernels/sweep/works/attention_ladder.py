"""The rungs of ladder/attention, forward and causal in bf16: a configuration is {"rung": the file's name without its
suffix}. Tensors, rivals and the rule for errors are those of attention."""
import math

from works import attention
from works.attention import (LIMIT, error, poison, rates, reference, result, rivals,  # noqa: F401: a work's interface
                             tensors)

WORKS = {name: work for name, work in attention.WORKS.items() if name == "forward b64 h12 t1024 d64 causal"}


def space(rung):
    """The namespace that the rung's file declares."""
    return f"attention_{rung[:2]}" if rung[0].isdigit() else f"attention_{rung}"


def source(configuration):
    rung = configuration["rung"]
    return f"""#include "stage3_tiled_kernels/ladder/attention/{rung}.cuh"
auto* keep = ladder::on_gpu::stage3::{space(rung)}::attention_kernel<__nv_bfloat16, 64>;
"""


def call(module, configuration, work, t):
    channels, rows, stride = work.h * work.d, work.b * work.t, t["qkv"].shape[1]
    q, k, v = (t["qkv"][:, i * channels:] for i in range(3))
    queries = 128 if configuration["rung"] == "lost_two_query_tiles" else 64
    grid = (-(-work.t // queries), work.h, work.b)
    if configuration["rung"] == "lost_heads_first":
        grid = (grid[1], grid[0], grid[2])
    arguments = [rows, work.t, work.h, stride, q, k, v, 1 / math.sqrt(work.d), t["out"], t["lse"]]
    return lambda: module.launch("attention_kernel", grid, arguments)
