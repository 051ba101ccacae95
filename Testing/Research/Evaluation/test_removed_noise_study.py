"""The studies judge whole scans, and good results that are damaged on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from pseudoct_research.datasets.ct_dataset import CtScan
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.evaluation.removed_noise_study import (
    DISCS,
    removed_noise_rows,
    whole_scan_row,
)
from pseudoct_research.evaluation.study_command import STUDIES
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from scipy.ndimage import gaussian_filter
from torch import nn

SIZE = 128
ONE = DenoisingSettings(method="pretrained", orientations=1, anchor=None, device="cpu")


class Smoothing(nn.Module):
    def forward(self, x):
        return nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False)


@pytest.fixture(scope="module")
def pair():
    down, right = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    body = np.where(np.hypot(down, right) < 58, 50.0, -1000.0)
    for angle in np.arange(0, 2 * np.pi, 0.5):
        body += 300.0 * (np.hypot(down - 40 * np.sin(angle), right - 40 * np.cos(angle)) < 5)
    ndct = gaussian_filter(body, 0.8)[None]
    noise = np.random.default_rng(0).normal(0, 20, ndct.shape)
    return CtPair("A", np.rint(ndct + noise).clip(-1024).astype(np.int16), ndct.astype(np.int16))


@pytest.fixture(scope="module")
def rows(pair):
    rows = removed_noise_rows(pair, Smoothing(), {"s": ONE}, 0)
    return [{"kernel": "soft", "dose": 0.25} | row for row in rows]


def texts(rows):
    """Return the rows as a CSV file returns them."""
    return [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]


def test_the_reference_is_green_and_blurs_are_red(rows):
    lights = {row["result"]: row["light"] for row in rows}
    assert lights["reference"] == "green"
    assert lights["blurred, 2 pixels"] == lights["shifted by a pixel"] == lights["s"] == "red"
    assert sum(name.startswith("disc of") for name in lights) == len(DISCS)


def test_the_table_has_a_line_for_each_result_and_counts_for_each_dose(rows):
    quiet = [row | {"dose": 1.0} for row in rows]
    quiet = [
        row | {"light": "not judged"} if row["result"] == "reference" else row for row in quiet
    ]
    text = STUDIES["removed-noise"].table(texts(rows + quiet))
    head, _, *lines = text.splitlines()
    assert head.startswith("| Result | Soft, 25 % | Soft, 100 % | Correlation with edges")
    assert len(lines) == len(rows)
    (reference,) = [line for line in lines if line.startswith("| reference |")]
    assert reference.startswith("| reference | 1 · 0 · 0 | not judged | 0.")
    (blurred,) = [line for line in lines if line.startswith("| blurred, 2 pixels |")]
    assert blurred.startswith("| blurred, 2 pixels | 0 · 0 · 1 | 0 · 0 · 1 |")


def test_a_whole_scan_is_judged_with_its_frequencies(pair, rows):
    found = whole_scan_row(CtScan("A", pair.ldct, 0.7), Smoothing(), ONE)
    (slice_row,) = [row for row in rows if row["result"] == "s"]
    assert found["slices"] == 1 and found["light"] == "red"
    assert found["edge_correlation"] == slice_row["edge_correlation"]
    air = CtScan("B", np.full_like(pair.ldct, -1000), 0.7)
    nothing = whole_scan_row(air, Smoothing(), ONE)
    assert nothing["light"] == "not judged" and nothing["noise_hu"] is None
    cases = [{"split": "val", "preset": "quick"} | row for row in (found, nothing)]
    (line,) = STUDIES["removed-noise-scans"].table(texts(cases)).splitlines()[2:]
    assert line.startswith("| val | quick | 2 | 2 | 0 | 0 | 1 | 1 |")
