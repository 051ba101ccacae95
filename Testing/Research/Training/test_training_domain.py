"""Training domain: draws within their ranges, and the noise fraction of the target."""

import numpy as np
import pytest
from pseudoct_research.training.training_domain import TrainingDomain, exactly
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import (
    SHARP,
    SOFT,
    kernel_at_sharpness,
)


def test_sharpness_0_and_1_are_the_simulators_kernels():
    for sharpness, kernel in ((0.0, SOFT), (1.0, SHARP)):
        drawn = kernel_at_sharpness(sharpness)
        assert drawn.f0_per_cm == pytest.approx(kernel.f0_per_cm)
        assert drawn.order == pytest.approx(kernel.order)
    assert SOFT.f0_per_cm < kernel_at_sharpness(0.5).f0_per_cm < SHARP.f0_per_cm


def test_draws_cover_their_range():
    domain, rng = TrainingDomain(), np.random.default_rng(0)
    doses = [domain.draw_dose(rng) for _ in range(500)]
    assert 0.05 <= min(doses) < 0.06 and 0.6 < max(doses) <= 0.7
    cutoffs = [domain.draw_kernel(rng).f0_per_cm for _ in range(500)]
    softest, sharpest = (kernel_at_sharpness(sharpness).f0_per_cm for sharpness in domain.sharpness)
    assert softest <= min(cutoffs) < 1.05 * softest and 0.95 * sharpest < max(cutoffs) <= sharpest


def test_one_dose_and_one_kernel():
    domain, rng = exactly(0.1, 0.4), np.random.default_rng(0)
    assert domain.draw_dose(rng) == pytest.approx(0.1)
    assert domain.draw_kernel(rng) == kernel_at_sharpness(0.4)
    assert domain.thickness == (1, 1) and domain.zoom == (1, 1) and domain.noise_left is None


@pytest.mark.parametrize(
    "wrong",
    [{"doses": (0.0, 0.5)}, {"doses": (0.5, 0.1)}, {"doses": (0.5, 1.0)}, {"zoom": (0.0, 1.0)},
     {"zoom": (2.0, 1.0)}, {"thickness": (0, 2)}, {"noise_left": 1.0}, {"noise_left": -0.1}],
)  # fmt: skip
def test_invalid_ranges_are_refused(wrong):
    with pytest.raises(BadInputError):
        TrainingDomain(**wrong)


@pytest.mark.parametrize("name", ["inserts", "clean"])
@pytest.mark.parametrize("share", [0, -0.1, 1.5])
def test_shares_outside_0_to_1_are_refused(name, share):
    with pytest.raises(BadInputError, match=f"{name} must be None or above 0"):
        TrainingDomain(**{name: share})
