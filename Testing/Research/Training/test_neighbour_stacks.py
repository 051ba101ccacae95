"""Stacks of a slice and its neighbours: order, distance, ends of the scan, and inserts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pseudoct_research.training.neighbour_stacks import (
    APART,
    LARGEST_MOTION_PX,
    THINNER_BY,
    moved,
)
from pseudoct_research.training.training_domain import TrainingDomain
from pseudoct_research.training.training_pairs import NoisySlice, dose_factor, draw_patches
from PseudoCTDenoiseLib.denoising.neighbours import OFFSETS, REACH, STACK
from PseudoCTDenoiseLib.denoising.patches import Augmentation

STEP_HU = 100
"""HU from each slice of :func:`stack` to the next."""
CLEAN_HU = 10
"""HU from each slice of :func:`stack` to its clean slice."""


def stack(slices, noise_hu=10.0, size=48, ndct=None):
    """Return the first slice of a scan of flat slices with random noise, linked to the rest.

    The clean slices are brighter by :data:`CLEAN_HU`.
    """
    rng = np.random.default_rng(0)
    below = None
    for index in reversed(range(slices)):
        flat = np.full((size, size), STEP_HU * index, np.int16)
        noise = rng.normal(0, noise_hu, (2, size, size)).astype(np.float32)
        hu = flat if ndct is None else ndct
        below = NoisySlice(hu, noise, below=below, clean=hu + CLEAN_HU)
    return below


def chain(first):
    """Return a slice and all below it."""
    while first is not None:
        yield first
        first = first.below


def domain(thickness=1, neighbours=1.0, dose=0.25, noise_left=None, inserts=None):
    return TrainingDomain(
        (dose, dose),
        (0, 0),
        (1, 1),
        (thickness, thickness),
        (1, 1),
        noise_left,
        inserts=inserts,
        neighbours=neighbours,
    )


def drawn(slices, ranges, count=40, size=16):
    """Return LDCT and target in HU, (count, STACK, size, size) and (count, 1, size, size)."""
    still = Augmentation(flips=False, rotations=False)
    rng = np.random.default_rng(0)
    ldct, target = draw_patches(slices, count, size, rng, ranges, still)
    assert ldct.shape == (count, STACK, size, size) and target.shape == (count, 1, size, size)
    return 4096 * ldct - 1024, 4096 * target - 1024


def positions(images):
    """Return the position in the scan of each image, as rows of numbers."""
    return [tuple(row) for row in (images.mean((2, 3)) / STEP_HU).round().int().tolist()]


def is_copy(ldct):
    """Return which images equal the first of their stack, (count, STACK)."""
    return (ldct == ldct[:, :1]).flatten(2).all(dim=2)


def test_the_slice_comes_first_then_its_neighbours_in_the_order_of_the_offsets():
    ldct, target = drawn([stack(12)], domain())
    assert OFFSETS == (-1, 1, -2, 2)
    assert set(positions(target)) == {(2,)}
    # The scan may be read from either end.
    assert set(positions(ldct)) == {(2, 1, 3, 0, 4), (2, 3, 1, 4, 0)}


def test_slices_are_at_most_their_thickness_apart():
    ldct, target = drawn([stack(20)], domain(thickness=3))
    distances = set()
    for images, (middle,) in zip(positions(ldct), positions(target), strict=True):
        distance = abs(images[1] - images[0])
        distances.add(distance)
        assert middle == images[0] == 2 * distance + 1  # the mean of three from there on
        assert sorted(images) == [1 + place * distance for place in range(STACK)]
    assert distances == {1, 2, 3}


def test_the_noise_of_neighbours_correlates_as_far_as_they_overlap():
    ldct, target = drawn([stack(20, 20.0, size=80)], domain(thickness=3), count=24, size=48)
    distances = set()
    for images, (middle,) in zip(ldct, positions(target), strict=True):
        distance = (middle - 1) // 2
        distances.add(distance)
        correlation = np.corrcoef(images.flatten(1).numpy())
        for place, offset in enumerate(OFFSETS, start=1):
            shared = max(0, 3 - abs(offset) * distance) / 3
            assert correlation[0, place] == pytest.approx(shared, abs=0.1)
    assert distances == {1, 2, 3}  # slices three apart only touch


def test_interpolated_slices_are_clean_lie_closer_and_keep_the_added_noise():
    ranges = replace(domain(noise_left=0.3), thinner=1.0)
    ldct, target = drawn([stack(9, 10.0, size=80)], ranges, count=48, size=48)
    levels = (ldct.mean((2, 3)) - CLEAN_HU) / STEP_HU
    factors = set()
    for level, middle in zip(levels, (target.mean((1, 2, 3)) - CLEAN_HU) / STEP_HU, strict=True):
        distance = abs(float(level[1] - level[0]))
        factors.add(round(1 / distance))
        order = sorted(level.tolist())
        assert np.allclose(np.diff(order), distance, atol=0.05)
        assert level[0] == pytest.approx(order[REACH], abs=0.05)
        assert float(middle) == pytest.approx(float(level[0]), abs=0.05)
    assert factors == set(range(THINNER_BY[0], THINNER_BY[1] + 1))
    assert ldct.std((2, 3)).mean() == pytest.approx(10, rel=0.05)
    assert target.std((2, 3)).mean() == pytest.approx(3, rel=0.05)
    correlations = [np.corrcoef(images.flatten(1).numpy()) for images in ldct]
    assert np.abs(np.mean(correlations, axis=0) - np.eye(STACK)).max() < 0.05


def test_a_scan_too_short_to_interpolate_gives_its_own_slices():
    ldct, _ = drawn([stack(4)], replace(domain(), thinner=1.0), count=8)
    assert set(positions(ldct)) <= {tuple(row) for row in positions(drawn([stack(4)], domain())[0])}


def test_a_share_of_the_neighbours_is_far_away():
    ldct, _ = drawn([stack(60)], replace(domain(), apart=0.5), count=160)
    distances = [abs(images[1] - images[0]) for images in positions(ldct)]
    assert 0.3 < distances.count(1) / len(distances) < 0.7
    assert set(distances) == {1, *range(APART[0], APART[1] + 1)}


def test_anatomy_moves_smoothly_and_farther_in_farther_images():
    ramp = torch.arange(64.0).expand(STACK, 64, 64)
    inner = np.s_[16:48, 16:48]
    motions = []
    for seed in range(20):
        images = moved(ramp, np.random.default_rng(seed))
        assert torch.equal(images[0], ramp[0])
        by_offset = dict(zip(OFFSETS, (images[1:] - ramp[1:])[(slice(None), *inner)], strict=True))
        assert torch.allclose(by_offset[1], -by_offset[-1], atol=0.15)
        assert torch.allclose(by_offset[2], 2 * by_offset[1], atol=0.15)
        motions.append(float(by_offset[1].std()))
    assert min(motions) < 0.1 and 0.3 < max(motions) < 2 * LARGEST_MOTION_PX
    flat = torch.ones(STACK, 64, 64)
    assert torch.allclose(moved(flat, np.random.default_rng(0)), flat, atol=1e-5)


def test_at_the_ends_of_a_scan_copies_of_the_slice_stand_for_missing_neighbours():
    ldct, target = drawn([stack(3)], domain())
    copies = is_copy(ldct)
    seen = set()
    for images, (middle,), copied in zip(
        positions(ldct), positions(target), copies.tolist(), strict=True
    ):
        upwards = images[1] + images[3] < images[2] + images[4]
        wanted = [middle + (offset if upwards else -offset) for offset in (0, *OFFSETS)]
        missing = [place not in range(3) for place in wanted]
        assert copied[1:] == missing[1:]
        assert list(images) == [
            middle if gone else place for place, gone in zip(wanted, missing, strict=True)
        ]
        seen.add(middle)
    assert seen == {0, 1, 2}


def test_the_only_slice_of_a_scan_is_a_stack_of_copies():
    ldct, _ = drawn([stack(1)], domain(thickness=2), count=4)
    assert is_copy(ldct).all() and ldct.std(dim=(2, 3)).min() > 5


def test_a_share_of_the_slices_is_drawn_alone():
    for share, least, most in ((1.0, 0, 0), (0.3, 0.6, 0.8)):
        ldct, target = drawn([stack(9)], domain(neighbours=share), count=200)
        alone = is_copy(ldct).all(dim=1)
        assert least <= alone.float().mean() <= most
        # A lone slice is the drawn one, a slice with neighbours the middle of its stack.
        assert (target[alone] == 0).all()
        assert torch.allclose(target[~alone], torch.tensor(2.0 * STEP_HU), atol=1e-2)


def test_the_target_has_its_share_of_the_noise_of_the_slice_alone():
    ldct, target = drawn([stack(9)], domain(dose=0.1, noise_left=0.25), count=8)
    added = (ldct[:, :1] - 2 * STEP_HU) / dose_factor(0.1)
    assert added.std() == pytest.approx(10, rel=0.1)
    share = (0.25 - 0.1) / 0.9
    wanted = 2 * STEP_HU + share * dose_factor(0.1) * added
    assert torch.allclose(target, wanted, atol=1e-2)


def test_dose_kernel_and_zoom_of_the_images_of_a_stack_are_equal():
    rng = np.random.default_rng(0)
    ndct = rng.integers(0, 100, (96, 96)).astype(np.int16)
    noise = rng.normal(0, 20, (2, 96, 96)).astype(np.float32)
    below = None
    for _ in range(20):  # slices that are equal differ only by their processing
        below = NoisySlice(ndct, noise, below=below)
    ldct, _ = drawn([below], TrainingDomain(neighbours=1.0), count=12)
    assert torch.allclose(ldct, ldct[:, :1].expand_as(ldct), atol=0.01)
    assert len({round(value, 1) for value in ldct[:, 0].std((1, 2)).tolist()}) > 6


def test_a_clean_stack_has_the_denoised_neighbours():
    clean = None
    for noisy in reversed(list(chain(stack(9)))):
        clean = NoisySlice(noisy.ndct, noisy.noise, below=clean, clean=noisy.ndct + np.int16(7))
    ldct, target = drawn([clean], replace(domain(), clean=1.0), count=8)
    levels = torch.tensor(positions(ldct)) * STEP_HU + 7.0
    assert torch.allclose(ldct, levels[..., None, None], atol=1e-2)
    assert torch.equal(ldct[:, :1], target)


def insert_shares():
    """Return how much of its inserts each image of a stack has, (stacks, STACK)."""
    first = stack(5, ndct=np.full((48, 48), 50, np.int16))
    for index, noisy in enumerate(chain(first)):
        noisy.noise[:] = 0.01 * (1 + index)  # no two slices are equal
    ldct, target = drawn([first], domain(inserts=1.0), count=400)
    rows = []
    for images, normal in zip(ldct - 50, target - 50, strict=True):
        strength, place = images.abs().amax(dim=0).flatten().max(dim=0)
        if strength > 20:  # else the inserts lie beside the patch or are faint
            shown = images.flatten(1)[:, place]
            assert normal.flatten()[place] == pytest.approx(shown[0].item(), abs=0.1)
            rows.append(shown / shown[shown.abs().argmax()])
    assert len(rows) > 100
    return torch.stack(rows)


def test_inserts_continue_through_the_stack_or_lie_in_a_part_of_it():
    shares = insert_shares()
    continued = torch.isclose(shares, torch.tensor(1.0), atol=0.02).all(dim=1)
    assert 0.25 < continued.float().mean() < 0.45
    part = shares[~continued]
    assert part.min() > -0.02 and part.max() < 1.02
    own = part[:, 0]
    assert ((own > 0.98) & (part[:, 1:] < 0.5).all(dim=1)).any()  # hardly in any neighbour
    only_neighbours = own.abs() < 0.02
    assert 0.1 < only_neighbours.float().mean() < 0.4
    assert 0.4 < (own > 0.98).float().mean() < 0.8
    for near, far in ((1, 3), (2, 4)):  # below and above
        # An image between two that have the insert has it too.
        between = (own > 0.02) & (part[:, far] > 0.02)
        assert between.any()
        assert (part[between, near] > 0.98).all()


@pytest.mark.parametrize("slices", [1, 3])
def test_a_missing_neighbour_has_the_inserts_of_the_slice(slices):
    """Without them it would not count as missing, and its noise would look like anatomy."""
    plain, _ = drawn([stack(slices)], domain(), count=64)
    ldct, _ = drawn([stack(slices)], domain(inserts=1.0), count=64)
    assert (is_copy(ldct).sum(dim=1) == STACK - slices + 1).all()
    assert not torch.equal(plain, ldct)


def test_a_lone_slice_has_its_inserts_in_every_image():
    ldct, _ = drawn([stack(9)], replace(domain(neighbours=0.01), inserts=1.0), count=64)
    assert is_copy(ldct).all(dim=1).float().mean() > 0.9
