"""The study of the strength measures a network whose effect is known."""

import numpy as np
import pytest
import torch
from pseudoct_research.evaluation import strength_study
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.evaluation.strength_study import STRENGTHS, measure_strengths
from pseudoct_research.evaluation.study_command import STUDIES
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from scipy.ndimage import gaussian_filter
from torch import nn


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
    return measure_strengths(pair, Leaves(left))


def test_every_strength_is_measured(rows):
    assert [row["strength"] for row in rows] == list(STRENGTHS)
    for key in ("reduction_percent", "gain"):
        assert np.all(np.diff([row[key] for row in rows]) > 0)
    assert rows[-1]["gain"] > 10


def test_coarse_noise_that_is_left_lowers_the_mean_frequency(rows):
    frequencies = [row["frequency_percent"] for row in rows]
    assert np.all(np.diff(frequencies) < 0)
    assert frequencies[-1] < 80 < frequencies[0] < 100


def test_the_table_has_a_line_for_every_strength(rows):
    scans = [{"kernel": "soft", "patient": "one"} | row for row in rows]
    *_, line = STUDIES["strength"].table(scans).splitlines()
    assert line.startswith("| soft | one | 100 |")
    assert line.endswith(f"| {rows[-1]['gain']:+.2f} |")
    assert f"| {rows[-1]['reduction_percent']:.0f} |" in line
