"""Which device computes, in which precision, and why."""

from __future__ import annotations

import functools
import math
import platform
import sys
import time
from dataclasses import dataclass

import torch

from ..errors import BadInputError
from .settings import DEVICES, PRECISIONS

WORTH_BFLOAT16 = 1.3
"""Times faster that bfloat16 must be: rounding to 8 bits is not for nothing."""


@dataclass(frozen=True)
class ComputeDevice:
    """A torch device that was seen to work, and the reason for it in words."""

    name: str
    reason: str

    @property
    def torch(self) -> torch.device:
        return torch.device(self.name)

    @property
    def description(self) -> str:
        if self.name == "cuda":
            memory = torch.cuda.get_device_properties(0).total_memory / 2**30
            return f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB, torch {torch.__version__}"
        return (
            f"{self.name.upper()} ({platform.machine()}, {torch.get_num_threads()} threads), "
            f"torch {torch.__version__}"
        )


def choose_device(wanted: str = "auto") -> ComputeDevice:
    """The wanted device, or for ``auto`` the fastest on which a small kernel runs.

    Raises
    ------
    BadInputError
        If a device is asked for by name and does not work.
    """
    if wanted not in DEVICES:
        raise BadInputError(f"Unknown device '{wanted}': choose {', '.join(DEVICES)}.")
    if wanted == "cpu":
        return ComputeDevice("cpu", "asked for")
    gpu = wanted if wanted != "auto" else "mps" if sys.platform == "darwin" else "cuda"
    fault = _fault(gpu)
    if fault is None:
        return ComputeDevice(gpu, "asked for" if wanted == gpu else "found and working")
    if wanted != "auto":
        raise BadInputError(f"Device '{wanted}' does not work: {fault}. Choose auto or cpu.")
    return ComputeDevice("cpu", f"no working GPU: {fault}")


def autocast_precision(wanted: str, device: ComputeDevice) -> torch.dtype:
    """The number format of the networks' layers after the first, which is always in float32.

    ``auto`` takes bfloat16 where the GPU multiplies it in hardware, or where the processor can and
    was seen to be faster with it, else float32.
    """
    if wanted != "auto":
        if wanted not in PRECISIONS:
            raise BadInputError(f"Unknown precision '{wanted}': choose {', '.join(PRECISIONS)}.")
        return getattr(torch, wanted)
    if device.name == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    if device.name == "cpu" and _cpu_multiplies_bfloat16() and _bfloat16_speed() > WORTH_BFLOAT16:
        return torch.bfloat16
    return torch.float32


def precision_name(precision: torch.dtype) -> str:
    """As in the settings."""
    return str(precision).removeprefix("torch.")


def _cpu_multiplies_bfloat16() -> bool:
    capabilities = getattr(torch.backends.cpu, "get_cpu_capability", lambda: "")()
    if "AVX512" not in capabilities:
        return False
    checks = [
        getattr(torch.cpu, name, None)
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    ]
    return any(check() for check in checks if check)


@functools.cache
def _bfloat16_speed() -> float:
    """How many times faster a convolution of the networks' size is in bfloat16 than in float32.

    Measured, since having the instruction says little: with AMX it is several times faster, with
    AVX-512 BF16 alone it was seen to take twice as long.
    """
    image = torch.ones(1, 32, 128, 128).to(memory_format=torch.channels_last)
    kernel = torch.ones(32, 32, 3, 3).to(memory_format=torch.channels_last)
    fastest = {torch.float32: math.inf, torch.bfloat16: math.inf}
    threads = torch.get_num_threads()
    # Windows counts a thread's own time in steps that are longer than a trial.
    clock = time.perf_counter if sys.platform == "win32" else time.thread_time
    # One thread's own time, in turn: a busy machine must not choose otherwise than a quiet one,
    # or the same seed would not give the same scan.
    torch.set_num_threads(1)
    try:
        for _ in range(16):
            for precision in fastest:
                x, w = image.to(precision), kernel.to(precision)
                started = clock()
                torch.nn.functional.conv2d(x, w, padding=1)
                fastest[precision] = min(fastest[precision], clock() - started)
    finally:
        torch.set_num_threads(threads)
    return fastest[torch.float32] / fastest[torch.bfloat16]


def _fault(name: str) -> str | None:
    """Why a device cannot be used; None if a small convolution ran on it."""
    built = torch.version.cuda or torch.version.hip
    if name == "cuda" and not torch.cuda.is_available():
        return "this torch is built without CUDA" if built is None else "no CUDA device or driver"
    if name == "mps" and not torch.backends.mps.is_available():
        return "no Apple GPU"
    try:
        image = torch.ones(1, 1, 8, 8, device=name)
        kernel = torch.ones(1, 1, 3, 3, device=name)
        if torch.nn.functional.conv2d(image, kernel).sum().item() != 9 * 36:
            return "a test convolution gave a wrong result"
    except (RuntimeError, AssertionError) as error:  # "no kernel image" on cards too new
        return (str(error).splitlines() or [type(error).__name__])[0]
    return None
