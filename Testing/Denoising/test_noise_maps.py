"""The ensemble takes every pixel from one noise model, drawn evenly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.ct.flat_windows import flat_windows, without_trend
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from PseudoCTDenoiseLib.ct.noise_texture import noise_power_spectrum
from PseudoCTDenoiseLib.ct.pseudo_ldct import pseudo_ldct
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.map_choice import ALL_MAPS
from PseudoCTDenoiseLib.denoising.noise_maps import (
    REMOVED_NOISE,
    apply_sign,
    ensemble,
    predict_noise_maps,
    whole_noise_hu,
)
from PseudoCTDenoiseLib.denoising.presets import PRESETS
from PseudoCTDenoiseLib.models.networks import UNet
from PseudoCTDenoiseLib.models.store import load_denoiser, load_models
from torch import nn

from .job_cases import unet, with_other_last_layers

SAMPLE = (
    Path(__file__).parents[2]
    / "PseudoCTDenoise/Resources/SampleData/PseudoCTDenoise_phantom_ldct.nrrd"
)


def seeded(device, seed=0):
    return torch.Generator(device).manual_seed(seed)


def labelled(count, *shape, device="cpu"):
    """Return maps whose values are their own number, so that the ensemble shows the choice."""
    numbers = torch.arange(count, dtype=torch.float32, device=device)
    return numbers.view(-1, *[1] * len(shape)).expand(count, *shape)


def lag_1_agreement(choice):
    right = (choice[..., 1:] == choice[..., :-1]).float().mean()
    down = (choice[..., 1:, :] == choice[..., :-1, :]).float().mean()
    return right.item(), down.item()


@pytest.mark.parametrize("shape", [(40, 50), (3, 20, 20), (2, 3, 9, 7)], ids=str)
def test_every_value_is_that_of_one_map_at_the_same_place(device, shape):
    maps = torch.randn(4, *shape, generator=seeded(device), device=device)
    drawn = ensemble(maps, seeded(device))
    assert drawn.shape == shape
    assert (drawn == maps).any(dim=0).all()


def test_a_single_map_is_returned_unchanged(device):
    maps = torch.randn(1, 2, 12, 12, generator=seeded(device), device=device)
    assert torch.equal(ensemble(maps, seeded(device)), maps[0])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_every_map_gets_about_the_same_share(device, count):
    drawn = ensemble(labelled(count, 24, 192, 192, device=device), seeded(device))
    shares = torch.bincount(drawn.long().flatten(), minlength=count) / drawn.numel()
    assert torch.allclose(shares, torch.full_like(shares, 1 / count), atol=0.05)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_pixels_are_drawn_independently_of_their_neighbours(device, count):
    drawn = ensemble(labelled(count, 300, 300, device=device), seeded(device))
    assert lag_1_agreement(drawn) == pytest.approx((1 / count, 1 / count), abs=0.01)


def test_the_ensemble_reduces_the_correlation_of_neighbours_to_one_in_m():
    rough = torch.randn(3, 256, 257, generator=seeded("cpu"))
    maps = (rough[..., 1:] + rough[..., :-1]) / 2**0.5
    noise = ensemble(maps, seeded("cpu"))
    correlation = (noise[:, 1:] * noise[:, :-1]).mean() / noise.square().mean()
    assert correlation.item() == pytest.approx(0.5 / 3, abs=0.02)


def test_slices_are_drawn_independently():
    first, second = ensemble(labelled(2, 2, 200, 200), seeded("cpu"))
    assert (first == second).float().mean() == pytest.approx(0.5, abs=0.1)


def test_equal_generators_draw_alike_and_the_next_draw_differs(device):
    maps = labelled(3, 30, 30, device=device)
    generator = seeded(device)
    first, second = ensemble(maps, generator), ensemble(maps, generator)
    assert torch.equal(first, ensemble(maps, seeded(device)))
    assert not torch.equal(first, second)


def test_the_sign_is_kept(device):
    noise = torch.randn(5, 4, 4, generator=seeded(device), device=device)
    assert torch.equal(apply_sign(noise, "as-is", seeded(device)), noise)


def test_a_random_sign_is_drawn_for_each_patch(device):
    noise = torch.rand(400, 3, 3, generator=seeded(device), device=device) + 1
    signed = apply_sign(noise, "random", seeded(device))
    signs = signed / noise
    assert torch.equal(signs, signs[:, :1, :1].expand_as(signs))
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    assert (signs > 0).float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert torch.equal(signed, apply_sign(noise, "random", seeded(device)))


class Scaled(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def test_maps_of_noise_models_with_one_trunk_come_from_one_pass(monkeypatch):
    models = [unet(0, residual=False)]
    models += [with_other_last_layers(models[0], seed) for seed in (1, 2)]
    slices = torch.rand(2, 20, 26)
    with torch.no_grad():
        expected = torch.stack([model(slices[:, None])[:, 0] for model in models])
    passes = []
    features = UNet.features
    monkeypatch.setattr(UNet, "features", lambda self, x: passes.append(1) or features(self, x))
    assert torch.allclose(predict_noise_maps(models, slices), expected, atol=1e-6)
    assert len(passes) == len(slices)


def test_all_maps_are_brought_to_their_mean_level_in_every_slice():
    maps = torch.randn(3, 2, 20, 20, generator=seeded("cpu")) / 4096
    maps *= torch.tensor([1.0, 2.0, 3.0])[:, None, None, None]
    maps[:, 1] *= 10
    levels = whole_noise_hu(maps).std(dim=(2, 3))
    expected = maps.std(dim=(2, 3)).mean(dim=0) * 4096 / REMOVED_NOISE
    assert torch.allclose(levels, expected.expand(3, 2))
    assert not whole_noise_hu(torch.zeros(2, 1, 4, 4)).any()


def test_a_map_without_noise_stays_empty_beside_strong_noise():
    maps = 0.04 * torch.randn(3, 1, 256, 256, generator=seeded("cpu"))
    maps[1] = 0
    whole = whole_noise_hu(maps)
    assert whole.isfinite().all() and not whole[1].any() and whole[0].any()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_every_model_gives_one_map_of_every_slice(device, precision):
    slices = torch.rand(2, 8, 9, device=device)
    maps = predict_noise_maps([Scaled(2), Scaled(-1), Scaled(0.5)], slices, precision)
    assert maps.shape == (3, 2, 8, 9) and maps.dtype == torch.float32
    for number, factor in enumerate((2, -1, 0.5)):
        assert torch.equal(maps[number], factor * slices)


def test_the_shipped_maps_have_level_and_texture_of_the_sample_scans_noise():
    hu = read_volume(SAMPLE).hu[8:10]
    networks = [network for network, _ in load_models("fast")[1]]
    result = DenoisingJob(
        hu, load_denoiser("fast")[0], networks, PRESETS["quick"], pixel_mm=0.8, maps=ALL_MAPS
    ).run_at_once()
    images = [result.noise, *result.noise_maps, pseudo_ldct(hu, result.noise)]
    scan, _, *windows = flat_windows(hu, result.hu, *images)

    def level_and_frequency(few):
        few = without_trend(few)
        frequency, power = noise_power_spectrum(few, 0.8)
        return few.std(), np.average(frequency, weights=frequency * power)

    level, frequency = level_and_frequency(scan)
    for few in windows:
        own_level, own_frequency = level_and_frequency(few)
        assert own_level == pytest.approx(level, rel=0.05)
        assert own_frequency == pytest.approx(frequency, rel=0.1)
