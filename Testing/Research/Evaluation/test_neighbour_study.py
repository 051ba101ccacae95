"""The study of neighbours measures networks whose effect is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pseudoct_research.evaluation import neighbour_study
from pseudoct_research.evaluation import study_computation as computation
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.evaluation.method_study import WITH_METHOD, Condition
from pseudoct_research.evaluation.neighbour_study import (
    DISC,
    DISC_COLUMNS,
    DISC_HU,
    NEIGHBOUR_COLUMNS,
    UNTUNED,
    measure_disc,
    measure_neighbours,
)
from pseudoct_research.evaluation.study_command import STUDIES
from pseudoct_research.results.results_table import read_csv
from PseudoCTDenoiseLib.denoising.neighbours import STACK
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.models.catalog import DENOISER, NEIGHBOUR_MODEL
from PseudoCTDenoiseLib.models.networks import UNet
from PseudoCTDenoiseLib.models.store import LoadedModels, Manifest, save_model
from torch import nn

QUICK = DenoisingSettings(
    method="pretrained", anchor=None, orientations=1, precision="float32", device="cpu"
)


class Mean(nn.Module):
    """Returns the mean of the scanned slices, plus 1 HU."""

    def forward(self, images):
        return images[:, [0, *range(1 + STACK, 2 * STACK)]].mean(dim=1, keepdim=True) + 1 / 4096


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Measure without tuning; neighbours count everywhere."""
    monkeypatch.setattr("PseudoCTDenoiseLib.denoising.neighbours.DIFFERENCE", (1e6, 2e6))
    monkeypatch.setattr(neighbour_study, "START", QUICK)
    monkeypatch.setattr(neighbour_study, "METHOD", QUICK)


