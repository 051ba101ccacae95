"""The study damages good results on purpose and counts the lights."""

from __future__ import annotations

import numpy as np
import pytest
from pseudoct_research.evaluation import study_command as study
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.evaluation.removed_noise_study import DISCS, removed_noise_rows
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from scipy.ndimage import gaussian_filter
from torch import nn

SIZE = 128
ONE = DenoisingSettings(method="pretrained", orientations=1, anchor=None, device="cpu")


class Smoothing(nn.Module):
    def forward(self, x):
        return nn.functional.avg_pool2d(x, 5, 1, 2, count_include_pad=False)


@pytest.fixture(scope="module")
def rows():
    down, right = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    body = np.where(np.hypot(down, right) < 58, 50.0, -1000.0)
    for angle in np.arange(0, 2 * np.pi, 0.5):
        body += 300.0 * (np.hypot(down - 40 * np.sin(angle), right - 40 * np.cos(angle)) < 5)
    ndct = gaussian_filter(body, 0.8)[None]
    noise = np.random.default_rng(0).normal(0, 20, ndct.shape)
    pair = CtPair("A", np.rint(ndct + noise).clip(-1024).astype(np.int16), ndct.astype(np.int16))
    return [
        {"kernel": "soft"} | row for row in removed_noise_rows(pair, Smoothing(), {"s": ONE}, 0)
    ]


def test_the_reference_is_green_and_blurs_are_red(rows):
    lights = {row["result"]: row["light"] for row in rows}
    assert lights["reference"] == "green"
    assert lights["blurred, 2 pixels"] == lights["shifted by a pixel"] == lights["s"] == "red"
    assert sum(name.startswith("disc of") for name in lights) == len(DISCS)


def test_the_table_has_a_line_for_each_result_with_counts(rows):
    text = study.STUDIES["removed-noise"].table([{k: str(v) for k, v in r.items()} for r in rows])
    lines = [line for line in text.splitlines() if line.startswith("| soft")]
    assert len(lines) == len(rows)
    (reference,) = [line for line in lines if "| reference |" in line]
    assert "| 1 | 1 | 0 | 0 | 0 |" in reference
