"""What the pseudo-CT pairs promise: the pseudo-LDCT is the pseudo-NDCT plus noise of that place."""

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.denoising import pseudo_pairs
from PseudoCTDenoiseLib.denoising.pseudo_pairs import REPEATED_DOSES, PseudoPairs
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from torch import nn

SHAPE = (2, 16, 16)
PLACES = 2 * 16 * 16
SETTINGS = DenoisingSettings(
    teacher="network",
    noise_source="models",
    noise_sign="as-is",
    ensemble="pixel",
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


class Lopsided(nn.Module):
    """Adds the column's number: turned and flipped views give other results."""

    def forward(self, x):
        return x + torch.arange(x.shape[-1]).to(x)


def encoded(device="cpu", maps=3):
    """Slices whose values say where they are, noise maps that say the model and where."""
    places = torch.arange(PLACES, dtype=torch.float32, device=device).view(SHAPE)
    models = torch.arange(1, maps + 1, device=device).view(-1, 1, 1, 1)
    return places, places + PLACES * models


def drawn(settings=SETTINGS, device="cpu", draws=1, teacher=None):
    pairs = PseudoPairs(*encoded(device), settings)
    pairs.refresh(teacher or Same())
    results = [pairs.draw() for _ in range(draws)]
    ldct, ndct = (torch.cat(images) for images in zip(*results, strict=True))
    return ldct.cpu(), ndct.cpu()


@pytest.mark.parametrize("ensemble", ["pixel", "region"])
@pytest.mark.parametrize("flips", [False, True])
def test_the_noise_of_every_pixel_is_one_models_at_that_very_place(device, ensemble, flips):
    settings = DenoisingSettings(**{**SETTINGS.as_dict(), "ensemble": ensemble, "flips": flips})
    ldct, ndct = drawn(settings, device, draws=5)
    assert ldct.shape == ndct.shape == (30, 1, 8, 8)
    noise = ldct - ndct
    place, model = noise % PLACES, noise // PLACES
    assert torch.equal(place, ndct)
    assert set(model.unique().tolist()) == {1, 2, 3}
    mixed = [len(patch.unique()) > 1 for patch in model]
    assert all(mixed) if ensemble == "pixel" else not all(mixed)


def test_a_patch_is_a_square_of_one_slice_and_all_slices_are_drawn_from():
    _, ndct = drawn(draws=20)
    corner = ndct[:, :, :1, :1]
    grid = 16 * torch.arange(8)[:, None] + torch.arange(8)
    assert torch.equal(ndct, corner + grid)
    assert set((corner // 256).flatten().tolist()) == {0, 1}
    assert ((corner % 256 // 16) <= 8).all() and ((corner % 16) <= 8).all()


def test_flips_turn_both_images_along_both_axes():
    settings = DenoisingSettings(**{**SETTINGS.as_dict(), "flips": True})
    _, ndct = drawn(settings, draws=10)
    down = (ndct[:, 0, 1, 0] - ndct[:, 0, 0, 0]).tolist()
    right = (ndct[:, 0, 0, 1] - ndct[:, 0, 0, 0]).tolist()
    assert set(zip(down, right, strict=True)) == {(16, 1), (16, -1), (-16, 1), (-16, -1)}


def test_a_zoom_acts_on_both_images_together_and_keeps_the_patch():
    settings = DenoisingSettings(**{**SETTINGS.as_dict(), "rescale": (0.5, 2.0)})
    slices, maps = encoded()
    pairs = PseudoPairs(slices, 3 * slices[None], settings)
    pairs.refresh(Same())
    ldct, ndct = pairs.draw()
    assert ldct.shape == (6, 1, 8, 8)
    assert torch.allclose(ldct, 4 * ndct, rtol=1e-5)
    assert len({round(step, 3) for step in ndct.diff(dim=3)[:, 0, 0, 1].tolist()}) > 3


@pytest.mark.parametrize(("sign", "signs"), [("as-is", {1}), ("mirrored", {-1})])
def test_the_noise_is_added_with_the_sign_that_was_asked_for(sign, signs):
    settings = DenoisingSettings(**{**SETTINGS.as_dict(), "noise_sign": sign})
    ldct, ndct = drawn(settings)
    assert set((ldct - ndct).sign().unique().tolist()) == signs


def test_a_random_sign_holds_for_a_whole_patch():
    settings = DenoisingSettings(**{**SETTINGS.as_dict(), "noise_sign": "random"})
    ldct, ndct = drawn(settings, draws=5)
    signs = (ldct - ndct).sign()
    assert set(signs.unique().tolist()) == {1, -1}
    assert torch.equal(signs, signs[:, :, :1, :1].expand_as(signs))


def test_the_papers_teacher_makes_the_pseudo_ndct_from_the_slice():
    slices, maps = encoded()
    pairs = PseudoPairs(slices, maps, SETTINGS)
    pairs.refresh(Halved())
    assert torch.equal(pairs.pseudo_ndct, slices / 2)
    ldct, ndct = pairs.draw()
    assert torch.equal((ldct - ndct) % PLACES, 2 * ndct)


def test_the_average_teacher_blends_eight_orientations_and_the_noise_models():
    settings = DenoisingSettings(**{**SETTINGS.as_dict(), "teacher": "average"})
    rng = np.random.default_rng(0)
    slices, maps = rng.random((2, 10, 14)), rng.normal(0, 0.1, (3, 2, 10, 14))
    pairs = PseudoPairs(torch.from_numpy(slices).float(), torch.from_numpy(maps).float(), settings)
    pairs.refresh(Lopsided())
    for index, X in enumerate(slices):
        views = []
        for turns in range(4):
            for mirror in (np.array, np.fliplr):
                view = mirror(np.rot90(X, turns))
                output = view + np.arange(view.shape[1])
                views.append(np.rot90(mirror(output), -turns))
        expected = (np.mean(views, axis=0) + X - maps[:, index].mean(axis=0)) / 2
        assert np.allclose(pairs.pseudo_ndct[index], expected, atol=1e-5)


def test_a_new_teacher_makes_new_pseudo_ndct():
    slices, maps = encoded()
    pairs = PseudoPairs(slices, maps, SETTINGS)
    for teacher, factor in ((Same(), 1), (Halved(), 0.5)):
        pairs.refresh(teacher)
        assert torch.equal(pairs.pseudo_ndct, factor * slices)


def test_patches_shrink_to_slices_smaller_than_they_are():
    slices, maps = encoded()
    pairs = PseudoPairs(slices[:, :12, :5], maps[..., :12, :5], SETTINGS)
    pairs.refresh(Same())
    assert pairs.draw()[0].shape == (6, 1, 5, 5)


def test_equal_seeds_draw_alike_and_others_do_not(device):
    first, again = drawn(device=device, draws=2), drawn(device=device, draws=2)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    other = drawn(DenoisingSettings(**{**SETTINGS.as_dict(), "seed": 4}), device, draws=2)
    assert not torch.equal(first[0], other[0])


def test_the_slices_and_the_maps_are_left_as_they_are():
    slices, maps = encoded()
    before = slices.clone(), maps.clone()
    pairs = PseudoPairs(
        slices, maps, DenoisingSettings(teacher="average", noise_source="models", patch_size=8)
    )
    pairs.refresh(Same())
    pairs.draw()
    assert torch.equal(slices, before[0]) and torch.equal(maps, before[1])


def test_the_scans_own_residual_gives_the_scan_back_as_pseudo_ldct():
    settings = DenoisingSettings(**{**SETTINGS.as_dict(), "noise_source": "residual"})
    ldct, ndct = drawn(settings, teacher=Halved())
    assert torch.equal(ldct, 2 * ndct)


def test_both_sources_take_every_pixel_from_a_noise_model_or_the_residual():
    settings = DenoisingSettings(**{**SETTINGS.as_dict(), "noise_source": "both"})
    ldct, ndct = drawn(settings, draws=5, teacher=Same())
    noise = ldct - ndct
    # The residual of a teacher that changes nothing is zero; the models' maps never are.
    assert set((noise // PLACES).unique().tolist()) == {0, 1, 2, 3}
    assert torch.all((noise == 0) | (noise % PLACES == ndct))


@pytest.fixture
def drawn_noise(monkeypatch):
    """Two draws in place of the simulator's: one HU up or down, everywhere."""

    class Known:
        def __init__(self, slices, denoise, pixel_mm, seed):
            self.clean = denoise(slices)
            self.pixel_mm, self.sharpness = pixel_mm, 0.3
            self.draws = torch.stack([torch.ones_like(slices), -torch.ones_like(slices)]) / 4096

    monkeypatch.setattr(pseudo_pairs, "ScanNoise", Known)


def test_the_scan_is_its_own_target_with_a_share_of_the_added_noise(drawn_noise):
    settings = DenoisingSettings(patch_size=8, batch=64, flips=False, noise_sign="as-is")
    pairs = PseudoPairs(torch.full(SHAPE, 0.26), torch.empty(0, *SHAPE), settings, 0.7)
    pairs.refresh(Same())
    assert (pairs.sharpness, pairs.noise_hu) == (0.3, pytest.approx(1.0))
    ldct, ndct = ((patches - 0.26) * 4096 for patches in pairs.draw())
    added, kept = ldct[:, 0, 0, 0], ndct[:, 0, 0, 0]
    assert (ldct == added[:, None, None, None]).all() and {*added.sign().tolist()} == {1.0, -1.0}
    low, high = (np.sqrt(1 / dose - 1) for dose in reversed(REPEATED_DOSES))
    assert (added.abs() > low - 1e-3).all() and (added.abs() < high + 1e-3).all()
    dose = 1 / (1 + added**2)
    assert torch.allclose(kept / added, (0.25 - dose) / (1 - dose), atol=1e-2)


class Shown(nn.Module):
    """A denoiser that knows what the scan shows."""

    def __init__(self, shown):
        super().__init__()
        self.shown = shown

    def forward(self, x):
        return self.shown[None].clone()


def test_where_noise_is_cut_off_the_target_is_as_dark_as_the_normal_dose_twin(drawn_noise):
    settings = DenoisingSettings(patch_size=64, batch=8, flips=False, noise_sign="as-is")
    shown = torch.zeros(1, 64, 192)
    shown[:, :, 64:128] = 0.26
    scan_noise = torch.randn(1, 64, 192, generator=torch.Generator().manual_seed(0)) / 4096
    scan = (shown + scan_noise).clamp(min=0)
    scan[:, :, 128:] = 0  # padding
    pairs = PseudoPairs(scan, torch.empty(0, 1, 64, 192), settings, 0.7)
    pairs.refresh(Shown(shown))
    target = 4096 * pairs.pseudo_ndct[0]
    twin = (shown + scan_noise / 2).clamp(min=0)
    assert 4096 * (scan - twin)[0, :, :64].mean() > 0.18
    assert target[:, :64].mean() == pytest.approx(4096 * float(twin[0, :, :64].mean()), abs=0.02)
    assert torch.equal(pairs.pseudo_ndct[:, :, 64:128], scan[:, :, 64:128])
    assert (target[:, 128:] == 0).all()


def test_padding_gets_no_noise_and_cut_off_noise_is_kept_by_the_half(drawn_noise):
    settings = DenoisingSettings(patch_size=64, batch=32, flips=False, noise_sign="as-is")
    scan = torch.zeros(1, 64, 64)  # air at −1024 HU beside padding
    scan[:, ::2, 32:] = 2 / 4096
    pairs = PseudoPairs(scan, torch.empty(0, 1, 64, 64), settings, 0.7)
    pairs.refresh(Shown(torch.zeros_like(scan)))
    ldct, ndct = (4096 * patches[:, 0] for patches in pairs.draw())
    assert (ldct[:, :, :32] == 0).all() and (ndct[:, :, :32] == 0).all()
    added = ldct[:, 0, -1] - 2
    dose = 1 / (1 + added**2)
    kept = ndct[:, 0, -1] - 4096 * pairs.pseudo_ndct[0, 0, -1]
    assert torch.allclose(kept, 0.5 * added * (0.25 - dose) / (1 - dose), atol=2e-3)
    assert ldct.min() == 0 > ndct.min()


def test_simulated_noise_can_be_put_on_what_the_teacher_says(drawn_noise):
    settings = DenoisingSettings(teacher="network", patch_size=8, batch=16, flips=False)
    pairs = PseudoPairs(torch.full(SHAPE, 0.26), torch.empty(0, *SHAPE), settings)
    pairs.refresh(Halved())
    ldct, ndct = pairs.draw()
    assert torch.allclose(ndct, torch.tensor(0.13))
    assert torch.allclose((ldct - ndct).abs() * 4096, torch.tensor(1.0), atol=1e-3)
