"""Pseudo-CT pairs: the pseudo-LDCT is the pseudo-NDCT plus noise at the same position."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.denoising import pseudo_pairs
from PseudoCTDenoiseLib.denoising.noise_estimation import NoiseEstimate, NoiseTexture
from PseudoCTDenoiseLib.denoising.pseudo_pairs import (
    DOSE_RANGE,
    NetworkTargetPairs,
    ScanTargetPairs,
)
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from torch import nn

SHAPE = (2, 16, 16)
TEXTURE = NoiseTexture(sharpness=0.3, modulation=0.5)
PLACES = 2 * 16 * 16
SETTINGS = DenoisingSettings(
    teacher="network",
    noise_source="models",
    noise_sign="as-is",
    patch_size=8,
    batch=6,
    flips=False,
    seed=3,
)


class Same(nn.Module):
    def forward(self, x):
        return x


class Halved(nn.Module):
    def forward(self, x):
        return x / 2


def encoded(device="cpu", maps=3):
    """Return slices whose values encode their position, and maps that encode model and position."""
    places = torch.arange(PLACES, dtype=torch.float32, device=device).view(SHAPE)
    models = torch.arange(1, maps + 1, device=device).view(-1, 1, 1, 1)
    return places, places + PLACES * models


def drawn(settings=SETTINGS, device="cpu", draws=1, teacher=None):
    pairs = NetworkTargetPairs(*encoded(device), settings)
    pairs.refresh(teacher or Same())
    results = [pairs.draw() for _ in range(draws)]
    ldct, ndct = (torch.cat(images) for images in zip(*results, strict=True))
    return ldct.cpu(), ndct.cpu()


@pytest.mark.parametrize("flips", [False, True])
def test_the_noise_of_every_pixel_is_that_of_one_model_at_the_same_place(device, flips):
    settings = replace(SETTINGS, flips=flips)
    ldct, ndct = drawn(settings, device, draws=5)
    assert ldct.shape == ndct.shape == (30, 1, 8, 8)
    noise = ldct - ndct
    place, model = noise % PLACES, noise // PLACES
    assert torch.equal(place, ndct)
    assert set(model.unique().tolist()) == {1, 2, 3}
    assert all(len(patch.unique()) > 1 for patch in model)


def test_a_patch_is_a_square_of_one_slice_and_all_slices_are_drawn_from():
    _, ndct = drawn(draws=20)
    corner = ndct[:, :, :1, :1]
    grid = 16 * torch.arange(8)[:, None] + torch.arange(8)
    assert torch.equal(ndct, corner + grid)
    assert set((corner // 256).flatten().tolist()) == {0, 1}
    assert ((corner % 256 // 16) <= 8).all() and ((corner % 16) <= 8).all()


def test_flips_turn_both_images_along_both_axes():
    settings = replace(SETTINGS, flips=True)
    _, ndct = drawn(settings, draws=10)
    down = (ndct[:, 0, 1, 0] - ndct[:, 0, 0, 0]).tolist()
    right = (ndct[:, 0, 0, 1] - ndct[:, 0, 0, 0]).tolist()
    assert set(zip(down, right, strict=True)) == {(16, 1), (16, -1), (-16, 1), (-16, -1)}


def test_a_zoom_acts_on_both_images_together_and_keeps_the_patch():
    settings = replace(SETTINGS, rescale=(0.5, 2.0))
    slices, maps = encoded()
    pairs = NetworkTargetPairs(slices, 3 * slices[None], settings)
    pairs.refresh(Same())
    ldct, ndct = pairs.draw()
    assert ldct.shape == (6, 1, 8, 8)
    assert torch.allclose(ldct, 4 * ndct, rtol=1e-5)
    assert len({round(step, 3) for step in ndct.diff(dim=3)[:, 0, 0, 1].tolist()}) > 3


def test_the_noise_of_the_papers_loop_keeps_its_sign():
    ldct, ndct = drawn()
    assert set((ldct - ndct).sign().unique().tolist()) == {1}


def test_a_random_sign_holds_for_a_whole_patch():
    settings = replace(SETTINGS, noise_sign="random")
    ldct, ndct = drawn(settings, draws=5)
    signs = (ldct - ndct).sign()
    assert set(signs.unique().tolist()) == {1, -1}
    assert torch.equal(signs, signs[:, :, :1, :1].expand_as(signs))


def test_the_pseudo_ndct_is_the_output_of_the_teacher():
    slices, maps = encoded()
    pairs = NetworkTargetPairs(slices, maps, SETTINGS)
    pairs.refresh(Halved())
    assert torch.equal(pairs.pseudo_ndct, slices / 2)
    ldct, ndct = pairs.draw()
    assert torch.equal((ldct - ndct) % PLACES, 2 * ndct)


def test_a_new_teacher_makes_a_new_pseudo_ndct():
    slices, maps = encoded()
    pairs = NetworkTargetPairs(slices, maps, SETTINGS)
    for teacher, factor in ((Same(), 1), (Halved(), 0.5)):
        pairs.refresh(teacher)
        assert torch.equal(pairs.pseudo_ndct, factor * slices)


def test_patches_shrink_to_the_size_of_the_slices():
    slices, maps = encoded()
    pairs = NetworkTargetPairs(slices[:, :12, :5], maps[..., :12, :5], SETTINGS)
    pairs.refresh(Same())
    assert pairs.draw()[0].shape == (6, 1, 5, 5)


def test_equal_seeds_draw_equal_pairs_and_others_do_not(device):
    first, again = drawn(device=device, draws=2), drawn(device=device, draws=2)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    other = drawn(replace(SETTINGS, seed=4), device, draws=2)
    assert not torch.equal(first[0], other[0])


def test_the_slices_and_the_maps_are_not_changed():
    slices, maps = encoded()
    before = slices.clone(), maps.clone()
    pairs = NetworkTargetPairs(slices, maps, SETTINGS)
    pairs.refresh(Same())
    pairs.draw()
    assert torch.equal(slices, before[0]) and torch.equal(maps, before[1])


@pytest.fixture
def drawn_noise(monkeypatch):
    """Replace the simulator's noise by two draws of one HU everywhere, up and down."""

    def known(slices, denoise, pixel_mm, seed):
        draws = torch.stack([torch.ones_like(slices), -torch.ones_like(slices)]) / 4096
        return NoiseEstimate(draws, TEXTURE, denoise(slices))

    monkeypatch.setattr(pseudo_pairs, "estimate_noise", known)


