"""Cells promise: the figures of their row and patient, the hash of what made them, whole files."""

from dataclasses import replace

import numpy as np
import pytest
from PseudoCTDenoiseLib.engine.errors import BadInputError
from PseudoCTDenoiseLib.engine.evaluation.metrics import psnr_4096
from PseudoCTDenoiseLib.engine.paper import cells as module
from PseudoCTDenoiseLib.engine.paper import pretrained
from PseudoCTDenoiseLib.engine.paper.cells import (
    cell_hash,
    measure_cell,
    read_cells,
    table,
    write_cells,
)
from PseudoCTDenoiseLib.engine.paper.table1 import ROWS, TableRow
from PseudoCTDenoiseLib.engine.paper.trained_networks import Networks

LDCT, N2C, METHOD = (
    next(row for row in ROWS if row.name == name) for name in ("LDCT", "N2C", "N2C + method")
)


def cell(row, patient, psnr, ssim=0.95, network="red-cnn-32"):
    metrics = dict.fromkeys(module.METRICS, 1.0) | {"psnr_4096": psnr, "ssim_4096": ssim}
    return {
        "network": network,
        "row": row.name,
        "patient": patient,
        "slices": 2,
        **metrics,
        "seconds": 0.5,
        "settings": "0123456789ab",
    }


def test_a_cell_holds_the_figures_of_its_row(data):
    pair = data.measured[0]
    made = measure_cell(LDCT, pair, "red-cnn-32", Networks({}), data)
    assert (made["row"], made["patient"], made["slices"]) == ("LDCT", "one", 2)
    assert made["psnr_4096"] == pytest.approx(psnr_4096(pair.ldct, pair.ndct), abs=1e-4)
    assert made["settings"] == cell_hash(LDCT, "red-cnn-32", data.description)


def test_the_hash_follows_all_that_a_cell_is_made_by(monkeypatch):
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
    monkeypatch.setitem(pretrained.STEPS, "red-cnn-32", 5)
    changed.append(cell_hash(METHOD, "red-cnn-32", description))
    assert len({known, *changed}) == 1 + len(changed)


def test_a_row_without_noise_does_not_depend_on_the_noise_models(monkeypatch):
    before = cell_hash(N2C, "red-cnn-32", {})
    monkeypatch.setattr(pretrained, "NOISE_MODEL_STEPS", 5)
    assert cell_hash(N2C, "red-cnn-32", {}) == before


def test_cells_come_back_from_the_file_in_the_order_of_the_rows(tmp_path):
    path = tmp_path / "cells.csv"
    assert read_cells(path) == []
    cells = [cell(METHOD, "a", 47.5), cell(LDCT, "b", 44.25), cell(LDCT, "a", 45.125)]
    write_cells(path, cells, ROWS)
    assert read_cells(path) == [cells[1], cells[2], cells[0]]


@pytest.mark.parametrize("text", ["row,patient\nLDCT,a\n", "\x00\x01", "network\n", ""], ids=repr)
def test_another_table_is_refused(tmp_path, text):
    path = tmp_path / "cells.csv"
    path.write_text(text)
    with pytest.raises(BadInputError, match="no table of cells"):
        read_cells(path)


def test_the_table_has_means_deviations_gains_and_the_papers_figures():
    cells = [
        cell(LDCT, "a", 44.0),
        cell(LDCT, "b", 46.0),
        cell(N2C, "a", 47.0),
        cell(N2C, "b", 48.0),
        cell(TableRow("N2S", "n2s"), "a", 43.0),
        cell(N2C, "a", 99.0, network="paper"),
    ]
    ldct, n2c, n2s = table(cells, "red-cnn-32", ROWS)
    assert ldct["psnr_4096"] == "45.00 ± 1.00" and "gain" not in ldct
    assert (n2c["psnr_4096"], n2c["gain"], n2c["patients"]) == ("47.50 ± 0.50", "+2.50 ± 0.50", 2)
    assert (n2c["printed_psnr"], n2c["printed_gain"]) == (50.30, pytest.approx(4.09))
    assert n2s["gain"] == "−1.00 ± 0.00" and "printed_psnr" not in n2s
    assert np.isclose(n2c["gain_mean"], 2.5)
