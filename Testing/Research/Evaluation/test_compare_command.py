"""`pseudoct compare`: the table of methods on pairs of files."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import bodies, write_slices
from pseudoct_research.evaluation import compare_command as command
from pseudoct_research.evaluation import comparison
from pseudoct_research.evaluation.comparison import Method
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError


@pytest.fixture
def pairs(tmp_path, write, hu) -> list[tuple[Path, Path]]:
    """Write scans of two patients with equal file names."""
    pairs = []
    for patient, noise in (("one", 4), ("two", 8)):
        folder = tmp_path / patient
        folder.mkdir()
        rng = np.random.default_rng(noise)
        ndct = np.where(hu > -500, 50, -1000) + rng.normal(0, noise, hu.shape)
        slices = slice(None) if patient == "one" else slice(0, 1)
        ndct = np.rint(ndct[slices]).clip(-1024).astype(np.int16)
        pairs.append((write(folder / "ldct.nrrd", hu[slices]), write(folder / "ndct.nrrd", ndct)))
    return pairs


@pytest.fixture
def quick_methods(monkeypatch):
    """Use one filter and few steps: filters and tuning have tests of their own."""
    monkeypatch.setattr(command, "DenoisingSettings", partial(DenoisingSettings, steps=2))
    monkeypatch.setattr(comparison, "paper_settings", partial(paper_settings, steps=2))
    monkeypatch.setattr(
        command, "filter_methods", lambda pairs: [Method("none", lambda hu, _: hu + np.int16(1))]
    )


def test_the_table_has_a_row_per_method_and_gains_over_the_ldct(
    pseudoct, pairs, models, hu, tmp_path, quick_methods
):
    arguments = [argument for pair in pairs for argument in ("--pair", *pair)]
    arguments += ["--models", models, "--device", "cpu", "--csv", tmp_path / "scores.csv"]
    ended = pseudoct("compare", *arguments)
    assert ended.code == 0, ended
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in ended.out.splitlines()]
    assert [row[0] for row in table[2:] if row] == [
        "LDCT",
        "none",
        "fast",
        "fast, 8 orientations",
        "fast + method",
    ]
    assert table[0][:3] == ["Method", "PSNR-4096 (dB)", "Gain (dB)"]
    assert table[2][2] == "–"

    with open(tmp_path / "scores.csv", newline="", encoding="utf-8") as file:
        scores = list(csv.DictReader(file))
    assert [row["method"] for row in scores[::2]] == [row[0] for row in table[2:] if row]
    assert [row["patient"] for row in scores[:2]] == [str(low) for low, _ in pairs]
    ldct = [float(row["psnr_4096"]) for row in scores[:2]]
    gains = [float(row["psnr_4096"]) - x for row, x in zip(scores[4:6], ldct, strict=True)]
    assert scores[4]["method"] == "fast"
    mean, deviation = np.mean(gains), np.std(gains, ddof=1)
    assert table[4][2] == f"{mean:+.2f} ± {deviation:.2f}".replace("-", "−")
    assert deviation > 0.005  # two patients with equal file names
    assert table[2][1] == f"{np.mean(ldct):.2f}"


def test_the_scores_are_those_of_the_given_files(
    pseudoct, pairs, models, hu, tmp_path, quick_methods
):
    low, normal = pairs[1]
    scores = tmp_path / "scores.csv"
    pseudoct("compare", "--pair", low, normal, "--models", models, "--csv", scores)
    with open(scores, newline="", encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    rng = np.random.default_rng(8)
    ndct = np.where(hu > -500, 50, -1000) + rng.normal(0, 8, hu.shape)
    expected = psnr_4096(hu[:1], np.rint(ndct[:1]).clip(-1024).astype(np.int16))
    assert float(first["psnr_4096"]) == pytest.approx(expected)
    assert (first["method"], first["slices"]) == ("LDCT", "1")


def test_scores_before_a_failure_are_kept(pseudoct, pairs, models, tmp_path, monkeypatch):
    def fail(hu, pixel_mm):
        raise BadInputError("failed")

    monkeypatch.setattr(command, "filter_methods", lambda pairs: [Method("none", fail)])
    low, normal = pairs[1]
    scores = tmp_path / "scores.csv"
    ended = pseudoct("compare", "--pair", low, normal, "--models", models, "--csv", scores)
    assert ended.code == 2 and f"The results so far are in {scores}.partial" in ended.err
    assert not scores.exists()
    with open(f"{scores}.partial", newline="", encoding="utf-8") as file:
        assert [row["method"] for row in csv.DictReader(file)] == ["LDCT"]


@pytest.fixture
def refused(pseudoct, listing, tmp_path, models, monkeypatch):
    """Run `pseudoct compare`; it must compute and write nothing."""

    def compute(*arguments):
        raise AssertionError("computed before the arguments were looked at")

    monkeypatch.setattr(command, "compare_all", compute)

    def refused(*arguments) -> str:
        before = listing(tmp_path)
        ended = pseudoct("compare", "--models", models, *arguments)
        assert ended.code == 2 and ended.err.count("\n") == 1, ended
        assert ended.err.startswith("pseudoct: ")
        assert listing(tmp_path) == before
        return ended.err

    return refused


def test_invalid_arguments_are_refused_before_the_computation(refused, pairs, tmp_path, write, hu):
    low, normal = pairs[0]
    other = pairs[1][1]
    assert "not on the same grid" in refused("--pair", low, other)
    turned = write(tmp_path / "turned.nrrd", hu, direction=(1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert "spacing, direction or origin" in refused("--pair", low, turned)
    assert "none.nrrd does not exist" in refused("--pair", low, tmp_path / "none.nrrd")
    assert "No model" in refused("--pair", low, normal, "--model", "none")
    assert "noise model" in refused("--pair", low, normal, "--model", "noise-a")
    assert "seed" in refused("--pair", low, normal, "--seed", "-1")
    missing = tmp_path / "missing" / "scores.csv"
    assert "does not exist" in refused("--pair", low, normal, "--csv", missing)
    assert "is a folder" in refused("--pair", low, normal, "--csv", tmp_path)


def test_pixels_that_are_not_square_are_reported(pseudoct, pairs, models, monkeypatch):
    for path in pairs[1]:
        image = sitk.ReadImage(str(path))
        image.SetSpacing((0.7, 1.4, 2.5))
        sitk.WriteImage(image, str(path))
    monkeypatch.setattr(command, "compare_all", lambda *arguments: [])
    monkeypatch.setattr(command, "summary", lambda scores: [])
    ended = pseudoct("compare", "--pair", *pairs[1], "--models", models)
    assert (ended.code, ended.err.count("\n")) == (0, 1)
    assert f"Warning: {pairs[1][0]} has pixels of 0.7×1.4 mm." in ended.err
    assert pseudoct("compare", "--pair", *pairs[0], "--models", models).err == ""


def test_a_series_of_each_scan_can_be_chosen(pseudoct, tmp_path, models, monkeypatch):
    for number, offset in (("1", 0), ("2", 30)):
        values = {"SeriesInstanceUID": f"1.2.{number}", "SeriesNumber": number}
        heights, first = (0, 2.5, 5, 10), 10 * int(number)
        write_slices(tmp_path / "dicom", heights, first=first, offset=offset, **values)
    found = []

    def compare_all(arguments, pairs, name):
        found.extend(pairs)
        return []

    monkeypatch.setattr(command, "compare_all", compare_all)
    monkeypatch.setattr(command, "summary", lambda scores: [])
    both = ["--pair", tmp_path / "dicom", tmp_path / "dicom", "--models", models]
    ended = pseudoct("compare", *both, "--series", "2", "1", "--slice-axis", "k")
    assert ended.code == 0, ended
    (pair,) = found
    np.testing.assert_array_equal(pair.ldct, bodies(heights, 30))
    np.testing.assert_array_equal(pair.ndct, bodies(heights))
    ended = pseudoct("compare", *both, *both[:3], "--series", "2", "1")
    assert ended.code == 2 and "--series is given 1 times and --pair 2 times" in ended.err
