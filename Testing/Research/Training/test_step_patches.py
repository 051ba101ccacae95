"""Patches of a step depend on seed and step number only, and drawing them uses one core."""

import multiprocessing
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from pseudoct_research.training import step_patches
from pseudoct_research.training.step_patches import (
    Step,
    StepPatches,
    check_workers,
    draw_steps,
    reuse_steps,
)
from pseudoct_research.training.training_domain import TrainingDomain
from pseudoct_research.training.training_pairs import NoisySlice
from PseudoCTDenoiseLib.denoising.inference import ORIENTATIONS
from PseudoCTDenoiseLib.denoising.patches import Augmentation
from PseudoCTDenoiseLib.errors import BadInputError

STILL = Augmentation(flips=False, rotations=False)


def patches(seed=0, size=48):
    rng = np.random.default_rng(0)
    ndct = rng.integers(0, 100, (size, size)).astype(np.int16)
    noise = rng.normal(0, 20, (2, size, size)).astype(np.float32)
    return StepPatches([NoisySlice(ndct, noise)], 3, 16, TrainingDomain(), Augmentation(), seed)


class Threads(StepPatches):
    """Return the number of torch threads of the drawing thread in place of the seed."""

    def __getitem__(self, step):
        return Step(torch.zeros(1), torch.zeros(1), torch.get_num_threads())


def same(one, other):
    return all(
        torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(one, other, strict=True)
    )


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")
slow_forked = pytest.param(2, marks=[on_linux, pytest.mark.new_process, pytest.mark.slow])


@pytest.mark.parametrize("steps", [range(3, 8), range(0, 6, 2), range(1), range(5, 5)], ids=str)
def test_steps_are_in_order(steps):
    check_steps(steps, workers=0)


@pytest.mark.slow
@on_linux
@pytest.mark.new_process
def test_steps_of_processes_are_in_order_and_equal():
    for steps in (range(3, 8), range(0, 6, 2), range(1), range(5, 5)):
        check_steps(steps, workers=2)


def check_steps(steps, workers):
    drawn = list(draw_steps(patches(), steps, workers))
    for number, step in zip(steps, drawn, strict=True):
        assert step.ldct.shape == step.ndct.shape == (3, 1, 16, 16)
        assert same(step, patches()[number])
        assert not same(step, patches(seed=1)[number])


@pytest.mark.parametrize("workers", [0, slow_forked])
def test_drawing_can_stop_at_any_step(workers):
    def running():
        # The queue of each process has a thread that ends slightly later.
        pools = [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]
        return {*multiprocessing.active_children(), *pools}

    before = running()
    drawn = draw_steps(patches(), range(1000), workers)
    assert same(next(drawn), patches()[0]) and not running() <= before
    drawn.close()
    assert running() <= before


def reused(steps, reuse=2, augmentation=STILL, workers=0):
    """Return steps of three patches."""
    return list(
        reuse_steps(replace(patches(), augmentation=augmentation), steps, reuse, "cpu", workers)
    )


def patches_of(batches):
    return {patch.numpy().tobytes() for images in batches for patch in images}


def test_steps_use_the_latest_batches(monkeypatch):
    monkeypatch.setattr(step_patches, "POOL", 2)
    drawn = [replace(patches(), augmentation=STILL)[number] for number in range(4)]
    steps = reused(range(8))
    for number, step in enumerate(steps):
        newest = number // 2
        pool = drawn[max(0, newest - 1) : newest + 1]
        pairs = [pair for batch in pool for pair in zip(batch.ldct, batch.ndct, strict=True)]
        for low, normal in zip(step.ldct, step.ndct, strict=True):
            assert any(same((low, normal), pair) for pair in pairs)
    # Every batch is used.
    shown = patches_of(step.ldct for step in steps)
    assert all(shown & patches_of([batch.ldct]) for batch in drawn)


@pytest.mark.parametrize("workers", [0, slow_forked])
def test_reuse_from_any_step_gives_the_same_steps(monkeypatch, workers):
    monkeypatch.setattr(step_patches, "POOL", 2)
    late = {
        first: reused(range(first, 9), augmentation=Augmentation(), workers=workers)
        for first in (1, 2, 5, 8)
    }
    whole = reused(range(9), augmentation=Augmentation())
    for first, steps in late.items():
        assert len(steps) == 9 - first
        assert all(same(*pair) for pair in zip(steps, whole[first:], strict=True))


@on_linux
def test_processes_are_refused_after_a_thread_has_drawn():
    list(draw_steps(patches(), range(1)))
    with pytest.raises(RuntimeError, match="Start a new process"):
        next(draw_steps(patches(), range(1), workers=2))


def test_reused_patches_have_all_orientations_equal_for_ldct_and_ndct(monkeypatch, device):
    monkeypatch.setattr(step_patches, "POOL", 1)
    drawn = replace(patches(), augmentation=STILL)[0]
    views = {}
    for number, pair in enumerate(zip(drawn.ldct, drawn.ndct, strict=True)):
        for turns, flipped in ORIENTATIONS[8]:
            view = torch.stack(pair).rot90(turns, (-2, -1))
            view = view.flip(-1) if flipped else view
            views[view.numpy().tobytes()] = number, turns, flipped
    shown = set()
    turning = replace(patches(), batch=3)
    monkeypatch.setattr(StepPatches, "__getitem__", lambda self, step: drawn)
    for step in reuse_steps(turning, range(200), 200, device):
        for pair in zip(step.ldct.cpu(), step.ndct.cpu(), strict=True):
            shown.add(views[torch.stack(pair).numpy().tobytes()])
    assert len(views) == len(shown) == 3 * 8


def test_a_slice_that_is_too_small_is_refused_before_any_step():
    large, small = patches().slices[0], patches(size=48).slices[0]
    small = NoisySlice(small.ndct[:20, :20], small.noise[:, :20, :20])
    with pytest.raises(BadInputError, match="20×20 pixels are too small for patches of 16"):
        replace(patches(), slices=[large, small])
    with pytest.raises(BadInputError, match="20×20 pixels are smaller than a patch of 32"):
        replace(patches(), slices=[large, small], domain=None, patch_size=32)


@pytest.mark.parametrize(
    ("workers", "platform", "words"),
    [
        (-1, "linux", "must not be negative"),
        (1, "win32", "only Linux"),
        (1, "darwin", "only Linux"),
    ],
)
def test_invalid_numbers_of_workers_are_refused(monkeypatch, workers, platform, words):
    check_workers(0)
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(BadInputError, match=words):
        check_workers(workers)


@pytest.mark.parametrize("workers", [0, slow_forked])
def test_drawing_uses_one_core_and_leaves_the_other_threads_unchanged(workers):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        threads = Threads([], 1, 1, None, Augmentation(), 0)
        assert [step.seed for step in draw_steps(threads, range(3), workers)] == [1, 1, 1]
        with ThreadPoolExecutor(1) as another:
            assert another.submit(torch.get_num_threads).result() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
