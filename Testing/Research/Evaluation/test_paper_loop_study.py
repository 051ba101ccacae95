"""The study of the paper's loop measures denoisers that remove a known share of the noise."""

import numpy as np
import pytest
import torch
from pseudoct_research.evaluation import paper_loop_study as study
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.evaluation.paper_loop_study import (
    CONTROL,
    ENSEMBLE,
    LDCT,
    PRESET,
    PRINTED,
    UNTUNED,
)
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from torch import nn

SETTINGS = DenoisingSettings(
    teacher="network",
    noise_source="models",
    anchor=None,
    moving_average=None,
    orientations=1,
    steps=3,
    learning_rate=1.0,
    patch_size=16,
    precision="float32",
    device="cpu",
)


class Removing(nn.Module):
    """Removes a share of a known noise, which can be tuned; as a noise model, returns it."""

    def __init__(self, noise, share, denoiser=True):
        super().__init__()
        self.share = nn.Parameter(torch.tensor(share))
        self.register_buffer("noise", torch.from_numpy(noise).float()[None] / 4096)
        self.denoiser = denoiser

    def forward(self, x):
        # Patches of the tuning do not show where they come from, and have other sizes.
        noise = self.share * (self.noise if x.shape[-1] == self.noise.shape[-1] else x)
        return x - noise if self.denoiser else noise.expand_as(x)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    ndct = np.full((1, 96, 96), -500)
    ndct[:, 16:-16, 16:-16] = 60
    ldct = ndct + np.rint(rng.normal(0, 20, ndct.shape))
    return CtPair("one", ldct.astype(np.int16), ndct.astype(np.int16), 0.8)


def networks(pair, monkeypatch):
    monkeypatch.setattr(study, "_PRESET", SETTINGS)
    monkeypatch.setattr(
        study, "_UNTUNED", DenoisingSettings(**{**SETTINGS.as_dict(), "method": "pretrained"})
    )
    noise = (pair.ldct - pair.ndct).astype(np.float32)
    return Removing(noise, 0.5), [Removing(noise, 0.8, denoiser=False)] * 2


def measured(pair, monkeypatch):
    return study.measure_paper_loop(pair, *networks(pair, monkeypatch))


def test_known_shares_are_measured(pair, monkeypatch):
    rows = {row["method"]: row for row in measured(pair, monkeypatch)}
    assert list(rows) == [LDCT, UNTUNED, PRINTED, PRESET, CONTROL, ENSEMBLE]
    # Half of the noise is left: 6 dB. The mean leaves 35 %.
    assert rows[UNTUNED]["psnr_4096"] - rows[LDCT]["psnr_4096"] == pytest.approx(6.02, abs=0.05)
    assert rows[ENSEMBLE]["more"] == pytest.approx(20 * np.log10(0.5 / 0.35), abs=0.1)
    assert rows[UNTUNED]["correction"] == pytest.approx(2, rel=0.02)
    assert rows[CONTROL]["correction"] == pytest.approx(1.25, rel=0.02)
    assert np.isnan(rows[LDCT]["correction"]) and rows[UNTUNED]["more"] == 0
    # The pseudo-LDCT has 0.5 + 0.8 times the scan's noise.
    assert rows[PRESET]["own_noise"] == pytest.approx(1, abs=0.01)


def test_the_summary_names_the_worst_scan_over_the_untuned_network(pair, monkeypatch):
    rows = measured(pair, monkeypatch)
    worse = [row | {"more": row["more"] - 0.5} for row in rows]
    lines = {line["method"]: line for line in study.paper_loop_summary(rows + worse)}
    best = rows[-1]["more"]
    assert lines[ENSEMBLE]["worst"] == pytest.approx(best - 0.5)
    assert lines[ENSEMBLE]["more"] == pytest.approx(best)
    assert lines[ENSEMBLE]["scans"] == 2 and lines[PRESET]["own_noise"] is not None
    assert lines[UNTUNED]["more"] is lines[LDCT]["correction"] is None


def test_the_preset_is_compared_with_the_untuned_network(pair, monkeypatch):
    row = study.measure_preset(pair, *networks(pair, monkeypatch))
    rows = {row["method"]: row for row in measured(pair, monkeypatch)}
    assert row["gain"] == pytest.approx(rows[UNTUNED]["psnr_4096"] - rows[LDCT]["psnr_4096"])
    assert row["more"] == pytest.approx(rows[PRESET]["more"]) and row["more"] != 0


def test_the_summary_counts_the_scans_that_lose():
    rows = [
        {"kernel": "soft", "dose": dose, "gain": gain, "more": more}
        for dose, gain, more in (("0.1", "4", "0.1"), ("0.1", "6", "-0.05"), ("0.5", "2", "0.2"))
    ]
    low, half = study.preset_summary(rows)
    assert (low["scans"], low["gain"], low["worst"], low["losing"]) == (2, 5, -0.05, 1)
    assert low["more"] == pytest.approx(0.025)
    assert (half["dose"], half["more"], half["losing"]) == ("0.5", 0.2, 0)
