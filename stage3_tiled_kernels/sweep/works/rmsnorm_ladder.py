"""The rungs of ladder/rmsnorm, forward in bf16. A configuration: the rung (its file), the rows of
a tile, and the blocks a multiprocessor of a grid that stays (0: a block for every group of rows)."""
try:
    import torch
except ImportError:  # where configurations are only compiled
    torch = None

from works import rmsnorm

LIMIT = rmsnorm.LIMIT
WORKS = {name: work for name, work in rmsnorm.WORKS.items() if name == "forward 65536x768"}
tensors, reference, rivals, poison, result, rates = (
    rmsnorm.tensors, rmsnorm.reference, rmsnorm.rivals, rmsnorm.poison, rmsnorm.result, rmsnorm.rates)


def kernel(c):
    """The name of a rung's kernel is that of its file without the number."""
    return c["rung"].split("_", 1)[1]


def source(c):
    return f"""#include "stage3_tiled_kernels/ladder/rmsnorm/{c['rung']}.cuh"
namespace ladder::LADDER_SIDE::rmsnorm_ladder {{
auto* keep = {kernel(c)}<__nv_bfloat16>;
}}
"""


def call(module, c, work, t):
    groups = -(-work.rows // c["rows"])
    multiprocessors = torch.cuda.get_device_properties(0).multi_processor_count
    grid = (min(groups, c["blocks"] * multiprocessors) if c["blocks"] else groups,)
    if "in_place" not in c["rung"]:
        return lambda: module.launch(kernel(c), grid, [work.rows, work.channels, t["x"], t["y"], t["rstd"]])
    fresh = [True]  # the first call, whose result is checked, finds x in y; later ones what the last one left

    def over_x():
        if fresh:
            fresh.clear()
            t["y"].copy_(t["x"])
        module.launch(kernel(c), grid, [work.rows, work.channels, t["y"], t["y"], t["rstd"]])
    return over_x
