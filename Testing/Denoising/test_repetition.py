"""A repetition of a job keeps its settings and reports the difference."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.repetition import (
    compare_images,
    differences,
    model_differences,
    outcome,
    repeat_settings,
)
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError

SETTINGS = DenoisingSettings(steps=7, seed=3, device="cuda", orientations=3)


def report(**changes):
    device = {"name": "cuda", "processor": "P", "threads": 2, "precision": "bfloat16"}
    return {
        "settings": SETTINGS.as_dict(),
        "model": {"name": "fast", "sha256": "ab" * 32},
        "versions": {"pseudoctdenoise": "1.0", "torch": "2.6"},
        "device": device,
        "input_hash": {"voxels": "0" * 64, "geometry": "1" * 64},
    } | changes


@pytest.mark.parametrize(("used", "repeated"), [("cpu", "cpu"), ("cuda", "auto"), ("mps", "auto")])
def test_a_processor_is_kept_and_a_gpu_is_looked_for(used, repeated):
    settings = repeat_settings(report(device={"name": used, "precision": "float32"}))
    assert (settings.device, settings.precision) == (repeated, "float32")
    assert (settings.steps, settings.seed, settings.orientations) == (7, 3, 3)


def test_a_report_of_the_earlier_preset_paper_is_repeated_with_its_settings():
    earlier = {
        "rescale": [0.5, 2.0],
        "learning_rate": 1e-4,
        "moving_average": None,
        "steps": 200,
        "update_period": 50,
    }
    repeated = repeat_settings(report(settings=paper_settings().as_dict() | earlier)).as_dict()
    assert {name: repeated[name] for name in earlier} == earlier | {"rescale": (0.5, 2.0)}


def test_a_result_that_neighbours_corrected_is_not_repeated():
    old = report(settings=SETTINGS.as_dict() | {"neighbours": True})
    assert repeat_settings(old | {"slices_with_neighbours": 0}) == repeat_settings(report())
    with pytest.raises(BadInputError, match="Neighbouring slices corrected this result"):
        repeat_settings(old | {"slices_with_neighbours": 3})
    with pytest.raises(BadInputError, match="every job now runs with false"):
        repeat_settings(old)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        (paper_settings(), True),
        (SETTINGS, False),
        (paper_settings(method="pretrained"), False),
        (paper_settings(steps=0), False),
    ],
)
def test_other_noise_models_count_only_if_they_change_the_result(settings, count):
    old, new = (
        report(settings=settings.as_dict(), noise_models=[{"name": "noise", "sha256": letter * 64}])
        for letter in "cd"
    )
    said = ["noise models noise (cccccccc) → noise (dddddddd)"] if count else []
    assert differences(old, new) == model_differences(old, new) == said
    assert model_differences(old | {"noise_models": []}, new) == []


@pytest.mark.parametrize("missing", ["settings", "device"])
def test_a_report_without_settings_or_device_is_refused(missing):
    with pytest.raises(BadInputError, match="not recorded"):
        repeat_settings({key: value for key, value in report().items() if key != missing})


def test_equal_reports_have_no_differences():
    settings = SETTINGS.as_dict() | {"device": "auto", "precision": "bfloat16"}
    assert differences(report(), report(settings=settings)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"versions": {"pseudoctdenoise": "1.1", "torch": "2.6"}}, "PseudoCTDenoise 1.0 → 1.1"),
        ({"device": report()["device"] | {"name": "cpu"}}, "device cuda → cpu"),
        ({"device": report()["device"] | {"threads": 8}}, "number of threads 2 → 8"),
        ({"device": report()["device"] | {"precision": "float32"}}, "precision bfloat16 → float32"),
        ({"device": report()["device"] | {"processor": "Q"}}, "processor P → Q"),
        (
            {"model": {"name": "fast", "sha256": "cd" * 32}},
            "model fast (abababab) → fast (cdcdcdcd)",
        ),
        ({"settings": SETTINGS.as_dict() | {"batch": 2}}, "batch 8 → 2"),
        ({"input_hash": {"geometry": "2" * 64}}, "geometry of the input 11111111 → 22222222"),
    ],
)
def test_what_differs_is_told(changes, said):
    assert differences(report(), report(**changes)) == [said]


def test_what_an_older_report_lacks_is_no_difference():
    old = {"settings": SETTINGS.as_dict(), "versions": "?", "device": {"name": "cuda"}}
    assert differences(old, report()) == []


def test_images_are_compared_voxel_by_voxel():
    before = np.zeros((2, 3, 4), np.int16)
    assert compare_images(before, before.copy()) == ""
    after = before.copy()
    after[1, 2, 3], after[0, 0, 0] = 30000, -3
    rms = np.sqrt((30000.0**2 + 9) / 24)
    said = compare_images(np.where(after > 0, -30000, before).astype(np.int16), after)
    assert said.startswith("up to 6e+04 HU")
    assert (
        compare_images(before, after) == f"up to 3e+04 HU, {rms:.3g} HU RMS, in 8.3 % of the voxels"
    )
    assert "sizes" in compare_images(before, after[:1])


def test_the_outcome_names_the_reasons_or_says_that_there_are_none():
    assert outcome("", []) == "The new result equals the old one in every voxel."
    assert outcome("", ["torch 1 → 2"]).endswith("Changed since then: torch 1 → 2.")
    assert "differs from the old one: up to 1 HU." in outcome("up to 1 HU", ["a 1 → 2"])
    assert outcome("up to 1 HU", []).endswith("Nothing that the report records has changed.")
