"""Position and augmentation of training patches."""

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.denoising.patches import Augmentation, augment, patch_corner
from PseudoCTDenoiseLib.errors import BadInputError

STILL = Augmentation(flips=False, rotations=False)
SQUARE = torch.arange(25.0).reshape(5, 5)


def corners(image, size, count=400, **options):
    rng = np.random.default_rng(0)
    return np.array([patch_corner(image, size, rng, **options) for _ in range(count)])


def test_a_patch_lies_within_the_slice_and_anywhere_in_it():
    found = corners(np.full((20, 26), 50), 16, tissue=-500)
    assert found.min(axis=0).tolist() == [0, 0] and found.max(axis=0).tolist() == [4, 10]


def test_a_patch_as_large_as_the_slice_is_the_slice():
    assert corners(np.zeros((16, 16)), 16, count=3, tissue=-500).tolist() == [[0, 0]] * 3


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_a_patch_shows_the_body_rather_than_air(kind):
    hu = np.full((128, 128), -1000, np.int16)
    hu[36:92, 36:92] = 50
    found = corners(kind(hu), 32, tissue=-500)
    shown = np.array([(hu[r : r + 32, c : c + 32] > 0).mean() for r, c in found])
    by_chance = np.array(
        [(hu[r : r + 32, c : c + 32] > 0).mean() for r in range(97) for c in range(97)]
    )
    chance = (by_chance > 0.25).mean()
    assert chance < 0.5
    # Three of ten patches come from anywhere, the others show the body.
    expected = 0.2 * chance + 0.8
    assert (shown > 0.25).mean() == pytest.approx(expected, abs=0.06)


def test_a_slice_of_air_still_gives_a_patch():
    assert corners(np.full((40, 40), -1000), 32, tissue=-500).shape == (400, 2)


def test_the_body_is_found_in_normalised_slices_too():
    image = torch.zeros(128, 128)
    image[:, 64:] = (50 + 1024) / 4096
    by_chance = 64 / 97
    expected = 0.2 * by_chance + 0.8
    assert (corners(image, 32)[:, 1] > 32).mean() == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("shape", [(15, 64), (64, 15)])
def test_a_slice_smaller_than_a_patch_is_refused(shape):
    with pytest.raises(BadInputError, match=f"{shape[0]}×{shape[1]}.* 16"):
        patch_corner(np.zeros(shape), 16, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("augmentation", "views"),
    [(STILL, 1), (Augmentation(rotations=False), 4), (Augmentation(flips=False), 4)]
    + [(Augmentation(), 8)],
    ids=["none", "flips", "quarter turns", "both"],
)
def test_every_orientation_occurs_and_both_images_turn_together(augmentation, views):
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(200):
        first, second = augment(torch.stack([SQUARE, SQUARE + 100]), rng, augmentation)
        assert torch.equal(second, first + 100)
        assert torch.equal(first.flatten().sort().values, SQUARE.flatten())
        seen.add(tuple(first.flatten().tolist()))
    assert len(seen) == views
    assert tuple(SQUARE.flatten().tolist()) in seen


@pytest.mark.parametrize("factor", [0.5, 0.77, 1.0, 1.3, 2.0])
def test_a_zoom_acts_on_both_images_together_and_keeps_the_size(factor):
    rng = np.random.default_rng(0)
    pair = torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(0))
    pair[1] = 3 * pair[0]
    zoomed = augment(pair, rng, Augmentation(False, False, (factor, factor)))
    assert zoomed.shape == pair.shape
    assert torch.allclose(zoomed[1], 3 * zoomed[0])
    assert torch.equal(zoomed, pair) == (factor == 1.0)


@pytest.mark.parametrize(("factor", "slope"), [(0.5, 2.0), (2.0, 0.5)])
def test_a_zoom_of_two_halves_every_slope(factor, slope):
    ramp = torch.arange(16.0).repeat(1, 16, 1)
    zoomed = augment(ramp, np.random.default_rng(0), Augmentation(False, False, (factor, factor)))
    steps = zoomed[0].diff(dim=1)[:, 1:6]
    assert torch.allclose(steps, torch.full_like(steps, slope))


def test_the_zoom_is_drawn_from_its_whole_range_evenly_in_its_logarithm():
    rng = np.random.default_rng(0)
    ramp = torch.arange(64.0).repeat(1, 64, 1)
    slopes = []
    for _ in range(300):
        zoomed = augment(ramp, rng, Augmentation(False, False, (0.5, 2.0)))
        slopes.append(zoomed[0, 8, 1:24].diff().median().item())
    slopes = np.array(slopes)
    assert slopes.min() < 0.55 and slopes.max() > 1.8
    assert abs((slopes < 1).mean() - 0.5) < 0.1


def test_equal_generators_give_equal_patches():
    pair = torch.rand(2, 16, 16)
    turned = [
        augment(pair, np.random.default_rng(5), Augmentation(rescale=(0.5, 2.0))) for _ in range(2)
    ]
    assert torch.equal(*turned)
