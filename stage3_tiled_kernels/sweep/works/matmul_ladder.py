"""The rungs of ladder/matmul: C = A B^T in bf16. A configuration is {"rung": the file's name without its suffix}."""
from works import gemm
from works.gemm import LIMIT, poison, rates, reference, result, rivals, tensors, torch  # noqa: F401: a work's interface

WORKS = {name: gemm.WORKS[name] for name in ("8192^3 NT", "65536x3072x768 NT")}

# name: rows and columns of a tile, blocks for each multiprocessor (0: one for each tile), blocks in a cluster
RUNGS = {
    "01_a_tile_of_pointers": (32, 32, 0, 1),
    "02_views": (32, 32, 0, 1),
    "03_tiles_of_128": (128, 128, 0, 1),
    "04_promises": (128, 128, 0, 1),
    "05_grouped_order": (128, 128, 0, 1),
    "06_persistent_blocks": (128, 128, 1, 1),
    "07_eight_warps": (128, 256, 1, 1),
    "lost_default_warps": (128, 256, 1, 1),
    "lost_clusters_of_two": (128, 256, 1, 2),
    "lost_plain_store": (128, 256, 1, 1),
}


def space(rung):
    """The namespace that the rung's file declares."""
    return f"matmul_{rung[:2]}" if rung[0].isdigit() else f"matmul_{rung}"


def source(configuration):
    rung = configuration["rung"]
    return f"""#include "stage3_tiled_kernels/ladder/matmul/{rung}.cuh"
auto* keep = ladder::on_gpu::stage3::{space(rung)}::matmul_kernel<__nv_bfloat16>;
"""


def call(module, configuration, work, t):
    rows, columns, persistent, cluster = RUNGS[configuration["rung"]]
    tiles = -(-work.m // rows) * -(-work.n // columns)
    blocks = min(tiles, persistent * torch.cuda.get_device_properties(0).multi_processor_count) if persistent else tiles
    return lambda: module.launch("matmul_kernel", (blocks * cluster,), [work.m, work.n, work.k, t["a"], t["b"], t["c"]])
