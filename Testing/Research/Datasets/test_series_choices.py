"""Commands for several scans choose a DICOM series for each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_factory import HEIGHTS, bodies, write_slices
from pseudoct_research.paper import figures_command
from pseudoct_research.training import pretrain_command
from PseudoCTDenoiseLib.cli.main import main
from PseudoCTDenoiseLib.errors import BadInputError

OFFSETS = {"1": 0, "2": 30}


@pytest.fixture
def dicom(tmp_path) -> Path:
    """Folder with two series on the same grid."""
    for number, offset in OFFSETS.items():
        values = {"SeriesInstanceUID": f"1.2.{number}", "SeriesNumber": number}
        values["PixelSpacing"] = [0.7, 0.7]
        write_slices(tmp_path / "dicom", first=10 * int(number), offset=offset, **values)
    return tmp_path / "dicom"


def test_series_of_a_pair_of_the_figures_are_chosen(dicom, tmp_path, monkeypatch):
    found = []

    def check(*scans):
        found.extend(scan.hu for scan in scans)
        raise BadInputError("Enough.")

    monkeypatch.setattr(figures_command, "check_same_grid", check)
    arguments = [tmp_path / "figures", "--pair", dicom, dicom, "--series", "2", "1"]
    assert main(["figures", *map(str, arguments)]) == 2
    expected = [bodies(HEIGHTS, OFFSETS[number]) for number in "21"]
    assert np.array_equal(found, expected)


def test_series_of_training_scans_are_chosen(dicom, tmp_path, monkeypatch):
    found = []

    def pairs(low, normal):
        found.append((low, normal))
        raise BadInputError("Enough.")

    monkeypatch.setattr(pretrain_command, "paired_slices", pairs)
    scans = ["--ndct", dicom, "--ndct-series", "1", "--ldct", dicom, "--ldct-series", "2"]
    places = ["--work", tmp_path, "--models", tmp_path / "models", "--device", "cpu"]
    assert main(["pretrain", "mine", *map(str, [*scans, *places])]) == 2
    ((low, normal),) = found
    assert np.array_equal(normal, bodies(HEIGHTS))
    assert np.array_equal(low, bodies(HEIGHTS, OFFSETS["2"]))
