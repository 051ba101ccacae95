"""Choice of the device and of the precision of inference."""

from __future__ import annotations

import functools
import math
import platform
import sys
import time
from dataclasses import dataclass

import torch

from ..errors import BadInputError
from .settings import check_device_name

MINIMUM_BFLOAT16_SPEED_UP = 1.3
"""Minimum speed-up at which bfloat16's rounding is accepted."""


@dataclass(frozen=True)
class ComputeDevice:
    """A torch device that passed a test, and the reason for choosing it in words."""

    name: str
    reason: str

    @property
    def torch(self) -> torch.device:
        return torch.device(self.name)

    @property
    def description(self) -> str:
        if self.torch.type == "cuda":
            gpu = torch.cuda.get_device_properties(self.torch)
            return f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, torch {torch.__version__}"
        return (
            f"{self.name.upper()} ({platform.machine()}, {torch.get_num_threads()} threads), "
            f"torch {torch.__version__}"
        )


def choose_device(wanted: str = "auto") -> ComputeDevice:
    """Return the wanted device, or for ``auto`` the fastest one that passes a test.

    A CUDA device that is chosen by its index becomes torch's current one.

    Parameters
    ----------
    wanted : name of a device, see :func:`.settings.check_device_name`.

    Raises
    ------
    BadInputError
        If the name is unknown, or the device is chosen by name and does not work.
    """
    check_device_name(wanted)
    if wanted == "cpu":
        return ComputeDevice("cpu", "selected by the user")
    gpu = wanted if wanted != "auto" else "mps" if sys.platform == "darwin" else "cuda"
    problem = _problem(gpu)
    if problem is None:
        if torch.device(gpu).index is not None:
            torch.cuda.set_device(gpu)  # its memory is the one that is measured
        return ComputeDevice(gpu, "selected by the user" if wanted == gpu else "found and working")
    if wanted != "auto":
        raise BadInputError(f"Device '{wanted}' does not work: {problem}. Choose auto or cpu.")
    return ComputeDevice("cpu", f"no working GPU: {problem}")


def autocast_precision(wanted: str, device: ComputeDevice) -> torch.dtype:
    """Return the number format of the networks' layers after the first, which is in float32.

    ``auto`` takes bfloat16 if the GPU multiplies it in hardware, or if the processor does and is
    faster with it in a measurement, otherwise float32.

    Parameters
    ----------
    wanted : one of :data:`.settings.PRECISIONS`.
    """
    if wanted != "auto":
        return getattr(torch, wanted)
    if device.torch.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    if (
        device.name == "cpu"
        and _cpu_multiplies_bfloat16()
        and _bfloat16_speed() > MINIMUM_BFLOAT16_SPEED_UP
    ):
        return torch.bfloat16
    return torch.float32


def precision_name(precision: torch.dtype) -> str:
    """Return the name of a number format as in the settings."""
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
    """Return the speed-up of a convolution of the networks' size in bfloat16 over float32.

    It is measured because the presence of the instruction says little: with AMX bfloat16 is
    several times faster, with AVX-512 BF16 alone it took twice as long.
    """
    image = torch.ones(1, 32, 128, 128).to(memory_format=torch.channels_last)
    kernel = torch.ones(32, 32, 3, 3).to(memory_format=torch.channels_last)
    fastest = {torch.float32: math.inf, torch.bfloat16: math.inf}
    threads = torch.get_num_threads()
    # The resolution of a thread's own time on Windows is coarser than a trial.
    clock = time.perf_counter if sys.platform == "win32" else time.thread_time
    # The time of one thread, in alternation: a busy and an idle machine must make the same choice,
    # so that the same seed gives the same scan.
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


def _problem(name: str) -> str | None:
    """Return the reason why a device cannot be used; None if a small convolution runs on it."""
    built = torch.version.cuda or torch.version.hip
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        return "this torch is built without CUDA" if built is None else "no CUDA device or driver"
    if device.index is not None and device.index >= torch.cuda.device_count():
        found = ", ".join(f"cuda:{index}" for index in range(torch.cuda.device_count()))
        return f"the CUDA devices of this machine are {found}"
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
