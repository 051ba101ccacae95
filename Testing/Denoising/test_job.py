"""What a denoising job promises to whoever starts one."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.ct.hounsfield import normalise, to_hu
from PseudoCTDenoiseLib.ct.io.slice_file import SliceFile
from PseudoCTDenoiseLib.denoising import job as denoising
from PseudoCTDenoiseLib.denoising import plan as job_plan
from PseudoCTDenoiseLib.denoising.job import (
    DENOISING,
    MAPS,
    NOISE,
    TUNING,
    DenoisedScan,
    DenoisingJob,
)
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError, Cancelled
from PseudoCTDenoiseLib.models.networks import UNet

TUNED = DenoisingSettings(
    teacher="average",
    orientations=1,
    noise_source="both",
    device="cpu",
    precision="float32",
    steps=4,
    learning_rate=1e-3,
    patch_size=16,
    batch=2,
    tuning_slices=2,
    anchor=None,
)
PRETRAINED = replace(TUNED, method="pretrained")


def scan(slices=3, rows=32, columns=40):
    rng = np.random.default_rng(0)
    hu = np.full((slices, rows, columns), -1000.0)
    hu[:, rows // 6 : -rows // 6, columns // 6 : -columns // 6] = 50
    return np.rint(hu + rng.normal(0, 20, hu.shape)).clip(-1024).astype(np.int16)


def scan_with_padding():
    hu = scan()
    hu[:, :5] = -2000
    hu[1, 20, 30] = 3071
    return hu


def network(seed=0, residual=True):
    torch.manual_seed(seed)
    return UNet([4, 8], residual=residual)


def noise_models(count=2):
    return [network(1 + number, residual=False) for number in range(count)]


def denoise(hu, settings=TUNED, models=None, **options) -> DenoisedScan:
    models = noise_models() if models is None else models
    return DenoisingJob(hu, network(), models, settings, **options).run()


def test_the_pretrained_result_is_the_networks_output_in_hu():
    hu = scan()
    with torch.inference_mode():
        expected = to_hu(network()(normalise(torch.from_numpy(hu).float())[:, None]))[:, 0]
    result = denoise(hu, PRETRAINED)
    assert result.hu.dtype == np.int16
    np.testing.assert_allclose(result.hu, expected.clamp(min=-1024), atol=0.51)
    assert not result.losses


def test_the_same_seed_gives_the_same_volume_and_another_one_does_not():
    hu = scan()
    first, again, other = (denoise(hu, replace(TUNED, seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.hu, again.hu)
    assert first.losses == again.losses
    assert not np.array_equal(first.hu, other.hu)


def test_an_estimate_beforehand_does_not_change_the_volume():
    hu = scan()
    job = DenoisingJob(hu, network(), noise_models(), TUNED)
    assert np.array_equal(job.run(job.estimate()).hu, denoise(hu).hu)


def test_a_job_may_be_run_again():
    job = DenoisingJob(scan(), network(), noise_models(), TUNED)
    assert np.array_equal(job.run().hu, job.run().hu)


def test_the_scan_and_the_networks_stay_as_they_were():
    hu, denoiser, models = scan(), network(), noise_models()
    before = copy.deepcopy([one.state_dict() for one in (denoiser, *models)])
    hu.flags.writeable = False
    original = hu.copy()
    DenoisingJob(hu, denoiser, models, TUNED, want_noise=True).run()
    assert np.array_equal(hu, original)
    for old, now in zip(before, (denoiser, *models), strict=True):
        assert all(torch.equal(old[key], value) for key, value in now.state_dict().items())


def test_an_anchored_result_keeps_the_means_of_the_scan():
    hu = scan(rows=96, columns=96)
    inside = np.s_[:, 30:-30, 30:-30]
    means = {
        anchor: denoise(hu, replace(PRETRAINED, anchor=anchor)).hu[inside].mean()
        - hu[inside].mean()
        for anchor in (None, "density")
    }
    assert abs(means[None]) > 1.5  # random weights
    assert abs(means["density"]) < 0.6 * abs(means[None])


def test_slices_that_are_tuned_on_alone_are_anchored_alone():
    hu = scan(rows=96, columns=96)
    settings = replace(TUNED, tuning="slice", anchor="density")
    alone = denoise(hu[:1], settings).hu
    assert np.array_equal(denoise(hu, settings).hu[:1], alone)


@pytest.mark.parametrize("settings", [PRETRAINED, replace(TUNED, tuning="slice")])
def test_slices_do_not_know_of_each_other(settings):
    hu = scan()
    order = [2, 0, 1]
    assert np.array_equal(denoise(hu[order], settings).hu, denoise(hu, settings).hu[order])
    assert np.array_equal(denoise(hu[1:2], settings).hu[0], denoise(hu, settings).hu[1])


@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 17, 33), (1, 50, 31)])
@pytest.mark.parametrize("orientations", [1, 8])
def test_slices_may_have_any_size_even_below_that_of_a_patch(shape, orientations):
    settings = replace(TUNED, steps=1, patch_size=64, orientations=orientations)
    result = denoise(scan(*shape), settings, want_noise=True)
    images = [result.hu, result.noise, result.pseudo_ldct, *result.noise_maps]
    assert {(image.shape, image.dtype) for image in images} == {(shape, np.dtype(np.int16))}


@pytest.mark.parametrize("teacher", ["network", "orientations", "average"])
@pytest.mark.parametrize("source", ["models", "both", "residual", "simulator"])
@pytest.mark.parametrize("ensemble", ["pixel", "region"])
def test_every_kind_of_pseudo_pair_tunes_the_network(teacher, source, ensemble):
    hu = scan()
    settings = replace(
        TUNED,
        teacher=teacher,
        noise_source=source,
        ensemble=ensemble,
        noise_sign="random",
        update_period=2,
    )
    result = denoise(hu, settings)
    assert len(result.losses) == settings.steps
    assert not np.array_equal(result.hu, denoise(hu, PRETRAINED).hu)


def test_no_steps_leave_the_network_as_it_is():
    hu = scan()
    result = denoise(hu, replace(TUNED, steps=0))
    assert np.array_equal(result.hu, denoise(hu, PRETRAINED).hu)
    assert list(result.seconds) == [DENOISING]


def test_each_slice_is_tuned_on_itself_where_that_is_asked_for():
    hu = scan()
    result = denoise(hu, replace(TUNED, tuning="slice"))
    assert len(result.losses) == len(hu) * TUNED.steps
    alone = denoise(hu[2:], replace(TUNED, tuning="scan"))
    assert np.array_equal(result.hu[2], alone.hu[0])


def test_with_eight_orientations_a_turned_scan_gives_the_turned_result():
    hu = scan(slices=1, rows=48, columns=48)

    def difference(orientations):
        settings = replace(PRETRAINED, orientations=orientations)
        turned = np.rot90(denoise(hu, settings).hu, axes=(1, 2))
        return np.abs(denoise(np.rot90(hu, axes=(1, 2)), settings).hu - turned.astype(int)).max()

    assert difference(8) <= 1 < difference(1)


@pytest.mark.parametrize(
    ("shape", "orientations"),
    [((1, 8, 8), 8), ((75, 512, 512), 8), ((76, 512, 512), 3)]
    + [((18, 1024, 1024), 8), ((19, 1024, 1024), 3), ((300, 256, 256), 8)],
)
def test_a_short_scan_has_all_orientations_and_one_of_more_pixels_three(shape, orientations):
    settings = replace(PRETRAINED, orientations=None)
    assert job_plan.settled(settings, shape) == replace(settings, orientations=orientations)
    assert job_plan.settled(PRETRAINED, shape) is PRETRAINED


@pytest.mark.parametrize(("short", "orientations"), [(75, 8), (0, 3)])
def test_a_job_says_over_how_many_orientations_it_averaged(monkeypatch, short, orientations):
    monkeypatch.setattr(job_plan, "SHORT_SCAN", short)
    usual, told = (
        denoise(scan(), replace(PRETRAINED, orientations=one)) for one in (None, orientations)
    )
    assert usual.settings.orientations == orientations
    assert np.array_equal(usual.hu, told.hu)


def test_strength_0_is_the_input_bit_by_bit_and_50_the_mean():
    hu = scan_with_padding()
    full, half, none = (denoise(hu, replace(TUNED, strength=s)).hu for s in (100.0, 50.0, 0.0))
    assert np.array_equal(none, hu)
    body = hu >= -1024
    assert np.array_equal(half[body], np.rint((full[body] + hu[body].astype(float)) / 2))
    assert not np.array_equal(full[body], hu[body])
    for result in (full, half):
        assert np.array_equal(result[~body], hu[~body])
        assert result[body].min() >= -1024


def test_the_noise_is_described_only_where_that_is_asked_for():
    result = denoise(scan())
    assert (result.noise, result.noise_maps, result.pseudo_ldct) == (None, None, None)
    assert MAPS not in result.seconds


@pytest.mark.parametrize("settings", [TUNED, PRETRAINED, replace(TUNED, ensemble="region")])
def test_every_pixel_of_the_noise_comes_from_one_of_the_models(settings):
    result = denoise(scan(), settings, noise_models(3), want_noise=True)
    maps = np.stack(result.noise_maps)
    chosen = maps == result.noise
    assert len(maps) == 3
    assert chosen.any(axis=0).all()
    # Each model is drawn, and none is the ensemble by itself.
    assert all(0 < (one & (chosen.sum(axis=0) == 1)).sum() < one.size for one in chosen)


def test_the_noise_maps_are_what_the_noise_models_predict():
    hu, models = scan(), noise_models()
    result = denoise(hu, PRETRAINED, models, want_noise=True)
    with torch.inference_mode():
        predicted = models[1].cpu()(normalise(torch.from_numpy(hu).float())[:, None])[:, 0]
    np.testing.assert_allclose(result.noise_maps[1], predicted * 4096, atol=0.51)


def test_the_pseudo_ldct_is_the_denoised_scan_with_the_ensembles_noise():
    hu = scan_with_padding()
    result = denoise(hu, want_noise=True)
    body = hu >= -1024
    expected = np.maximum(result.hu.astype(int) + result.noise, -1024)
    assert np.abs(result.pseudo_ldct - expected)[body].max() <= 1  # rounded once, not twice
    assert np.array_equal(result.pseudo_ldct[~body], hu[~body])
    assert not np.stack([result.noise, *result.noise_maps])[:, ~body].any()
    assert result.pseudo_ldct[body].min() == -1024


def test_the_pseudo_ldct_is_of_the_full_strength_whatever_is_shown():
    hu = scan()
    shown = denoise(hu, replace(TUNED, strength=30.0), want_noise=True)
    assert np.array_equal(shown.pseudo_ldct, denoise(hu, want_noise=True).pseudo_ldct)


@pytest.mark.parametrize("tuning", ["scan", "slice"])
def test_progress_goes_through_the_stages_and_ends_with_nothing_left(tuning):
    reports = []
    settings = replace(TUNED, tuning=tuning)
    denoise(scan(), settings, want_noise=True, progress=reports.append)
    turn = [NOISE, TUNING, DENOISING]
    order = [turn[0]] + [
        b.stage for a, b in zip(reports, reports[1:], strict=False) if a.stage != b.stage
    ]
    assert order == [*(turn * (3 if tuning == "slice" else 1)), MAPS]
    assert reports[-1].seconds_left == 0
    assert all(report.seconds_left > 0 for report in reports[:-1])
    for stage, total in ((TUNING, 4), (DENOISING, 3), (MAPS, 3)):
        assert [r for r in reports if r.stage == stage][-1].step == total
    losses = [report.loss for report in reports if report.loss is not None]
    assert len(losses) == 4 * (3 if tuning == "slice" else 1)


@pytest.mark.parametrize("tuning", ["scan", "slice"])
def test_nothing_is_left_either_where_patience_ends_the_tuning_early(tuning):
    reports = []
    settings = replace(TUNED, tuning=tuning, steps=60, patience=1, patch_size=8, batch=1)
    result = denoise(scan(slices=2), settings, progress=reports.append)
    assert 0 < len(result.losses) < 60
    assert reports[-1].seconds_left == 0


@pytest.mark.parametrize("tuning", ["scan", "slice"])
def test_a_scan_on_the_disk_gives_what_one_in_memory_gives(tmp_path, tuning):
    hu = scan_with_padding()
    settings = replace(TUNED, tuning=tuning, strength=70.0)
    expected = denoise(hu, settings, want_noise=True)
    np.save(tmp_path / "scan.npy", hu)
    on_disk = denoise(
        SliceFile(tmp_path / "scan.npy"),
        settings,
        want_noise=True,
        new_array=lambda name, shape: SliceFile(tmp_path / f"{name}.npy", shape),
    )
    assert on_disk.losses == expected.losses
    names = {"denoised": expected.hu, "noise": expected.noise, "pseudo_ldct": expected.pseudo_ldct}
    names |= {f"noise_{k}": one for k, one in enumerate(expected.noise_maps)}
    for name, values in names.items():
        assert np.array_equal(np.load(tmp_path / f"{name}.npy"), values), name
    assert on_disk.hu.path.name == "denoised.npy" and len(on_disk.noise_maps) == 2


def test_previews_are_slices_in_hu_and_come_first_and_when_they_are_due():
    hu = scan()
    reports = []
    result = denoise(hu, progress=reports.append, preview_seconds=0.0)
    tuning = [r for r in reports if r.stage == TUNING and r.step]
    assert all(r.preview.shape == hu.shape[1:] for r in tuning)
    assert all(r.preview.dtype == np.int16 for r in tuning)
    assert not np.array_equal(tuning[0].preview, tuning[-1].preview)
    chosen = tuning[0].preview_slice
    last = [(r.preview_slice, r.step) for r in reports if r.stage == DENOISING]
    assert last == [(chosen, 1), (None, 2), (None, 3)]
    shown = next(r.preview for r in reports if r.stage == DENOISING)
    assert np.array_equal(shown, result.hu[chosen])

    reports.clear()
    denoise(hu, progress=reports.append, preview_seconds=1e6)
    shown = [(r.stage, r.step) for r in reports if r.preview is not None]
    assert shown == [(TUNING, 1)]


def test_the_first_preview_is_of_the_network_before_it_is_tuned():
    hu = scan()
    job = DenoisingJob(hu, network(), noise_models(), TUNED, preview_slice=1)
    untuned = replace(PRETRAINED, anchor=None, orientations=1)
    assert np.array_equal(job.first_preview(), denoise(hu, untuned).hu[1])


@pytest.mark.parametrize("settings", [TUNED, PRETRAINED, replace(TUNED, tuning="slice")])
def test_previews_do_not_change_the_result(settings):
    hu = scan()
    plain = denoise(hu, settings)
    for chosen in range(3):
        watched = denoise(hu, settings, preview_seconds=0.0, preview_slice=chosen)
        assert np.array_equal(watched.hu, plain.hu)
        assert watched.losses == plain.losses


@pytest.mark.parametrize("settings", [TUNED, PRETRAINED, replace(TUNED, tuning="slice")])
def test_the_slice_to_preview_may_be_chosen_and_is_denoised_first(settings):
    reports = []
    result = denoise(
        scan(), settings, progress=reports.append, preview_seconds=0.0, preview_slice=2
    )
    previews = [r for r in reports if r.preview is not None]
    assert {r.preview_slice for r in previews} == {2}
    assert previews[-1].stage == DENOISING and previews[-1].step == 1
    assert np.array_equal(previews[-1].preview, result.hu[2])


@pytest.mark.parametrize("settings", [TUNED, PRETRAINED])
@pytest.mark.parametrize("start, later", [(2, 0), (0, 2)])
def test_another_slice_may_be_looked_at_while_the_job_runs(settings, start, later):
    seen = []

    def look(report):
        if report.preview is not None:
            seen.append(report)
        if report.stage == DENOISING and report.step == 1:
            job.preview_slice = later

    job = DenoisingJob(scan(), network(), noise_models(), settings, preview_seconds=0.0)
    job.preview_slice = start
    job.progress = look
    result = job.run()
    finished = [r for r in seen if r.stage == DENOISING]
    assert [(r.preview_slice, r.step) for r in finished] == [(start, 1), (later, 2)]
    assert all(np.array_equal(r.preview, result.hu[r.preview_slice]) for r in finished)


def test_a_slice_that_is_finished_may_be_looked_at_again():
    seen = []
    job = DenoisingJob(scan(), network(), noise_models(), PRETRAINED, want_noise=True)
    job.preview_seconds, job.preview_slice = 0.0, 0

    def look(report):
        if report.preview is not None:
            seen.append((report.stage, report.preview_slice))
        job.preview_slice = {DENOISING: 1, MAPS: 0}[report.stage]

    job.progress = look
    job.run()
    assert seen == [(DENOISING, 0), (DENOISING, 1), (MAPS, 0)]


@pytest.mark.parametrize("chosen", [-1, 3])
def test_a_slice_to_preview_that_the_scan_lacks_is_refused(chosen):
    with pytest.raises(BadInputError, match="slices 0 to 2"):
        DenoisingJob(scan(), network(), noise_models(), TUNED, preview_slice=chosen)


@pytest.mark.parametrize("stage", [NOISE, TUNING, DENOISING, MAPS])
def test_a_callback_cancels_at_every_stage(stage):
    def cancel(report):
        if report.stage == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        denoise(scan(), want_noise=True, progress=cancel)


@pytest.mark.parametrize("settings, want_noise", [(TUNED, False), (PRETRAINED, True)])
def test_a_job_that_lacks_noise_models_is_refused_before_it_starts(settings, want_noise):
    with pytest.raises(BadInputError, match="noise models"):
        DenoisingJob(scan(), network(), [], settings, want_noise=want_noise)


def test_the_network_alone_needs_no_noise_models():
    assert denoise(scan(), PRETRAINED, []).hu.shape == scan().shape
    assert denoise(scan(), replace(TUNED, steps=0), []).hu.shape == scan().shape


def test_tuning_on_the_scans_own_residual_needs_and_asks_no_noise_models():
    settings = replace(TUNED, teacher="orientations", noise_source="residual")
    alone = denoise(scan(), settings, [])
    assert list(alone.seconds) == [TUNING, DENOISING]
    assert np.array_equal(alone.hu, denoise(scan(), settings, noise_models()).hu)
    assert not np.array_equal(alone.hu, denoise(scan(), PRETRAINED, []).hu)


@pytest.mark.parametrize("shape", [(48, 64), (0, 48, 64), (1, 3, 48, 64)])
def test_what_is_no_stack_of_slices_is_refused(shape):
    with pytest.raises(BadInputError, match="slices, rows, columns"):
        DenoisingJob(np.zeros(shape, np.int16), network(), noise_models(), TUNED)


def test_a_denoiser_without_late_layers_is_refused_before_it_starts():
    settings = replace(TUNED, tuned_layers="late")
    with pytest.raises(BadInputError, match="Identity names no late layers"):
        DenoisingJob(scan(), torch.nn.Identity(), noise_models(), settings)
    DenoisingJob(scan(), torch.nn.Identity(), [], replace(settings, method="pretrained"))


def test_a_tuning_that_diverges_is_refused_not_returned():
    with pytest.raises(BadInputError, match="learning_rate"):
        denoise(scan(), replace(TUNED, learning_rate=1e30))


@pytest.mark.parametrize("want_noise", [False, True])
@pytest.mark.parametrize(
    "settings", [TUNED, PRETRAINED, replace(TUNED, tuning="slice"), replace(TUNED, steps=0)]
)
def test_the_estimate_has_the_stages_that_run(settings, want_noise):
    job = DenoisingJob(scan(), network(), noise_models(), settings, want_noise=want_noise)
    plan = job.estimate()
    reports = []
    job.progress = reports.append
    result = job.run(plan)
    assert list(plan) == job.stages == list(result.seconds)
    assert list(dict.fromkeys(report.stage for report in reports)) == job.stages
    assert all(seconds > 0 for seconds in (*plan.values(), *result.seconds.values()))


def test_the_estimate_grows_with_the_work(monkeypatch):
    job = DenoisingJob(scan(), network(), noise_models(), TUNED, want_noise=True)

    def plan(**changes):
        job.settings = replace(TUNED, teacher="network", **changes)
        monkeypatch.setattr(job, "_time", lambda work: 1.0)
        return job.estimate()

    # Two slices to tune on and three in all; every pass and every update takes a second.
    assert plan() == {NOISE: 2, TUNING: 4 + 2, DENOISING: 3, MAPS: 3}
    assert plan(tuning="slice") == {NOISE: 3, TUNING: 3 * (4 + 1), DENOISING: 3, MAPS: 3}
    assert plan(orientations=8)[DENOISING] == 24
    assert plan(update_period=2)[TUNING] == 4 + 2 * 2


def test_the_estimate_takes_tuning_to_be_in_float32(monkeypatch):
    def seconds(job, work):
        seen.clear()
        work()
        return 1.0 if torch.bfloat16 in seen else 10.0

    seen = []
    denoiser = network()
    denoiser.bottom.first.register_forward_hook(lambda layer, given, out: seen.append(out.dtype))
    monkeypatch.setattr(DenoisingJob, "_time", seconds)
    settings = replace(TUNED, precision="bfloat16", noise_source="residual", teacher="network")
    plan = DenoisingJob(scan(), denoiser, [], settings).estimate()
    assert plan == {TUNING: 2 * 10 + 4 * 10, DENOISING: 3 * 1}


def test_the_job_runs_on_each_kind_of_device(device):
    settings = replace(TUNED, device=device.type, precision="auto")
    result = denoise(scan(), settings, want_noise=True)
    assert result.device.name == device.type
    assert result.precision in ("float32", "bfloat16")
    on_cpu = denoise(scan(), replace(PRETRAINED, device="cpu"))
    there = denoise(scan(), replace(PRETRAINED, device=device.type, precision="float32"))
    assert np.abs(there.hu.astype(int) - on_cpu.hu).max() <= 1


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_for_the_passes_and_not_for_the_tuning(device, precision):
    exact, half = (
        denoise(scan(), replace(TUNED, device=device.type, precision=one))
        for one in ("float32", precision)
    )
    assert half.losses == pytest.approx(exact.losses, rel=1e-5)  # a GPU adds in any order
    assert 0 < np.abs(half.hu.astype(int) - exact.hu).max() < 20


def test_the_estimate_counts_the_orientations_once(monkeypatch):
    seen = []

    def one_orientation(network, slices, *, orientations=1, precision=torch.float32):
        seen.append(orientations)
        return slices

    monkeypatch.setattr(denoising, "apply_network", one_orientation)
    monkeypatch.setattr(DenoisingJob, "_time", lambda job, work: (work(), 1.0)[1])
    job = DenoisingJob(scan(), network(), [], replace(PRETRAINED, orientations=8))
    assert job.estimate() == {DENOISING: 8 * len(scan())}
    assert seen == [1]
    job.settings = replace(job.settings, anchor="density")  # a pass over each slice of the sample
    assert job.estimate() == {DENOISING: 8 * len(scan()) + 2}