@pytest.mark.parametrize("teacher", ["scan", "network"])
def test_the_pixel_size_reaches_the_simulator(monkeypatch, teacher):
    generator = torch.Generator().manual_seed(0)
    slices = 0.26 + 0.005 * torch.randn(1, 40, 40, generator=generator)
    settings = DenoisingSettings(teacher=teacher, patch_size=8)
    draws = []
    for pixel_mm in (0.4, 0.8):
        pairs = pseudo_pairs.make_pseudo_pairs(
            slices, slices.new_empty(0, 1, 40, 40), settings, pixel_mm
        )
        pairs.refresh(Halved())
        draws.append(pairs.simulated.draws)
    assert not torch.equal(*draws)


def test_overestimated_noise_is_lowered_to_what_the_teacher_makes_plausible(monkeypatch):
    """A teacher that keeps a quarter of the noise is perfect; no other level fits its result."""
    scan_noise, drawn = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    slices = 0.26 + 20 / 4096 * scan_noise

    def overestimated(slices, denoise, pixel_mm, seed):
        return NoiseEstimate(26 / 4096 * drawn[None], TEXTURE, denoise(slices))

    class KeepsAQuarter(nn.Module):
        def forward(self, x):
            return 0.26 + (x - 0.26) / 4

    monkeypatch.setattr(pseudo_pairs, "estimate_noise", overestimated)
    found = pseudo_pairs.simulate_noise(slices, KeepsAQuarter(), 0.7, 0)
    assert found.noise_hu == pytest.approx(20, rel=0.05)
    assert 4096 * found.draws.std() == pytest.approx(20, rel=0.05)


