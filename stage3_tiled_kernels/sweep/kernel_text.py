"""The kernels of a file of stage3_tiled_kernels/kernels, without its launchers.

A launcher instantiates its kernels for every type of the table; a sweep compiles the one instantiation that it measures.
"""
import pathlib

KERNELS = pathlib.Path(__file__).resolve().parent.parent / "kernels"
LAUNCHERS = "// ---- launchers"


def kernel_text(name):
    """The text of kernels/NAME up to its launchers, to be compiled as if it were included."""
    text = (KERNELS / name).read_text()
    kernels, found, _ = text.partition(LAUNCHERS)
    if not found:
        raise ValueError(f"{name} has no line that begins with '{LAUNCHERS}'")
    return kernels.replace("#pragma once\n", "") + "\n}  // namespace ladder::LADDER_SIDE::stage3\n"
