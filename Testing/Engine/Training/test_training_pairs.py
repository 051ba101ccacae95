"""What the training pairs promise: LDCT is NDCT plus the noise, in every patch."""

import math

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.engine.errors import BadInputError
from PseudoCTDenoiseLib.engine.training import training_pairs
from PseudoCTDenoiseLib.engine.training.ct_dataset import CtScan
from PseudoCTDenoiseLib.engine.training.training_pairs import (
    NoiseRange,
    NoisySlice,
    dose_factor,
    draw_patches,
    paired_slices,
    simulated_slices,
)
from PseudoCTDenoiseLib.engine.training.training_patches import Augmentation

STILL = Augmentation(flips=False, rotations=False)


def exactly(dose=0.25, sharpness=0.0):
    return NoiseRange((dose, dose), (sharpness, sharpness))


def numbered(rows=24, columns=24):
    """A slice whose every pixel has its own HU, with noise of that number times 2 and times −1."""
    number = np.arange(rows * columns, dtype=np.int16).reshape(rows, columns)
    noise = np.stack([2 * number, -number]).astype(np.float16)
    return NoisySlice(number, noise)


def hu(patches):
    return patches * 4096 - 1024


def noise_of(slices, noise_range, augmentation=STILL, count=6, size=16):
    """NDCT and the noise on it, (count, size, size) in HU."""
    rng = np.random.default_rng(0)
    ldct, ndct = draw_patches(slices, count, size, rng, noise_range, augmentation)
    assert ldct.shape == ndct.shape == (count, 1, size, size)
    assert ldct.dtype == ndct.dtype == torch.float32
    return hu(ndct)[:, 0], 4096 * (ldct - ndct)[:, 0]


def test_the_noise_of_a_quarter_dose_is_the_one_that_was_drawn():
    ndct, noise = noise_of([numbered()], exactly(0.25))
    assert torch.equal(noise, 2 * ndct)


@pytest.mark.parametrize(("dose", "factor"), [(0.1, 3 / math.sqrt(3)), (0.5, 1 / math.sqrt(3))])
def test_the_noise_follows_the_dose(dose, factor):
    assert dose_factor(dose) == pytest.approx(factor)
    ndct, noise = noise_of([numbered()], exactly(dose))
    assert torch.allclose(noise, 2 * ndct * factor, atol=1e-3)


def test_full_dose_adds_nothing():
    assert dose_factor(1.0) == 0 and dose_factor(0.25) == 1
    _, noise = noise_of([numbered()], exactly(1.0))
    assert torch.equal(noise, torch.zeros_like(noise))


@pytest.mark.parametrize(("sharpness", "slope"), [(0, 2), (1, -1), (0.5, 0.5), (2, -4), (-1, 5)])
def test_sharpness_mixes_the_two_kernels(sharpness, slope):
    ndct, noise = noise_of([numbered()], exactly(0.25, sharpness))
    # −1024 HU, the scan's own floor, cuts off what lies below.
    assert torch.allclose(noise, (slope * ndct).clamp(min=-1024 - ndct), atol=1e-3)


def test_dose_and_kernel_are_drawn_for_every_patch_within_their_range():
    flat = NoisySlice(np.full((16, 16), 50, np.int16), np.stack([np.ones((16, 16))] * 2) * 8)
    _, noise = noise_of([flat], NoiseRange((0.1, 0.4), (0.0, 1.0)), count=300)
    factors = noise[:, 0, 0] / 8
    assert torch.allclose(noise, 8 * factors[:, None, None], atol=1e-3)
    assert dose_factor(0.4) <= factors.min() < 1.1 * dose_factor(0.4)
    assert 0.9 * dose_factor(0.1) < factors.max() <= dose_factor(0.1)
    # Evenly in the logarithm: half of the patches lie below the geometric mean, 0.2.
    assert abs((factors > dose_factor(0.2)).float().mean() - 0.5) < 0.1

    kernels = NoisySlice(flat.ndct, np.stack([np.zeros((16, 16)), np.full((16, 16), 8)]))
    _, noise = noise_of([kernels], NoiseRange((0.25, 0.25), (0.2, 0.6)), count=300)
    sharpness = noise[:, 0, 0] / 8
    assert sharpness.min() == pytest.approx(0.2, abs=0.02)
    assert sharpness.max() == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(rescale=(0.5, 2.0))])
