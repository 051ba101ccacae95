"""A job judges what it removed, slice by slice, and says what is unusual about the scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.ct.hounsfield import normalise
from PseudoCTDenoiseLib.denoising import fine_tuning, job_run
from PseudoCTDenoiseLib.denoising.fine_tuning import TuningRecord, tuning_warning
from PseudoCTDenoiseLib.denoising.removed_noise import AMBER, GREEN, NOT_JUDGED, RED
from PseudoCTDenoiseLib.denoising.report import job_report
from PseudoCTDenoiseLib.models.catalog import DENOISER
from PseudoCTDenoiseLib.models.store import Manifest
from scipy.ndimage import gaussian_filter
from torch import nn

from .job_cases import DEFAULT, Smoothing, denoise, job, scan

SIZE = 160
DOWN, RIGHT = np.mgrid[:SIZE, :SIZE] - SIZE / 2
MODEL = Manifest("tiny", DENOISER, "UNet", {})
PRETRAINED = replace(DEFAULT, method="pretrained", anchor=None)


def anatomy():
    """Return two slices of a body with bones and a lesion of 60 HU, (2, rows, columns) HU."""
    body = np.where(np.hypot(DOWN, RIGHT) < 70, 50.0, -1000.0)
    for angle in np.arange(0, 2 * np.pi, 0.7):
        bone = np.hypot(DOWN - 45 * np.sin(angle), RIGHT - 45 * np.cos(angle)) < 7
        body += 300.0 * bone
    body = np.stack([gaussian_filter(body, 0.8)] * 2)
    body[1] += 60.0 * (np.hypot(DOWN, RIGHT) < 7)
    return body


def noisy(body):
    white = np.random.default_rng(0).normal(size=body.shape)
    noise = gaussian_filter(white, (0, 0.7, 0.7)) - gaussian_filter(white, (0, 2.5, 2.5))
    return np.rint(body + 20 * noise / noise.std()).clip(-1024).astype(np.int16)


class Answer(nn.Module):
    """Returns the slice of a known image that is most similar to the input."""

    def __init__(self, images):
        super().__init__()
        self.images = normalise(torch.from_numpy(images.astype(np.float32)))

    def forward(self, x):
        distances = ((self.images - x[:, 0]) ** 2).mean(dim=(1, 2))
        return self.images[distances.argmin()][None, None]


def check(answer, settings=PRETRAINED, hu=None):
    hu = noisy(anatomy()) if hu is None else hu
    result = denoise(hu, settings, [], Answer(answer))
    return job_report(hu, result, MODEL, [])["removed_noise"], result


def test_a_clean_removal_is_green():
    found, result = check(anatomy())
    assert found["light"] == GREEN and found["slices_judged"] == 2
    assert result.warnings == []


def test_an_erased_lesion_is_red_and_its_slice_is_named():
    answer = anatomy()
    answer[1] = answer[0]
    found, _ = check(answer)
    assert found["light"] == RED and found["spot_slice"] == 1
    assert found["edge_correlation"] < 0.28


def test_half_of_a_lesion_is_red_too():
    answer = anatomy()
    answer[1] = answer.mean(axis=0)
    assert check(answer)[0]["light"] == RED


def test_blurred_edges_are_red_at_every_strength():
    answer = gaussian_filter(anatomy(), (0, 1.5, 1.5))
    full, _ = check(answer)
    weak, result = check(answer, replace(PRETRAINED, strength=30.0))
    assert full["light"] == weak["light"] == RED
    assert weak["edge_correlation"] == full["edge_correlation"] > 0.4
    assert result.settings.strength == 30.0


def test_a_removal_that_leaves_the_fine_noise_is_amber():
    noise = noisy(anatomy()) - anatomy()
    fine = noise - gaussian_filter(noise, (0, 1.0, 1.0))
    found, _ = check(anatomy() + fine)
    assert found["light"] == AMBER
    assert found["edge_correlation"] < 0.28 and found["strongest_spot"] < 8.5


def test_slices_too_small_or_without_a_body_are_not_judged():
    small = scan()
    report = job_report(small, denoise(small, PRETRAINED, []), MODEL, [])
    assert report["removed_noise"]["light"] == NOT_JUDGED
    air = np.full((2, SIZE, SIZE), -1000, np.int16)
    air[:, 80, 80] = 0
    assert check(air.astype(float), hu=air)[0]["light"] == NOT_JUDGED


def test_a_failed_check_is_a_warning_and_costs_no_result(monkeypatch):
    def fail(*arguments):
        raise ValueError("no numbers")

    monkeypatch.setattr(job_run, "removed_structure", fail)
    found, result = check(anatomy())
    assert found["light"] == NOT_JUDGED
    assert result.warnings == ["The removed noise could not be checked (ValueError('no numbers'))."]
    assert np.abs(result.hu - anatomy()).max() <= 1


def test_metal_and_scans_unlike_the_training_are_named():
    hu = noisy(anatomy())
    assert job(hu, PRETRAINED, []).warnings == []
    few = {"noise_hu": [100, 200]}
    (noise,) = job(hu, PRETRAINED, [], domain=few).warnings
    assert "less than the 100 to 200 HU that the network was trained on" in noise
    hu[0, 80, 80] = 7000
    (metal,) = job(hu, PRETRAINED, []).warnings
    assert metal.startswith("1 of 2 slices show metal above 6000 HU")


def test_bright_padding_is_not_metal():
    """Many files have no declared padding value; 32767 is the largest that they can hold."""
    hu = noisy(anatomy())
    air, bright = hu.copy(), hu.copy()
    air[:, :10, :30], bright[:, :10, :30] = -1024, 32767
    assert job(bright, PRETRAINED, []).warnings == []
    expected, result = (denoise(scan, PRETRAINED, []).hu for scan in (air, bright))
    assert np.array_equal(result, np.where(bright == 32767, bright, expected))


def test_saturated_metal_inside_the_body_is_no_padding():
    hu = noisy(anatomy())
    hu[0, 70:90, 70:90] = 32767
    hu[0, :10, :30] = 32767
    (metal,) = job(hu, PRETRAINED, []).warnings
    assert metal.startswith("1 of 2 slices show metal")


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ([5.0], "The scan has an estimated noise of 5.0 HU, outside the 8 to 250 HU"),
        ([300.0], "The scan has an estimated noise of 300.0 HU"),
        ([5.0, 20.0, 6.0], "2 of 3 slices have an estimated noise of 5.0 to 6.0 HU"),
    ],
)
def test_a_scan_that_is_not_tuned_says_why(levels, words):
    records = [TuningRecord([], noise_hu=level) for level in levels]
    assert words in tuning_warning(records)
    assert tuning_warning([TuningRecord([], noise_hu=20.0), TuningRecord([1.0])]) is None
    unknown = TuningRecord([], has_body=False)
    assert tuning_warning([unknown]).startswith("The scan shows too little of a body")
    unlike = TuningRecord([1.0], {0: 45.0, 20: -61.0}, noise_hu=20.0, implausible=True)
    assert tuning_warning([unlike]).startswith("The scan has noise unlike the simulated noise")
    assert "1 of 2 slices have noise unlike" in tuning_warning([unlike, TuningRecord([1.0])])
    both = tuning_warning([unknown, TuningRecord([], noise_hu=5.0), TuningRecord([1.0])])
    assert both.startswith("1 of 3 slices show too little") and "1 of 3 slices have" in both


def test_a_job_that_was_not_tuned_says_so(monkeypatch):
    monkeypatch.setattr(fine_tuning, "TUNING_NOISE_RANGE_HU", (1000.0, 2000.0))
    result = denoise(scan(), DEFAULT, [])
    assert result.losses == []
    assert "outside the 1000 to 2000 HU in which tuning helps" in result.warnings[-1]


@pytest.mark.parametrize("strength", [30, 100])
@pytest.mark.parametrize(("blur", "said"), [(0.02, True), (0.6, False)])
def test_a_job_that_removes_little_noise_says_so_at_any_strength(strength, blur, said):
    hu, settings = noisy(anatomy()), replace(PRETRAINED, strength=strength)
    result = denoise(hu, settings, [], Smoothing(blur), domain={"noise_hu": [5, 100]})
    (found,) = result.warnings or [""]
    assert ("HU of noise in soft tissue, and only" in found) == said
    assert denoise(hu, settings, [], Smoothing(blur)).warnings == []  # of an unknown training
    assert job_report(hu, result, MODEL, [])["warnings"] == result.warnings


def test_a_quiet_scan_is_probably_denoised_already():
    hu = np.rint(anatomy() + np.random.default_rng(0).normal(0, 3, (2, SIZE, SIZE)))
    (quiet,) = job(hu.clip(-1024).astype(np.int16), PRETRAINED, []).warnings
    assert "HU of noise in soft tissue. It is probably denoised already." in quiet
