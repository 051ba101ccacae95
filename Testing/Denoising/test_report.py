"""The report of a job contains its settings and metrics as plain JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from ast import literal_eval
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from example_report import REPORT
from PseudoCTDenoiseLib import __version__
from PseudoCTDenoiseLib.ct.io.slice_file import SliceFile
from PseudoCTDenoiseLib.ct.noise_level import noise_reduction, soft_tissue_noise
from PseudoCTDenoiseLib.ct.reference_metrics import image_metrics
from PseudoCTDenoiseLib.denoising.denoised_scan import DenoisedScan
from PseudoCTDenoiseLib.denoising.device import ComputeDevice
from PseudoCTDenoiseLib.denoising.fine_tuning import TuningRecord
from PseudoCTDenoiseLib.denoising.noise_estimation import NoiseTexture
from PseudoCTDenoiseLib.denoising.report import (
    job_report,
    noise_metrics,
    peak_memory_mib,
    processor_name,
)
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.json_text import json_text
from PseudoCTDenoiseLib.models.catalog import DENOISER, NOISE_MODEL
from PseudoCTDenoiseLib.models.store import Manifest

SETTINGS = DenoisingSettings(steps=3, rescale=(0.5, 2.0), update_period=None, seed=7)
MODEL = Manifest("tiny", DENOISER, "UNet", {}, sha256="a" * 64)
NOISE_MODELS = [Manifest(name, NOISE_MODEL, "UNet", {}, sha256=name * 64) for name in "bc"]


def tissue(noise, seed=0):
    rng = np.random.default_rng(seed)
    return np.rint(50 + noise * rng.normal(size=(2, 32, 32))).astype(np.int16)


LDCT, DENOISED, NDCT = tissue(20), tissue(5), tissue(8, seed=1)
RESULT = DenoisedScan(
    DENOISED,
    SETTINGS,
    ComputeDevice("cpu", "no working GPU (cuda: none)"),
    "bfloat16",
    [TuningRecord([3.0, 2.0], {0: 5.0, 2: 4.0}, 2, 0.5, 21.0, NoiseTexture(0.1, 0.4))],
    {"tuning": 1.23456, "denoising": 0.5},
)


def report(reference=None, result=RESULT, hu=LDCT):
    return job_report(hu, result, MODEL, NOISE_MODELS, reference)


def written(values):
    """Return the report as it is written and read again."""
    return json.loads(json_text(values))


def test_a_report_is_plain_json():
    found = written(report(NDCT))
    found["settings"]["rescale"] = tuple(found["settings"]["rescale"])
    assert found == report(NDCT) | {"peak_memory_mib": found["peak_memory_mib"]}


def test_the_example_for_other_tests_is_complete():
    found = report()
    assert REPORT.keys() == found.keys()
    for part in ("device", "versions", "noise", "removed_noise"):
        assert REPORT[part].keys() == found[part].keys()


def test_a_report_has_the_noise_and_the_risks_of_the_tuning():
    assert written(report())["tunings"] == [
        {
            "noise_found_hu": 21.0,
            "kernel_sharpness_found": 0.1,
            "tube_current_modulation_found": 0.4,
            "risk_hu2_by_step": {"0": 5.0, "2": 4.0},
            "best_step": 2,
            "share_of_tuned_weights": 0.5,
            "diverged": False,
            "implausible_risk": False,
        }
    ]


def test_a_report_holds_the_settings_to_repeat_the_job():
    assert DenoisingSettings(**written(report())["settings"]) == SETTINGS


def test_a_report_has_models_versions_and_device():
    found = report()
    assert found["model"] == {"name": "tiny", "sha256": "a" * 64}
    assert [model["sha256"] for model in found["noise_models"]] == ["b" * 64, "c" * 64]
    assert found["versions"]["pseudoctdenoise"] == __version__
    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["numpy"] == np.__version__
    assert found["versions"]["simpleitk"] == sitk.Version.VersionString()
    assert found["versions"]["python"].startswith("3.")
    assert found["device"]["name"] == "cpu"
    assert found["device"]["reason"] == "no working GPU (cuda: none)"
    assert found["device"]["precision"] == "bfloat16"
    assert "CPU" in found["device"]["description"]
    assert "Research use only" in found["notice"]


def test_a_report_has_times_and_losses():
    found = report()
    assert found["seconds"] == {"tuning": 1.235, "denoising": 0.5}
    assert (found["slices"], found["steps_done"], found["tuning_loss"]) == (2, 2, [3.0, 2.0])
    assert found["peak_memory_mib"]["process"] > 50  # torch alone takes more


def test_a_report_has_the_noise_before_and_after():
    found = report()
    assert found["noise"]["soft_tissue_before_hu"] == soft_tissue_noise(LDCT)
    assert found["noise"]["soft_tissue_after_hu"] == soft_tissue_noise(DENOISED)
    assert found["noise"]["reduction_percent"] == 100 * noise_reduction(LDCT, DENOISED)
    assert 60 < found["noise"]["reduction_percent"] < 90
    difference = np.abs(LDCT.astype(float) - DENOISED).mean()
    assert found["mean_absolute_change_hu"] == pytest.approx(difference)


def test_a_report_has_the_direction_of_the_noise_if_there_is_enough_soft_tissue():
    assert noise_metrics(LDCT, DENOISED)["direction_ratio_before"] is None
    large = np.tile(LDCT, (1, 3, 3))
    metrics = noise_metrics(large, large)
    assert metrics["direction_ratio_before"] == metrics["direction_ratio_after"] > 1
    streaks = np.repeat(large[:, ::2], 2, axis=1)
    metrics = noise_metrics(large, streaks)
    assert metrics["direction_ratio_after"] > 1.2 * metrics["direction_ratio_before"]


def test_a_report_has_the_low_frequencies_of_the_removed_noise():
    scan = np.tile(LDCT, (1, 3, 3)).astype(float)
    key = "removed_low_frequency_percent"
    assert noise_metrics(LDCT, DENOISED)[key] is None  # too little soft tissue
    assert noise_metrics(scan, scan)[key] is None  # nothing was removed
    mean = scan.mean()
    assert noise_metrics(scan, mean + 0.5 * (scan - mean))[key] == pytest.approx(50, abs=0.1)


def test_the_change_is_right_where_int16_would_overflow():
    far = np.full((1, 32, 32), 30000, np.int16)
    found = report(hu=far, result=replace(RESULT, hu=-far))
    assert found["mean_absolute_change_hu"] == 60000


def test_a_scan_without_soft_tissue_has_no_noise_metrics():
    lung = np.full((1, 32, 32), -800, np.int16)
    assert noise_metrics(lung, lung) is None
    found = report(hu=lung, result=replace(RESULT, hu=lung))
    assert found["noise"] is None
    written(found)


def test_a_reference_adds_the_metrics_of_input_and_result():
    assert "against_reference" not in report()
    found = report(NDCT)["against_reference"]
    assert found["input"] == image_metrics(LDCT, NDCT)
    assert found["result"] == image_metrics(DENOISED, NDCT)
    assert found["result"]["psnr_4096"] > found["input"]["psnr_4096"]


def test_a_figure_that_does_not_exist_is_none():
    found = written(report(LDCT))["against_reference"]
    assert found["input"]["psnr_4096"] is None  # infinite: the images are equal
    assert found["input"]["rmse_hu"] == 0
    lung = np.full((1, 32, 32), -800, np.int16)
    found = written(report(lung, replace(RESULT, hu=lung + np.int16(1)), lung))
    assert found["against_reference"]["result"]["hu_bias"] is None  # no body to measure it in


def test_scans_on_disk_are_reported_like_those_in_memory(tmp_path):
    for name, values in (("before", LDCT), ("after", DENOISED)):
        np.save(tmp_path / f"{name}.npy", values)
    before, after = (SliceFile(tmp_path / f"{name}.npy") for name in ("before", "after"))
    on_disk, in_memory = report(hu=before, result=replace(RESULT, hu=after)), report()
    for key in ("slices", "noise", "mean_absolute_change_hu"):
        assert on_disk[key] == in_memory[key]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="read from the kernel")
def test_the_peak_memory_is_not_that_of_the_parent():
    held = np.ones(400 * 2**20, np.uint8)
    code = "from PseudoCTDenoiseLib.denoising.report import peak_memory_mib as peak; print(peak())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    child = literal_eval(found.stdout.decode())
    assert held.all() and child["process"] < peak_memory_mib()["process"] - 100


@pytest.mark.parametrize("text", ["Name: python", None])
def test_what_a_sandbox_hides_costs_no_report(monkeypatch, text):
    def read(path, *options):
        if text is None:
            raise PermissionError(path)
        return text

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr("sys.platform", "linux")
    assert "process" not in peak_memory_mib()
    assert processor_name()


def test_the_peak_memory_is_whole_mib():
    assert all(type(mib) is int for mib in peak_memory_mib().values())
