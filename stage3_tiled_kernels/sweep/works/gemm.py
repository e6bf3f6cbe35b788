"""The three products of a linear layer in bf16: NT (forward), NN (input gradient), TN (weight gradient).

A configuration: layout; rows, columns, inner, warps, occupancy, group, persistent, bulk_store, piece (as ProductTiles in
configs/products.hpp); extras ("known scaled relu": compiled in, all else out; "-": the
launch's flags decide); for TN also splits. A work's own extras, such as "scaled", are what the launch asks for.
"""
from kernel_text import kernel_text

try:
    import torch
except ImportError:  # where configurations are only compiled
    torch = None

LIMIT = 1e-2  # of bf16, see the table of tolerances


class Work:
    def __init__(self, layout, m, n, k, *extras):
        self.layout, self.m, self.n, self.k, self.extras = layout, m, n, k, extras
        self.flops = 2.0 * m * n * k


WORKS = {
    "8192^3 NT": Work("NT", 8192, 8192, 8192),
    "65536x3072x768 NT": Work("NT", 65536, 3072, 768),
    "65536x768x3072 NT": Work("NT", 65536, 768, 3072),
    "65536x3072x768 NN": Work("NN", 65536, 3072, 768),
    "65536x768x3072 NN": Work("NN", 65536, 768, 3072),
    "768x768x65536 TN": Work("TN", 768, 768, 65536),
    "768x3072x65536 TN": Work("TN", 768, 3072, 65536),
    "2304x768x65536 TN": Work("TN", 2304, 768, 65536),
    "65536x3072x768 NT scaled relu": Work("NT", 65536, 3072, 768, "scaled", "relu"),
    "65536x3072x768 NT scaled": Work("NT", 65536, 3072, 768, "scaled"),
    "65536x768x3072 NT residual": Work("NT", 65536, 768, 3072, "residual"),
    "65536x3072x768 NN relu": Work("NN", 65536, 3072, 768, "relu"),
    "2304x768x65536 TN scaled": Work("TN", 2304, 768, 65536, "scaled"),
}


def tensors(work):
    m, n, k = work.m, work.n, work.k
    random = lambda *shape: torch.randn(*shape, device="cuda", dtype=torch.bfloat16)
    a = random(k, m) if work.layout == "TN" else random(m, k)
    b = random(n, k) if work.layout == "NT" else random(k, n)
    wide = torch.float32 if work.layout == "TN" else torch.bfloat16
    rstd = 0.5 + torch.rand(k if work.layout == "TN" else m, device="cuda")
    beside = random(m, n) if {"residual", "relu"} & set(work.extras) and work.layout != "TN" else None
    return {"a": a, "b": b, "c": torch.empty(m, n, device="cuda", dtype=wide), "rstd": rstd, "beside": beside}


def product(work, t):
    a = t["a"].t() if work.layout == "TN" else t["a"]
    b = t["b"].t() if work.layout == "NT" else t["b"]
    return a @ b


def reference(work, t):
    """In fp32 with fp32 products: exact factors, sums of 24 bits."""
    torch.backends.cuda.matmul.allow_tf32 = False
    t = {k: None if v is None else v.float() for k, v in t.items()}
    if work.layout == "TN":
        scaled = (t["b"] * t["rstd"][:, None]).bfloat16().float() if "scaled" in work.extras else t["b"]
        return {"c": product(work, {**t, "b": scaled})}
    return {"c": with_extras(work, t, product(work, t))}


def with_extras(work, t, c):
    """What a forward product or an input gradient does with its sum."""
    if "scaled" in work.extras:
        c = c * t["rstd"][:, None]
    if "relu" in work.extras:
        c = c.relu() if work.layout == "NT" else torch.where(t["beside"] > 0, c, 0.0)
    return c + t["beside"] if "residual" in work.extras else c


