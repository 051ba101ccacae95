"""The patches of every step of a training, drawn ahead of the step that learns from them."""

from __future__ import annotations

import sys
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
"""Batches that are kept where patches serve more than one step."""


class Step(NamedTuple):
    """LDCT and NDCT, (batch, 1, size, size) normalised, and the seed of what else is random."""

    ldct: torch.Tensor
    ndct: torch.Tensor
    seed: int


@dataclass(frozen=True)
class StepPatches:
    """Step number → :class:`Step`, from a generator that the seed and the number alone decide.

    Raises
    ------
    BadInputError
        If no patches can be drawn of one of the slices.
    """

    slices: Sequence[NoisySlice]
    batch: int
    patch_size: int
    domain: TrainingDomain | None
    augmentation: Augmentation
    seed: int

    def __post_init__(self):
        for one in self.slices:
            check_slice(one, self.patch_size, self.domain)

    def __getitem__(self, step: int) -> Step:
        rng = np.random.default_rng([self.seed, step])
        ldct, ndct = draw_patches(
            self.slices, self.batch, self.patch_size, rng, self.domain, self.augmentation
        )
        return Step(ldct, ndct, int(rng.integers(2**62)))


def check_workers(workers: int) -> None:
    """Raises BadInputError if so many processes cannot draw."""
    if workers < 0:
        raise BadInputError(f"workers must not be negative, not {workers}.")
    if workers and sys.platform != "linux":
        raise BadInputError("Processes that draw patches are forked, on Linux alone: give none.")


def draw_steps(patches: StepPatches, steps: range, workers: int = 0) -> Iterator[Step]:
    """The steps in their order.

    Parameters
    ----------
    workers : processes that draw, many steps ahead, as a GPU needs. They are forked, so that they
        share the slices, and leave the GPU alone. With none a thread of this process draws the
        next step while the network learns from the last.
    """
    if workers:
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
    """Steps of patches that were drawn before: for a GPU, which learns faster than CPUs draw.

    Every ``reuse`` steps a batch is drawn and replaces the oldest of :data:`POOL`. A step picks its
    patches from all of them and, where the augmentation has flips and rotations, turns each eighth
    of them another way. Begun at a later step it draws the pool of that step first, so that the
    steps are the same.

    Parameters
    ----------
    device : where the patches are kept, 4 GB for 64 of 128×128 in a batch, and come to lie.
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
    """(patches, 1, size, size), each eighth in another orientation, begun at the ``first``."""
    parts = []
    for start in range(8):
        turns, flipped = ORIENTATIONS[8][(start + first) % 8]
        part = images[start::8].rot90(turns, (-2, -1))
        parts.append(part.flip(-1) if flipped else part)
    return torch.cat(parts)


def _one_core_thread() -> ThreadPoolExecutor:
    """A thread whose torch keeps to one core: patches are small, the network wants the others."""

    def keep_to_one() -> None:
        torch.get_num_threads()  # or the thread's first work would take the process's number
        torch.set_num_threads(1)

    threads = torch.get_num_threads()
    executor = ThreadPoolExecutor(max_workers=1)
    executor.submit(keep_to_one).result()
    torch.set_num_threads(threads)  # threads to come start with what was set last
    return executor
