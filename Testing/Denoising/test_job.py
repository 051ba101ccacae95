"""The contract of a denoising job, for the default method and for the paper's loop."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.ct.hounsfield import normalise, to_hu
from PseudoCTDenoiseLib.ct.io.slice_file import SliceFile
from PseudoCTDenoiseLib.denoising import fine_tuning, job_run
from PseudoCTDenoiseLib.denoising import plan as job_plan
from PseudoCTDenoiseLib.denoising.clipping import unmeasured
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.map_choice import ALL_MAPS, ENSEMBLE, NO_MAPS
from PseudoCTDenoiseLib.denoising.noise_maps import REMOVED_NOISE
from PseudoCTDenoiseLib.denoising.plan import DENOISING, MAPS, NOISE, TUNING
from PseudoCTDenoiseLib.errors import BadInputError, Cancelled

from .job_cases import (
    BOTH,
    DEFAULT,
    NAMES,
    PAPER,
    PRETRAINED,
    Brightening,
    Smoothing,
    denoise,
    job,
    noise_models,
    scan,
    scan_with_padding,
    unet,
    with_other_last_layers,
)

both = pytest.mark.parametrize("settings", BOTH, ids=NAMES)
every_kind = pytest.mark.parametrize(
    "settings",
    [*BOTH, PRETRAINED, replace(PAPER, tuning="slice")],
    ids=[*NAMES, "pretrained", "paper, per slice"],
)


def test_the_pretrained_result_is_the_output_of_the_network_in_hu():
    hu = scan()
    with torch.inference_mode():
        expected = to_hu(unet()(normalise(torch.from_numpy(hu).float())[:, None]))[:, 0]
    result = denoise(hu, PRETRAINED, denoiser=unet())
    assert result.hu.dtype == np.int16
    np.testing.assert_allclose(result.hu, expected.clamp(min=-1024), atol=0.51)
    assert not result.losses


@pytest.mark.parametrize("settings", [DEFAULT, PAPER])
def test_padding_and_metal_of_a_slice_are_searched_once(settings, monkeypatch):
    hu, calls = scan_with_padding(), []

    def search(slice_hu):
        calls.append(slice_hu.tobytes())
        return unmeasured(slice_hu)

    monkeypatch.setattr("PseudoCTDenoiseLib.denoising.job.unmeasured", search)
    result = job(hu, settings, maps=ENSEMBLE).run(preview_seconds=0.0)
    assert len(calls) == len(set(calls)) == len(hu)
    for index, part in enumerate(hu):
        kept = unmeasured(part)
        assert kept.any()
        np.testing.assert_array_equal(result.hu[index][kept], part[kept])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (DEFAULT, "Noise is simulated with pixels of 0.1 mm."),
        (PAPER, "Check the pixel size in the header."),
        (PRETRAINED, "Check the pixel size in the header."),
    ],
)
def test_the_warning_about_pixels_names_the_simulation_only_if_there_is_one(settings, words):
    made = job(scan(), settings)
    made.pixel_mm = 0.0007
    (warning,) = made.warnings
    assert warning.startswith("The scan has pixels of 0.0007 mm") and warning.endswith(words)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_as_the_fault_of_the_scan(value):
    hu = scan().astype(np.float32)
    hu[1, 3, 4] = value
    with pytest.raises(BadInputError, match="The scan contains NaN or infinity"):
        job(hu, PRETRAINED)


@both
def test_tuning_changes_the_result(settings):
    hu = scan()
    result = denoise(hu, settings)
    untuned = denoise(hu, replace(settings, method="pretrained"))
    assert len(result.losses) == settings.steps
    assert not np.array_equal(result.hu, untuned.hu)


def test_the_default_tuning_removes_noise():
    hu = scan()
    body = np.s_[:, 10:-10, 10:-10]
    tuned, untuned = (
        denoise(hu, replace(DEFAULT, method=method, steps=20)).hu[body].std()
        for method in ("pseudo-ct", "pretrained")
    )
    assert tuned < 0.9 * untuned


@both
def test_the_same_seed_gives_the_same_volume_and_another_one_does_not(settings):
    hu = scan()
    first, again, other = (denoise(hu, replace(settings, seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.hu, again.hu)
    assert first.losses == again.losses
    assert first.losses != other.losses


@both
def test_estimates_and_earlier_runs_do_not_change_the_volume(settings):
    hu = scan()
    repeated = job(hu, settings)
    plan = repeated.estimate()
    first, second = (repeated.run(plan) for _ in range(2))
    expected = denoise(hu, settings)
    assert np.array_equal(first.hu, expected.hu) and np.array_equal(second.hu, expected.hu)


@both
def test_the_scan_and_the_networks_are_not_changed(settings):
    hu, denoiser, models = scan(), Smoothing(), noise_models()
    before = copy.deepcopy([network.state_dict() for network in (denoiser, *models)])
    hu.flags.writeable = False
    original = hu.copy()
    denoise(hu, settings, models, denoiser, maps=ENSEMBLE)
    assert np.array_equal(hu, original)
    for old, network in zip(before, (denoiser, *models), strict=True):
        assert all(torch.equal(old[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("pixel_mm", [0.4, 0.8, None])
def test_the_job_passes_its_pixel_size_to_the_tuning(monkeypatch, pixel_mm):
    passed = []
    fine_tune = job_run.fine_tune

    def probe(*arguments, **options):
        passed.append(options["pixel_mm"])
        return fine_tune(*arguments, **options)

    monkeypatch.setattr(job_run, "fine_tune", probe)
    DenoisingJob(scan(), Smoothing(), [], DEFAULT, pixel_mm=pixel_mm).run_at_once()
    assert passed == [pixel_mm]


def test_another_pixel_size_gives_another_result_of_the_default_method():
    hu = scan()
    small, large = (
        DenoisingJob(hu, Smoothing(), [], DEFAULT, pixel_mm=pixel_mm).run_at_once()
        for pixel_mm in (0.4, 0.8)
    )
    assert small.losses != large.losses
    assert not np.array_equal(small.hu, large.hu)


def test_the_default_keeps_the_means_of_the_scan():
    hu = scan(rows=96, columns=96)
    default = replace(DEFAULT, method="pretrained")
    inside = np.s_[:, 30:-30, 30:-30]
    mean_hu = hu[inside].mean()
    biased, corrected = (
        denoise(hu, settings, denoiser=Brightening()).hu[inside].mean()
        for settings in (replace(default, anchor=None), default)
    )
    assert biased - mean_hu == pytest.approx(2.0, abs=0.1)
    assert abs(corrected - mean_hu) < 1.0


@pytest.mark.parametrize("noise_range", [(1e6, 1e9), (0, 1e9)], ids=["no step", "no better step"])
def test_slices_that_are_not_tuned_have_the_result_of_the_pre_trained_network(
    monkeypatch, noise_range
):
    monkeypatch.setattr(fine_tuning, "TUNING_NOISE_RANGE_HU", noise_range)
    monkeypatch.setattr(fine_tuning.RiskStopping, "best_step", 0)
    hu = scan(slices=2)
    hu[1] += 100
    settings = replace(DEFAULT, tuning="slice")
    result, untuned = denoise(hu, settings), denoise(hu, replace(settings, method="pretrained"))
    assert np.array_equal(result.hu, untuned.hu)


def test_the_bias_is_measured_in_one_orientation():
    hu, passes = scan(slices=3), []
    settings = replace(PRETRAINED, anchor="density", orientations=8, tuning_slices=2)
    counted = job(hu, settings)
    counted.denoiser.register_forward_hook(lambda *_: passes.append(1))
    counted.run_at_once()
    assert len(passes) == 3 * 8 + 2


@pytest.mark.parametrize("settings", [DEFAULT, replace(PAPER, anchor="density")], ids=NAMES)
def test_slices_that_are_tuned_separately_are_independent(settings):
    hu = scan(slices=2)
    settings = replace(settings, tuning="slice")
    result, turned = denoise(hu, settings), denoise(hu[::-1], settings)
    assert len(result.losses) == len(hu) * settings.steps
    assert np.array_equal(turned.hu, result.hu[::-1])
    alone = denoise(hu[1:], replace(settings, tuning="scan"))
    assert np.array_equal(result.hu[1], alone.hu[0])


def test_pretrained_slices_are_independent():
    hu = scan()
    order = [2, 0, 1]
    assert np.array_equal(denoise(hu[order], PRETRAINED).hu, denoise(hu, PRETRAINED).hu[order])


@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 17, 33), (1, 50, 31)])
@both
def test_slices_may_be_smaller_than_a_patch(settings, shape):
    settings = replace(settings, steps=1, patch_size=64, orientations=8)
    result = denoise(scan(*shape), settings, denoiser=unet(), maps=ALL_MAPS)
    images = [result.hu, result.noise, *result.noise_maps]
    assert {(image.shape, image.dtype) for image in images} == {(shape, np.dtype(np.int16))}


@pytest.mark.parametrize("change", [{"steps": 0}, {"method": "pretrained"}], ids=str)
@pytest.mark.parametrize("tuning", ["scan", "slice"])
@both
def test_no_steps_leave_the_network_unchanged(settings, tuning, change):
    hu = scan()
    result = denoise(hu, replace(settings, tuning=tuning, **change))
    assert np.array_equal(result.hu, denoise(hu, replace(settings, method="pretrained")).hu)
    assert list(result.seconds) == [DENOISING] and not result.tunings


def test_with_eight_orientations_a_turned_scan_gives_the_turned_result():
    hu = scan(slices=1, rows=48, columns=48)

    def difference(orientations):
        settings = replace(PRETRAINED, orientations=orientations)
        result = denoise(hu, settings, denoiser=unet()).hu
        of_turned = denoise(np.rot90(hu, axes=(1, 2)), settings, denoiser=unet()).hu
        return np.abs(of_turned - np.rot90(result, axes=(1, 2)).astype(int)).max()

    assert difference(8) <= 1 < difference(1)


@pytest.mark.parametrize(("short", "orientations"), [(75, 8), (0, 3)])
def test_a_job_reports_the_number_of_orientations(monkeypatch, short, orientations):
    monkeypatch.setattr(job_plan, "SHORT_SCAN", short)
    automatic, chosen = (
        denoise(scan(), replace(PRETRAINED, orientations=number)) for number in (None, orientations)
    )
    assert automatic.settings.orientations == orientations
    assert np.array_equal(automatic.hu, chosen.hu)


@both
def test_strength_0_is_the_input_bit_by_bit_and_50_the_mean(settings):
    hu = scan_with_padding()
    full, half, none = (
        denoise(hu, replace(settings, strength=strength)).hu for strength in (100.0, 50.0, 0.0)
    )
    assert np.array_equal(none, hu)
    body = hu >= -1024
    assert np.array_equal(half[body], np.rint((full[body] + hu[body].astype(float)) / 2))
    assert not np.array_equal(full[body], hu[body])
    for result in (full, half):
        assert np.array_equal(result[~body], hu[~body])
        assert result[body].min() >= -1024


@pytest.mark.parametrize("tuning", ["scan", "slice"])
@pytest.mark.parametrize("value", [0, 60])
def test_padding_of_one_value_is_kept_and_does_not_affect_the_tuning(tuning, value):
    settings = replace(DEFAULT, tuning=tuning)
    hu = scan(rows=64, columns=64)
    hu[hu == value] += 1  # a neighbour that has the value by chance would belong to the padding
    outside = np.zeros(hu.shape, bool)
    outside[:, :20] = outside[1, :, 40:] = True
    padded, black = (np.where(outside, fill, hu).astype(np.int16) for fill in (value, -1024))
    result = denoise(padded, settings, maps=ALL_MAPS)
    assert result.losses == denoise(black, settings).losses
    assert np.array_equal(result.hu[outside], padded[outside])
    assert not np.stack([result.noise, *result.noise_maps])[:, outside].any()
    assert not np.array_equal(result.hu[~outside], padded[~outside])


@pytest.mark.parametrize("value", [-1024, -1000, -2000])
def test_padding_that_looks_like_air_is_kept(value):
    hu = scan(rows=64, columns=64)
    hu[:, :20] = value
    made = job(hu, replace(PRETRAINED, strength=70.0), denoiser=Brightening())
    assert np.array_equal(made.run_at_once().hu[:, :20], hu[:, :20])
    assert np.array_equal(made.preview(Brightening(), 1)[:20], hu[1, :20])


def test_air_whose_noise_is_not_clipped_is_denoised_everywhere():
    air = np.random.default_rng(0).normal(-1000, 60, (3, 64, 64)).round().astype(np.int16)
    result = denoise(air, replace(PRETRAINED, strength=100.0))
    assert (air < -1024).mean() > 0.3
    assert not (result.hu == air)[air < -1024].any() and result.hu.min() >= -1024


def test_noise_that_lifts_dense_bone_above_the_range_leaves_bone_to_the_network():
    hu = scan()
    bone = np.s_[:, 20:24, 20:24]
    hu[bone] = 2500
    hu[:, 21, 21] = 3600
    made = job(hu, PRETRAINED, denoiser=Brightening())
    shown = to_hu(made.normalised([1])[0])
    assert shown[20, 20] == pytest.approx(2500, abs=0.01) and shown.max() < 3072
    result = made.run_at_once().hu
    assert result[1, 20, 20] != 2500 and result[1, 21, 21] == 3600


@every_kind
@pytest.mark.parametrize("strength", [100.0, 37.0, 0.0])
def test_metal_above_the_trained_range_is_limited_for_the_network_and_kept(settings, strength):
    settings = replace(settings, strength=strength)
    hu = scan()
    metal = np.zeros(hu.shape, bool)
    metal[:, 20:24, 20:24] = True
    results = {}
    for value in (2000, 30000):
        hu[metal] = value
        results[value] = denoise(hu, settings, maps=ALL_MAPS)
    result, limited = results[30000], results[2000]
    assert np.array_equal(result.hu[metal], hu[metal])
    assert not np.stack([result.noise, *result.noise_maps])[:, metal].any()
    assert np.array_equal(result.hu[~metal], limited.hu[~metal])
    assert result.losses == limited.losses


@both
def test_the_noise_is_described_only_on_request(settings):
    result = denoise(scan(), settings)
    assert (result.noise, result.noise_maps) == (None, None)
    assert MAPS not in result.seconds
    with_map = denoise(scan(), settings, maps=ENSEMBLE)
    assert with_map.noise_maps is None
    np.testing.assert_array_equal(with_map.noise, denoise(scan(), settings, maps=ALL_MAPS).noise)


@both
def test_every_pixel_of_the_noise_comes_from_one_of_the_models(settings):
    result = denoise(scan(), settings, noise_models(3), maps=ALL_MAPS)
    maps = np.stack(result.noise_maps)
    chosen = maps == result.noise
    assert len(maps) == 3
    assert chosen.any(axis=0).all()
    # Each model is drawn somewhere, and none everywhere.
    assert all(0 < (model & (chosen.sum(axis=0) == 1)).sum() < model.size for model in chosen)
    # A choice that is the same in every slice would be a pattern along the scan.
    first, second = chosen.argmax(axis=0)[:2]
    assert (first == second).mean() < 0.5


def test_the_noise_maps_are_the_predictions_of_the_noise_models_at_their_mean_level():
    hu, models = scan(), noise_models()
    result = denoise(hu, PRETRAINED, models, maps=ALL_MAPS)
    with torch.inference_mode():
        slices = normalise(torch.from_numpy(hu).float())[:, None]
        predicted = np.stack([model.cpu()(slices)[:, 0] for model in models])
    levels = predicted.std(axis=(2, 3), ddof=1, keepdims=True)
    expected = predicted / levels * levels.mean(axis=0) * 4096 / REMOVED_NOISE
    np.testing.assert_allclose(result.noise_maps, expected, atol=0.51)


def test_noise_models_that_share_the_trunk_need_no_passes_of_their_own():
    hu, denoiser = scan(), unet()
    models = [with_other_last_layers(denoiser, seed) for seed in (1, 2)]
    settings = replace(PRETRAINED, orientations=3)
    shared = job(hu, settings, models, denoiser, maps=ALL_MAPS)
    assert shared.maps_while_denoising and MAPS not in shared.stages
    result = shared.run_at_once()
    with torch.no_grad():  # one weight of the trunk
        denoiser.bottom.first.bias[0] += 1e-6
    apart = job(hu, settings, models, denoiser, maps=ALL_MAPS)
    assert not apart.maps_while_denoising and MAPS in apart.stages
    expected = apart.run_at_once()
    for one, other in (
        (result.hu, expected.hu),
        (result.noise, expected.noise),
        *zip(result.noise_maps, expected.noise_maps, strict=True),
    ):
        np.testing.assert_allclose(one, other, atol=1)


def test_only_tuning_that_keeps_the_trunk_shares_its_passes_with_the_noise_models():
    denoiser = unet()
    models = [with_other_last_layers(denoiser, seed) for seed in (1, 2)]
    shared = {
        name: job(scan(), settings, models, denoiser, maps=ENSEMBLE).maps_while_denoising
        for name, settings in (("default", DEFAULT), ("paper", PAPER), ("none", PRETRAINED))
    }
    assert shared == {"default": True, "paper": False, "none": True}


def test_the_noise_does_not_depend_on_the_slice_that_is_denoised_first():
    hu, denoiser = scan(), unet()
    models = [with_other_last_layers(denoiser, seed) for seed in (1, 2)]
    first, last = (
        denoise(hu, PRETRAINED, models, denoiser, maps=ENSEMBLE, preview_slice=index)
        for index in (0, 2)
    )
    assert np.array_equal(first.noise, last.noise)


@both
def test_the_noise_does_not_depend_on_the_strength_and_padding_has_none(settings):
    hu = scan_with_padding()
    result = denoise(hu, settings, maps=ALL_MAPS)
    assert not np.stack([result.noise, *result.noise_maps])[:, hu < -1024].any()
    weaker = denoise(hu, replace(settings, strength=30.0), maps=ENSEMBLE)
    assert np.array_equal(weaker.noise, result.noise)


@both
@pytest.mark.parametrize("tuning", ["scan", "slice"])
def test_progress_goes_through_the_stages_and_ends_with_nothing_left(settings, tuning):
    reports, hu = [], scan()
    settings = replace(settings, tuning=tuning)
    denoise(hu, settings, maps=ENSEMBLE, run={"progress": reports.append})
    tunings = len(hu) if tuning == "slice" else 1
    turn = [NOISE, TUNING, DENOISING] if settings.needs_noise_models else [TUNING, DENOISING]
    order = [reports[0].stage] + [
        after.stage
        for before, after in zip(reports, reports[1:], strict=False)
        if before.stage != after.stage
    ]
    assert order == [*(turn * tunings), MAPS]
    assert reports[-1].seconds_left == 0
    assert all(report.seconds_left > 0 for report in reports[:-1])
    for stage, total in ((TUNING, settings.steps), (DENOISING, len(hu)), (MAPS, len(hu))):
        assert [report for report in reports if report.stage == stage][-1].step == total


@pytest.mark.parametrize("tuning", ["scan", "slice"])
def test_nothing_is_left_either_if_patience_ends_the_tuning_early(tuning):
    reports = []
    settings = replace(PAPER, tuning=tuning, steps=60, patience=1, patch_size=8, batch=1)
    result = denoise(scan(slices=2), settings, run={"progress": reports.append})
    assert 0 < len(result.losses) < settings.steps * (2 if tuning == "slice" else 1)
    assert reports[-1].seconds_left == 0


@both
@pytest.mark.parametrize("tuning", ["scan", "slice"])
def test_a_scan_on_disk_gives_the_result_of_one_in_memory(tmp_path, settings, tuning):
    hu = scan_with_padding()
    settings = replace(settings, tuning=tuning, strength=70.0)
    expected = denoise(hu, settings, maps=ALL_MAPS)
    np.save(tmp_path / "scan.npy", hu)
    on_disk = denoise(
        SliceFile(tmp_path / "scan.npy"),
        settings,
        maps=ALL_MAPS,
        run={"new_array": lambda name, shape: SliceFile(tmp_path / f"{name}.npy", shape)},
    )
    assert on_disk.losses == expected.losses
    arrays = {"denoised": expected.hu, "noise": expected.noise}
    arrays |= {f"noise_{number}": image for number, image in enumerate(expected.noise_maps)}
    for name, values in arrays.items():
        assert np.array_equal(np.load(tmp_path / f"{name}.npy"), values), name
    assert on_disk.hu.path.name == "denoised.npy" and len(on_disk.noise_maps) == 2


@both
def test_previews_are_slices_in_hu_and_come_first_and_when_they_are_due(settings):
    hu = scan()
    reports = []
    result = denoise(hu, settings, run={"progress": reports.append, "preview_seconds": 0.0})
    tuning = [report for report in reports if report.stage == TUNING and report.step]
    assert all(report.preview.shape == hu.shape[1:] for report in tuning)
    assert all(report.preview.dtype == np.int16 for report in tuning)
    assert not np.array_equal(tuning[0].preview, tuning[-1].preview)
    chosen = tuning[0].preview_slice
    denoised = [report for report in reports if report.stage == DENOISING and report.step]
    assert [report.preview_slice for report in denoised] == [chosen, None, None]
    assert np.array_equal(denoised[0].preview, result.hu[chosen])

    reports.clear()
    denoise(hu, settings, run={"progress": reports.append, "preview_seconds": 1e6})
    shown = [(report.stage, report.step) for report in reports if report.preview is not None]
    assert shown == [(TUNING, 1)]


@both
def test_the_first_preview_is_of_the_pretrained_network(settings):
    hu = scan()
    untuned = replace(PRETRAINED, anchor=None, orientations=1)
    first = job(hu, settings, preview_slice=1).first_preview()
    assert np.array_equal(first, denoise(hu, untuned).hu[1])


def test_previews_are_in_one_orientation():
    first, turned = (
        job(scan(), replace(DEFAULT, orientations=number), denoiser=unet()).first_preview()
        for number in (1, 8)
    )
    assert np.array_equal(turned, first)


@every_kind
def test_previews_do_not_change_the_result(settings):
    hu = scan()
    plain = denoise(hu, settings)
    for index in (0, 2):
        watched = denoise(hu, settings, preview_slice=index, run={"preview_seconds": 0.0})
        assert np.array_equal(watched.hu, plain.hu)
        assert watched.losses == plain.losses


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory")])
def test_lack_of_memory_for_a_preview_leaves_the_result(monkeypatch, error):
    def fail(self, network, index):
        calls.append(index)
        raise error

    calls = []
    settings = replace(DEFAULT, tuning="scan")
    expected = denoise(scan(), settings)
    monkeypatch.setattr(DenoisingJob, "preview", fail)
    result = denoise(scan(), settings, run={"preview_seconds": 0.0})
    assert np.array_equal(result.hu, expected.hu)
    assert len(calls) == 1
    assert [text for text in result.warnings if "memory for previews" in text]


@every_kind
def test_the_slice_to_preview_can_be_chosen_and_is_denoised_first(settings):
    reports = []
    run = {"progress": reports.append, "preview_seconds": 0.0}
    result = denoise(scan(), settings, preview_slice=2, run=run)
    previews = [report for report in reports if report.preview is not None]
    assert {report.preview_slice for report in previews} == {2}
    assert previews[-1].stage == DENOISING and previews[-1].step == 1
    assert np.array_equal(previews[-1].preview, result.hu[2])


def test_a_slice_that_is_tuned_separately_is_previewed_only_during_its_own_tuning():
    settings, seen = replace(PAPER, tuning="slice"), []

    def look(report):
        if report.preview is not None:
            seen.append((report.stage, report.preview_slice))
        if (report.stage, report.step) == (DENOISING, 1):
            finished.append(True)
        elif finished and report.stage == TUNING:  # the tuning of slice 0
            shown.show_slice(1)

    finished = []
    shown = job(scan(), settings, preview_slice=2)
    shown.run(progress=look, preview_seconds=0.0)
    assert seen == [
        *[(TUNING, 2)] * settings.steps,
        (DENOISING, 2),
        *[(TUNING, 1)] * settings.steps,
        (DENOISING, 1),
    ]


@pytest.mark.parametrize("settings", [*BOTH, PRETRAINED], ids=[*NAMES, "pretrained"])
@pytest.mark.parametrize("start, later", [(2, 0), (0, 2)])
def test_another_slice_can_be_shown_while_the_job_runs(settings, start, later):
    seen = []

    def look(report):
        if report.preview is not None:
            seen.append(report)
        if report.stage == DENOISING and report.step == 1:
            shown.show_slice(later)

    shown = job(scan(), settings)
    shown.show_slice(start)
    result = shown.run(progress=look, preview_seconds=0.0)
    finished = [report for report in seen if report.stage == DENOISING]
    assert [(report.preview_slice, report.step) for report in finished] == [(start, 1), (later, 2)]
    assert all(
        np.array_equal(report.preview, result.hu[report.preview_slice]) for report in finished
    )


def test_a_finished_slice_can_be_shown_again():
    seen = []
    shown = job(scan(), PRETRAINED, maps=ENSEMBLE, preview_slice=0)

    def look(report):
        if report.preview is not None:
            seen.append((report.stage, report.preview_slice))
        shown.show_slice({DENOISING: 1, MAPS: 0}[report.stage])

    shown.run(progress=look, preview_seconds=0.0)
    assert seen == [(DENOISING, 0), (DENOISING, 1), (MAPS, 0)]


@pytest.mark.parametrize("index", [-1, 3])
def test_a_slice_that_the_scan_lacks_cannot_be_shown(index):
    with pytest.raises(BadInputError, match="choose one of the slices 0 to 2"):
        job(scan(), DEFAULT, preview_slice=index)
    with pytest.raises(BadInputError, match="choose one of the slices 0 to 2"):
        job(scan(), DEFAULT).show_slice(index)


@pytest.mark.parametrize("stage", [NOISE, TUNING, DENOISING, MAPS])
@both
def test_a_callback_cancels_at_every_stage(settings, stage):
    stages = job(scan(), settings, maps=ENSEMBLE).stages

    def cancel(report):
        if report.stage == stage:
            raise Cancelled

    if stage not in stages:
        assert (stage, settings) == (NOISE, DEFAULT)
        return
    with pytest.raises(Cancelled):
        denoise(scan(), settings, maps=ENSEMBLE, run={"progress": cancel})


def test_the_batch_can_be_reduced_for_another_run():
    reduced = job(scan(), replace(PAPER, batch=8))
    reduced.reduce_batch()
    assert reduced.settings == replace(PAPER, batch=2)
    assert np.array_equal(reduced.run_at_once().hu, denoise(scan(), replace(PAPER, batch=2)).hu)
    reduced.reduce_batch()
    assert reduced.settings.batch == 1


@pytest.mark.parametrize(
    "settings, maps", [(PAPER, NO_MAPS), (PRETRAINED, ENSEMBLE), (DEFAULT, ENSEMBLE)]
)
def test_a_job_that_lacks_noise_models_is_refused_before_it_starts(settings, maps):
    with pytest.raises(BadInputError, match="noise models"):
        job(scan(), settings, [], maps=maps)


@pytest.mark.parametrize("settings", [DEFAULT, PRETRAINED, replace(PAPER, steps=0)])
def test_only_tuning_on_their_maps_needs_noise_models(settings):
    alone = denoise(scan(), settings, [])
    assert NOISE not in alone.seconds
    assert np.array_equal(alone.hu, denoise(scan(), settings).hu)


@pytest.mark.parametrize("shape", [(48, 64), (0, 48, 64), (1, 3, 48, 64)])
def test_an_array_that_is_not_a_stack_of_slices_is_refused(shape):
    with pytest.raises(BadInputError, match="slices, rows, columns"):
        job(np.zeros(shape, np.int16), DEFAULT)


@both
def test_the_job_runs_on_each_kind_of_device(device, settings):
    result = denoise(scan(), replace(settings, device=device.type, precision="auto"))
    assert result.device.name == device.type
    assert result.precision in ("float32", "bfloat16")
    on_cpu = denoise(scan(), PRETRAINED, denoiser=unet())
    there = denoise(scan(), replace(PRETRAINED, device=device.type), denoiser=unet())
    assert np.abs(there.hu.astype(int) - on_cpu.hu).max() <= 1


@both
def test_bfloat16_is_for_inference_and_not_for_the_tuning(device, settings):
    exact, half = (
        denoise(
            scan(),
            replace(settings, device=device.type, precision=precision, learning_rate=1e-3),
            denoiser=unet(),
        )
        for precision in ("float32", "bfloat16")
    )
    assert half.losses == pytest.approx(exact.losses, rel=1e-5)  # a GPU adds in any order
    assert 0 < np.abs(half.hu.astype(int) - exact.hu).max() < 20
