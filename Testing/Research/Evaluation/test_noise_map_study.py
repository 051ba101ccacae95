"""The study of noise maps measures known maps as they are."""

import numpy as np
import pytest
import torch
from pseudoct_research.evaluation import noise_map_study
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.evaluation.noise_map_study import ADDED, ENSEMBLE, PSEUDO_LDCT
from pseudoct_research.evaluation.study_tables import noise_maps_table
from PseudoCTDenoiseLib.denoising.noise_maps import REMOVED_NOISE
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from scipy.ndimage import gaussian_filter
from torch import nn


class Known(nn.Module):
    """Returns a share of a known image; as a denoiser, the scan without it."""

    def __init__(self, image, share=1.0, denoiser=False):
        super().__init__()
        self.noise = nn.Parameter(share * torch.from_numpy(image).float()[None] / 4096)
        self.denoiser = denoiser

    def forward(self, x):
        return x - self.noise if self.denoiser else self.noise.expand_as(x)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 20, (1, 160, 160))
    ndct = np.full((1, 160, 160), -1000)
    ndct[:, 20:-20, 20:-20] = 60
    return CtPair("one", (ndct + noise).astype(np.int16), ndct.astype(np.int16), 0.8)


def test_known_maps_are_measured(pair, monkeypatch):
    quick = DenoisingSettings(
        method="pretrained", anchor=None, orientations=1, precision="float32", device="cpu"
    )
    monkeypatch.setattr(noise_map_study, "METHOD", quick)
    noise = (pair.ldct - pair.ndct).astype(np.float32)
    smooth = gaussian_filter(noise, (0, 1, 1))
    models = [Known(noise, REMOVED_NOISE), Known(smooth, REMOVED_NOISE)]
    rows = noise_map_study.measure_noise_maps(
        pair, Known(noise, denoiser=True), models, ["white", "smooth"]
    )
    by_map = {row["map"]: row for row in rows}
    assert list(by_map) == [ADDED, "white", "smooth", ENSEMBLE, PSEUDO_LDCT]
    assert by_map[ADDED]["level_percent"] == pytest.approx(100, abs=2)
    assert by_map[ADDED]["frequency_percent"] == pytest.approx(100, abs=2)
    assert abs(by_map[ADDED]["edges"]) < 0.1
    # The rest of the noise is left. The smooth map has few high frequencies.
    left = 1 - REMOVED_NOISE * by_map["white"]["level_percent"] / 100
    assert by_map["white"]["gain"] == pytest.approx(-20 * np.log10(left), abs=1)
    assert by_map["smooth"]["gain"] < 3
    assert by_map["smooth"]["frequency_percent"] < 80 < by_map["white"]["frequency_percent"]
    levels = [by_map[name]["level_percent"] for name in ("white", "smooth")]
    assert levels[0] == pytest.approx(levels[1], rel=0.15)  # both at their mean level


def test_the_table_has_the_means_of_each_split():
    rows = [
        {"split": split, "kernel": "soft", "patient": patient, "map": ENSEMBLE}
        | {"level_percent": level, "frequency_percent": "100", "edges": "", "gain": "4.5"}
        for split, patient, level in (("val", "a", "90"), ("val", "b", "100"), ("test", "c", "70"))
    ]
    table = noise_maps_table(rows)
    assert "| val | soft | noise map | 95 | 100 | – | +4.50 |" in table
    assert "| test | soft | noise map | 70 | 100 | – | +4.50 |" in table