def test_both_images_are_turned_and_zoomed_together(augmentation):
    ndct, noise = noise_of([numbered()], exactly(), augmentation, count=40)
    assert torch.allclose(noise, 2 * ndct, atol=5e-3)
    down = ndct.diff(dim=1).mean(dim=(1, 2))
    right = ndct.diff(dim=2).mean(dim=(1, 2))
    orientations = {(a.item() > 0, b.item() > 0) for a, b in zip(down, right, strict=True)}
    assert len(orientations) == 4


def test_every_slice_is_drawn_from():
    flat = [NoisySlice(np.full((16, 16), v, np.int16), np.zeros((2, 16, 16))) for v in (1, 2, 3)]
    ndct, _ = noise_of(flat, None, count=60)
    assert {round(value) for value in ndct[:, 0, 0].tolist()} == {1, 2, 3}


def test_padding_is_lifted_to_the_scans_floor():
    padded = NoisySlice(np.full((16, 16), -3024, np.int16), np.full((1, 16, 16), -50.0))
    ndct, noise = noise_of([padded], None)
    assert (ndct == -1024).all() and (noise == 0).all()


def test_equal_generators_draw_alike():
    first, again = (
        draw_patches([numbered()], 4, 16, np.random.default_rng(7), NoiseRange(), Augmentation())
        for _ in range(2)
    )
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])


def test_too_small_slices_are_refused():
    with pytest.raises(BadInputError, match="24×24 are smaller than a patch of 25"):
        draw_patches([numbered()], 1, 25, np.random.default_rng(0))


def test_a_real_pair_keeps_its_own_noise():
    rng = np.random.default_rng(0)
    ndct = rng.integers(0, 100, (3, 16, 16)).astype(np.int16)
    ldct = (ndct + rng.integers(-900, 900, ndct.shape)).astype(np.int16)
    slices = paired_slices(ldct, ndct)
    assert len(slices) == 3 and slices[0].noise.shape == (1, 16, 16)
    patches = draw_patches(slices[1:2], 2, 16, rng, None, STILL)
    assert np.array_equal(hu(patches[0])[1, 0], ldct[1])
    assert np.array_equal(hu(patches[1])[1, 0], ndct[1])


def test_the_noise_of_a_real_pair_does_not_wrap_around():
    low, normal = (np.full((1, 2, 2), value, np.int16) for value in (-32000, 32000))
    assert (paired_slices(low, normal)[0].noise == -64000).all()


def test_a_pair_on_two_grids_is_refused():
    with pytest.raises(BadInputError, match="same grid"):
        paired_slices(np.zeros((2, 8, 8), np.int16), np.zeros((3, 8, 8), np.int16))


@pytest.fixture
def draws(monkeypatch):
    """Stands in for the simulator and keeps the names of the patients that it drew for."""
    drawn = []

    def draw(scan, device, seed):
        drawn.append(scan.patient)
        shape = (2, *scan.hu.shape)
        return np.random.default_rng([seed, len(scan.hu)]).normal(0, 20, shape).astype(np.float16)

    monkeypatch.setattr(training_pairs, "_draw_noise", draw)
    return drawn


def scan(patient="A", slices=2, value=40, pixel_mm=0.7):
    return CtScan(patient, np.full((slices, 8, 8), value, np.int16), pixel_mm)


def test_noise_is_drawn_once_and_read_ever_after(tmp_path, draws):
    scans = [scan("A"), scan("B", slices=3)]
    reports = []
    first = simulated_slices(scans, tmp_path / "new", progress=lambda *done: reports.append(done))
    again = simulated_slices(scans, tmp_path / "new")
    assert draws == ["A", "B"] and reports == [(1, 2), (2, 2)]
    assert len(first) == len(again) == 5
    for one, other in zip(first, again, strict=True):
        assert one.noise.shape == (2, 8, 8) and np.array_equal(one.noise, other.noise)
    assert not np.array_equal(first[0].noise, first[1].noise)


def test_a_draw_is_never_taken_for_another(tmp_path, draws):
    simulated_slices([scan()], tmp_path)
    for other in (scan(value=41), scan(slices=3), scan(pixel_mm=0.8)):
        before = len(draws)
        simulated_slices([other], tmp_path)
        assert len(draws) == before + 1
    simulated_slices([scan()], tmp_path, seed=1)
    assert len(draws) == 5
    # The patient's name is no part of the image.
    simulated_slices([scan("another name")], tmp_path)
    assert len(draws) == 5


def test_a_kill_while_noise_is_written_leaves_no_draw(tmp_path, draws, monkeypatch):
    def killed(stream, *_, **__):
        stream.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(np, "save", killed)
        simulated_slices([scan()], tmp_path)
    assert simulated_slices([scan()], tmp_path)[0].noise.shape == (2, 8, 8)
    assert draws == ["A", "A"]
