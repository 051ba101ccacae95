"""Inference on slices, in one orientation and averaged."""

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.denoising.inference import ORIENTATIONS, apply_network
from PseudoCTDenoiseLib.denoising.settings import ORIENTATION_COUNTS
from PseudoCTDenoiseLib.models.networks import UNet
from torch import nn


class Lopsided(nn.Module):
    """Adds the row number and twice the column number, which no symmetry preserves."""

    def forward(self, x):
        rows, columns = x.shape[-2:]
        there = torch.arange(rows)[:, None] + 2 * torch.arange(columns)[None]
        return x + there.to(x)


def test_every_number_of_orientations_of_the_settings_is_known():
    assert tuple(ORIENTATIONS) == ORIENTATION_COUNTS
    assert [len(turned) for turned in ORIENTATIONS.values()] == list(ORIENTATION_COUNTS)


def test_every_slice_is_a_separate_forward_pass(device):
    torch.manual_seed(0)
    network = UNet([4, 8]).to(device).eval()
    slices = torch.rand(3, 20, 26, device=device)
    together = apply_network(network, slices)
    assert together.shape == slices.shape
    for index in range(3):
        with torch.no_grad():
            alone = network(slices[index][None, None])[0, 0]
        assert torch.equal(together[index], alone)


def test_eight_orientations_are_the_mean_over_the_squares_symmetries(device):
    image = np.random.default_rng(0).random((6, 10)).astype(np.float32)
    total = np.zeros((6, 10))
    for turns in range(4):
        for flip in (lambda a: a, np.flipud):
            view = flip(np.rot90(image, turns))
            there = np.add.outer(np.arange(view.shape[0]), 2 * np.arange(view.shape[1]))
            total += np.rot90(flip(view + there), -turns)
    result = apply_network(Lopsided(), torch.from_numpy(image)[None].to(device), orientations=8)
    result = result[0].cpu().numpy()
    assert np.allclose(result, total / 8, atol=1e-5)
    # Opposite symmetries cancel what is not symmetric.
    assert (result - image).std() < 1e-5


def test_three_orientations_are_the_image_mirrored_in_a_diagonal_and_upside_down(device):
    image = np.random.default_rng(0).random((6, 10)).astype(np.float32)

    def output(view):
        return view + np.add.outer(np.arange(view.shape[0]), 2 * np.arange(view.shape[1]))

    def half_turn(view):
        return np.rot90(view, 2)

    upside_down = half_turn(image)
    mirrored = half_turn(output(upside_down.T)).T
    total = output(image) + mirrored + half_turn(output(upside_down))
    result = apply_network(Lopsided(), torch.from_numpy(image)[None].to(device), orientations=3)
    assert np.allclose(result[0].cpu().numpy(), total / 3, atol=1e-5)


@pytest.mark.parametrize("orientations", [1, 8])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_the_result_is_float32_and_may_be_trained_on(device, orientations, precision):
    network = UNet([4, 8]).to(device)
    slices = torch.rand(2, 8, 8, device=device)
    result = apply_network(network, slices, orientations=orientations, precision=precision)
    assert result.dtype == torch.float32 and not result.requires_grad
    network(result[:, None]).sum().backward()
    assert network.head.weight.grad is not None


def test_the_layers_compute_in_the_given_precision(device):
    seen = []
    network = nn.Conv2d(1, 1, 1).to(device)
    network.register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    for precision in (torch.float32, torch.bfloat16):
        apply_network(network, torch.rand(1, 4, 4, device=device), precision=precision)
    assert seen == [torch.float32, torch.bfloat16]
