"""Masking: hidden pixels never appear in the input, and all others are unchanged."""

import pytest
import torch
from pseudoct_research.training.masking import mask_n2v


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def numbered(count, rows, columns):
    """Return images in which every pixel has a unique value."""
    return (
        torch.arange(rows * columns, dtype=torch.float32)
        .view(1, 1, rows, columns)
        .repeat(count, 1, 1, 1)
    )


@pytest.mark.parametrize("size", [(64, 64), (9, 13), (5, 4)], ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_the_input_does_not_depend_on_hidden_pixels(size, seed):
    images = torch.randn(2, 1, *size, generator=seeded(9))
    masked, hidden = mask_n2v(images, seeded(seed))
    # Other values at the hidden pixels do not change the input.
    other = torch.where(hidden, images + 1000, images)
    again, same = mask_n2v(other, seeded(seed))
    assert torch.equal(hidden, same) and hidden.any()
    assert torch.equal(masked, again)


def test_other_pixels_and_the_original_are_unchanged():
    images = torch.randn(3, 1, 40, 24, generator=seeded())
    before = images.clone()
    masked, hidden = mask_n2v(images, seeded())
    assert torch.equal(images, before)
    assert torch.equal(masked[~hidden], images[~hidden])
    assert (masked[hidden] != images[hidden]).all()


def test_n2v_hides_one_pixel_of_each_box_of_eight():
    _, hidden = mask_n2v(torch.randn(2, 1, 64, 64), seeded())
    boxes = hidden.float().unfold(2, 8, 8).unfold(3, 8, 8).sum(dim=(-2, -1))
    assert torch.equal(boxes, torch.ones(2, 1, 8, 8))


@pytest.mark.parametrize("size", [(64, 64), (17, 11), (5, 5)], ids=str)
def test_n2v_replaces_a_pixel_by_one_of_its_5x5_neighbourhood(size):
    images = numbered(4, *size)
    found = set()
    for seed in range(40):
        masked, hidden = mask_n2v(images, seeded(seed))
        for image, _, row, column in hidden.nonzero().tolist():
            value = int(masked[image, 0, row, column])
            found.add((value // size[1] - row, value % size[1] - column))
    wanted = {(r, c) for r in range(-2, 3) for c in range(-2, 3)} - {(0, 0)}
    assert found == wanted


def test_n2v_draws_the_24_neighbours_uniformly():
    images = numbered(200, 64, 64)
    masked, hidden = mask_n2v(images, seeded())
    # Near another hidden pixel there are fewer candidates.
    near = torch.nn.functional.avg_pool2d(hidden.float(), 5, 1, 2) * 25
    hidden &= near.round() == 1
    hidden[..., :2, :] = hidden[..., -2:, :] = False
    hidden[..., :2] = hidden[..., -2:] = False
    values, own = masked[hidden].long(), images[hidden].long()
    row, column = values // 64 - own // 64 + 2, values % 64 - own % 64 + 2
    shares = torch.bincount(row * 5 + column, minlength=25) / len(values)
    assert shares[12] == 0
    assert shares[torch.arange(25) != 12].sub(1 / 24).abs().max() < 0.01


def test_every_position_is_hidden_eventually():
    times = sum(mask_n2v(torch.zeros(8, 1, 16, 16), seeded(s))[1].float().sum(0) for s in range(60))
    assert times.min() > 0
