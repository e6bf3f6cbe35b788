"""RMSNorm, forward and backward, in bf16. Rivals: PyTorch eager and compiled, and a device copy of the same bytes, the ceiling."""
try:
    import torch
    import torch.nn.functional as F
except ImportError:  # where configurations are only compiled
    torch = None

LIMIT = 1e-2  # of bf16, see the table of tolerances
EPSILON = 1e-5


class Work:
    def __init__(self, kind, rows, channels):
        self.kind, self.rows, self.channels = kind, rows, channels
        streams = {"forward": 2, "backward": 3, "backward, residual": 4}[kind]
        self.bytes = 2.0 * streams * rows * channels + 4.0 * rows


WORKS = {f"{kind} {rows}x{channels}": Work(kind, rows, channels)
         for rows, channels in ((65536, 768), (16384, 1024), (256, 16), (4096, 768))
         for kind in ("forward", "backward", "backward, residual")}


def tensors(work):
    random = lambda: torch.randn(work.rows, work.channels, device="cuda", dtype=torch.bfloat16)
    t = {"x": random(), "y": torch.empty_like(random()), "rstd": torch.empty(work.rows, device="cuda")}
    if work.kind != "forward":
        t["dy"] = random()
        t["dresidual"] = random() if "residual" in work.kind else None
        t["dx"] = torch.empty_like(t["x"])
        t["rstd"] = torch.rsqrt(t["x"].float().square().mean(1) + EPSILON)
    return t


def gradient(dy, x, rstd, dresidual):
    dy, x, rstd = dy.float(), x.float(), rstd[:, None]
    dx = rstd * (dy - x * rstd.square() * (dy * x).mean(1, keepdim=True))
    return dx if dresidual is None else dx + dresidual.float()


def reference(work, t):
    if work.kind == "forward":
        x = t["x"].double()
        rstd = torch.rsqrt(x.square().mean(1) + EPSILON)
        return {"y": x * rstd[:, None], "rstd": rstd}
    return {"dx": gradient(t["dy"], t["x"], t["rstd"], t["dresidual"])}


def rivals(work, t):
    from_, to = (torch.empty(int(work.bytes / 2), dtype=torch.int8, device="cuda") for _ in range(2))
    calls = {"copy": lambda: to.copy_(from_)}
    if work.kind == "forward":
        shape = (work.channels,)
        compiled = torch.compile(lambda x: F.rms_norm(x, shape, eps=EPSILON), dynamic=False)
        calls["eager"] = lambda: F.rms_norm(t["x"], shape, eps=EPSILON)
        calls["compiled"] = lambda: compiled(t["x"])
    else:
        compiled = torch.compile(lambda *a: gradient(*a).to(torch.bfloat16), dynamic=False)
        calls["compiled"] = lambda: compiled(t["dy"], t["x"], t["rstd"], t["dresidual"])
    return calls


def poison(t):
    if "dx" in t:
        t["dx"].fill_(float("nan"))
    else:
        t["y"].fill_(float("nan"))
        t["rstd"].fill_(float("nan"))


def result(t, name):
    return t[name]


def rates(work, us):
    return {"tbps": work.bytes / us / 1e6}


def _bool(value):
    return "true" if value else "false"


def source(c):
    """Whole rows in registers, or, where the configuration names `channels`, the kernels that walk along them."""
    if "channels" in c:
        sizes = f"__nv_bfloat16, {c['rows']}, {c['channels']}"
        kernels = [f"rmsnorm_forward_persistent_kernel<{sizes}>", f"rmsnorm_backward_kernel<{sizes}>"]
        file = "rmsnorm"
    else:
        tiles = (f"table::NormTiles{{{c['rows']}, {{{c['part']}, {c['parts']}, {c['rest']}}}, {c['warps']}, {c['occupancy']}, "
                 f"{_bool(c['bulk_load'])}, {_bool(c['bulk_store'])}, {_bool(c['persistent'])}}}")
        kernels = [f"rmsnorm_forward_whole_kernel<__nv_bfloat16, {tiles}>",
                   f"rmsnorm_backward_whole_kernel<__nv_bfloat16, {tiles}>"]
        file = "rmsnorm_whole"
    keep = "\n".join(f"auto* keep{i} = {kernel};" for i, kernel in enumerate(kernels))
    return f"""#include "stage3_tiled_kernels/kernels/{file}.cuh"
namespace ladder::LADDER_SIDE::stage3 {{
{keep}
}}
"""


def call(module, c, work, t):
    groups = -(-work.rows // c["rows"])
    if "channels" in c:
        tail = f"I13__nv_bfloat16Li{c['rows']}ELi{c['channels']}E"
        forward, backward = f"33rmsnorm_forward_persistent_kernel{tail}", f"23rmsnorm_backward_kernel{tail}"
        most = 4
    else:
        forward, backward = "rmsnorm_forward_whole_kernel", "rmsnorm_backward_whole_kernel"
        most = c["occupancy"]
    multiprocessors = torch.cuda.get_device_properties(0).multi_processor_count
    grid = (min(groups, most * multiprocessors) if c["persistent"] else groups,)
    if work.kind == "forward":
        arguments = [work.rows, work.channels, t["x"], t["y"], t["rstd"]]
        return lambda: module.launch(forward, grid, arguments)
    arguments = [work.rows, work.channels, t["dy"], t["x"], t["dresidual"], t["dresidual"] is not None, t["rstd"], t["dx"]]
    return lambda: module.launch(backward, grid, arguments)
