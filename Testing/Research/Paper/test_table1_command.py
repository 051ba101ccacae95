"""`pseudoct table1`, `ablate` and `figures`: the paper's experiment by command."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from pseudoct_research.paper import ablate_command as ablate
from pseudoct_research.paper import ablations, pretrained
from pseudoct_research.paper import experiment_runs as experiment
from pseudoct_research.paper.experiment_data import simulated_description
from pseudoct_research.paper.pretrained import PAPER_PRETRAINING
from pseudoct_research.phantom.torso import torso_phantom

ROWS = ["LDCT", "N2C", "N2C + method", "X − mean Z (control)"]


@pytest.fixture(scope="session")
def torso() -> np.ndarray:
    """Return every third pixel of three phantom slices, which keeps the tests short."""
    return torso_phantom(6).hu[1:4, 40:-40:3, 20:-20:3]


@pytest.fixture
def challenge(tmp_path, torso, write_dicom):
    """Write three patients in the challenge's layout, in a folder with a space and an accent."""
    root = tmp_path / "Dös 25 %"
    for number, patient in enumerate(("L067", "L096", "L506")):
        rng = np.random.default_rng(number)
        full = torso + rng.normal(0, 10, torso.shape)
        quarter = full + rng.normal(0, 20, torso.shape)
        for uid, (dose, hu) in enumerate({"full_3mm": full, "quarter_3mm": quarter}.items()):
            hu = np.rint(hu).clip(-1024, 3000)
            write_dicom(root / patient / dose, hu, (0, 3, 6), 1.5, f"{number}{uid + 1}")
    return root


@pytest.fixture
def tiny(monkeypatch):
    """Use networks of two channels with two steps of training and tuning."""
    monkeypatch.setitem(pretrained.CHANNELS, "red-cnn-32", 2)
    monkeypatch.setattr(pretrained, "STEPS", 2)
    monkeypatch.setattr(pretrained, "NOISE_MODEL_STEPS", 2)


@pytest.fixture
def make(pseudoct, challenge, tmp_path, tiny):
    """Run the table on the challenge's patients."""

    def run(*more, rows=ROWS, csv="cells.csv"):
        chosen = [word for row in rows for word in ("--row", row)]
        return pseudoct(
            *("table1", "--pairs", challenge, "--csv", tmp_path / csv),
            *("--training-patient", "L067", "--training-patient", "L096"),
            *("--work", tmp_path / "work", "--device", "cpu", "--slices", "2", *chosen, *more),
        )

    return run


