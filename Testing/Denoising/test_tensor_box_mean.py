"""Means over boxes of tensors are those of plain loops, also at the border."""

import pytest
import torch
from PseudoCTDenoiseLib.ct.box_mean import box_mean
from PseudoCTDenoiseLib.denoising.tensor_box_mean import double_box_mean, tensor_box_mean


@pytest.mark.parametrize("side", [1, 3, 7, 31])
@pytest.mark.parametrize("size", [(1, 1), (5, 40), (17, 23)])
def test_the_mean_is_over_the_part_of_the_box_in_the_image(side, size):
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    half = side // 2
    means = tensor_box_mean(images, side)
    for row in range(size[0]):
        for column in range(size[1]):
            rows = slice(max(0, row - half), row + half + 1)
            columns = slice(max(0, column - half), column + half + 1)
            wanted = images[..., rows, columns].mean(dim=(-2, -1))
            torch.testing.assert_close(means[..., row, column], wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(means[1, 2], torch.from_numpy(box_mean(images[1, 2], side)))


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 40), (1, 9, 4), (3, 100, 37)])
def test_a_uniform_image_is_its_own_double_mean(shape):
    mean = double_box_mean(torch.full(shape, 7.0))
    assert mean.shape == shape and torch.allclose(mean, torch.tensor(7.0))


def test_the_double_mean_reaches_fourteen_pixels_along_rows_and_columns():
    image = torch.zeros(1, 64, 80)
    image[0, 32, 40] = 1
    reached = torch.zeros(64, 80, dtype=torch.bool)
    reached[18:47, 26:55] = True
    assert torch.equal(double_box_mean(image)[0] > 1e-8, reached)
    assert double_box_mean(image).sum() == pytest.approx(1, abs=1e-5)
