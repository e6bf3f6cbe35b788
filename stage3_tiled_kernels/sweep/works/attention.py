"""Causal attention in bf16, forward and backward, beside FlashAttention-2 and cuDNN as PyTorch calls them.

Ours reads q, k and v out of one matrix of packed rows [B T, 3 H D], as the linear layer before it leaves them, and writes
rows [B T, H D]. The rivals get what they are fastest on: contiguous (B, H, T, D) tensors. FLOPs: two products forward, five
backward, and of each only the half that a causal mask leaves.

The backward pass is two kernels: "query", which also makes the rows' delta and scaled log-sum-exp, and "key_value", which
reads them. Works of these names time one alone, "backward" both.
"""
import math

from kernel_text import kernel_text

try:  # compiling needs no PyTorch
    import torch
    import torch.nn.functional as F
    from torch.nn.attention import SDPBackend, sdpa_kernel
except ImportError:
    torch = None

LIMIT = 1e-2  # of bf16, see the table of tolerances
LOG2_E = 1.4426950408889634


class Work:
    def __init__(self, part, b, h, t, d):
        self.part, self.b, self.h, self.t, self.d = part, b, h, t, d
        self.product = 2.0 * b * h * t * t * d / 2
        self.flops = self.product * {"forward": 2, "backward": 5, "key_value": 4, "query": 3}[part]


_SIZES = {"b64 h12 t1024 d64": (64, 12, 1024, 64), "b4 h16 t4096 d128": (4, 16, 4096, 128),
          "b4 h16 t16384 d64": (4, 16, 16384, 64)}
WORKS = {f"{part} {name} causal": Work(part, *size)
         for part in ("forward", "backward", "key_value", "query") for name, size in _SIZES.items()}


# ---- data ---------------------------------------------------------------------------------------------------------


def packed(work, *heads):
    """(B, H, T, D) tensors side by side in rows."""
    return torch.cat([x.transpose(1, 2).reshape(work.b * work.t, -1) for x in heads], dim=1)


def unpacked(work, rows):
    return rows.reshape(work.b, work.t, work.h, work.d).transpose(1, 2)


def attention_in_fp32(q, k, v, dout, gradients):
    """One head with fp32 products: {name: (value, budget)}. A budget is the same sum over the magnitudes of its terms:
    the terms are what is rounded to bf16, so it is they, not what is left of their sum, that an error is in proportion
    to."""
    t, scale = q.shape[0], 1 / math.sqrt(q.shape[1])
    score = (q @ k.T) * scale
    score.masked_fill_(torch.ones(t, t, dtype=torch.bool, device=q.device).triu_(1), float("-inf"))
    lse = torch.logsumexp(score, dim=1)
    p = score.sub_(lse[:, None]).exp_()
    out = p @ v
    done = {"out": (out, p @ v.abs()), "lse": (lse, lse.abs() + 1)}
    if gradients:
        out = out.bfloat16().float()
        delta, delta_budget = (dout * out).sum(1), (dout * out).abs().sum(1)
        dp = dout @ v.T
        dscore, terms = (dp - delta[:, None]) * p * scale, (dp.abs() + delta_budget[:, None]) * p * scale
        done.update(delta=(delta, delta_budget), lse2=(lse * LOG2_E, lse.abs() + 1), dq=(dscore @ k, terms @ k.abs()), dk=(dscore.T @ q, terms.T @ q.abs()),
                    dv=(p.T @ dout, p.T @ dout.abs()))
    return done


RESULTS = {"forward": ("out", "lse"), "backward": ("dq", "dk", "dv"), "key_value": ("dk", "dv"), "query": ("dq", "delta", "lse2")}
STATISTICS = ("lse", "lse2", "delta")


def tensors(work):
    torch.backends.cuda.matmul.allow_tf32 = False
    q, k, v, dout = (torch.randn(work.b, work.h, work.t, work.d, device="cuda", dtype=torch.bfloat16) for _ in range(4))
    rows, channels, gradients = work.b * work.t, work.h * work.d, work.part != "forward"
    want = {}
    for b in range(work.b):
        for h in range(work.h):
            done = attention_in_fp32(*(x[b, h].float() for x in (q, k, v, dout)), gradients)
            for name, pair in done.items():
                for i in range(2):
                    kind = want.setdefault(name, [None, None])
                    if kind[i] is None:
                        kind[i] = torch.empty(work.b, work.h, *pair[i].shape, device="cuda")
                    kind[i][b, h] = pair[i]
    for name, pair in want.items():
        want[name] = [x.transpose(0, 1).reshape(work.h, rows) if name in STATISTICS else packed(work, x) for x in pair]
    empty = lambda *shape, dtype=torch.bfloat16: torch.empty(*shape, device="cuda", dtype=dtype)
    return {"part": work.part, "heads": (q, k, v, dout), "want": want, "qkv": packed(work, q, k, v),
            "dout": packed(work, dout), "out": empty(rows, channels), "dqkv": empty(rows, 3 * channels),
            **{name: empty(work.h, rows, dtype=torch.float32) for name in STATISTICS},
            "starts": torch.arange(work.b, device="cuda", dtype=torch.int32) * work.t,
            "lengths": torch.full((work.b,), work.t, device="cuda", dtype=torch.int32)}


