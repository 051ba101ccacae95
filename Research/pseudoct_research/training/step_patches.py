"""Patches of every training step, drawn in the background before the step needs them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from PseudoCTDenoiseLib.denoising.inference import ORIENTATIONS
from PseudoCTDenoiseLib.denoising.patches import Augmentation
from PseudoCTDenoiseLib.errors import BadInputError
from torch.utils.data import DataLoader

from .training_domain import TrainingDomain
from .training_pairs import NoisySlice, check_slice, draw_patches

POOL = 512
"""Number of batches that :func:`reuse_steps` keeps."""
_thread_has_drawn = threading.Event()


class Step(NamedTuple):
    """Patches of LDCT and NDCT, see :func:`.draw_patches`, and the seed of the other draws."""

    ldct: torch.Tensor
    ndct: torch.Tensor
    seed: int


@dataclass(frozen=True)
class StepPatches:
    """Mapping from step number to :class:`Step`; seed and number alone determine the patches.

    Raises
    ------
    BadInputError
        If no patches can be drawn from one of the slices.
    """

    slices: Sequence[NoisySlice]
    batch: int
    patch_size: int
    domain: TrainingDomain | None
    augmentation: Augmentation
    seed: int

    def __post_init__(self):
        for noisy in self.slices:
            check_slice(noisy, self.patch_size, self.domain)

    def __getitem__(self, step: int) -> Step:
        rng = np.random.default_rng([self.seed, step])
        ldct, ndct = draw_patches(
            self.slices, self.batch, self.patch_size, rng, self.domain, self.augmentation
        )
        return Step(ldct, ndct, int(rng.integers(2**62)))


def check_workers(workers: int) -> None:
    """Check the number of worker processes.

    Raises
    ------
    BadInputError
        If the number is negative, or positive on a system other than Linux.
    """
    if workers < 0:
        raise BadInputError(f"workers must not be negative, not {workers}.")
    if workers and sys.platform != "linux":
        raise BadInputError("Worker processes need fork, which only Linux has. Use 0 workers.")


def draw_steps(patches: StepPatches, steps: range, workers: int = 0) -> Iterator[Step]:
    """Yield the steps in order.

    Parameters
    ----------
    workers : number of processes that draw many steps ahead, which a GPU needs. They are forked,
        share the slices and do not use the GPU. With 0, a thread of this process draws the next
        step while the network trains on the current one.

    Raises
    ------
    RuntimeError
        If processes are requested after a thread of this process has drawn steps: MKL's Fourier
        transform may hang in a process that is forked after that.
    """
    if workers:
        if _thread_has_drawn.is_set():
            raise RuntimeError("Steps were drawn by a thread before. Start a new process.")
        forked = {"num_workers": workers, "multiprocessing_context": "fork"}
        yield from DataLoader(patches, batch_size=None, sampler=steps, **forked)
        return
    with _one_core_thread() as thread:
        ahead = [thread.submit(patches.__getitem__, step) for step in steps[:1]]
        for step in steps[1:]:
            ahead.append(thread.submit(patches.__getitem__, step))
            yield ahead.pop(0).result()
        for last in ahead:
            yield last.result()


def reuse_steps(
    patches: StepPatches, steps: range, reuse: int, device: str, workers: int = 0
) -> Iterator[Step]:
    """Yield steps that reuse drawn patches, for a GPU that trains faster than the CPU draws.

    Every ``reuse`` steps a new batch replaces the oldest of :data:`POOL`. A step picks its patches
    from the whole pool and, if the augmentation has flips and rotations, gives each eighth of them
    another orientation. A run that starts at a later step first draws the pool of that step, so
    the steps are the same.

    Parameters
    ----------
    device : device that holds the pool (4 GB for batches of 64 patches of 128×128) and the steps.
    """
    drawn_before = max(0, steps.start // reuse + 1 - POOL)
    drawn = draw_steps(patches, range(drawn_before, -(-steps.stop // reuse)), workers)
    shape = (POOL, patches.batch, 1, patches.patch_size, patches.patch_size)
    pool = [torch.empty(shape, device=device) for _ in range(2)]
    batches = drawn_before
    for step in steps:
        while batches <= step // reuse:
            fresh = next(drawn)
            for kept, images in zip(pool, (fresh.ldct, fresh.ndct), strict=True):
                kept[batches % POOL] = images.to(device)
            batches += 1
        rng = np.random.default_rng([patches.seed, step, reuse])
        chosen = rng.integers(min(batches, POOL) * patches.batch, size=patches.batch)
        chosen = torch.from_numpy(chosen).to(device)
        picked = [kept.flatten(0, 1)[chosen] for kept in pool]
        if patches.augmentation.flips and patches.augmentation.rotations:
            picked = [_turned(images, step) for images in picked]
        yield Step(*picked, int(rng.integers(2**62)))


def _turned(images: torch.Tensor, first: int) -> torch.Tensor:
    """Turn each eighth of (patches, 1, size, size) to another orientation, from ``first`` on."""
    parts = []
    for start in range(8):
        turns, flipped = ORIENTATIONS[8][(start + first) % 8]
        part = images[start::8].rot90(turns, (-2, -1))
        parts.append(part.flip(-1) if flipped else part)
    return torch.cat(parts)


def _one_core_thread() -> ThreadPoolExecutor:
    """Return a background thread that limits torch to one core.

    Patches are small; the network needs the other cores.
    """

    def use_one_core() -> None:
        _thread_has_drawn.set()
        torch.get_num_threads()  # else the first operation would reset the number of threads
        torch.set_num_threads(1)

    threads = torch.get_num_threads()
    executor = ThreadPoolExecutor(max_workers=1)
    executor.submit(use_one_core).result()
    torch.set_num_threads(threads)  # new threads inherit the latest setting
    return executor
