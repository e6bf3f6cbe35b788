"""The three products of a linear layer whose numbers are stored in fp32; gemm.py has those in bf16.

A configuration: gemm.py's, and dtype ("fp32"; "tf32": factors are rounded to tf32), products ("plain", or "split": fp32 as three
products of tf32) and divisor (elements that pointers and rows are promised to be multiples of: 4 allows bulk copies, 1
nothing).
"""
from kernel_text import kernel_text
from works import gemm

try:
    import torch
except ImportError:  # where configurations are only compiled
    torch = None

ELEMENTS = {"fp32": "float", "tf32": "__nv_tf32"}


def limit(configuration):
    """Of the type, see the table of tolerances."""
    return {"fp32": 1e-5, "tf32": 2e-3}[configuration["dtype"]]


SHAPES = {
    "16384x1536x384 NT": gemm.Work("NT", 16384, 1536, 384),
    "16384x384x1536 NT": gemm.Work("NT", 16384, 384, 1536),
    "16384x384x1536 NN": gemm.Work("NN", 16384, 384, 1536),
    "1536x384x16384 TN": gemm.Work("TN", 1536, 384, 16384),
    "8192^3 NT": gemm.Work("NT", 8192, 8192, 8192),
    "16384x1536x384 NT scaled relu": gemm.Work("NT", 16384, 1536, 384, "scaled", "relu"),
    "16384x384x1536 NT residual": gemm.Work("NT", 16384, 384, 1536, "residual"),
    "16384x1536x384 NN relu": gemm.Work("NN", 16384, 1536, 384, "relu"),
}
# For tf32: factors that are numbers of tf32 already, as the error rule asks. (Items up to gemm_fp32-0206 have others.)
WORKS = {**SHAPES, **{f"{name} of tf32": gemm.Work(w.layout, w.m, w.n, w.k, *w.extras, "of tf32") for name, w in SHAPES.items()}}


def to_tf32(x):
    """Rounded to tf32's 10 bits behind the point, ties away from zero."""
    return ((x.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


def tensors(work):
    """gemm.py's, with all the bits of fp32: numbers of bf16 would hide what tf32 cuts off."""
    fresh = {name: None if value is None else torch.randn(value.shape, device="cuda")
             for name, value in gemm.tensors(work).items()}
    if "of tf32" in work.extras:
        fresh.update(a=to_tf32(fresh["a"]), b=to_tf32(fresh["b"]))
    return fresh


def reference(work, t):
    """In fp64."""
    t = {name: value.double() for name, value in t.items() if value is not None}
    return {"c": gemm.with_extras(work, t, gemm.product(work, t))}


def rivals(work, t):
    out = torch.empty(work.m, work.n, device="cuda")
    a = t["a"].t() if work.layout == "TN" else t["a"]
    b = t["b"].t() if work.layout == "NT" else t["b"]

    def product(tf32):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.matmul(a, b, out=out)

    return {"cuBLAS fp32": lambda: product(False), "cuBLAS tf32": lambda: product(True)}


def source(configuration):
    text_of = {**configuration, "persistent": 1}  # the grid alone differs: one text, one cubin
    tiles = ", ".join(str(text_of[knob]).lower() for knob in gemm.KNOBS) + f", table::Products::{configuration['products']}"
    kernel, divisor = gemm.KERNELS[configuration["layout"]], configuration["divisor"]
    last = "" if configuration["layout"] == "TN" else f", on_gpu::stage3::Extras{{{gemm.compiled_extras(configuration)}}}"
    text = kernel_text("linear.cuh") + f"""using namespace ladder;
auto* keep = on_gpu::stage3::{kernel}<{ELEMENTS[configuration['dtype']]}, table::ProductTiles{{{tiles}}}, {divisor}{last}>;
"""
    if configuration["layout"] == "TN":
        text += f"auto* keep_sum = on_gpu::stage3::linear_weight_sum_kernel<float, {gemm.SUM_TILE}, {divisor}>;\n"
    return text


call, poison, result, rates = gemm.call, gemm.poison, gemm.result, gemm.rates
