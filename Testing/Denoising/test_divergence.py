"""A tuning that diverges gives the pre-trained network's result, and every output reports it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from Denoising.job_cases import DEFAULT, PAPER, Smoothing, denoise, noise_models, scan, unet
from PseudoCTDenoiseLib.denoising.denoised_scan import NotFiniteError
from PseudoCTDenoiseLib.denoising.report import job_report
from PseudoCTDenoiseLib.models.catalog import DENOISER
from PseudoCTDenoiseLib.models.store import Manifest

CASES = {
    "default": (DEFAULT, 1e6),
    "paper": (PAPER, 1e6),
    "paper, after every step": (replace(PAPER, update_period=1), 1e6),
    "without stopping": (replace(DEFAULT, patience=None), 1e6),
    "mean absolute error": (replace(DEFAULT, loss="l1"), 1e6),
    "slice by slice": (replace(DEFAULT, tuning="slice"), 1e6),
    "weights overflow": (replace(PAPER, update_period=None), 1e30),
    "finite": (replace(DEFAULT, patience=None), 0.5),
    "at the only step": (replace(DEFAULT, patience=None, steps=1), 0.5),
}


@pytest.mark.parametrize(("settings", "rate"), CASES.values(), ids=CASES)
def test_divergence_gives_the_result_of_the_pre_trained_network(settings, rate):
    reports = []
    settings = replace(settings, learning_rate=rate)
    run = {"progress": reports.append, "preview_seconds": 0.0}
    result = denoise(scan(), settings, denoiser=unet(), run=run)
    pretrained = denoise(scan(), replace(settings, method="pretrained"), denoiser=unet())
    assert np.array_equal(result.hu, pretrained.hu)
    assert all(tuning.diverged for tuning in result.tunings)

    said = [report.warning for report in reports if report.warning]
    assert len(said) == len(result.tunings) and "diverged" in said[0]
    assert len(pretrained.warnings) == len(result.warnings) - 1
    assert "learning_rate" in result.warnings[-1]
    report = job_report(scan(), result, Manifest("tiny", DENOISER, "UNet", {}), [])
    assert all(tuning["diverged"] for tuning in report["tunings"])
    assert report["warnings"] == result.warnings
    json.dumps(report, allow_nan=False)


def test_the_warning_counts_the_slices_whose_tuning_diverged():
    settings = replace(DEFAULT, tuning="slice", learning_rate=1e6)
    result = denoise(scan(), settings, denoiser=unet())
    assert "of 3 of 3 slices" in result.warnings[-1]


class FailsAfterTuning(Smoothing):
    """Returns NaN for images larger than a patch once its weight has changed."""

    def forward(self, x):
        changed = self.weight.item() != torch.tensor(0.3).item()
        return super().forward(x) * (torch.nan if changed and x.shape[-1] > 16 else 1.0)


@pytest.mark.parametrize("tuning", ["scan", "slice"])
def test_an_output_that_is_not_finite_is_a_divergence(tuning):
    settings = replace(PAPER, tuning=tuning, update_period=None)
    result = denoise(scan(), settings, denoiser=FailsAfterTuning())
    pretrained = denoise(scan(), replace(settings, method="pretrained"))
    assert np.array_equal(result.hu, pretrained.hu)
    assert all(tuning.diverged for tuning in result.tunings) and "diverged" in result.warnings[-1]


def test_a_pre_trained_network_that_fails_is_refused():
    class Broken(Smoothing):
        def forward(self, x):
            return super().forward(x) * torch.nan

    with pytest.raises(NotFiniteError, match="another model"):
        denoise(scan(), replace(PAPER, method="pretrained"), noise_models(), denoiser=Broken())


@pytest.mark.parametrize("settings", [DEFAULT, PAPER])
def test_a_tuning_that_succeeds_does_not_count_as_divergence(settings):
    result = denoise(scan(), replace(settings, learning_rate=1e-3), denoiser=unet())
    assert not any(tuning.diverged for tuning in result.tunings)
    assert not any("diverged" in warning for warning in result.warnings)
