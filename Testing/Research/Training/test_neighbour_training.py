"""Training of a neighbour model: it starts as its denoiser and learns from the neighbours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pseudoct_research.training.pretraining import (
    Pretraining,
    PretrainingSettings,
    validation_patches,
)
from pseudoct_research.training.training_domain import TrainingDomain
from pseudoct_research.training.training_pairs import NoisySlice
from PseudoCTDenoiseLib.denoising.neighbours import STACK, neighbour_input
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.catalog import DENOISER, NEIGHBOUR_MODEL
from PseudoCTDenoiseLib.models.networks import UNet

SETTINGS = PretrainingSettings(
    role=NEIGHBOUR_MODEL,
    parameters={"widths": [4, 8], "images": 2 * STACK},
    steps=8,
    batch=2,
    patch_size=16,
    loss="mse",
    learning_rate=3e-3,
    domain=TrainingDomain(
        (0.25, 0.25), (0, 0), (1, 1), (1, 1), (1, 1), noise_left=None, neighbours=0.9
    ),
    validate_every=4,
)


def scan():
    """Return nine slices of the same fine texture, which only neighbours tell from the noise."""
    rng = np.random.default_rng(0)
    ndct = rng.integers(0, 120, (48, 48)).astype(np.int16)
    slices = []
    for _ in range(9):
        noise = rng.normal(0, 40, (2, 48, 48)).astype(np.float32)
        slices.insert(0, NoisySlice(ndct, noise, below=slices[0] if slices else None))
    return slices


def denoiser(seed=0):
    torch.manual_seed(seed)
    return UNet([4, 8])


def identity():
    """Return a denoiser whose output is its input."""
    network = denoiser()
    torch.nn.init.zeros_(network.tail.weight)
    torch.nn.init.zeros_(network.tail.bias)
    return network


def validation():
    return {"soft": validation_patches(scan(), 4, 16, SETTINGS.domain)}


def training(folder, settings=SETTINGS, network=None, start=None):
    network = denoiser() if network is None else network
    file = folder / "run.npz"
    return Pretraining(settings, scan(), validation(), file, start=start, denoiser=network)


def output(network, ldct, denoised):
    with torch.no_grad():
        return network.eval()(neighbour_input(ldct, denoised))


def test_before_the_first_step_the_output_is_that_of_the_denoiser(tmp_path):
    network = denoiser()
    run = training(tmp_path, network=network)
    ldct, ndct = validation()["soft"]
    with torch.no_grad():
        alone = network(ldct[:, :1])
        assert torch.allclose(output(run.result, ldct, torch.rand_like(ldct)), alone, atol=1e-6)
        assert (alone - ldct[:, :1]).abs().max() > 1e-3
    row = run._validate()
    gain = (ldct[:, :1] - ndct).square().mean() / (alone - ndct).square().mean()
    assert row["gain_soft_db"] == pytest.approx(10 * torch.log10(gain).item(), abs=1e-3)


@torch.no_grad()
def test_every_image_is_denoised_alone(tmp_path):
    network = denoiser()
    run = training(tmp_path, network=network)
    for images in (run.patches[0].ldct, run.validation["soft"][0]):
        scanned, denoised = images.chunk(2, dim=1)
        for place in range(STACK):
            image = np.s_[:, place : place + 1]
            assert torch.allclose(denoised[image], network(scanned[image]), atol=1e-6)
    assert torch.equal(run.validation["soft"][0][:, :STACK], validation()["soft"][0])


@pytest.mark.slow
def test_a_few_steps_lower_the_loss_by_the_neighbours(tmp_path, monkeypatch):
    # This denoiser removes no noise, so neighbours would differ from the slice everywhere.
    monkeypatch.setattr("PseudoCTDenoiseLib.denoising.neighbours.DIFFERENCE", (1e6, 2e6))
    network = identity()
    run = training(tmp_path, replace(SETTINGS, steps=120, batch=4, validate_every=30), network)
    before = run._validate()
    assert before["gain_soft_db"] == pytest.approx(0, abs=1e-4)
    run.run()
    after = run.best_row()
    assert after["validation_loss"] < 0.8 * before["validation_loss"]
    # The denoiser is not trained.
    weights = network.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in identity().state_dict().items())
    # The same slice without neighbours comes out worse.
    ldct, ndct = validation()["soft"]
    copies = ldct[:, :1].expand_as(ldct)
    errors = [
        (output(run.best_network(), stacks, stacks) - ndct).square().mean()
        for stacks in (ldct, copies)
    ]
    assert errors[0] < 0.9 * errors[1]


@pytest.mark.parametrize("reuse", [None, 2])
def test_a_stopped_run_ends_like_an_uninterrupted_one(tmp_path, reuse):
    settings = replace(SETTINGS, reuse=reuse, moving_average=0.9)
    whole = training(tmp_path / "whole", settings)
    first = whole.network.head.weight.detach().clone()
    whole.run()
    stopped = training(tmp_path / "cut", settings)

    def stop(step, *_):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.run(progress=stop)
    resumed = training(tmp_path / "cut", settings)
    assert resumed.step == 4
    resumed.run()
    for network in ("network", "result"):
        one, other = (getattr(run, network).state_dict() for run in (whole, resumed))
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert not torch.equal(whole.network.head.weight, first)


def test_a_run_from_a_neighbour_model_goes_on_with_its_weights(tmp_path):
    first = training(tmp_path / "first")
    first.run()
    second = training(tmp_path / "second", start=first.network)
    weights = second.network.state_dict()
    assert all(torch.equal(v, weights[key]) for key, v in first.network.state_dict().items())


@pytest.mark.parametrize(
    ("role", "network"), [(NEIGHBOUR_MODEL, None), (DENOISER, denoiser())], ids=["none", "extra"]
)
def test_a_neighbour_model_and_no_other_needs_a_denoiser(tmp_path, role, network):
    settings = replace(SETTINGS, role=role)
    with pytest.raises(BadInputError, match="A neighbour model needs a denoiser, and no other"):
        Pretraining(settings, scan(), {}, tmp_path / "run.npz", denoiser=network)
