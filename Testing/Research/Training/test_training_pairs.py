"""Training pairs: LDCT is NDCT plus noise in every patch."""

import math

import numpy as np
import pytest
import torch
from pseudoct_research.datasets.ct_dataset import CtScan
from pseudoct_research.training import training_pairs
from pseudoct_research.training.training_domain import TrainingDomain, exactly
from pseudoct_research.training.training_pairs import (
    NoisySlice,
    dose_factor,
    draw_patches,
    paired_slices,
    simulated_slices,
)
from PseudoCTDenoiseLib.denoising.patches import Augmentation
from PseudoCTDenoiseLib.errors import BadInputError

STILL = Augmentation(flips=False, rotations=False)


def textured(seed=0, size=48):
    """Return a slice of random HU with random noise of the soft and the sharp kernel."""
    rng = np.random.default_rng(seed)
    number = rng.integers(0, 100, (size, size)).astype(np.int16)
    noise = rng.normal(0, 20, (2, size, size)).astype(np.float32)
    return NoisySlice(number, noise)


def flat(value=50, noise=8.0, size=48, **more):
    values = np.full((2, size, size), noise)
    return NoisySlice(np.full((size, size), value, np.int16), values, **more)


def hu(patches):
    return patches * 4096 - 1024


def noise_of(slices, domain, augmentation=STILL, count=6, size=16):
    """Return the target and the noise on it, (count, size, size) in HU."""
    rng = np.random.default_rng(0)
    ldct, ndct = draw_patches(slices, count, size, rng, domain, augmentation)
    assert ldct.shape == ndct.shape == (count, 1, size, size)
    assert ldct.dtype == ndct.dtype == torch.float32
    return hu(ndct)[:, 0], 4096 * (ldct - ndct)[:, 0]


@pytest.mark.parametrize("drawn", [0, 1], ids=["soft", "sharp"])
def test_the_noise_at_a_quarter_dose_is_the_cached_noise(drawn):
    one = textured()
    ndct, noise = noise_of([one], exactly(0.25, float(drawn)), count=1)
    # A patch of 16 with its margins fills the slice of 48: there is one position to crop.
    assert torch.allclose(noise[0], torch.from_numpy(one.noise[drawn, 16:32, 16:32]), atol=1e-2)
    if drawn == 0:  # the scan is assumed to have the soft kernel
        assert torch.allclose(ndct[0], torch.from_numpy(one.ndct[16:32, 16:32]).float(), atol=1e-2)


@pytest.mark.parametrize(("dose", "factor"), [(0.1, 3 / math.sqrt(3)), (0.5, 1 / math.sqrt(3))])
def test_the_noise_follows_the_dose(dose, factor):
    assert dose_factor(dose) == pytest.approx(factor)
    _, noise = noise_of([flat()], exactly(dose, 0.0))
    assert torch.allclose(noise, torch.tensor(8 * factor), atol=1e-2)


def test_full_dose_adds_nothing():
    assert dose_factor(1.0) == 0 and dose_factor(0.25) == 1


def test_another_kernel_filters_anatomy_and_noise_equally():
    same = textured()
    same = NoisySlice(same.ndct, np.stack([same.ndct, same.ndct]).astype(np.float32))
    for sharpness in (-0.2, 0.3):  # both computed from the soft draw
        ndct, noise = noise_of([same], exactly(0.25, sharpness))
        assert torch.allclose(ndct, noise, atol=1e-2)
        assert ndct.std() > 1.1 * same.ndct.std() if sharpness > 0 else ndct.std() < same.ndct.std()


def test_every_patch_has_a_dose_within_the_range():
    domain = TrainingDomain(doses=(0.1, 0.4), noise_left=None)
    _, noise = noise_of([flat()], domain, count=300)
    factors = noise[:, 0, 0] / 8
    assert torch.allclose(noise, 8 * factors[:, None, None], atol=1e-2)
    assert dose_factor(0.4) - 1e-3 <= factors.min() < 1.1 * dose_factor(0.4)
    assert 0.9 * dose_factor(0.1) < factors.max() <= dose_factor(0.1) + 1e-3
    # Log-uniform: half of the patches are below the geometric mean, 0.2.
    assert abs((factors > dose_factor(0.2)).float().mean() - 0.5) < 0.1


