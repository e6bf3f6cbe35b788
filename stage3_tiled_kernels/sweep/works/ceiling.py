"""What the card reaches when a kernel does one thing only: the ceilings that ladders are measured against.

"bf16 multiply": every multiprocessor multiplies one pair of tiles again and again, out of shared memory. The factors are
random: what the tensor cores draw, and so the clocks that the power limit allows, depends on them.
"copy": 2 GiB from one place to another by the copy kernel of the driver (PyTorch's copy_).
"""
try:
    import torch
except ImportError:  # where configurations are only compiled
    torch = None

LIMIT = 1e-2
ROWS, COLUMNS, INNER, STEPS = 128, 256, 64, 8192


class Work:
    def __init__(self, flops, bytes_):
        self.flops, self.bytes = flops, bytes_


WORKS = {"bf16 multiply": Work(2.0 * ROWS * COLUMNS * INNER * STEPS, 0.0), "copy": Work(0.0, 2.0 * (2 << 30))}


def blocks():
    return torch.cuda.get_device_properties(0).multi_processor_count


def tensors(work):
    if work.bytes:
        return {"a": torch.randn(1 << 29, device="cuda"), "c": torch.empty(1 << 29, device="cuda")}
    random = lambda *shape: torch.randn(*shape, device="cuda", dtype=torch.bfloat16)
    return {"a": random(ROWS, INNER), "b": random(COLUMNS, INNER),
            "c": torch.empty(blocks() * ROWS, COLUMNS, device="cuda", dtype=torch.bfloat16)}


def reference(work, t):
    if work.bytes:
        return {"c": t["a"]}
    return {"c": (STEPS * (t["a"].double() @ t["b"].double().t())).repeat(blocks(), 1)}


def rivals(work, t):
    return {}


def poison(t):
    t["c"].fill_(float("nan"))


def result(t, name):
    return t[name]


def rates(work, us):
    if work.bytes:
        return {"tbps": work.bytes / us / 1e6}
    return {"tflops": blocks() * work.flops / us / 1e6}


def source(configuration):
    return f"""#include "stage3_tiled_kernels/kernels/element_type.hpp"
namespace ladder::LADDER_SIDE::stage3 {{
template <class E>
[[using cutile: hint(0, num_worker_warps_per_cta = {configuration["warps"]})]] __tile_global__ void multiply_kernel(
    int steps, const E* __restrict__ a_mk, const E* __restrict__ b_nk, E* __restrict__ c_mn) {{
  const int blocks = ct::num_blocks().x, block = ct::bid().x;
  const auto a = matrix<{ROWS}, {INNER}>(ct::assume_aligned<16>(a_mk), {ROWS}, {INNER}).load_masked(0, 0);
  const auto b = matrix<{COLUMNS}, {INNER}>(ct::assume_aligned<16>(b_nk), {COLUMNS}, {INNER}).load_masked(0, 0);
  auto c = ct::zeros<ct::tile<float, ct::shape<{ROWS}, {COLUMNS}>>>();
  for (int step : ct::irange(0, steps)) c = ct::mma(a, ct::transpose(b), c);
  const auto view = matrix<{ROWS}, {COLUMNS}>(ct::assume_aligned<16>(c_mn), {ROWS} * blocks, {COLUMNS});
  view.store_masked(ct::element_cast<E>(c), block, 0);
}}
auto* keep = multiply_kernel<__nv_bfloat16>;
}}  // namespace ladder::LADDER_SIDE::stage3
"""


def call(module, configuration, work, t):
    if work.bytes:
        return lambda: t["c"].copy_(t["a"])
    return lambda: module.launch("multiply_kernel", (blocks(),), [STEPS, t["a"], t["b"], t["c"]])