def reference(work, t):
    return {name: t["want"][name][0] for name in RESULTS[work.part]}


def result(t, name):
    if name in t:
        return t[name]
    channels = t["out"].shape[1]
    first = ("dq", "dk", "dv").index(name) * channels
    return t["dqkv"][:, first:first + channels]


def error(t, name, got, want):
    """The largest error in units of its budget; infinite when anything is not finite."""
    if not torch.isfinite(got).all():
        return float("inf")
    return ((got.float() - want).abs() / t["want"][name][1]).max().item()


def poison(t):
    """What the part writes is not a number before; what it reads is the reference's."""
    for name in ("out", *STATISTICS):
        if name in t["want"]:
            t[name].copy_(t["want"][name][0])
    made = ("delta", "lse2")
    for name in {"forward": ("out", "lse"), "backward": made, "query": made}.get(t["part"], ()):
        t[name].fill_(float("nan"))
    t["dqkv"].fill_(float("nan"))


def rates(work, us):
    return {"tflops": work.flops / us / 1e6}


def rivals(work, t):
    q, k, v, dout = t["heads"]
    calls = {}
    if work.part not in ("forward", "backward"):
        return calls
    for name, backend in (("FlashAttention-2", SDPBackend.FLASH_ATTENTION), ("cuDNN", SDPBackend.CUDNN_ATTENTION)):
        if work.part == "forward":
            def call(backend=backend):
                with sdpa_kernel(backend):
                    F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            factors = [x.detach().clone().requires_grad_() for x in (q, k, v)]
            with sdpa_kernel(backend):
                out = F.scaled_dot_product_attention(*factors, is_causal=True)
            call = lambda out=out, factors=factors: torch.autograd.grad(out, factors, dout, retain_graph=True)
        calls[name] = call
    return calls


# ---- kernels ------------------------------------------------------------------------------------------------------


def tiles(text):
    """"64x64 w4 o2 k0 v0": queries x keys, warps, occupancy, latency of keys and of values."""
    size, warps, occupancy, key, value = text.split()
    return f"table::AttentionTiles{{{size.replace('x', ', ')}, {warps[1:]}, {occupancy[1:]}, {key[1:]}, {value[1:]}}}"


def source(c):
    lines = []
    for part in ("forward", "key_value", "query"):
        if part in c:
            name, known = (part, ", true") if part == "forward" else (f"backward_{part}", "")
            lines.append(f"auto* keep_{part} = attention_{name}_kernel<__nv_bfloat16, {tiles(c[part])}, {c['head']}, true{known}>;")
    return kernel_text("attention.cuh") + "namespace ladder::on_gpu::stage3 {\n" + "\n".join(lines) + "\n}\n"


def call(module, c, work, t):
    channels, rows, stride = work.h * work.d, work.b * work.t, t["qkv"].shape[1]
    q, k, v = (t["qkv"][:, i * channels:] for i in range(3))
    dq, dk, dv = (t["dqkv"][:, i * channels:] for i in range(3))
    scale = 1 / math.sqrt(work.d)
    heads = [work.b, rows, work.t, work.h, work.h]  # as many key/value heads; a group is one head
    rest = [work.d, True, stride, t["starts"], t["lengths"]]
    by_query, by_key = [*heads, 1 << 16, *rest], [*heads, 1, *rest]
    extent = lambda text, which: int(text.split()[0].split("x")[which])

    def launch():
        if work.part == "forward":
            module.launch("attention_forward_kernel", (work.t // extent(c["forward"], 0), work.h, work.b),
                          [*by_query, q, k, v, scale * LOG2_E, t["out"], t["lse"]])
        scales = [scale, scale * LOG2_E]
        if work.part in ("query", "backward"):
            module.launch("attention_backward_query_kernel", (work.t // extent(c["query"], 0), work.h, work.b),
                          [*by_query, q, k, v, t["out"], t["dout"], t["lse"], *scales, t["lse2"], t["delta"], dq])
        if work.part in ("key_value", "backward"):
            module.launch("attention_backward_key_value_kernel", (work.t // extent(c["key_value"], 1), work.h, work.b),
                          [*by_key, q, k, v, t["dout"], t["lse2"], t["delta"], *scales, dk, dv])
    return launch
