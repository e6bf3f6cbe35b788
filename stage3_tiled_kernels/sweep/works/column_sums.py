"""Sums over rows in bf16, what the gradient of a bias is (stage 4). Rivals: PyTorch's sum, and a device copy of half the bytes to
as many others, which moves what the kernel has to read: the ceiling.

A configuration: rows, columns, warps, occupancy, bulk_load (table::SumTiles); divisor: elements that divide a row, 8 where it may
be promised; totals: partial sums x columns that the second kernel takes at once.
"""
from kernel_text import kernel_text

try:
    import torch
except ImportError:  # where configurations are only compiled
    torch = None

LIMIT = 1e-5  # of fp32, in which both kernels add


class Work:
    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.bytes = 2.0 * rows * columns


WORKS = {f"{rows}x{columns}": Work(rows, columns)
         for rows, columns in ((65536, 768), (65536, 2304), (65536, 3072), (4096, 768))}


def tensors(work):
    return {"x": torch.randn(work.rows, work.columns, device="cuda", dtype=torch.bfloat16) + 0.5,
            "partial": torch.empty(1 << 24, device="cuda"), "gradient": torch.empty(work.columns, device="cuda")}


def reference(work, t):
    return {"gradient": t["x"].double().sum(0)}


def rivals(work, t):
    half = int(work.bytes / 2)
    from_, to = (torch.empty(half, dtype=torch.int8, device="cuda") for _ in range(2))
    return {"copy": lambda: to.copy_(from_), "PyTorch": lambda: t["x"].sum(0, dtype=torch.float32)}


def poison(t):
    t["partial"].fill_(float("nan"))
    t["gradient"].zero_()  # gradients are added to


def result(t, name):
    return t[name]


def rates(work, us):
    return {"tbps": work.bytes / us / 1e6}


def source(c):
    sums = f"table::SumTiles{{{c['rows']}, {c['columns']}, {c['warps']}, {c['occupancy']}, {str(c['bulk_load']).lower()}}}"
    parts, columns = c["totals"].split("x")
    return kernel_text("column_sums.cuh", "stage4") + f"""using namespace ladder;
auto* keep = on_gpu::stage4::column_sums_kernel<__nv_bfloat16, {sums}, {c['divisor']}>;
auto* keep_totals = on_gpu::stage4::column_totals_kernel<float, {parts}, {columns}>;
"""


def call(module, c, work, t):
    ceil = lambda a, b: -(-a // b)
    across = ceil(work.columns, c["columns"])
    most = c["occupancy"] * torch.cuda.get_device_properties(0).multi_processor_count // across
    parts = max(1, min(ceil(work.rows, c["rows"]), most))
    totals = (ceil(work.columns, int(c["totals"].split("x")[1])),)

    def sums():
        module.launch("column_sums", (across, parts), [work.rows, work.columns, t["x"], t["partial"]])
        module.launch("column_totals", totals, [parts, work.columns, t["partial"], t["gradient"]])

    return sums
