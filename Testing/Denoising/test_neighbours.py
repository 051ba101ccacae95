"""Slices are corrected by neighbours that are similar to them, and by no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU
from PseudoCTDenoiseLib.denoising.job_run import JobRun
from PseudoCTDenoiseLib.denoising.map_choice import ENSEMBLE
from PseudoCTDenoiseLib.denoising.neighbours import (
    LEAST_SIMILARITY,
    OFFSETS,
    STACK,
    neighbour_input,
    similar_neighbours,
    similarity,
    tuned_likewise,
)
from PseudoCTDenoiseLib.denoising.plan import DENOISING, PartSeconds, plan_job
from PseudoCTDenoiseLib.models.networks import UNet, widened
from torch import nn

from .job_cases import (
    DEFAULT,
    PRETRAINED,
    bodies,
    denoise,
    job,
    unet,
    unet_of_stacks,
    with_other_last_layers,
)

CORRECTED = replace(PRETRAINED, neighbours=True)


class Recorder(nn.Module):
    """Adds HU to the denoised slice, and records the images that it receives."""

    def __init__(self, hu=10):
        super().__init__()
        self.images = []
        self.shift = hu / 4096

    def forward(self, images):
        self.images.append(images[0])
        return images[:, 1:2] + self.shift


def noisy_stacks(count=1, size=64, seed=0):
    """Return stacks of one flat tissue in HU, normalised, scanned with 20 HU of noise and denoised.

    (count, STACK, size, size) each.
    """
    noise = torch.randn(count, STACK, size, size, generator=torch.Generator().manual_seed(seed))
    return 0.26 + 20 / RANGE_HU * noise, 0.26 + 2 / RANGE_HU * noise


def test_the_order_is_the_slice_then_its_denoised_neighbours_then_the_scanned_ones():
    scanned, denoised = noisy_stacks()
    images = neighbour_input(scanned, denoised)
    order = [scanned[:, :1], denoised[:, :1], denoised[:, 1:], scanned[:, 1:]]
    assert torch.equal(images, torch.cat(order, dim=1))


def test_a_missing_neighbour_is_replaced_by_the_denoised_slice():
    scanned, denoised = noisy_stacks(2)
    scanned[1, 3], denoised[1, 3] = scanned[1, 0], denoised[1, 0]
    images = neighbour_input(scanned, denoised)
    for place in (1 + 3, STACK + 3):
        assert torch.equal(images[1, place], denoised[1, 0])
        assert not torch.equal(images[0, place], denoised[0, 0])


@pytest.mark.parametrize("of", ["slice", "neighbour"])
def test_a_neighbour_that_shows_something_else_is_replaced_there(of):
    scanned, denoised = noisy_stacks()
    square = np.s_[0, 0 if of == "slice" else 2, 20:40, 20:40]
    for stacks in (scanned, denoised):
        stacks[square] += 35 / RANGE_HU  # less than twice the noise
    images = neighbour_input(scanned, denoised)[0]
    differ = range(1, STACK) if of == "slice" else [2]
    for neighbour in range(1, STACK):
        for place, stacks in ((1 + neighbour, denoised), (STACK + neighbour, scanned)):
            shown = denoised[0, 0] if neighbour in differ else stacks[0, neighbour]
            assert torch.equal(images[place, 22:38, 22:38], shown[22:38, 22:38])
            assert torch.equal(images[place, :14], stacks[0, neighbour, :14])


def test_a_difference_below_the_noise_replaces_nothing():
    scanned, denoised = noisy_stacks()
    for stacks in (scanned, denoised):
        stacks[0, 2, 20:40, 20:40] += 10 / RANGE_HU
    assert torch.equal(neighbour_input(scanned, denoised)[:, STACK + 1 :], scanned[:, 1:])


def test_slices_from_which_no_noise_was_removed_replace_neighbours_that_differ():
    denoised = torch.full((1, STACK, 40, 40), 0.26)
    denoised[0, 1] += 1 / RANGE_HU
    images = neighbour_input(denoised.clone(), denoised)
    assert torch.equal(images, denoised[:, :1].expand(-1, 2 * STACK, -1, -1))


def test_neighbours_are_similar_and_unrelated_slices_are_not():
    hu = bodies(5)
    assert similar_neighbours(hu) == [(1, 2), (-1, 1, 2), (-1, 1, -2, 2), (-1, 1, -2), (-1, -2)]
    hu[2] = bodies(1, seed=4)[0]
    assert similar_neighbours(hu) == [(1,), (-1, 2), (), (1, -2), (-1,)]


def test_shifted_and_empty_slices_are_not_similar():
    one = bodies(1)[0].astype(float)
    assert similarity(one, one) == pytest.approx(1.0)
    assert similarity(one, np.roll(one, 16, axis=1)) < LEAST_SIMILARITY
    assert similarity(one, np.full_like(one, -1000)) == 0.0


def test_slices_on_both_sides_of_a_gap_are_not_similar():
    one = bodies(1)[0]
    after_gap = np.roll(one, 3, axis=1)
    assert similar_neighbours(np.stack([one, after_gap])) == [(), ()]


@pytest.mark.parametrize("value", [-1000, 50])
def test_slices_without_a_body_or_without_contrast_are_not_similar(value):
    flat = np.full((40, 40), float(value))
    assert similarity(flat, flat) == 0.0


def test_strong_noise_hides_no_neighbour():
    hu = bodies(3) + np.random.default_rng(1).normal(0, 80, (3, 48, 48))
    assert similar_neighbours(hu) == [(1, 2), (-1, 1), (-1, -2)]


@pytest.mark.parametrize("shape", [(1, 3, 5), (2, 5, 200), (2, 1, 1)])
def test_slices_of_any_size_are_compared(shape):
    assert similar_neighbours(np.zeros(shape, np.int16)) == [()] * shape[0]


def test_every_slice_is_corrected_by_the_neighbours_that_it_has(monkeypatch):
    # The network is not trained, so neighbours may differ anywhere.
    monkeypatch.setattr("PseudoCTDenoiseLib.denoising.neighbours.DIFFERENCE", (1e6, 2e6))
    hu, recorder = bodies(), Recorder()
    made = job(hu, CORRECTED, neighbour_model=recorder)
    result = made.run_at_once()
    alone = denoise(hu, CORRECTED)
    np.testing.assert_array_equal(result.hu, alone.hu + 10)
    assert result.corrected == len(hu) and alone.corrected == 0
    scanned = made.normalised(range(len(hu)))
    for images in recorder.images:
        (index,) = (k for k in range(len(hu)) if torch.equal(scanned[k], images[0]))
        for number, offset in enumerate(OFFSETS, start=1):
            denoised, raw = images[1 + number], images[STACK + number]
            if index + offset in range(len(hu)):
                assert torch.equal(raw, scanned[index + offset])
                assert not torch.equal(denoised, images[1])
            else:
                assert torch.equal(raw, images[1]) and torch.equal(denoised, images[1])


def test_unrelated_slices_give_the_result_of_lone_slices():
    hu = np.stack([bodies(1, seed=seed)[0] for seed in range(6)])
    recorder = Recorder()
    result = denoise(hu, CORRECTED, neighbour_model=recorder)
    np.testing.assert_array_equal(result.hu, denoise(hu, CORRECTED).hu)
    assert result.corrected == 0 and not recorder.images


def test_a_slice_of_another_scan_is_neither_corrected_nor_used():
    hu, recorder = bodies(), Recorder()
    hu[3] = bodies(1, seed=9)[0]
    result = denoise(hu, CORRECTED, neighbour_model=recorder)
    alone = denoise(hu, CORRECTED)
    assert result.corrected == len(hu) - 1
    np.testing.assert_array_equal(result.hu[3], alone.hu[3])
    stray = job(hu, CORRECTED).normalised([3])[0]
    assert not any(torch.equal(part, stray) for images in recorder.images for part in images)


@pytest.mark.parametrize("copies", [1, 3])
def test_a_lone_slice_and_copies_of_it_are_not_corrected(copies):
    hu = np.repeat(bodies(1), copies, axis=0)
    result = denoise(hu, CORRECTED, neighbour_model=Recorder())
    np.testing.assert_array_equal(result.hu, denoise(hu, CORRECTED).hu)
    assert result.corrected == 0


def test_without_the_setting_the_neighbours_are_ignored():
    hu, recorder = bodies(), Recorder()
    denoise(hu, replace(CORRECTED, neighbours=False), neighbour_model=recorder)
    assert not recorder.images


def test_the_order_of_the_slices_does_not_matter():
    """Previews jump to other slices."""
    hu = bodies(9)
    model = unet_of_stacks()
    expected = denoise(hu, CORRECTED, neighbour_model=model).hu
    made = job(hu, CORRECTED, neighbour_model=model, preview_slice=6)
    jumps = iter([1, 7, 3])

    def jump(report):
        if report.stage == DENOISING and (place := next(jumps, None)) is not None:
            made.show_slice(place)

    np.testing.assert_array_equal(made.run(progress=jump).hu, expected)


def test_noise_maps_and_tuning_are_those_of_lone_slices():
    hu = bodies()
    denoiser = unet()
    models = [with_other_last_layers(denoiser, 5)]
    options = {"models": models, "denoiser": denoiser, "maps": ENSEMBLE}
    settings = replace(DEFAULT, learning_rate=1e-3, neighbours=True)
    alone = denoise(hu, settings, **options)
    corrected = denoise(hu, settings, neighbour_model=unet_of_stacks(), **options)
    np.testing.assert_array_equal(corrected.noise, alone.noise)
    assert corrected.losses == alone.losses
    assert not np.array_equal(corrected.hu, alone.hu)


def test_the_noise_maps_of_a_slice_are_made_once(monkeypatch):
    """A slice passes more than once, for the bias and for its neighbours."""
    hu, denoiser, kept = bodies(9), unet(), []
    keep = JobRun._keep_noise
    monkeypatch.setattr(
        JobRun,
        "_keep_noise",
        lambda run, index, *rest: (kept.append(index), keep(run, index, *rest)),
    )
    denoise(
        hu,
        replace(CORRECTED, anchor="density", tuning_slices=8),
        models=[with_other_last_layers(denoiser, 5)],
        denoiser=denoiser,
        maps=ENSEMBLE,
        neighbour_model=unet_of_stacks(),
    )
    assert sorted(kept) == list(range(9))


def test_padding_comes_back_unchanged():
    hu = bodies()
    hu[:, :6] = -2000
    result = denoise(hu, CORRECTED, neighbour_model=unet_of_stacks())
    assert result.corrected
    np.testing.assert_array_equal(result.hu[:, :6], hu[:, :6])


def test_the_plan_contains_the_corrections():
    hu = bodies()
    with_model = job(hu, CORRECTED, neighbour_model=unet_of_stacks())
    part = with_model.part_seconds()
    assert part.correction > 0
    assert job(hu, CORRECTED).part_seconds().correction == 0
    assert with_model.corrected == len(hu)
    plan = plan_job(with_model.settings, len(hu), False, part, len(hu))
    assert plan.seconds[DENOISING] == pytest.approx(len(hu) * (part.slice + part.correction))


def test_the_plan_contains_the_measurement_of_the_bias():
    settings = replace(CORRECTED, anchor="density", orientations=1, tuning_slices=8)
    part = PartSeconds(slice=1.0, update=0.0, noise=0.0, tuning_slice=0.0, correction=100.0)

    def seconds(slices, corrected):
        return plan_job(settings, slices, False, part, corrected).seconds[DENOISING]

    assert seconds(20, 0) == 20 + 8
    assert seconds(30, 30) == 30 + 4 * STACK + 100 * (30 + 4)
    assert seconds(20, 3) == 20 + 8 + 3 + 100 * (3 + 3)


def test_corrected_and_lone_slices_keep_the_means_of_the_scan():
    hu = bodies(10)
    hu[7] = bodies(1, seed=9)[0]  # a slice of another scan
    settings = replace(CORRECTED, anchor="density", tuning_slices=8)
    model = Recorder(hu=2)
    biased = denoise(hu, replace(settings, anchor=None), neighbour_model=model)
    result = denoise(hu, settings, neighbour_model=model)
    inside = np.s_[:, 12:-12, 12:-12]
    lone = np.arange(len(hu)) == 7
    for part in (lone, ~lone):
        left, before = (
            abs((image[part][inside] - hu[part][inside].astype(float)).mean())
            for image in (result.hu, biased.hu)
        )
        assert left < max(0.5, before / 2)
    assert (biased.hu[~lone][inside] - result.hu[~lone][inside]).mean() > 1


@pytest.mark.parametrize("neighbours", [True, False])
def test_a_bias_is_only_measured_where_it_is_needed(neighbours):
    hu, passes = bodies(12), []
    made = job(hu, replace(CORRECTED, anchor="density"), neighbour_model=Recorder())
    if not neighbours:
        made = job(hu, replace(CORRECTED, anchor="density"))
    made.denoiser.register_forward_hook(lambda *_: passes.append(1))
    made.run_at_once()
    assert len(passes) <= len(hu) + (4 * STACK if neighbours else 8)


@pytest.mark.parametrize(("orientations", "passes"), [(1, 1), (3, 1), (8, 3)])
def test_the_neighbour_model_needs_fewer_orientations(orientations, passes):
    hu, recorder = bodies(), Recorder()
    settings = replace(CORRECTED, orientations=orientations)
    denoise(hu, settings, denoiser=unet(), neighbour_model=recorder)
    assert len(recorder.images) == len(hu) * passes


def test_lone_slices_are_averaged_over_all_orientations():
    hu = np.stack([bodies(1, seed=seed)[0] for seed in range(3)])
    settings = replace(CORRECTED, orientations=8)
    alone = denoise(hu, settings, denoiser=unet())
    result = denoise(hu, settings, denoiser=unet(), neighbour_model=unet_of_stacks())
    np.testing.assert_array_equal(result.hu, alone.hu)


def test_slices_that_are_tuned_on_their_own_are_not_corrected():
    settings = replace(DEFAULT, tuning="slice", neighbours=True)
    assert job(bodies(), settings, neighbour_model=Recorder()).corrected == 0


def test_the_change_that_tuned_the_denoiser_is_added_to_the_neighbour_model():
    denoiser, tuned = unet(0), unet(1)
    model = UNet([4, 8], images=2 * STACK)
    model.load_state_dict(widened(denoiser.state_dict(), model))
    stacks = torch.rand(1, 2 * STACK, 24, 24)
    assert torch.allclose(model(stacks), denoiser(stacks[:, :1]), atol=1e-6)
    likewise = tuned_likewise(model, denoiser, tuned)
    assert torch.allclose(likewise(stacks), tuned(stacks[:, :1]), atol=1e-5)
    assert torch.allclose(model(stacks), denoiser(stacks[:, :1]), atol=1e-6)
    assert tuned_likewise(model, denoiser, denoiser) is model


@pytest.mark.parametrize(
    "other", [UNet([4, 12], images=2 * STACK), Recorder()], ids=["wide", "own"]
)
def test_a_neighbour_model_of_another_architecture_stays_as_it_is(other):
    assert tuned_likewise(other, unet(0), unet(1)) is other


def test_the_tuned_network_also_tunes_the_neighbour_model():
    hu = bodies()
    denoiser = unet()
    model = unet_of_stacks()
    model.load_state_dict(widened(denoiser.state_dict(), model))
    settings = replace(DEFAULT, learning_rate=1e-3, anchor=None, neighbours=True)
    alone = denoise(hu, settings, denoiser=denoiser)
    corrected = denoise(hu, settings, denoiser=denoiser, neighbour_model=model)
    assert corrected.corrected == len(hu)
    # The model does not see the neighbours yet, so it is the tuned network.
    assert np.abs(corrected.hu - alone.hu).max() <= 1
    untuned = denoise(hu, replace(settings, method="pretrained"), denoiser=denoiser)
    assert np.abs(untuned.hu - alone.hu).max() > 1
