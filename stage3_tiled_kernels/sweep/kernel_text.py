"""The kernels of a file of a stage's kernels, without its launchers.

A launcher instantiates its kernels for every type of the table; a sweep compiles the one instantiation that it measures.
"""
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = {"stage3": ROOT / "stage3_tiled_kernels" / "kernels", "stage4": ROOT / "stage4_nanogpt" / "kernels"}
LAUNCHERS = "// ---- launchers"


def kernel_text(name, stage="stage3"):
    """The text of kernels/NAME up to its launchers, to be compiled as if it were included."""
    text = (KERNELS[stage] / name).read_text()
    kernels, found, _ = text.partition(LAUNCHERS)
    if not found:
        raise ValueError(f"{name} has no line that begins with '{LAUNCHERS}'")
    return kernels.replace("#pragma once\n", "") + f"\n}}  // namespace ladder::LADDER_SIDE::{stage}\n"
