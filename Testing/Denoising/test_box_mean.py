"""Means over boxes of tensors are those of plain loops, also at the border."""

import pytest
import torch
from PseudoCTDenoiseLib.ct.box_mean import box_mean as box_mean_of_array
from PseudoCTDenoiseLib.denoising.box_mean import box_mean


@pytest.mark.parametrize("side", [1, 3, 7, 31])
@pytest.mark.parametrize("size", [(1, 1), (5, 40), (17, 23)])
def test_the_mean_is_over_the_part_of_the_box_in_the_image(side, size):
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    half = side // 2
    means = box_mean(images, side)
    for row in range(size[0]):
        for column in range(size[1]):
            rows = slice(max(0, row - half), row + half + 1)
            columns = slice(max(0, column - half), column + half + 1)
            wanted = images[..., rows, columns].mean(dim=(-2, -1))
            torch.testing.assert_close(means[..., row, column], wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(means[1, 2], torch.from_numpy(box_mean_of_array(images[1, 2], side)))