def cells(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_protocol_runs_on_dicom_in_the_challenges_layout(make, tmp_path):
    ended = make()
    assert ended.code == 0, ended.err
    made = cells(tmp_path / "cells.csv")
    assert [(cell["row"], cell["patient"], cell["slices"]) for cell in made] == [
        (row, "L506", "2") for row in ["LDCT", "N2C", "N2C + method", "X − mean Z (control)"]
    ]
    assert "1 patient, 2 slices" in ended.out
    for row in ROWS:
        assert f"| {row} |" in ended.out
    assert "| 50.50 |" in ended.out  # the printed value
    models = {path.stem for path in (tmp_path / "work" / "models").glob("*.json")}
    assert models == {
        f"PseudoCTDenoise_{name}"
        for name in ("red-cnn-32", "paper-noise-l067", "paper-noise-l096", "paper-noise-all")
    }


@pytest.mark.slow
def test_fresh_cells_are_kept_and_stale_cells_are_recomputed(make, tmp_path, monkeypatch):
    assert make().code == 0
    before = cells(tmp_path / "cells.csv")
    again = make()
    assert again.code == 0 and " dB" not in again.err
    assert cells(tmp_path / "cells.csv") == before

    remade = make("--remake", "--patient", "L506", rows=["N2C + method"])
    assert "1/1" in remade.err and "before:" in remade.err
    after = cells(tmp_path / "cells.csv")
    for old, new in zip(before, after, strict=True):
        assert old | {"seconds": ""} == new | {"seconds": ""}

    # A cell depends on the weights, even with the same settings.
    for part in (tmp_path / "work").rglob("*red-cnn-32*"):
        part.unlink()
    monkeypatch.setattr(pretrained, "PAPER_PRETRAINING", replace(PAPER_PRETRAINING, seed=1))
    for part in (tmp_path / "work").rglob("*noise*"):
        part.unlink()
    again = make(rows=["N2C"])
    assert again.code == 0 and "1/1  N2C, L506" in again.err
    assert "2 cells of other settings or data are not shown" in again.out


@pytest.mark.slow
def test_networks_of_other_data_or_settings_are_refused(make, tmp_path, monkeypatch):
    assert make(rows=["N2C"]).code == 0
    monkeypatch.setattr(pretrained, "STEPS", 3)
    ended = make(rows=["N2C"])
    assert ended.code == 2 and "'red-cnn-32' in" in ended.err and "--work" in ended.err


@pytest.mark.slow
def test_a_run_out_of_time_is_resumed_later(make, tmp_path):
    stopped = make("--minutes", "0")
    assert stopped.code == 4 and "is unfinished. Run the same command" in stopped.err
    assert not (tmp_path / "cells.csv").exists()
    assert "has no cells of 'red-cnn-32'" in stopped.out
    assert make().code == 0
    assert len(cells(tmp_path / "cells.csv")) == len(ROWS)


@pytest.mark.slow
def test_a_run_ends_after_the_current_cell(make, tmp_path, monkeypatch):
    assert make(rows=["N2C", "X − mean Z (control)"]).code == 0
    (tmp_path / "cells.csv").unlink()
    clock = iter(range(0, 10**6, 40))
    monkeypatch.setattr(experiment.time, "monotonic", lambda: next(clock))
    stopped = make("--minutes", "8")
    assert stopped.code == 4 and "cells are missing. Run the same command" in stopped.err
    assert 0 < len(cells(tmp_path / "cells.csv")) < len(ROWS)


@pytest.mark.slow
def test_simultaneous_runs_keep_each_others_cells(make, tmp_path, monkeypatch):
    assert make(rows=["N2C"]).code == 0
    measure, path = experiment.measure_cell, tmp_path / "cells.csv"

    def meanwhile(*arguments):
        rows = cells(path)
        path.write_text(path.read_text("utf-8").replace("N2C,L506", "N2C,other"), "utf-8")
        assert len(rows) == 2
        return measure(*arguments)

    monkeypatch.setattr(experiment, "measure_cell", meanwhile)
    assert make(rows=["N2C + method"]).code == 0
    kept = [(cell["row"], cell["patient"]) for cell in cells(path)]
    assert kept == [("LDCT", "L506"), ("N2C", "other"), ("N2C + method", "L506")]


@pytest.mark.slow
def test_without_data_the_table_is_printed_and_written_to_the_page(
    pseudoct, one_patient, tiny, tmp_path, monkeypatch
):
    described = simulated_description("test", experiment.SLICES)
    monkeypatch.setattr(
        experiment, "simulated_data", lambda *_: replace(one_patient, description=described)
    )
    csv_file, chosen = ["--csv", tmp_path / "cells.csv"], ["--row", "N2C"]
    work = ["--work", tmp_path / "work", "--device", "cpu"]
    made = pseudoct("table1", "--index", "i.csv", *csv_file, *work, *chosen)
    assert made.code == 0, made.err
    page = tmp_path / "page.md"
    page.write_text("# T\n\n<!-- TABLE1 red-cnn-32 -->\nold\n<!-- /TABLE1 red-cnn-32 -->\nEnd\n")
    ended = pseudoct("table1", *csv_file, "--page", page)
    assert ended.code == 0, ended.err
    assert "| N2C |" in ended.out and ended.out == made.out
    assert ended.out.strip() in page.read_text("utf-8")
    assert page.read_text("utf-8").endswith("End\n")
    # Another split has no cells, and cells of this split are not used for it.
    other = pseudoct("table1", *csv_file, "--split", "val")
    assert "has no cells" in other.out and "2 cells of other settings or data" in other.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--row", "N2X"], "Row 'N2X' does not exist. Rows: LDCT; N2V;"),
        (["--patient", "L999"], "Patients: L506"),
        (["--patient", "L506", "--patient", "L999"], "no test patient 'L999'"),
        (["--remake"], "--remake needs a selection"),
        (["--minutes", "nan"], "invalid"),
        (["--row", "N2N of two dose draws"], "Use --index"),
        (["--slices", "0"], "--slices must be at least 1"),
        (["--index", "index.csv"], "--index: not allowed with argument --pairs"),
        (["--training-patient", "L333"], "lacks the training patients L333"),
        (["--csv", "nowhere/cells.csv"], "The folder nowhere does not exist"),
    ],
)
def test_invalid_arguments_are_refused_before_the_computation(make, tmp_path, words, told):
    ended = make(*words, rows=[])
    assert ended.code == 2 and told in ended.err
    assert not (tmp_path / "work" / "models").exists()


