"""The study of the strength measures a network whose effect is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pseudoct_research.evaluation import strength_study
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.evaluation.strength_study import (
    MIXTURES,
    STRENGTHS,
    measure_strengths,
    strength_table,
)
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from scipy.ndimage import gaussian_filter
from torch import nn

EVEN, KEPT = MIXTURES


class Leaves(nn.Module):
    """Returns one known slice for every slice."""

    def __init__(self, image):
        super().__init__()
        self.image = nn.Parameter(torch.from_numpy((image + 1024) / 4096).float()[None])

    def forward(self, x):
        return self.image.expand_as(x)


@pytest.fixture
def rows(monkeypatch):
    quick = DenoisingSettings(
        method="pretrained", anchor=None, orientations=1, precision="float32", device="cpu"
    )
    monkeypatch.setattr(strength_study, "METHOD", quick)
    noise = np.random.default_rng(0).normal(0, 30, (160, 160))
    ndct = np.full((160, 160), -1000.0)
    ndct[20:-20, 20:-20] = 60
    left = ndct + 0.6 * gaussian_filter(noise, 2.0)  # coarse noise is left
    pair = CtPair("one", (ndct + noise).astype(np.int16)[None], ndct.astype(np.int16)[None], 0.8)
    models = SimpleNamespace(denoiser=(Leaves(left), None), neighbour_network=None)
    return measure_strengths(pair, models)


def test_every_strength_of_both_mixtures_is_measured(rows):
    assert [(row["mixture"], row["strength"]) for row in rows] == [
        (mixture, strength) for mixture in (EVEN, KEPT) for strength in STRENGTHS
    ]
    for mixture in (EVEN, KEPT):
        part = [row for row in rows if row["mixture"] == mixture]
        for key in ("reduction_percent", "gain"):
            assert np.all(np.diff([row[key] for row in part]) > 0)
    full = [row for row in rows if row["strength"] == 100]
    assert full[0] | {"mixture": ""} == full[1] | {"mixture": ""}
    assert full[0]["gain"] > 10


def test_the_noise_is_coarser_in_an_even_mixture(rows):
    even, kept = (
        {row["strength"]: row["frequency_percent"] for row in rows if row["mixture"] == mixture}
        for mixture in (EVEN, KEPT)
    )
    assert all(even[strength] < kept[strength] for strength in STRENGTHS[:-1])
    assert even[100] == kept[100] < 80


def test_the_table_has_the_means_over_the_scans(rows):
    scans = [{"kernel": "soft"} | row for row in rows]
    scans += [row | {"gain": row["gain"] + 2} for row in scans]
    (line,) = (x for x in strength_table(scans).splitlines() if f"| soft | {KEPT} | 80 |" in x)
    (row,) = (row for row in rows if (row["mixture"], row["strength"]) == (KEPT, 80))
    assert line.endswith(f"| {row['gain'] + 1:+.2f} |".replace("-", "−"))
    assert f"| {row['reduction_percent']:.0f} |" in line
