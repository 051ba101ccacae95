"""The traffic light and its sentence follow the figures of all slices."""

from __future__ import annotations

import json

import pytest
from PseudoCTDenoiseLib.ct.removed_structure import RemovedStructure
from PseudoCTDenoiseLib.denoising.removed_noise import (
    AMBER,
    EDGE_LIMITS,
    GREEN,
    LOWEST_FREQUENCY_RATIO,
    NOT_JUDGED,
    RED,
    SPOT_LIMITS,
    check_removed_noise,
    removed_noise_sentence,
)

GOOD = RemovedStructure(0.1, 5.0)


def light(*structures, ratio=1.0):
    return check_removed_noise(structures, ratio)["light"]


def test_the_worst_slice_decides():
    assert light(GOOD, GOOD, None) == GREEN
    for index, limits in enumerate((EDGE_LIMITS, SPOT_LIMITS)):
        for limit, colour in zip(limits, (AMBER, RED), strict=True):
            below, above = ([*GOOD], [*GOOD])
            below[index], above[index] = limit - 0.01, limit + 0.01
            assert light(GOOD, RemovedStructure(*above), GOOD) == colour
            assert light(GOOD, RemovedStructure(*below)) != colour


def test_coarser_removed_noise_than_the_scans_is_amber_and_finer_is_not():
    assert light(GOOD, ratio=LOWEST_FREQUENCY_RATIO - 0.01) == AMBER
    assert light(GOOD, ratio=LOWEST_FREQUENCY_RATIO) == light(GOOD, ratio=2.7) == GREEN
    assert light(GOOD, ratio=None) == GREEN


def test_the_user_guide_states_the_limits_of_the_light(repository):
    guide = (repository / "Docs/user-guide.md").read_text("utf-8")
    for limits in (EDGE_LIMITS, SPOT_LIMITS):
        assert "the light is amber from {:g} and red from {:g}".format(*limits) in guide
    assert f"amber below {LOWEST_FREQUENCY_RATIO:g}." in guide


def test_without_a_slice_to_judge_there_is_no_light_but_a_reason():
    check = check_removed_noise([None, None], None)
    assert check["light"] == NOT_JUDGED and check["slices_judged"] == 0
    assert "not judged: no slice shows enough of the body" in removed_noise_sentence(check)
    assert check_removed_noise([], None)["light"] == NOT_JUDGED


def test_a_slice_without_edges_is_judged_by_its_spots():
    check = check_removed_noise([RemovedStructure(None, 5.0)], None)
    assert check["light"] == GREEN
    assert "edges" not in removed_noise_sentence(check)
    assert light(RemovedStructure(None, 20.0)) == RED


@pytest.mark.parametrize(
    ("structures", "slice_number"),
    [
        ([GOOD, RemovedStructure(0.9, 5.0), RemovedStructure(0.1, 9.5)], 12),
        ([GOOD, RemovedStructure(0.41, 5.0), RemovedStructure(0.1, 30.0)], 13),
    ],
)
def test_the_sentence_names_figures_and_the_slice_to_look_at(structures, slice_number):
    check = json.loads(json.dumps(check_removed_noise(structures, 1.25), allow_nan=False))
    sentence = removed_noise_sentence(check, first_slice=10)
    assert f"{check['edge_correlation']:.2f}" in sentence
    assert f"{check['strongest_spot']:.1f} standard deviations" in sentence
    assert "1.25 times" in sentence and f"first in slice {slice_number}." in sentence


def test_a_slice_is_also_named_as_viewers_name_it():
    structures = [None, GOOD, RemovedStructure(None, 9.5)]
    labels = ["Instance Number 30", "Instance Number 20", "Instance Number 10"]
    check = check_removed_noise(structures, 1.0, labels)
    assert (check["spot_slice"], check["spot_slice_label"]) == (2, "Instance Number 10")
    assert (check["edge_slice"], check["edge_slice_label"]) == (1, "Instance Number 20")
    assert "first in slice 3 (Instance Number 10)." in removed_noise_sentence(check)
    check = check_removed_noise([*structures[::2]], 1.0, ["Instance Number 30", ""])
    assert check["edge_slice_label"] is None and check["spot_slice_label"] is None
    assert "first in slice 2." in removed_noise_sentence(check)


def test_a_green_light_gives_no_advice():
    assert "ompare" not in removed_noise_sentence(check_removed_noise([GOOD], 1.0))