def test_a_broken_folder_is_refused(make, challenge, tmp_path):
    for path in (challenge / "L506" / "quarter_3mm").iterdir():
        path.unlink()
    ended = make()
    assert ended.code == 2 and "L506" in ended.err and "quarter_3mm" in ended.err
    assert not (tmp_path / "work").exists()


@pytest.fixture
def one_patient(monkeypatch, torso):
    """Replace the simulated scans of both commands, without an index."""
    from pseudoct_research.evaluation.comparison import CtPair
    from pseudoct_research.paper.experiment_data import ExperimentData

    def pair(name, seed):
        rng = np.random.default_rng(seed)
        ndct = torso + rng.normal(0, 10, torso.shape)
        ldct = ndct + rng.normal(0, 20, torso.shape)
        ldct, ndct = (np.rint(hu).clip(-1024).astype(np.int16) for hu in (ldct, ndct))
        return CtPair(name, ldct, ndct, 1.5)

    training = [pair("A", 1), pair("B", 2)]
    data = ExperimentData(
        training, None, [], None, [pair("val", 3)], {"made": "here"}, {"made": "here"}, []
    )
    monkeypatch.setattr(experiment, "simulated_data", lambda *_: data)
    return data


@pytest.mark.slow
def test_ablations_fill_the_page_and_draw_the_plots(
    pseudoct, one_patient, tiny, tmp_path, monkeypatch
):
    monkeypatch.setattr("pseudoct_research.paper.figures.SPECTRUM_PX", 32)
    names = [*next(iter(ablations.ABLATIONS.values())), ablate.TEXTURE]
    page = tmp_path / "method.md"
    page.write_text("\n".join(f"<!-- ABLATION {n} -->\n<!-- /ABLATION {n} -->" for n in names))
    chosen = [
        *("LDCT", "N2C + method", "N2V + method", "N2C: sign random", "N2V: 0 steps"),
        *("N2C: 0 steps", "N2C: 5 steps"),
    ]
    ended = pseudoct(
        *("ablate", "--index", "index.csv", "--csv", tmp_path / "a.csv", "--page", page),
        *("--plots", tmp_path, "--work", tmp_path / "work", "--device", "cpu"),
        *(word for row in chosen for word in ("--row", row)),
    )
    assert ended.code == 0, ended.err
    assert {cell["row"] for cell in cells(tmp_path / "a.csv")} == set(chosen)
    text = page.read_text("utf-8")
    assert "| sign as it is |" in text and "| sign random |" in text
    assert "true noise" in text and "ρ between the maps" in text
    for name in ("steps.png", "texture.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_figures_are_drawn_from_the_trained_networks(
    pseudoct, one_patient, tiny, tmp_path, write, monkeypatch
):
    monkeypatch.setattr("pseudoct_research.paper.figures.SPECTRUM_PX", 32)
    starts = [word for row in ("N2C + method", "N2N", "N2V") for word in ("--row", row)]
    work = ["--work", tmp_path / "work"]
    csv_file = ["--csv", tmp_path / "t.csv", "--device", "cpu"]
    made = pseudoct("table1", "--index", "i.csv", *csv_file, *work, *starts)
    assert made.code == 0, made.err
    pair = one_patient.measured[0]
    ldct, ndct = write(tmp_path / "l.nrrd", pair.ldct), write(tmp_path / "n.nrrd", pair.ndct)
    ended = pseudoct("figures", tmp_path / "bildér", "--pair", ldct, ndct, *work)
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in (tmp_path / "bildér").iterdir()) == [
        *("figure2.png", "figure2_nps.png", "figure3.png")  # no validation scans, no curves
    ]
    assert "| Pseudo-LDCT, Gaussian, 82 HU | 8" in ended.out


def test_figures_need_the_trained_networks(pseudoct, scan, tmp_path):
    ended = pseudoct("figures", tmp_path / "f", "--pair", scan, scan, "--work", tmp_path / "none")
    assert ended.code == 2 and "No model 'red-cnn-32'" in ended.err


def test_figures_need_square_pixels(pseudoct, scan, tmp_path):
    image = sitk.ReadImage(str(scan))
    image.SetSpacing((0.7, 1.4, 2.5))
    sitk.WriteImage(image, str(scan))
    other = tmp_path / "other.nrrd"
    sitk.WriteImage(image, str(other))
    ended = pseudoct("figures", tmp_path / "f", "--pair", scan, other, "--work", tmp_path / "none")
    assert ended.code == 2 and "scan has pixels of 0.7 x 1.4 mm" in ended.err