def test_the_target_contains_c_times_the_added_noise():
    ndct, noise = noise_of([flat(50, 9.0)], exactly(0.1, 0.0, noise_left=0.25))
    share = (0.25 - 0.1) / 0.9
    added = 9 * dose_factor(0.1)
    assert torch.allclose(ndct, torch.tensor(50 + share * added), atol=1e-2)
    assert torch.allclose(noise, torch.tensor((1 - share) * added), atol=1e-2)
    # At 25 % dose the factor of the added noise is 0, so the NDCT is the target.
    scan, _ = noise_of([flat(50)], exactly(0.25, 0.0, noise_left=0.25))
    assert torch.allclose(scan, torch.tensor(50.0), atol=1e-2)


def test_neighbours_are_averaged_with_their_noise():
    domain = TrainingDomain((0.25, 0.25), (0, 0), (1, 1), (1, 3), (1, 1), None)
    stack = flat(10, 3.0, below=flat(40, 6.0, below=flat(100, 12.0)))
    ndct, noise = noise_of([stack], domain, count=40)
    seen = {
        (round(a), round(b, 1))
        for a, b in zip(ndct[:, 0, 0].tolist(), noise[:, 0, 0].tolist(), strict=True)
    }
    assert seen == {(10, 3.0), (25, 4.5), (50, 7.0)}
    assert (noise_of([flat(10)], domain)[0] == noise_of([flat(10)], exactly(0.25, 0))[0]).all()


def test_anatomy_noise_kernel_and_dose_of_a_patch_belong_together():
    slices = [flat(10, 3.0), flat(40, 6.0, size=60), flat(100, 12.0, pixel_mm=0.6)]
    ndct, noise = noise_of(slices, TrainingDomain((0.25, 0.25), noise_left=None), count=60)
    seen = {
        (round(a), round(b, 1))
        for a, b in zip(ndct[:, 0, 0].tolist(), noise[:, 0, 0].tolist(), strict=True)
    }
    assert seen == {(10, 3.0), (40, 6.0), (100, 12.0)}


def test_a_share_of_the_patches_is_clean_and_equals_its_target():
    lower = flat(100, 12.0, clean=np.full((48, 48), 110))
    stack = flat(40, 6.0, clean=np.full((48, 48), 70), below=lower)
    for share, least, most in ((None, 0, 0), (0.5, 10, 30), (1.0, 40, 40)):
        domain = TrainingDomain((0.25, 0.25), (0, 0), (1, 1), (2, 2), (1, 1), 0.25, clean=share)
        ndct, noise = noise_of([stack], domain, count=40)
        ndct, noise = ndct[:, 8, 8], noise[:, 8, 8]
        clean = noise == 0
        assert least <= int(clean.sum()) <= most
        assert torch.allclose(ndct[clean], torch.tensor(90.0), atol=1e-2)
        assert torch.allclose(ndct[~clean], torch.tensor(70.0), atol=1e-2)
        assert torch.allclose(noise[~clean], torch.tensor(9.0), atol=1e-2)


def test_clean_patches_need_clean_slices():
    with pytest.raises(BadInputError, match="Give a denoiser"):
        draw_patches([flat()], 1, 16, np.random.default_rng(0), TrainingDomain(clean=0.1))


def test_a_denoiser_makes_the_clean_slices(tmp_path, draws):
    hu = np.stack([np.full((8, 8), value, np.int16) for value in (-3024, 40)])
    one = CtScan("A", np.tile(hu, (4, 1, 1)), 0.7)
    slices = simulated_slices([one], tmp_path, denoise=lambda slices: slices + 2 / 4096)
    assert [int(slices[k].clean.mean()) for k in (0, 1)] == [-1022, 42]
    assert slices[1].below.clean is slices[2].clean and slices[1].clean.dtype == np.int16


