"""The GPU side of a sweep: loads cubins, launches their kernels, and times whole calls.

PyTorch allocates, makes the reference and is the rival, so it is needed where a sweep runs; compiling needs only nvcc.
Kernels are loaded through the driver's own interface, since a cubin is what the compiler's report speaks of.
"""
import ctypes
import statistics
import subprocess
import time

import torch

_driver = ctypes.CDLL("libcuda.so.1")


class LaunchError(RuntimeError):
    """The driver refused a module, a function or a launch."""


def _check(code, what):
    if code != 0:
        text = ctypes.c_char_p()
        _driver.cuGetErrorString(code, ctypes.byref(text))
        raise LaunchError(f"{what}: {(text.value or b'unknown error').decode()}")


class Module:
    """One cubin. `launch` finds a kernel by a part of its name that no other kernel of the module has."""

    def __init__(self, path, names):
        torch.cuda.current_stream()  # makes the context
        with open(path, "rb") as file:
            self._image = file.read()
        self._module = ctypes.c_void_p()
        _check(_driver.cuModuleLoadData(ctypes.byref(self._module), self._image), "load")
        self._names = names
        self._functions = {}

    def _function(self, part):
        if part not in self._functions:
            found = [name for name in self._names if part in name]
            if len(found) != 1:
                raise LaunchError(f"{len(found)} kernels have '{part}' in their names: {self._names}")
            function = ctypes.c_void_p()
            _check(_driver.cuModuleGetFunction(ctypes.byref(function), self._module, found[0].encode()), found[0])
            self._functions[part] = function
        return self._functions[part]

    def launch(self, part, grid, arguments):
        """grid: (x, y, z). arguments: tensors (their pointers), None (null), bools, ints (32 bits), floats (32 bits), or
        numbers of ctypes where another size is wanted."""
        values = [_argument(a) for a in arguments]
        pointers = (ctypes.c_void_p * len(values))(*[ctypes.cast(ctypes.byref(v), ctypes.c_void_p) for v in values])
        x, y, z = (tuple(grid) + (1, 1, 1))[:3]
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        _check(_driver.cuLaunchKernel(self._function(part), x, y, z, 1, 1, 1, 0, stream, pointers, None), part)


def _argument(value):
    if value is None:
        return ctypes.c_void_p(0)
    if isinstance(value, torch.Tensor):
        return ctypes.c_void_p(value.data_ptr())
    if isinstance(value, ctypes._SimpleCData):
        return value
    if isinstance(value, bool):
        return ctypes.c_bool(value)
    if isinstance(value, int):
        return ctypes.c_int32(value)
    return ctypes.c_float(value)


class Timer:
    """Times calls with CUDA events behind a write that empties the L2 cache."""

    def __init__(self):
        self._sweep = torch.empty(256 << 20, dtype=torch.int8, device="cuda")

    def race(self, calls, repeats):
        """calls: {name: function}. Takes turns; returns {name: sorted microseconds}."""
        for call in calls.values():
            call()
        torch.cuda.synchronize()
        times = {name: [] for name in calls}
        for _ in range(repeats):
            for name, call in calls.items():
                begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                self._sweep.zero_()
                begin.record()
                call()
                end.record()
                times[name].append((begin, end))
        torch.cuda.synchronize()
        return {name: sorted(1e3 * b.elapsed_time(e) for b, e in pairs) for name, pairs in times.items()}

    def sustain(self, calls, seconds, block=0.25):
        """Keeps the card busy for `seconds`, the calls taking turns in blocks of `block` seconds without a pause.

        Returns {name: sorted microseconds a call}, one for each block of the second half, when the card has reached
        its power limit; caches stay as the calls leave them.
        """
        each = {name: statistics.median(times) for name, times in self.race(calls, 5).items()}
        times = {name: [] for name in calls}
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            for name, call in calls.items():
                count = max(1, int(block * 1e6 / each[name]))
                begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                begin.record()
                for _ in range(count):
                    call()
                end.record()
                end.synchronize()
                times[name].append(1e3 * begin.elapsed_time(end) / count)
        return {name: sorted(blocks[len(blocks) // 2:]) for name, blocks in times.items()}


def summary(times):
    """Median and the middle half of some microseconds."""
    quarter = len(times) // 4
    return {"us": statistics.median(times), "us_low": times[quarter], "us_high": times[-1 - quarter],
            "repeats": len(times)}


def describe():
    """The device as records name it, with its clocks of this moment."""
    query = "name,driver_version,clocks.sm,clocks.mem,power.limit"
    line = subprocess.run(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits"],
                          capture_output=True, text=True, check=True).stdout.splitlines()[0]
    name, driver, sm, memory, power = [field.strip() for field in line.split(",")]
    major, minor = torch.cuda.get_device_capability()
    return {"device": name, "architecture": 10 * major + minor, "driver": driver,
            "multiprocessors": torch.cuda.get_device_properties(0).multi_processor_count,
            "clock_sm_mhz": int(float(sm)), "clock_memory_mhz": int(float(memory)), "power_limit_w": float(power),
            "rival_library": f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"}


def error_of(got, want):
    """The largest |got - want| / (|want| + rms(want)); infinite when anything is not finite."""
    got, want = got.double(), want.double()
    if got.shape != want.shape or not torch.isfinite(got).all():
        return float("inf")
    scale = want.abs() + want.square().mean().sqrt()
    return ((got - want).abs() / scale.clamp_min(1e-300)).max().item()
