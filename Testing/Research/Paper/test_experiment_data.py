"""Data of the experiment: training subjects, test patients, and their sources."""

import numpy as np
import pytest
import SimpleITK as sitk
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.paper import experiment_data
from pseudoct_research.paper.experiment_data import (
    TRAINING_PATIENTS,
    by_patient,
    measured_data,
    simulated_data,
    simulated_description,
)
from PseudoCTDenoiseLib.errors import BadInputError


def pair(patient, slices, value, size=32):
    hu = np.full((slices, size, size), value, np.int16)
    return CtPair(patient, hu + np.int16(1), hu, 0.7)


def test_slices_of_a_patient_are_joined_in_their_order():
    joined = by_patient([pair("b", 2, 10), pair("a", 1, 20), pair("b", 1, 30)])
    assert [(pair.patient, pair.ndct[:, 0, 0].tolist()) for pair in joined] == [
        ("b", [10, 10, 30]),
        ("a", [20]),
    ]
    assert all(np.array_equal(pair.ldct, pair.ndct + 1) for pair in joined)


def test_slices_of_different_size_cannot_be_joined():
    with pytest.raises(BadInputError, match="of a differ in size"):
        by_patient([pair("a", 1, 0), pair("a", 1, 0, size=40)])


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Return an index of scans, and replace the simulator by one that counts its calls."""
    calls = []

    def simulated(scan, dose, kernel, seed):
        calls.append(scan.patient)
        noise = np.random.default_rng(seed).normal(0, 20, scan.hu.shape)
        ldct = np.rint(scan.hu + noise).clip(-1024).astype(np.int16)
        return CtPair(scan.patient, ldct, scan.hu, scan.pixel_mm)

    monkeypatch.setattr(experiment_data, "simulated_pair", simulated)
    lines = ["file,patient,split"]
    splits = [*((name, "train") for name in (*TRAINING_PATIENTS, "other")), ("v", "val")]
    for number, (patient, split) in enumerate([*splits, ("t", "test"), ("t", "test")]):
        hu = np.full((6, 48, 48), -1000, np.int16)
        hu[:, 8:-8, 8:-8] = 40 + np.arange(6)[:, None, None]
        sitk.WriteImage(sitk.GetImageFromArray(hu), str(tmp_path / f"{number}.nrrd"))
        lines.append(f"{number}.nrrd,{patient},{split}")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    return tmp_path / "index.csv", calls


def test_training_has_three_subjects_and_the_split_is_for_tests(index, tmp_path):
    path, calls = index
    data = simulated_data(path, "test", 2, tmp_path / "cache")
    assert [pair.patient for pair in data.training] == list(TRAINING_PATIENTS)
    assert all(len(pair.ndct) == 6 for pair in data.training)
    assert [pair.patient for pair in data.validation] == ["v"]
    assert [(pair.patient, len(pair.ndct)) for pair in data.measured] == [("t", 4)]
    assert data.description == simulated_description("test", 2)
    assert {credit["patient"] for credit in data.credits} == set(TRAINING_PATIENTS)
    # Two realisations of a subject are independent.
    for one, second in zip(data.training, data.second_draw, strict=True):
        noises = [(draw - one.ndct)[:, 10:30, 10:30].ravel() for draw in (one.ldct, second)]
        assert abs(np.corrcoef(noises)[0, 1]) < 0.1
    assert len(calls) == 10
    again = simulated_data(path, "test", 2, tmp_path / "cache")
    assert len(calls) == 10  # all read from the cache
    assert np.array_equal(again.measured[0].ldct, data.measured[0].ldct)


def test_an_index_without_the_subjects_is_refused(index, tmp_path):
    path, _ = index
    path.write_text(path.read_text("utf-8").replace(TRAINING_PATIENTS[1], "stranger"))
    with pytest.raises(BadInputError, match=TRAINING_PATIENTS[1]):
        simulated_data(path, "test", 2, tmp_path / "cache")


def test_measured_pairs_need_training_patients_and_test_patients(tmp_path):
    for patient in ("L067", "L096"):
        for dose in ("full_3mm", "quarter_3mm"):
            (tmp_path / patient / dose).mkdir(parents=True)
            (tmp_path / patient / dose / "1.IMA").write_bytes(b"")
    with pytest.raises(BadInputError, match="lacks the training patients L109"):
        measured_data(tmp_path, ["L067", "L109"], 2)
    with pytest.raises(BadInputError, match="training patients only"):
        measured_data(tmp_path, ["L067", "L096"], 2)
