"""Softmax cross-entropy in bf16, loss and gradient in place. Rivals: PyTorch's compiled forward alone, and a device copy of the
bytes that forward and gradient together cannot avoid, the ceiling."""
import ctypes

try:
    import torch
    import torch.nn.functional as F
except ImportError:  # where configurations are only compiled
    torch = None

LIMIT = 1e-2  # of bf16, see the table of tolerances
LENGTH = 1024  # tokens of a sequence


class Work:
    def __init__(self, rows, vocabulary):
        self.rows, self.vocabulary = rows, vocabulary
        self.bytes = 2.0 * 2 * rows * vocabulary + 16.0 * rows
        self.scale = LENGTH / rows


WORKS = {f"{rows}x{vocabulary}": Work(rows, vocabulary)
         for rows, vocabulary in ((16384, 50304), (16384, 50257), (4096, 50304), (16384, 1000), (256, 27), (65536, 96))}


def tensors(work):
    original = torch.randn(work.rows, work.vocabulary, device="cuda", dtype=torch.bfloat16) * 3
    sequence = torch.arange(work.rows, device="cuda", dtype=torch.int32) // LENGTH
    targets = torch.randint(0, work.vocabulary, (work.rows,), device="cuda", dtype=torch.int32)
    lengths = torch.full((-(-work.rows // LENGTH),), LENGTH, device="cuda", dtype=torch.int32)
    return {"original": original, "logits": original.clone(), "sequence": sequence, "targets": targets, "lengths": lengths,
            "loss": torch.empty(work.rows, device="cuda")}


def reference(work, t):
    weight = work.scale / LENGTH
    index = t["targets"].long()[:, None]
    gradient = torch.empty(work.rows, work.vocabulary, device="cuda")
    loss = torch.empty(work.rows, device="cuda")
    for some in torch.arange(work.rows, device="cuda").split(2048):
        log = torch.log_softmax(t["original"][some].float(), 1)
        loss[some] = -weight * log.gather(1, index[some])[:, 0]
        gradient[some] = weight * log.exp().scatter_add(1, index[some], torch.full_like(log[:, :1], -1.0))
    return {"loss": loss, "logits": gradient}


def rivals(work, t):
    from_, to = (torch.empty(int(work.bytes / 2), dtype=torch.int8, device="cuda") for _ in range(2))
    targets = t["targets"].long()
    forward = torch.compile(lambda x, y: F.cross_entropy(x.float(), y), dynamic=False)
    return {"copy": lambda: to.copy_(from_), "compiled": lambda: forward(t["original"], targets)}


def poison(t):
    t["logits"].copy_(t["original"])
    t["loss"].fill_(float("nan"))


def result(t, name):
    return t[name]


def rates(work, us):
    return {"tbps": work.bytes / us / 1e6}


def _bool(value):
    return "true" if value else "false"


def source(c):
    """A whole row in registers, or, where the configuration names `columns`, the kernel that walks along it twice."""
    if "columns" in c:
        file, kernel = "cross_entropy", f"cross_entropy_kernel<__nv_bfloat16, {c['rows']}, {c['columns']}>"
    else:
        file = "cross_entropy_whole"
        kernel = (f"cross_entropy_{c['kernel']}_kernel<__nv_bfloat16, table::LossTiles{{{{{c['part']}, {c['parts']}, {c['rest']}}}, "
                  f"{c['warps']}, {c['occupancy']}, {_bool(c['bulk_load'])}, {_bool(c['bulk_store'])}, {_bool(c['persistent'])}}}>")
    return f"""#include "stage3_tiled_kernels/kernels/{file}.cuh"
namespace ladder::LADDER_SIDE::stage3 {{
auto* keep = {kernel};
}}
"""


def call(module, c, work, t):
    multiprocessors = torch.cuda.get_device_properties(0).multi_processor_count
    if "columns" in c:
        name = f"20cross_entropy_kernelI13__nv_bfloat16Li{c['rows']}ELi{c['columns']}E"
        grid = (-(-work.rows // c["rows"]),)
    else:
        name = f"cross_entropy_{c['kernel']}_kernel"
        grid = (min(work.rows, c["occupancy"] * multiprocessors) if c["persistent"] else work.rows,)
    arguments = [work.rows, work.vocabulary, ctypes.c_double(work.scale), True, t["targets"], t["sequence"], t["lengths"],
                 t["logits"], t["loss"]]
    return lambda: module.launch(name, grid, arguments)
