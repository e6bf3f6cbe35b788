"""The three products of a linear layer in bf16: NT (forward), NN (input gradient), TN (weight gradient)."""
import torch

LIMIT = 1e-2  # of bf16, see the table of tolerances


class Work:
    def __init__(self, layout, m, n, k):
        self.layout, self.m, self.n, self.k = layout, m, n, k
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
}


def tensors(work):
    m, n, k = work.m, work.n, work.k
    random = lambda *shape: torch.randn(*shape, device="cuda", dtype=torch.bfloat16)
    a = random(k, m) if work.layout == "TN" else random(m, k)
    b = random(n, k) if work.layout == "NT" else random(k, n)
    wide = torch.float32 if work.layout == "TN" else torch.bfloat16
    return {"a": a, "b": b, "c": torch.empty(m, n, device="cuda", dtype=wide)}


def product(work, t):
    a = t["a"].t() if work.layout == "TN" else t["a"]
    b = t["b"].t() if work.layout == "NT" else t["b"]
    return a @ b


def reference(work, t):
    """In fp32 with fp32 products: exact factors, sums of 24 bits."""
    torch.backends.cuda.matmul.allow_tf32 = False
    return {"c": product(work, {k: v.float() for k, v in t.items()})}


def rivals(work, t):
    out = torch.empty(work.m, work.n, device="cuda", dtype=torch.bfloat16)
    a = t["a"].t() if work.layout == "TN" else t["a"]
    b = t["b"].t() if work.layout == "NT" else t["b"]
    return {"cuBLAS": lambda: torch.matmul(a, b, out=out)}


def poison(t):
    t["c"].fill_(float("nan") if t["c"].dtype == torch.bfloat16 else 0.0)  # weight gradients are added to


def result(t, name):
    return t[name]


def rates(work, us):
    return {"tflops": work.flops / us / 1e6}
