"""The patches of every step of a training, drawn ahead of the step that learns from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..errors import BadInputError
from .training_domain import TrainingDomain
from .training_pairs import NoisySlice, draw_patches
from .training_patches import Augmentation


class Step(NamedTuple):
    """LDCT and NDCT, (batch, 1, size, size) normalised, and the seed of what else is random."""

    ldct: torch.Tensor
    ndct: torch.Tensor
    seed: int


class StepPatches(Dataset):
    """Step number → :class:`Step`, from a generator that the seed and the number alone decide."""

    def __init__(
        self,
        slices: Sequence[NoisySlice],
        batch: int,
        patch_size: int,
        domain: TrainingDomain | None,
        augmentation: Augmentation,
        seed: int,
    ):
        self.slices = slices
        self.patches = (batch, patch_size)
        self.kind = (domain, augmentation)
        self.seed = seed

    def __getitem__(self, step: int) -> Step:
        rng = np.random.default_rng([self.seed, step])
        ldct, ndct = draw_patches(self.slices, *self.patches, rng, *self.kind)
        return Step(ldct, ndct, int(rng.integers(2**62)))


def draw_steps(patches: StepPatches, steps: range, workers: int = 0) -> Iterator[Step]:
    """The steps in their order.

    Parameters
    ----------
    workers : processes that draw, many steps ahead, as a GPU needs; where they can be forked,
        as the slices are not copied then. With none a thread of this process draws the next step
        while the network learns from the last.

    Raises
    ------
    BadInputError
        If the number of workers is negative or, with the first step, no patches can be drawn.
    """
    if workers < 0:
        raise BadInputError(f"workers must not be negative, not {workers}.")
    if workers and steps:
        patches[steps[0]]  # or the error would come with the traceback of another process
        forked = {"num_workers": workers, "multiprocessing_context": "fork"}
        return iter(DataLoader(patches, batch_size=None, sampler=steps, **forked))
    return _drawn_by_a_thread(patches, steps)


def _drawn_by_a_thread(patches: StepPatches, steps: range) -> Iterator[Step]:
    with _one_core_thread() as thread:
        coming = thread.submit(patches.__getitem__, steps[0])
        for step in steps:
            drawn = coming.result()
            if step + 1 in steps:
                coming = thread.submit(patches.__getitem__, step + 1)
            yield drawn


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