def anatomy(slices=STACK, size=64):
    """Return equal slices of organs of 8×8 pixels, with an even one of 24×24 pixels."""
    rng = np.random.default_rng(0)
    organs = np.kron(rng.uniform(-100, 200, (size // 8, size // 8)), np.ones((8, 8)))
    organs[24:48, 8:32] = 50
    return np.repeat(np.rint(organs).astype(np.int16)[None], slices, axis=0)


def pair(slices=STACK):
    ndct = anatomy(slices)
    noise = np.random.default_rng(1).normal(0, 20, ndct.shape)
    return CtPair("one", np.rint(ndct + noise).astype(np.int16), ndct, 1.0)


def models(denoiser=None, neighbour_model=None):
    about = Manifest("fast", DENOISER, "UNet", {})
    return LoadedModels((denoiser or nn.Identity(), about), [], (neighbour_model or Mean(), about))


def test_the_mean_of_the_neighbours_has_the_expected_gain():
    untuned, method = measure_neighbours(pair(), models())
    assert (untuned["variant"], method["variant"]) == (UNTUNED, WITH_METHOD)
    assert untuned["alone"] == pytest.approx(0, abs=1e-3)
    # The first slice is three of five images, the second two, the third one.
    share = np.array([11, 7, 5, 7, 11]) / 25
    assert untuned["gain"] == pytest.approx(-10 * np.log10(share.mean()), abs=0.15)
    assert untuned["worst"] == pytest.approx(-10 * np.log10(share.max()), abs=0.3)
    assert untuned["more"] == pytest.approx(untuned["gain"] - untuned["alone"])
    assert untuned["bias"] - untuned["bias_alone"] == pytest.approx(1, abs=0.2)
    assert method == untuned | {"variant": WITH_METHOD}
    for row in (untuned, method):
        assert {column.key for column in NEIGHBOUR_COLUMNS} < row.keys()
        assert row["banding"] >= 0


def test_a_disc_in_one_slice_is_kept_alone_and_shared_by_the_mean():
    one = pair(STACK + 2)
    before = one.ldct.copy()
    rows = measure_disc(one, models())
    assert [row["contrast"] for row in rows] == list(DISC_HU)
    for row in rows:
        assert {column.key for column in DISC_COLUMNS} < row.keys()
        assert row["kept_alone"] == pytest.approx(100) and row["ghost_alone"] == 0
        assert row["kept"] == pytest.approx(20, abs=2) and row["ghost"] == pytest.approx(20, abs=2)
    assert np.array_equal(one.ldct, before)


def test_a_dark_ghost_counts_as_much_as_a_bright_one():
    class Difference(nn.Module):
        """Subtracts half of the first neighbour."""

        def forward(self, images):
            return images[:, :1] - images[:, 1 + STACK : 2 + STACK] / 2

    for row in measure_disc(pair(), models(neighbour_model=Difference())):
        assert row["kept"] == pytest.approx(100, abs=2)
        assert row["ghost"] == pytest.approx(-50, abs=2)


def test_the_disc_lies_in_a_slice_with_similar_neighbours():
    similar = pair()
    others = np.random.default_rng(2).integers(-100, 100, (4, 8, 8)).repeat(8, 1).repeat(8, 2)
    ldct, ndct = (
        np.concatenate([others, x]).astype(np.int16) for x in (similar.ldct, similar.ndct)
    )
    rows = measure_disc(replace(similar, ldct=ldct, ndct=ndct), models())
    assert [row["kept"] for row in rows] == pytest.approx([20, 20], abs=2)


def test_the_disc_lies_where_the_body_has_the_least_contrast():
    hu = np.full((96, 96), -1000, np.int16)  # air is even but not in the body
    hu[16:80, 16:80] = anatomy(1)[0]
    radius = 4.0
    disc = neighbour_study._disc(hu, radius)
    assert disc.sum() == pytest.approx(np.pi * radius**2, rel=0.05)
    assert (hu[disc] == 50).all()
    rows, columns = np.nonzero(disc)
    assert np.ptp(rows) == np.ptp(columns) == 2 * radius


@pytest.fixture
def folder(tmp_path):
    """Write tiny models, of which `fast` has a neighbour model and `alone` none."""
    torch.manual_seed(0)
    tiny = {"widths": [4, 8]}
    for name, neighbours in (("fast", "stack"), ("alone", "")):
        manifest = Manifest(name, DENOISER, "UNet", tiny, neighbour_model=neighbours)
        save_model(UNet(**tiny), manifest, tmp_path / "models")
    tiny["images"] = 2 * STACK
    stack = Manifest("stack", NEIGHBOUR_MODEL, "UNet", tiny)
    save_model(UNet(**tiny), stack, tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def index(tmp_path, write):
    """Write an index of a scan of nine slices, of which the study takes the middle five."""
    write(tmp_path / "scan.nrrd", anatomy(9) + np.arange(9, dtype=np.int16)[:, None, None])
    path = tmp_path / "index.csv"
    path.write_text("file,patient,split\nscan.nrrd,one,test\n")
    return path


@pytest.mark.slow
def test_the_study_is_computed_saved_and_printed_again(
    pseudoct, index, folder, tmp_path, monkeypatch
):
    def simulated(scans, conditions, slices, *, correlated):
        assert correlated
        for condition in conditions:
            for number, scan in enumerate(scans):
                assert slices == len(scan.hu) == STACK
                assert scan.hu[:, 30, 16].tolist() == [52, 53, 54, 55, 56]
                yield condition, number, CtPair(scan.patient, pair().ldct, scan.hu, 1.0)

    monkeypatch.setattr(computation, "SLICES", STACK)
    monkeypatch.setattr(computation, "QUARTER", (Condition("soft", 0.25),))
    monkeypatch.setattr(computation, "study_pairs", simulated)
    page = tmp_path / "page.md"
    page.write_text("<!-- STUDY neighbours -->\n<!-- /STUDY neighbours -->\n")
    rest = ["--study", "neighbours", "--csv", tmp_path, "--page", page]
    made = pseudoct("study", "--index", index, "--models", folder, *rest)
    assert made.code == 0, made.err

    rows = read_csv(tmp_path / "study-neighbours.csv")
    assert [row["variant"] for row in rows] == [UNTUNED, WITH_METHOD, DISC, DISC]
    assert {(row["kernel"], row["patient"]) for row in rows} == {("soft", "one")}
    text = page.read_text("utf-8")
    assert STUDIES["neighbours"].table(rows).strip() in text
    gain, bias = (f"{float(row[key]):+.2f}" for row, key in ((rows[0], "gain"), (rows[0], "bias")))
    (line,) = (line for line in text.splitlines() if f"| soft | one | {UNTUNED} |" in line)
    assert gain.replace("-", "−") in line and bias.replace("-", "−") in line
    for row, contrast in zip(rows[2:], DISC_HU, strict=True):
        (line,) = (line for line in text.splitlines() if f"| soft | one | {contrast:.0f} |" in line)
        assert f"| {float(row['kept']):.0f} |".replace("-", "−") in line
        assert f"| {float(row['ghost']):.1f} |".replace("-", "−") in line
    again = pseudoct("study", *rest)
    assert again.code == 0 and again.out == made.out


def test_a_denoiser_without_a_neighbour_model_is_refused_before_the_study(
    pseudoct, index, folder, tmp_path
):
    given = ["--index", index, "--models", folder, "--model", "alone", "--csv", tmp_path]
    ended = pseudoct("study", "--study", "neighbours", *given)
    assert ended.code == 2 and "'alone' has no neighbour model" in ended.err
    assert not (tmp_path / "study-neighbours.csv").exists()
