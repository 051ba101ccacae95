"""Table of methods: the comparison, and the averages in its rows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pseudoct_research.datasets.ct_dataset import CtScan
from pseudoct_research.evaluation import comparison
from pseudoct_research.evaluation.comparison import (
    COLUMNS,
    CtPair,
    Method,
    compare,
    filter_methods,
    network_methods,
    score,
    simulated_pair,
    subtract_mean_noise,
    summary,
)
from pseudoct_research.evaluation.filters import FILTERS, Filter
from PseudoCTDenoiseLib.ct.hounsfield import normalise
from PseudoCTDenoiseLib.ct.noise_level import noise_reduction
from PseudoCTDenoiseLib.ct.reference_metrics import image_metrics, psnr_4096
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.markdown_table import markdown
from PseudoCTDenoiseLib.models.networks import UNet
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import SHARP, SOFT

SETTINGS = DenoisingSettings(
    device="cpu", precision="float32", steps=2, patch_size=16, batch=1, learning_rate=1e-3
)


def pair(patient="one", slices=2, size=32, seed=0):
    rng = np.random.default_rng(seed)
    clean = np.full((slices, size, size), -1000.0)
    clean[:, 3:-3, 3:-3] = 50
    low, normal = (
        np.rint(clean + noise * rng.normal(size=clean.shape)).clip(-1024).astype(np.int16)
        for noise in (20, 5)
    )
    return CtPair(patient, low, normal)


def networks(noise_models=2):
    torch.manual_seed(0)
    models = [UNet([4, 8], residual=False).eval() for _ in range(noise_models)]
    return UNet([4, 8]).eval(), models


def a_score(method, patient, psnr, slices=1, **others):
    metrics = {"psnr_400": 30.0, "ssim_4096": 0.9, "hu_bias": 0.0, "noise_reduction": 40.0}
    row = {"method": method, "patient": patient, "slices": slices, "psnr_4096": psnr}
    return row | metrics | {"seconds": 1.0} | others


def test_the_ldct_is_first_and_every_method_runs_on_every_pair():
    pairs = [pair("one"), pair("two", seed=1)]
    zero, half = (lambda hu, _: np.zeros_like(hu)), (lambda hu, _: hu / 2)
    methods = [Method("zero", zero), Method("half", half)]
    rows = list(compare(methods, pairs))
    assert [(row["method"], row["patient"]) for row in rows] == [
        (method, patient) for method in ("LDCT", "zero", "half") for patient in ("one", "two")
    ]
    assert rows[0]["psnr_4096"] == image_metrics(pairs[0].ldct, pairs[0].ndct)["psnr_4096"]


def test_a_score_compares_the_methods_image_with_the_ndct():
    one = pair()
    image = (one.ldct + one.ndct.astype(float)) / 2
    row = score(Method("mean", lambda hu, _: image), one)
    assert row.items() >= image_metrics(image, one.ndct).items()
    assert row["noise_reduction"] == 100 * noise_reduction(one.ldct, image)
    assert row["slices"] == 2
    assert row["seconds"] >= 0


def test_a_scan_without_soft_tissue_has_no_noise_reduction():
    lung = pair()
    lung = CtPair("lung", lung.ldct - np.int16(900), lung.ndct - np.int16(900))
    assert math.isnan(score(Method("LDCT", lambda hu, _: hu), lung)["noise_reduction"])


def test_gains_are_relative_to_the_ldct_of_the_same_patient():
    scores = [a_score("LDCT", "a", 40.0), a_score("LDCT", "b", 44.0)]
    scores += [a_score("net", "b", 45.0), a_score("net", "a", 43.0)]
    ldct, net = summary(scores)
    assert net["gain_mean"] == 2.0
    assert net["gain"] == "+2.00 ± 1.41"  # of a sample: the gains are 1 and 3
    assert (net["psnr_4096"], net["patients"]) == (44.0, 2)
    assert ldct["psnr_4096"] == 42.0
    assert ldct["gain"] is ldct["noise_reduction"] is ldct["seconds"] is None


def test_a_negative_gain_has_a_minus_sign_and_one_patient_no_deviation():
    scores = [a_score("LDCT", "a", 40.0), a_score("net", "a", 39.5)]
    assert summary(scores)[1]["gain"] == "−0.50"


def test_patients_have_equal_weight_for_any_number_of_slices_and_scans():
    scores = [
        *(a_score("LDCT", "a", 40.0, slices=3), a_score("LDCT", "a", 44.0, slices=1)),
        a_score("LDCT", "b", 50.0, slices=100),
        *(a_score("net", "a", 42.0, slices=3), a_score("net", "a", 50.0, slices=1)),
        a_score("net", "b", 51.0, slices=100),
    ]
    ldct, net = summary(scores)
    assert ldct["psnr_4096"] == (41.0 + 50.0) / 2
    assert net["psnr_4096"] == (44.0 + 51.0) / 2
    assert (net["gain_mean"], net["gain"]) == (2.0, "+2.00 ± 1.41")


def test_means_ignore_missing_values():
    nan = float("nan")
    scores = [
        *(a_score("LDCT", patient, 40.0) for patient in "ab"),
        a_score("net", "a", 42.0, slices=9, noise_reduction=nan, hu_bias=nan),
        a_score("net", "a", 42.0, slices=1, noise_reduction=30.0, hu_bias=nan),
        a_score("net", "b", 42.0, noise_reduction=50.0, hu_bias=nan),
    ]
    net = summary(scores)[1]
    assert net["noise_reduction"] == 40.0
    assert math.isnan(net["hu_bias"])
    assert markdown([net], COLUMNS).splitlines()[2].split(" | ")[5] == "–"


def test_the_control_is_the_ldct_minus_the_mean_noise_map():
    _, models = networks()
    hu = pair().ldct
    with torch.inference_mode():
        x = normalise(torch.from_numpy(hu).float())[:, None]
        noise = 4096 * sum(model(x) for model in models)[:, 0].numpy() / len(models)
    control = subtract_mean_noise(hu, models, SETTINGS)
    np.testing.assert_allclose(control, (hu - noise).clip(-1024), atol=0.51)  # whole HU
    assert np.abs(noise).mean() > 1


def test_the_network_has_rows_untuned_averaged_and_tuned():
    denoiser, _ = networks()
    hu = pair().ldct
    methods = network_methods(denoiser, "tiny", SETTINGS)
    assert [method.name for method in methods] == ["tiny", "tiny, 8 orientations", "tiny + method"]
    chosen = [
        replace(SETTINGS, method="pretrained", orientations=1),
        replace(SETTINGS, method="pretrained", orientations=8),
        replace(SETTINGS, method="pseudo-ct"),
    ]
    for method, settings in zip(methods, chosen, strict=True):
        job = DenoisingJob(hu, denoiser, [], settings, pixel_mm=0.8)
        assert np.array_equal(method.denoise(hu, 0.8), job.run().hu)


def test_the_time_includes_no_trial_runs(monkeypatch):
    def estimate(job):
        raise AssertionError("estimated while the time was taken")

    monkeypatch.setattr(DenoisingJob, "estimate", estimate)
    denoiser, _ = networks()
    for method in network_methods(denoiser, "tiny", SETTINGS):
        assert method.denoise(pair().ldct, None).shape == pair().ldct.shape


def test_every_filter_uses_its_best_setting_on_scans_of_any_size():
    pairs = [pair("one", size=64), pair("two", slices=1, size=56, seed=1)]
    methods = filter_methods(pairs)
    assert [m.name.split(" (")[0] for m in methods] == [f.name for f in FILTERS.values()]
    # The search uses this region; the edges of this small body may need another setting.
    inner = np.s_[:, 16:40, 16:40]
    scores = list(
        compare(methods, [CtPair(p.patient, p.ldct[inner], p.ndct[inner]) for p in pairs])
    )
    ldct, *rows = summary(scores)
    assert all(row["gain_mean"] > 0 for row in rows)
    assert all("=" not in row["method"] and row["method"].endswith(")") for row in rows)


def test_the_setting_is_the_best_at_the_centre_of_the_middle_slices(monkeypatch):
    seen = []

    def shift(hu, *, by):
        seen.append(hu)
        return hu + by

    grid = ({"by": 0.0}, {"by": 3.0}, {"by": 7.0})
    only = Filter("Shift", shift, grid[0], grid)
    monkeypatch.setattr(comparison, "FILTERS", {"shift": only})
    one = pair(slices=3)
    one = CtPair("one", one.ldct, one.ldct + np.int16(3))
    (method,) = filter_methods([one])
    assert method.name == "Shift (by 3)"
    assert all(np.array_equal(image, one.ldct[1, 8:24, 8:24]) for image in seen)
    assert np.array_equal(method.denoise(one.ldct, None), one.ndct)


def test_a_filter_that_cannot_measure_the_noise_is_omitted():
    lung = pair(size=64)
    lung = CtPair("lung", lung.ldct - np.int16(900), lung.ndct - np.int16(900))
    names = [method.name.split(" (")[0] for method in filter_methods([pair(size=64), lung])]
    assert names == ["Gaussian", "Curvature anisotropic diffusion", "Total variation"]


def test_a_filter_measures_the_noise_once_in_a_scan(monkeypatch):
    only = FILTERS["non_local_means"]
    only = replace(only, grid=(only.default,))
    monkeypatch.setattr(comparison, "FILTERS", {"non_local_means": only})
    one = pair(size=48)
    for image in (one.ldct, one.ndct):
        image[0] = -1000  # no soft tissue in which noise could be measured
    (method,) = filter_methods([one])
    assert psnr_4096(method.denoise(one.ldct, None), one.ndct) > psnr_4096(one.ldct, one.ndct)


def test_the_reference_of_a_sharp_pair_has_the_sharpness_and_noise_of_the_kernel():
    hu = np.random.default_rng(0).normal(40, 10, (1, 48, 48)).astype(np.int16)
    hu[0, :4] = -3024
    made = simulated_pair(CtScan("one", hu, 0.8), 0.25, SHARP, seed=1)
    assert made.ndct.dtype == np.int16 and (made.ndct[0, :4] == -3024).all()
    assert made.ndct[0, 8:40].std() > 1.5 * hu[0, 8:40].std()
    assert abs(made.ndct[0, 16:32].mean() - 40) < 5


@pytest.mark.parametrize("kernel", [SOFT, SHARP])
@pytest.mark.parametrize("fill", [-3024, -1024, 0])
def test_padding_of_a_simulated_pair_stays_as_it_is(kernel, fill):
    hu = np.random.default_rng(0).normal(40, 10, (1, 48, 48)).astype(np.int16)
    hu[0, :12] = fill
    made = simulated_pair(CtScan("one", hu, 0.8), 0.25, kernel, seed=1)
    assert (made.ndct[0, :12] == fill).all() and (made.ldct[0, :12] == fill).all()
    assert (made.ldct[0, 12:] != made.ndct[0, 12:]).mean() > 0.9


def test_a_simulated_pair_is_the_scan_and_a_noisier_version():
    scan = CtScan("one", pair(slices=1, size=48).ndct, 0.8)
    made = simulated_pair(scan, 0.25, SOFT, seed=1)
    assert made.patient == "one"
    assert made.ndct is scan.hu
    assert made.ldct.dtype == np.int16
    assert noise_reduction(made.ldct, made.ndct) > 0.2
    again, other = (simulated_pair(scan, 0.25, SOFT, seed=seed).ldct for seed in (1, 2))
    assert np.array_equal(made.ldct, again) and not np.array_equal(made.ldct, other)