def rivals(work, t):
    out = torch.empty(work.m, work.n, device="cuda", dtype=torch.bfloat16)
    a = t["a"].t() if work.layout == "TN" else t["a"]
    b = t["b"].t() if work.layout == "NT" else t["b"]
    return {"cuBLAS": lambda: torch.matmul(a, b, out=out)}


KERNELS = {"NT": "linear_forward_kernel", "NN": "linear_backward_input_kernel", "TN": "linear_backward_weight_kernel"}
KNOBS = ("rows", "columns", "inner", "warps", "occupancy", "group", "persistent", "bulk_store", "piece")
SUM_TILE = 1024  # table::kLine
SCALE_TILE = (16, 256)  # table::kScaleRows, kScaleColumns


def compiled_extras(configuration):
    return ", ".join(f".{name} = true" for name in configuration["extras"].replace("-", "").split())


def source(configuration):
    text_of = {**configuration, "persistent": 1}  # the grid alone differs: one text, one cubin
    tiles = ", ".join(str(text_of[knob]).lower() for knob in KNOBS)
    extras = compiled_extras(configuration)
    kernel, last = KERNELS[configuration["layout"]], f", on_gpu::stage3::Extras{{{extras}}}"
    if configuration["layout"] == "TN":  # a weight gradient has none
        last = ""
    text = kernel_text("linear.cuh") + f"""using namespace ladder;
auto* keep = on_gpu::stage3::{kernel}<__nv_bfloat16, table::ProductTiles{{{tiles}}}, 8{last}>;
"""
    if configuration["layout"] == "TN":
        text += f"auto* keep_sum = on_gpu::stage3::linear_weight_sum_kernel<float, {SUM_TILE}, 8>;\n"
        text += "auto* keep_scale = on_gpu::stage3::linear_scale_rows_kernel<__nv_bfloat16, %d, %d, 8>;\n" % SCALE_TILE
    return text


def call(module, configuration, work, t):
    ceil = lambda a, b: -(-a // b)
    tiles = ceil(work.m, configuration["rows"]) * ceil(work.n, configuration["columns"])
    multiprocessors = torch.cuda.get_device_properties(0).multi_processor_count
    held = configuration["persistent"] * multiprocessors
    grid = lambda units: (min(held, units) if held else units,)
    asked = lambda *names: [name in work.extras for name in names]
    kernel = KERNELS[work.layout]
    if work.layout == "NT":  # rows, in, out, x, w, rstd, residual, scaled, relu, residual?, y
        return lambda: module.launch(kernel, grid(tiles), [work.m, work.k, work.n, t["a"], t["b"], t["rstd"], t["beside"],
                                                           *asked("scaled", "relu", "residual"), t["c"]])
    if work.layout == "NN":  # rows, in, out, dy, w, relu input, relu, dx
        return lambda: module.launch(kernel, grid(tiles), [work.m, work.n, work.k, t["a"], t["b"], t["beside"],
                                                           *asked("relu"), t["c"]])
    splits, count = configuration["splits"], work.m * work.n
    sums = t["c"] if splits == 1 else torch.empty(splits, work.m, work.n, device="cuda")

    before = "scaled" in work.extras  # by a pass of its own
    factor = torch.empty_like(t["b"]) if before else t["b"]

    def weight():  # rows, in, out, splits, dy, x, add, sums; then the parts are added to dW
        if before:
            module.launch("linear_scale_rows", (ceil(work.k, SCALE_TILE[0]), ceil(work.n, SCALE_TILE[1])),
                          [work.k, work.n, t["b"], t["rstd"], factor])
        module.launch(kernel, grid(tiles * splits), [work.k, work.n, work.m, splits, t["a"], factor,
                                                     splits == 1, sums])
        if splits > 1:
            module.launch("linear_weight_sum", (ceil(count, SUM_TILE),), [count, splits, sums, t["c"]])

    return weight


def poison(t):
    t["c"].fill_(float("nan") if t["c"].dtype == torch.bfloat16 else 0.0)  # weight gradients are added to


def result(t, name):
    return t[name]


def rates(work, us):
    return {"tflops": work.flops / us / 1e6}