def test_eight_patches_share_a_zoom_unless_a_slice_is_too_small():
    def steepness(sizes, count):
        waves = [np.tile(400 * np.sin(2 * np.pi * np.arange(n) / 16), (n, 1)) for n in sizes]
        slices = [NoisySlice(wave.astype(np.int16), np.zeros((2, *wave.shape))) for wave in waves]
        domain = TrainingDomain((0.25, 0.25), (0, 0), (1, 1), (1, 1), (0.75, 1.25), None)
        ndct, _ = noise_of(slices, domain, count=count, size=64)
        rise = ndct.diff(dim=2).square().mean((1, 2)) / ndct.square().mean((1, 2))
        return {round(value, 2) for value in rise.sqrt().tolist()}

    assert len(steepness([256], 8)) <= 2 < len(steepness([256], 64))
    assert len(steepness([256, 70], 8)) > 2


def test_zoom_changes_the_pixel_size():
    wave = 400 * np.sin(2 * np.pi * np.arange(256) / 16)
    wave = np.broadcast_to(wave, (256, 256)).astype(np.int16)
    one = NoisySlice(wave, np.zeros((2, 256, 256)))
    for zoom in (0.75, 1.25):
        domain = TrainingDomain((0.25, 0.25), (0, 0), (1, 1), (1, 1), (zoom, zoom), None)
        ndct, _ = noise_of([one], domain, count=10, size=64)
        steepness = ndct.diff(dim=2).square().mean() / ndct.square().mean()
        assert steepness**0.5 == pytest.approx(2 * math.sin(math.pi * zoom / 16), rel=0.05)


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(rescale=(0.5, 2.0))])
def test_both_images_have_the_same_augmentation(augmentation):
    number = np.arange(24 * 24, dtype=np.int16).reshape(24, 24)
    numbered = NoisySlice(number, (2 * number)[None])
    ndct, noise = noise_of([numbered], None, augmentation, count=40)
    assert torch.allclose(noise, 2 * ndct, atol=5e-3)
    down = ndct.diff(dim=1).mean(dim=(1, 2))
    right = ndct.diff(dim=2).mean(dim=(1, 2))
    orientations = {(a.item() > 0, b.item() > 0) for a, b in zip(down, right, strict=True)}
    assert len(orientations) == 4


def test_every_slice_is_drawn_from():
    slices = [flat(value, 0.0, 16) for value in (1, 2, 3)]
    ndct, _ = noise_of(slices, None, count=60)
    assert {round(value) for value in ndct[:, 0, 0].tolist()} == {1, 2, 3}


def test_padding_is_clipped_at_the_lower_hu_limit():
    padded = NoisySlice(np.full((16, 16), -3024, np.int16), np.full((1, 16, 16), -50.0))
    ndct, noise = noise_of([padded], None)
    assert (ndct == -1024).all() and (noise == 0).all()


def test_equal_generators_give_equal_patches():
    first, again = (
        draw_patches(
            [textured()], 4, 16, np.random.default_rng(7), TrainingDomain(), Augmentation()
        )
        for _ in range(2)
    )
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])


def test_too_small_slices_are_refused():
    with pytest.raises(BadInputError, match="48×48 pixels are smaller than a patch of 50"):
        draw_patches([textured()], 1, 50, np.random.default_rng(0))


def test_small_slices_are_not_enlarged():
    with pytest.raises(BadInputError, match="48×48 pixels are too small for patches of 128"):
        draw_patches([textured()], 1, 128, np.random.default_rng(0), TrainingDomain())


def test_a_measured_pair_has_no_other_kernel():
    slices = paired_slices(*np.zeros((2, 1, 48, 48), np.int16))
    with pytest.raises(BadInputError, match="Give no domain"):
        draw_patches(slices, 1, 16, np.random.default_rng(0), TrainingDomain())


def test_a_real_pair_keeps_its_own_noise():
    rng = np.random.default_rng(0)
    ndct = rng.integers(0, 100, (3, 16, 16)).astype(np.int16)
    ldct = (ndct + rng.integers(-900, 900, ndct.shape)).astype(np.int16)
    slices = paired_slices(ldct, ndct)
    assert len(slices) == 3 and slices[0].noise.shape == (1, 16, 16)
    patches = draw_patches(slices[1:2], 2, 16, rng, None, STILL)
    assert np.array_equal(hu(patches[0])[1, 0], ldct[1])
    assert np.array_equal(hu(patches[1])[1, 0], ndct[1])


