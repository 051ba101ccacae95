"""Cells: metrics of their row and patient, hashes of their settings, complete files."""

from dataclasses import replace

import pytest
from pseudoct_research.paper import cells as module
from pseudoct_research.paper import pretrained
from pseudoct_research.paper.cells import (
    cell_hash,
    data_digest,
    fresh_cells,
    measure_cell,
    read_cells,
    table,
    write_cells,
)
from pseudoct_research.paper.table1 import FAST_MODELS, ROWS, TableRow
from pseudoct_research.paper.trained_networks import Networks, fast_noise_models
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.errors import BadInputError

LDCT, N2C, METHOD, CONTROL = (
    next(row for row in ROWS if row.name == name)
    for name in ("LDCT", "N2C", "N2C + method", "X − mean Z (control)")
)


DATA = {"patients": ["A"]}
HASHES = {"settings": "s", "data": "d", "weights": "w"}


def cell(row, patient, psnr, ssim=0.95, network="red-cnn-32"):
    metrics = dict.fromkeys(module.METRICS, 1.0) | {"psnr_4096": psnr, "ssim_4096": ssim}
    return {
        "network": network,
        "row": row.name,
        "patient": patient,
        "slices": 2,
        **metrics,
        "seconds": 0.5,
        "settings": cell_hash(row, network, DATA),
        "data": "d",
        "weights": "w",
    }


def test_a_cell_holds_the_metrics_of_its_row(data):
    pair = data.measured[0]
    made = measure_cell(LDCT, pair, "red-cnn-32", Networks({}, None), HASHES)
    assert (made["row"], made["patient"], made["slices"]) == ("LDCT", "one", 2)
    assert made["psnr_4096"] == pytest.approx(psnr_4096(pair.ldct, pair.ndct), abs=1e-4)
    assert {key: made[key] for key in HASHES} == HASHES


def test_the_data_hash_depends_on_every_voxel(data):
    pair = data.measured[0]
    known = data_digest(pair)
    assert known == data_digest(replace(pair, patient="another name"))
    for name in ("ldct", "ndct"):
        image = getattr(pair, name).copy()
        image[-1, -1, -1] += 1
        assert data_digest(replace(pair, **{name: image})) != known


def test_the_hash_depends_on_all_settings_of_a_cell(monkeypatch):
    description = {"patients": ["A"]}
    known = cell_hash(METHOD, "red-cnn-32", description)
    assert known == cell_hash(METHOD, "red-cnn-32", {"patients": ["A"]})
    changed = [
        cell_hash(METHOD, "paper", description),
        cell_hash(METHOD, "red-cnn-32", {"patients": ["B"]}),
        cell_hash(replace(METHOD, noise="histogram"), "red-cnn-32", description),
        cell_hash(replace(METHOD, start="n2v"), "red-cnn-32", description),
        cell_hash(
            replace(METHOD, settings=replace(METHOD.settings, steps=7)), "red-cnn-32", description
        ),
    ]
    monkeypatch.setattr(pretrained, "NOISE_MODEL_STEPS", 5)
    changed.append(cell_hash(METHOD, "red-cnn-32", description))
    monkeypatch.undo()
    monkeypatch.setattr(pretrained, "STEPS", 5)
    changed.append(cell_hash(METHOD, "red-cnn-32", description))
    assert len({known, *changed}) == 1 + len(changed)


def test_a_row_with_the_noise_models_of_fast_depends_on_their_weights(monkeypatch):
    row = replace(METHOD, noise=FAST_MODELS)
    before = cell_hash(row, "red-cnn-32", {}), cell_hash(METHOD, "red-cnn-32", {})
    changed = [replace(manifest, sha256="other") for manifest in fast_noise_models()]
    monkeypatch.setattr(module, "fast_noise_models", lambda: changed)
    after = cell_hash(row, "red-cnn-32", {}), cell_hash(METHOD, "red-cnn-32", {})
    assert after[0] != before[0] and after[1] == before[1]


@pytest.mark.parametrize("name", ["N2C", "N2C + Hist", "N2C + Gaussian", "N2C + parent method"])
def test_a_row_without_noise_models_does_not_depend_on_them(monkeypatch, name):
    row = next(row for row in ROWS if row.name == name)
    before = cell_hash(row, "red-cnn-32", {})
    monkeypatch.setattr(pretrained, "NOISE_MODEL_STEPS", 5)
    assert cell_hash(row, "red-cnn-32", {}) == before


def test_cells_are_written_in_the_order_of_the_rows(tmp_path):
    path = tmp_path / "cells.csv"
    assert read_cells(path) == []
    cells = [cell(METHOD, "a", 47.5), cell(LDCT, "b", 44.25), cell(LDCT, "a", 45.125)]
    write_cells(path, cells, ROWS)
    assert read_cells(path) == [cells[1], cells[2], cells[0]]


@pytest.mark.parametrize("text", ["row,patient\nLDCT,a\n", "\x00\x01", "network\n", ""], ids=repr)
def test_another_table_is_refused(tmp_path, text):
    path = tmp_path / "cells.csv"
    path.write_text(text)
    with pytest.raises(BadInputError, match="is not a table of cells"):
        read_cells(path)


CELLS = [
    cell(LDCT, "a", 44.0),
    cell(LDCT, "b", 46.0),
    cell(N2C, "a", 47.0),
    cell(N2C, "b", 48.0),
    cell(CONTROL, "a", 43.0),
]


def test_the_table_has_means_deviations_gains_and_the_papers_figures():
    ldct, n2c, control = table(CELLS, ROWS)
    assert ldct["psnr_4096"] == "45.00 ± 1.41" and "gain" not in ldct
    assert (n2c["psnr_4096"], n2c["gain"], n2c["patients"]) == ("47.50 ± 0.71", "+2.50 ± 0.71", 2)
    assert (n2c["printed_psnr"], n2c["printed_gain"]) == (50.30, pytest.approx(4.09))
    assert control["gain"] == "−1.00" and "printed_psnr" not in control
    assert n2c["gain_mean"] == pytest.approx(2.5)


def test_a_row_states_its_number_of_patients_if_some_are_missing():
    names = [line["row"] for line in table(CELLS, ROWS)]
    assert names == ["LDCT", "N2C", "X − mean Z (control) (1 of 2 patients)"]


def test_cells_of_other_networks_settings_and_data_are_not_fresh():
    stale = {**cell(N2C, "c", 99.0), "settings": "other"}
    others = [cell(N2C, "d", 99.0, network="paper"), stale, cell(TableRow("gone", "n2c"), "a", 1.0)]
    assert fresh_cells([*CELLS, *others], "red-cnn-32", ROWS, DATA) == CELLS
    assert fresh_cells(CELLS, "red-cnn-32", ROWS, {"patients": ["B"]}) == []
