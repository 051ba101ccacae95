"""`pseudoct real-pairs`: the default method on real slices at full and quarter dose."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from pseudoct_research.datasets.real_pairs import read_real_pairs
from pseudoct_research.evaluation import real_pairs_study as study
from PseudoCTDenoiseLib.errors import BadInputError

SIZE = 96
BLOCKS = ("gains", "noise", "risk")
NAMES = {
    "soft": "mpi4py_patches/raw_data_mixed/smL192/{dose}_3mm/L192_{short}_3_1.CT.0001.000{n}.x.IMA",
    "sharp": "mpi4py_patches/raw_data/L192/{dose}_3mm_sharp_sorted/00000{n}.IMA",
}


def tissue(dose, number):
    """Return a disc of soft tissue with the noise of a dose, (rows, columns) HU."""
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    sigma = 20 if dose == "quarter" else 10
    noise = np.random.default_rng([number, sigma]).normal(0, sigma, (SIZE, SIZE))
    hu = np.where(np.hypot(rows, columns) < 40, 50 + noise, -1000)
    return np.rint(hu).clip(-1024).astype(np.int16)


@pytest.fixture
def checkout(tmp_path):
    """Write slices 3 and 7 at both doses, and slice 5 at full dose only."""
    for name in NAMES.values():
        for dose, numbers in (("full", (3, 5, 7)), ("quarter", (7, 3))):
            for number in numbers:
                short = {"full": "FD", "quarter": "QD"}[dose]
                file = tmp_path / name.format(dose=dose, short=short, n=number)
                file.parent.mkdir(parents=True, exist_ok=True)
                image = sitk.GetImageFromArray(tissue(dose, number)[None])
                image.SetSpacing((0.7, 0.7, 3.0))
                sitk.WriteImage(image, str(file.with_suffix(".dcm")))
                file.with_suffix(".dcm").rename(file)
    return tmp_path


@pytest.fixture
def short_jobs(monkeypatch):
    monkeypatch.setattr(study, "METHOD", replace(study.METHOD, steps=2, orientations=1))
    monkeypatch.setattr(study, "START", replace(study.START, orientations=1))


def test_slices_of_both_doses_are_paired_by_their_number(checkout):
    soft, sharp = read_real_pairs(checkout)
    assert (soft.kernel, sharp.kernel, soft.patient) == ("soft", "sharp", "L192")
    for pairs in (soft, sharp):
        assert pairs.pixel_mm == pytest.approx(0.7)
        for index, number in enumerate((3, 7)):
            assert np.array_equal(pairs.ldct[index], tissue("quarter", number))
            assert np.array_equal(pairs.ndct[index], tissue("full", number))


def test_the_whole_noise_has_the_level_of_the_quarter_dose(checkout):
    soft, _ = read_real_pairs(checkout)  # σ is 20 HU at quarter and 10 HU at full dose
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    inside = np.broadcast_to(np.hypot(rows, columns) < 35, soft.ndct.shape)
    added = (soft.ldct - soft.ndct.astype(float))[inside]
    assert added.std() == pytest.approx(np.hypot(20, 10), rel=0.02)
    assert study.whole_noise(soft, inside)[inside].std() == pytest.approx(20, rel=0.03)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="contains no slices of L143"):
        read_real_pairs(tmp_path)


@pytest.mark.slow
def test_tables_are_computed_saved_and_printed_again(
    pseudoct, checkout, models, tmp_path, short_jobs
):
    results = tmp_path / "results"
    results.mkdir()
    page = tmp_path / "page.md"
    page.write_text("".join(f"<!-- REAL {b} -->\n<!-- /REAL {b} -->\n" for b in BLOCKS))
    given = ["--csv", results, "--page", page]
    made = pseudoct("real-pairs", checkout, "--models", models, *given)
    assert made.code == 0, made.err
    with (results / "real-pairs-gains.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["kernel"], row["slice"]) for row in rows] == [
        (kernel, number) for kernel in ("soft", "sharp") for number in "01"
    ]
    text = page.read_text("utf-8")
    assert "| soft | all | 2 |" in text and "| sharp | L192 | drawn |" in text
    assert "Correlation over the steps" in text
    again = pseudoct("real-pairs", *given)
    assert again.code == 0 and again.out == made.out


def test_correlations_and_level_are_those_of_known_noise():
    white = np.random.default_rng(0).normal(0, 8, (2, 200, 201))
    streaks = (white[:, :, 1:] + white[:, :, :-1]) / np.sqrt(2)
    statistics = study.noise_statistics(streaks, np.ones(streaks.shape, bool))
    expected = {"sigma_hu": 8, "x1": 0.5, "x2": 0, "x3": 0, "y1": 0, "y2": 0}
    assert statistics == pytest.approx(expected, abs=0.1)


def test_means_are_over_slices_and_the_worst_is_kept():
    rows = [
        {"kernel": "soft", "patient": patient, "untuned": "4", "tuned": tuned}
        | dict.fromkeys(study.DIRECTIONS, "1.5")
        for patient, tuned in (("a", "4.5"), ("b", "3.5"), ("b", "4.3"))
    ]
    *_, b, every = study.group_means(rows)
    assert (b["patient"], b["slices"], b["more"], b["worst"]) == (
        *("b", 2),
        pytest.approx(-0.1),
        pytest.approx(-0.5),
    )
    assert (every["patient"], every["tuned"]) == ("all", pytest.approx(4.1))
