"""A step's patches depend on seed and number alone, whoever draws them, and take one core."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.engine.errors import BadInputError
from PseudoCTDenoiseLib.engine.training.step_patches import Step, StepPatches, draw_steps
from PseudoCTDenoiseLib.engine.training.training_domain import TrainingDomain
from PseudoCTDenoiseLib.engine.training.training_pairs import NoisySlice
from PseudoCTDenoiseLib.engine.training.training_patches import Augmentation


def patches(seed=0, size=48):
    rng = np.random.default_rng(0)
    ndct = rng.integers(0, 100, (size, size)).astype(np.int16)
    noise = rng.normal(0, 20, (2, size, size)).astype(np.float32)
    return StepPatches([NoisySlice(ndct, noise)], 3, 16, TrainingDomain(), Augmentation(), seed)


class Threads(StepPatches):
    """Says, as the seed, how many threads the drawing one had."""

    def __getitem__(self, step):
        return Step(torch.zeros(1), torch.zeros(1), torch.get_num_threads())


def same(one, other):
    return all(
        torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_whoever_draws_the_steps_come_in_order_and_are_the_same(workers):
    drawn = list(draw_steps(patches(), range(3, 8), workers))
    assert len(drawn) == 5
    for number, step in zip(range(3, 8), drawn, strict=True):
        assert step.ldct.shape == step.ndct.shape == (3, 1, 16, 16)
        assert same(step, patches()[number])
        assert not same(step, patches(seed=1)[number])


@pytest.mark.parametrize("workers", [0, 2])
def test_drawing_may_be_left_at_any_step(workers):
    drawn = draw_steps(patches(), range(1000), workers)
    assert same(next(drawn), patches()[0])
    del drawn


@pytest.mark.parametrize("workers", [0, 1])
def test_slices_that_are_too_small_are_refused_in_one_line(workers):
    with pytest.raises(BadInputError, match="too small for patches of 16") as refusal:
        next(draw_steps(patches(size=16), range(2), workers))
    assert "\n" not in str(refusal.value)


def test_fewer_than_no_workers_are_refused():
    with pytest.raises(BadInputError, match="must not be negative"):
        draw_steps(patches(), range(2), -1)


@pytest.mark.parametrize("workers", [0, 1])
def test_they_are_drawn_on_one_core_and_the_rest_of_the_process_keeps_its_own(workers):
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
