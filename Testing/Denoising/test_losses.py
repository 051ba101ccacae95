"""Losses are in HU and HU²."""

import pytest
import torch
from PseudoCTDenoiseLib.ct.hounsfield import normalise
from PseudoCTDenoiseLib.denoising.losses import image_loss
from PseudoCTDenoiseLib.denoising.settings import LOSSES


def test_losses_are_in_hu():
    output, wanted = normalise(torch.tensor([40.0, -10.0])), normalise(torch.tensor([30.0, 10.0]))
    assert image_loss("l1", output, wanted).item() == pytest.approx(15, rel=1e-4)
    assert image_loss("mse", output, wanted).item() == pytest.approx(250, rel=1e-4)


@pytest.mark.parametrize("kind", LOSSES)
def test_the_loss_of_equal_images_is_zero(kind):
    assert image_loss(kind, torch.ones(2), torch.ones(2)) == 0
