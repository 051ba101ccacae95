"""Settings are checked where they are made, and JSON does not change them."""

import json
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from PseudoCTDenoiseLib.denoising.presets import paper_settings, preset_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings, settings_from_values
from PseudoCTDenoiseLib.errors import BadInputError

NAN, INFINITY = float("nan"), float("inf")
BAD = {
    "method": ["", "Pseudo-CT", None, 3, []],
    "teacher": ["student", None],
    "noise_source": ["model", None],
    "noise_sign": ["as_is", 1],
    "loss": ["huber", None],
    "anchor": ["", "low", 3],
    "tuning": ["volume", True],
    "device": ["gpu", "cuda:", "cuda:100", "cuda:01", "cpu:0", None],
    "precision": ["double", 16],
    "steps": [-1, 1.5, "100", None, NAN, True],
    "patience": [0, -1, 2.5, "none", False],
    "update_period": [0, -50, 0.5, "50", INFINITY],
    "moving_average": [0, 1, -0.5, 1.5, "0.9", True, float("nan")],
    "learning_rate": [0, 1e31, -1e-4, NAN, INFINITY, "1e-4", None, True],
    "patch_size": [0, -64, 64.0, "64", None],
    "batch": [0, -1, 1.5, None],
    "flips": ["no", 0, 1, None],
    "rescale": [
        *((2.0, 0.5), (0.0, 1.0), (-1, 1), (1, 9), (0.5,), (0.5, 1, 2), ("a", "b"), "12", 2.0),
        *((NAN, 1.0), (True, True), [0.5], {}, ()),
    ],
    "tuning_slices": [0, -1, 2.0, None],
    "orientations": [0, 2, 4, -8, 8.0, "8", True],
    "strength": [-0.1, 100.1, NAN, "100", None, True],
    "seed": [-1, 0.5, "0", None, 2**63],
}
GOOD = [
    {},
    {"patience": None, "update_period": None, "rescale": None},
    {"patience": 1, "update_period": 1, "rescale": (1, 1), "steps": 0, "seed": 2**40},
    {"strength": 0, "orientations": 8, "learning_rate": 1, "rescale": (0.1, 8)},
    {"method": "pretrained", "teacher": "network", "noise_sign": "as-is"},
    {"loss": "l1", "tuning": "slice", "device": "cuda:1", "precision": "bfloat16", "flips": False},
]


def test_every_setting_is_checked():
    assert BAD.keys() == {field.name for field in fields(DenoisingSettings)}


def test_the_scan_as_target_needs_noise_that_is_independent_of_it():
    with pytest.raises(BadInputError, match="noise_source simulator"):
        DenoisingSettings(noise_source="models")


@pytest.mark.parametrize("values", GOOD, ids=str)
def test_settings_are_read_from_values_by_name(values):
    assert settings_from_values(values) == DenoisingSettings(**values)


def test_an_unknown_setting_is_named():
    with pytest.raises(
        BadInputError, match="^Unknown setting 'stepps'. Valid settings: method, teacher"
    ):
        settings_from_values({"stepps": 3})


@pytest.mark.parametrize("settings", [DenoisingSettings(), paper_settings()])
def test_the_report_of_an_earlier_version_can_be_repeated(settings):
    earlier = settings.as_dict() | {"ensemble": "pixel", "tuned_layers": None}
    assert settings_from_values(earlier) == settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ensemble": "region"}, "'ensemble' no longer exists.*'pixel'.*remove ensemble 'region'"),
        ({"tuned_layers": "late"}, "'tuned_layers' no longer exists.*remove tuned_layers 'late'"),
        ({"teacher": "average"}, "teacher 'average' was removed.*choose network"),
        ({"teacher": "orientations"}, "teacher 'orientations' was removed.*choose network"),
        ({"noise_source": "both"}, "noise_source 'both' was removed.*choose models"),
        ({"noise_source": "residual"}, "noise_source 'residual' was removed.*choose models"),
        ({"noise_sign": "mirrored"}, "noise_sign 'mirrored' was removed.*choose random"),
        ({"precision": "float16"}, "precision 'float16' was removed.*choose bfloat16"),
    ],
)
def test_a_removed_setting_or_value_is_refused_with_an_alternative_in_one_line(values, message):
    with pytest.raises(BadInputError, match=message) as caught:
        settings_from_values(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_bad_value_is_refused_by_name_in_one_line(name, value):
    with pytest.raises(BadInputError) as caught:
        DenoisingSettings(**{name: value})
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_change_is_checked_like_a_new_setting():
    with pytest.raises(BadInputError, match="steps"):
        replace(DenoisingSettings(), steps=-1)
    with pytest.raises(BadInputError, match="loss"):
        paper_settings(loss="huber")


@pytest.mark.parametrize("changes", [*GOOD, paper_settings().as_dict()], ids=str)
def test_settings_come_back_from_json_as_they_were(changes):
    settings = DenoisingSettings(**changes)
    back = settings_from_values(json.loads(json.dumps(settings.as_dict(), allow_nan=False)))
    assert back == settings and hash(back) == hash(settings)
    assert back.as_dict() == settings.as_dict()


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        DenoisingSettings().steps = 5


def test_the_dictionary_is_a_copy():
    settings = DenoisingSettings()
    settings.as_dict()["steps"] = 7
    assert settings == DenoisingSettings()


def test_the_preset_paper_is_the_papers_loop_with_a_careful_update():
    """Algorithm 1 of arXiv 2104.02326 without the update of the teacher."""
    paper = preset_settings("paper")
    assert paper == paper_settings()
    assert paper.method == "pseudo-ct" and paper.teacher == "network"
    assert paper.noise_source == "models" and paper.noise_sign == "as-is"
    assert paper.loss == "mse" and paper.patch_size == 64 and paper.flips
    assert paper.rescale is None and paper.moving_average
    assert paper.update_period is None and paper.patience is None
    assert paper.orientations == 1 and paper.anchor is None
    assert paper_settings(update_period=5, steps=3).update_period == 5


def test_the_presets_take_increasing_effort():
    quick, standard, thorough = map(preset_settings, ("quick", "standard", "thorough"))
    assert not quick.tunes and standard.tunes
    assert thorough.steps > standard.steps
    assert thorough.tuning_slices > standard.tuning_slices
    assert (quick.orientations, thorough.orientations) == (1, 8)
    with pytest.raises(BadInputError, match="choose quick, standard, thorough, paper"):
        preset_settings("fast")