def test_the_noise_of_a_real_pair_does_not_overflow():
    low, normal = (np.full((1, 2, 2), value, np.int16) for value in (-32000, 32000))
    assert (paired_slices(low, normal)[0].noise == -64000).all()


def test_a_pair_on_two_grids_is_refused():
    with pytest.raises(BadInputError, match="same grid"):
        paired_slices(np.zeros((2, 8, 8), np.int16), np.zeros((3, 8, 8), np.int16))


@pytest.fixture
def draws(monkeypatch):
    """Replace the simulator and record the patients that it draws noise for."""
    drawn = []

    def draw(scan, device, seed):
        drawn.append(scan.patient)
        shape = (2, *scan.hu.shape)
        return np.random.default_rng([seed, len(scan.hu)]).normal(0, 20, shape).astype(np.float16)

    monkeypatch.setattr(training_pairs, "_draw_noise", draw)
    return drawn


def scan(patient="A", slices=2, value=40, pixel_mm=0.7):
    return CtScan(patient, np.full((slices, 8, 8), value, np.int16), pixel_mm)


def test_noise_is_simulated_once_and_then_read(tmp_path, draws):
    scans = [scan("A"), scan("B", slices=3)]
    reports = []
    first = simulated_slices(scans, tmp_path / "new", progress=lambda *done: reports.append(done))
    again = simulated_slices(scans, tmp_path / "new")
    assert draws == ["A", "B"] and reports == [(1, 2), (2, 2)]
    assert len(first) == len(again) == 5
    for one, other in zip(first, again, strict=True):
        assert one.noise.shape == (2, 8, 8) and np.array_equal(one.noise, other.noise)
    assert not np.array_equal(first[0].noise, first[1].noise)


def test_different_draws_have_different_cache_files(tmp_path, draws):
    simulated_slices([scan()], tmp_path)
    for other in (scan(value=41), scan(slices=3), scan(pixel_mm=0.8)):
        before = len(draws)
        simulated_slices([other], tmp_path)
        assert len(draws) == before + 1
    simulated_slices([scan()], tmp_path, seed=1)
    assert len(draws) == 5
    # The patient seeds the tube current modulation.
    simulated_slices([scan("another name")], tmp_path)
    assert len(draws) == 6


def test_a_kill_during_writing_leaves_no_cache_file(tmp_path, draws, monkeypatch):
    def killed(path, *_, **__):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(np, "save", killed)
        simulated_slices([scan()], tmp_path)
    assert not list(tmp_path.iterdir())
    assert simulated_slices([scan()], tmp_path)[0].noise.shape == (2, 8, 8)
    assert draws == ["A", "A"]


def test_an_off_centre_block_keeps_its_position_in_the_image():
    images = torch.arange(16.0).reshape(1, 4, 4)
    moved = training_pairs._shifted(images, np.array([1, -2]), fill=-1.0)
    assert moved[0].tolist() == [[-1] * 4, [2, 3, -1, -1], [6, 7, -1, -1], [10, 11, -1, -1]]
    assert torch.equal(training_pairs._shifted(images, np.array([0, 0]), fill=-1.0), images)


def test_noise_is_strongest_for_the_weakest_rays_and_differs_by_kernel():
    hu = np.full((1, 64, 64), -1000, np.int16)
    rows, columns = np.mgrid[:64, :64] - 31.5
    hu[0, (rows / 20) ** 2 + (columns / 28) ** 2 < 1] = 40
    noisy = hu + np.random.default_rng(0).normal(0, 10, hu.shape)
    draws = training_pairs._draw_noise(CtScan("A", noisy.astype(np.int16), 5.0), "cpu", 0)
    assert draws.shape == (2, 1, 64, 64) and draws.dtype == np.float16
    again = training_pairs._draw_noise(CtScan("A", noisy.astype(np.int16), 5.0), "cpu", 0)
    assert np.array_equal(draws, again)
    middle, edge = np.s_[:, 0, 28:36, 20:44], np.s_[:, 0, 2:8, 20:44]
    assert draws[middle].astype(float).std() > 1.5 * draws[edge].astype(float).std() > 0
