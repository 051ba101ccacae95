"""Operations, bytes and calls of a forward pass match the formulas."""

import pytest
from pseudoct_research.performance.operation_counts import count_operations
from PseudoCTDenoiseLib.models.networks import RedCnn
from PseudoCTDenoiseLib.models.store import load_denoiser
from torch import nn


def test_the_count_of_a_convolution_matches_the_formula():
    network = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 1, 1))
    found = count_operations(network, 20, 10)
    assert found.operations == 2 * 200 * (9 * 3 + 3)
    images = 200 * (1 + 3 + 3 + 3 + 3 + 1)
    weights = (9 * 3 + 3) + (3 + 1)
    assert found.bytes == 4 * (images + weights)
    assert found.calls == 3


@pytest.mark.parametrize("orientations", [3, 8])
def test_the_counts_are_proportional_to_the_orientations(orientations):
    one = count_operations(RedCnn(2), 48, 48)
    many = count_operations(RedCnn(2), 48, 48, orientations)
    assert many.operations == orientations * one.operations
    assert many.calls == orientations * one.calls


def test_the_counts_are_proportional_to_the_slice_area():
    network = load_denoiser("fast")[0]
    small, large = count_operations(network, 128, 128), count_operations(network, 256, 256)
    assert large.operations == 4 * small.operations and large.calls == small.calls
