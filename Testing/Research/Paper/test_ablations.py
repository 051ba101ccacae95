"""Ablations change one setting at a time; known correlations and textures are recovered."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from pseudoct_research.paper import figures
from pseudoct_research.paper.ablations import (
    ABLATIONS,
    ablation_rows,
    ensemble_texture,
    map_correlation,
)
from pseudoct_research.paper.figures import body_windows
from pseudoct_research.paper.pretrained import subject_models
from pseudoct_research.paper.table1 import METHOD, MODELS
from pseudoct_research.paper.trained_networks import load_networks, validation_curves
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.errors import BadInputError


@pytest.mark.parametrize("label", ABLATIONS)
def test_every_row_differs_from_the_loop_in_one_setting(label):
    for name, group in ABLATIONS[label].items():
        others = [row for row in group if row.settings.tunes and row.settings != METHOD]
        for row in others:
            assert row.noise == MODELS
            if name == "preset":
                assert row.settings == paper_settings()
                continue
            changed = {k for k, v in asdict(row.settings).items() if v != asdict(METHOD)[k]}
            # A moving average per step needs a shorter update period than the loop's.
            assert len(changed - {"update_period"} or changed) == 1, row.name
        assert len({row.start for row in group}) == 1
        assert group[0].settings == METHOD or name == "steps"


def test_rows_are_unique_and_the_ldct_is_first():
    names = [row.name for row in ablation_rows()]
    assert names[0] == "LDCT" and len(set(names)) == len(names)
    assert f"N2C: {METHOD.steps} steps" not in names  # the loop itself


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.96])
def test_the_correlation_of_maps_is_recovered(rho):
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(1, 2, 128, 128, generator=generator)
    own = torch.randn(3, 2, 128, 128, generator=generator)
    maps = rho**0.5 * shared + (1 - rho) ** 0.5 * own
    mask = np.zeros((2, 128, 128), bool)
    mask[:, 10:, :-10] = True
    maps[:, torch.from_numpy(~mask)] = 7.0  # pixels outside the body do not count
    assert map_correlation(maps, mask) == pytest.approx(rho, abs=0.02)


def test_windows_are_inside_the_body_half_a_window_apart():
    mask = np.zeros((160, 160), bool)
    mask[:130, :100] = True
    noise = np.arange(160 * 160, dtype=float).reshape(160, 160)
    windows = body_windows(noise, mask)
    assert windows.shape == (6, 64, 64)
    assert [int(window[0, 0]) for window in windows] == [
        160 * top + left for top in (0, 32, 64) for left in (0, 32)
    ]
    with pytest.raises(BadInputError, match="64×64"):
        body_windows(noise, ~mask[:, ::-1] & False)


@pytest.mark.slow
def test_the_texture_of_the_true_noise_is_reported(trained, data):
    networks = load_networks(trained, "red-cnn-32", ["n2c"], subject_models(data))
    pair = data.measured[0]
    curves, metrics = ensemble_texture(pair, networks)
    assert list(curves) == ["true noise", "one noise model", "ensemble", "pseudo-LDCT"]
    true = metrics[0]
    # White noise of 20 HU: neighbours are independent, and the spectrum is flat.
    assert true["sigma_hu"] == pytest.approx(20, rel=0.05)
    assert true["neighbours"] == pytest.approx(0, abs=0.03)
    assert all(power.sum() == pytest.approx(1) for _, power in curves.values())
    assert [row["rho"] is None for row in metrics] == [True, True, False, True]


@pytest.mark.slow
def test_pseudo_ldct_panels_show_their_difference_from_the_ndct(trained, data):
    networks = load_networks(trained, "red-cnn-32", ["n2c"], subject_models(data))
    pair = data.measured[0]
    panels = figures.pseudo_ldct_panels(pair, 1, networks)
    assert [panel.derived for panel in panels] == [False, True, True, True]
    for panel in panels:
        assert np.array_equal(panel.noise, panel.image.astype(np.float32) - pair.ndct[1])
    assert panels[2].noise.std() > 60  # Gaussian noise of 82 HU in the body


@pytest.mark.slow
def test_the_curves_of_training_are_those_of_the_validated_models(trained, tmp_path):
    curves = validation_curves(["red-cnn-32", "paper-noise-a"], trained)
    assert {name: [step for step, _ in curve] for name, curve in curves.items()} == {
        "red-cnn-32": [2],
        "paper-noise-a": [2],
    }
    figures.training_picture(tmp_path / "training.png", curves)
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "x.checkpoint.csv").write_text("step,validation_loss\n2,1.5\n")
    assert validation_curves(["x"], tmp_path) == {}
