"""A kernel is an apodised ramp."""

from __future__ import annotations

import pytest
import torch
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import (
    KERNELS,
    SHARP,
    SOFT,
    kernel_at_sharpness,
    nearest_kernel,
)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_low_frequencies_pass_a_ramp_with_an_offset(kernel):
    frequency = torch.tensor([0.0, 0.5, 1.0])
    ramp = (frequency**2 + kernel.f1_per_cm**2).sqrt()
    assert kernel.response(frequency)[0] == pytest.approx(kernel.f1_per_cm)
    torch.testing.assert_close(kernel.response(frequency), ramp, rtol=0.05, atol=0)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_apodisation_at_the_cutoff_is_one_percent(kernel):
    cutoff = torch.tensor(kernel.cutoff_per_cm)
    assert kernel.response(cutoff) / cutoff == pytest.approx(0.01, rel=1e-3)


def test_the_sharp_kernel_passes_more_at_every_frequency():
    frequency = torch.linspace(0.1, 12, 60)
    assert (SHARP.response(frequency) > SOFT.response(frequency)).all()
    assert SHARP.cutoff_per_cm > SOFT.cutoff_per_cm


def test_sharpness_leads_from_the_soft_kernel_to_the_sharp_one_in_equal_ratios():
    soft, middle, sharp = (kernel_at_sharpness(sharpness) for sharpness in (0.0, 0.5, 1.0))
    for name in ("f0_per_cm", "order"):
        low, between, high = (getattr(kernel, name) for kernel in (soft, middle, sharp))
        assert (low, high) == pytest.approx((getattr(SOFT, name), getattr(SHARP, name)))
        assert between / low == pytest.approx(high / between)


@pytest.mark.parametrize(("sharpness", "nearest"), [(0.4, SOFT), (0.6, SHARP)])
def test_the_nearest_kernel_is_that_of_the_nearer_sharpness(sharpness, nearest):
    assert nearest_kernel(kernel_at_sharpness(sharpness)) is nearest