def test_the_scan_is_the_target_with_a_fraction_of_the_added_noise(drawn_noise):
    settings = DenoisingSettings(patch_size=8, batch=64, flips=False, noise_sign="as-is")
    pairs = ScanTargetPairs(torch.full(SHAPE, 0.26), settings, 0.7)
    pairs.refresh(Same())
    assert (pairs.simulated.texture, pairs.simulated.noise_hu) == (TEXTURE, pytest.approx(1.0))
    ldct, ndct = ((patches - 0.26) * 4096 for patches in pairs.draw())
    added, kept = ldct[:, 0, 0, 0], ndct[:, 0, 0, 0]
    assert (ldct == added[:, None, None, None]).all() and {*added.sign().tolist()} == {1.0, -1.0}
    low, high = (np.sqrt(1 / dose - 1) for dose in reversed(DOSE_RANGE))
    assert (added.abs() > low - 1e-3).all() and (added.abs() < high + 1e-3).all()
    dose = 1 / (1 + added**2)
    assert torch.allclose(kept / added, (0.25 - dose) / (1 - dose), atol=1e-2)


class PerfectDenoiser(nn.Module):
    """Returns the given noise-free signal."""

    def __init__(self, signal):
        super().__init__()
        self.signal = signal

    def forward(self, x):
        return self.signal[None].clone()


def test_where_noise_is_clipped_the_target_has_the_mean_of_the_normal_dose_reference(drawn_noise):
    settings = DenoisingSettings(patch_size=64, batch=8, flips=False, noise_sign="as-is")
    signal = torch.zeros(1, 64, 192)
    signal[:, :, 64:128] = 0.26
    scan_noise = torch.randn(1, 64, 192, generator=torch.Generator().manual_seed(0)) / 4096
    scan = (signal + scan_noise).clamp(min=0)
    scan[:, :, 128:] = 0  # padding
    pairs = ScanTargetPairs(scan, settings, 0.7)
    pairs.refresh(PerfectDenoiser(signal))
    target = 4096 * pairs.pseudo_ndct[0]
    reference = (signal + scan_noise / 2).clamp(min=0)
    assert 4096 * (scan - reference)[0, :, :64].mean() > 0.18
    assert target[:, :64].mean() == pytest.approx(
        4096 * float(reference[0, :, :64].mean()), abs=0.02
    )
    assert torch.equal(pairs.pseudo_ndct[:, :, 64:128], scan[:, :, 64:128])
    assert (target[:, 128:] == 0).all()


def test_padding_gets_no_noise_and_the_target_keeps_half_of_clipped_noise(drawn_noise):
    settings = DenoisingSettings(patch_size=64, batch=32, flips=False, noise_sign="as-is")
    scan = torch.zeros(1, 64, 64)  # air at −1024 HU beside padding
    scan[:, ::2, 32:] = 2 / 4096
    pairs = ScanTargetPairs(scan, settings, 0.7)
    pairs.refresh(PerfectDenoiser(torch.zeros_like(scan)))
    ldct, ndct = (4096 * patches[:, 0] for patches in pairs.draw())
    assert (ldct[:, :, :32] == 0).all() and (ndct[:, :, :32] == 0).all()
    added = ldct[:, 0, -1] - 2
    dose = 1 / (1 + added**2)
    kept = ndct[:, 0, -1] - 4096 * pairs.pseudo_ndct[0, 0, -1]
    assert torch.allclose(kept, 0.5 * added * (0.25 - dose) / (1 - dose), atol=2e-3)
    assert ldct.min() == 0 > ndct.min()


def test_simulated_noise_can_be_added_to_the_output_of_the_teacher(drawn_noise):
    settings = DenoisingSettings(teacher="network", patch_size=8, batch=16, flips=False)
    pairs = NetworkTargetPairs(torch.full(SHAPE, 0.26), torch.empty(0, *SHAPE), settings)
    pairs.refresh(Halved())
    ldct, ndct = pairs.draw()
    assert torch.allclose(ndct, torch.tensor(0.13))
    assert torch.allclose((ldct - ndct).abs() * 4096, torch.tensor(1.0), atol=1e-3)
