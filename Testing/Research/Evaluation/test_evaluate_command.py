"""`pseudoct evaluate`: the table of methods on scans at simulated low dose."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pseudoct_research.evaluation import compare_command as compare
from pseudoct_research.evaluation import comparison
from pseudoct_research.evaluation import evaluate_command as evaluate
from pseudoct_research.evaluation.comparison import CtPair, Method
from pseudoct_research.results.results_table import write_csv
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings


@pytest.fixture
def index(tmp_path, write, hu) -> Path:
    """Write two scans of a validation patient and one of a test patient."""
    rng = np.random.default_rng(0)
    ndct = np.where(hu > -500, 50, -1000) + rng.normal(0, 6, hu.shape)
    ndct = np.rint(ndct).clip(-1024).astype(np.int16)
    rows = ["file,patient,split"]
    for number, (patient, split) in enumerate([("a", "val"), ("a", "val"), ("b", "test")]):
        write(tmp_path / f"{number}.nrrd", ndct[number : number + 1])
        rows.append(f"{number}.nrrd,{patient},{split}")
    (tmp_path / "index.csv").write_text("\n".join(rows))
    return tmp_path / "index.csv"


@pytest.fixture
def references(monkeypatch):
    """Replace simulator and filters, which have tests of their own, by fast versions.

    Returns what the simulator was asked for.
    """
    asked = []

    def simulated_pair(scan, dose, kernel, seed):
        asked.append((scan.patient, dose, kernel.name, seed))
        noise = np.random.default_rng(seed).normal(0, 20, scan.hu.shape)
        low = np.rint(scan.hu + noise).clip(-1024).astype(np.int16)
        return CtPair(scan.patient, low, scan.hu)

    monkeypatch.setattr(evaluate, "simulated_pair", simulated_pair)
    monkeypatch.setattr(compare, "DenoisingSettings", partial(DenoisingSettings, steps=2))
    monkeypatch.setattr(comparison, "paper_settings", partial(paper_settings, steps=2))
    monkeypatch.setattr(
        compare, "filter_methods", lambda pairs: [Method("none", lambda hu, _: hu + np.int16(1))]
    )
    return asked


def test_tables_are_written_to_the_page_and_scores_to_the_csv(
    pseudoct, index, models, tmp_path, references
):
    page, scores = tmp_path / "README.md", tmp_path / "scores.csv"
    blocks = [f"<!-- RESULTS {k} -->\nolder\n<!-- /RESULTS {k} -->" for k in ("soft", "sharp")]
    page.write_text("\n\n".join(["# Title", *blocks, "End.\n"]))
    arguments = ["--index", index, "--models", models, "--page", page, "--csv", scores]
    ended = pseudoct("evaluate", *arguments, "--dose", "0.1", "--seed", "4", "--device", "cpu")
    assert ended.code == 0, ended
    assert references == [
        ("a", 0.1, kernel, 4000 + n) for kernel in ("soft", "sharp") for n in range(2)
    ]
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Title\n\n<!-- RESULTS soft -->\n**Soft kernel**, 10 % dose")
    assert text.endswith("<!-- /RESULTS sharp -->\n\nEnd.\n") and "older" not in text
    assert text.count("split `val`: 1 patients, 2 slices.") == 2
    assert text.count("| LDCT |") == text.count("| fast + method |") == 2
    tables = [part.split("\n<!--")[0] for part in text.split("-->\n")[1::2]]
    assert len(tables) == 2 and all(table in ended.out for table in tables)

    with open(scores, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    methods = [row["method"] for row in rows]
    assert len(methods) == 2 * len(set(methods)) * 2
    assert {"LDCT", "none", "fast", "fast + method"} <= set(methods)
    assert {row["kernel"] for row in rows} == {"soft", "sharp"}
    assert {(row["split"], row["dose"], row["patient"]) for row in rows} == {("val", "0.1", "a")}

    computed = text
    page.write_text("\n\n".join(["# Title", *blocks, "End.\n"]))
    again = pseudoct("evaluate", "--page", page, "--csv", scores)
    assert again.code == 0 and again.out == ended.out, again
    assert page.read_text(encoding="utf-8") == computed


def score_of(method, patient, slices, psnr):
    row = {"split": "val", "kernel": "soft", "dose": 0.25, "method": method, "patient": patient}
    others = ("psnr_400", "ssim_4096", "hu_bias", "noise_reduction", "seconds")
    return row | {"slices": slices, "psnr_4096": psnr} | dict.fromkeys(others, 1.0)


def test_the_gain_of_the_tuning_is_told_apart_on_whole_and_on_short_scans():
    gains = {"whole-1": (8, 0.1), "few-1": (7, 0.9), "few-2": (1, -0.1)}
    scores = [
        score_of(method, patient, slices, 40.0 + tuned * gain)
        for method, tuned in (("LDCT", 0), ("fast, 8 orientations", 0), ("fast + method", 1))
        for patient, (slices, gain) in gains.items()
    ]
    assert evaluate.results_text(scores).endswith(
        "Gain of the tuning over eight orientations, in dB: +0.30 on average over the patients, "
        "+0.10 on whole-1, −0.10 to +0.90 on scans of fewer than 8 slices.\n"
    )


def test_scores_that_cannot_be_printed_are_refused(pseudoct, tmp_path):
    ended = pseudoct("evaluate")
    assert ended.code == 2 and "Give --index" in ended.err
    (tmp_path / "other.csv").write_text("method,patient\na,b\n")
    for name, words in (("other.csv", "does not hold the scores"), ("none.csv", "Cannot read")):
        ended = pseudoct("evaluate", "--csv", tmp_path / name)
        assert ended.code == 2 and words in ended.err


METHODS = ("LDCT", "fast, 8 orientations", "fast + method")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "holds no scores"),
        ([score_of(name, "a", 1, 40.0) for name in METHODS[:2]], "lacks scores of the soft kernel"),
        ([score_of(name, "a", 1, 40.0) for name in METHODS[1:]], "lacks scores of the soft kernel"),
        (
            [score_of(name, p, 1, 40.0) for name in METHODS for p in "ab"][:-1],
            "lacks scores of the soft kernel",
        ),
        ([{**score_of("LDCT", "a", 1, 40.0), "dose": ""}], "does not hold the scores"),
    ],
)
def test_scores_that_are_incomplete_are_refused(pseudoct, tmp_path, rows, words):
    path = tmp_path / "scores.csv"
    with open(path, "w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, score_of("LDCT", "a", 1, 40.0))
        writer.writeheader()
        writer.writerows(rows)
    ended = pseudoct("evaluate", "--csv", path)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert words in ended.err


def test_scores_without_a_column_or_without_utf_8_are_refused(pseudoct, tmp_path):
    path = tmp_path / "scores.csv"
    write_csv(path, [{k: v for k, v in score_of("LDCT", "a", 1, 40.0).items() if k != "slices"}])
    assert "does not hold the scores" in pseudoct("evaluate", "--csv", path).err
    path.write_bytes(b"method,pati\xe9nt\n")
    assert "not a CSV file in UTF-8" in pseudoct("evaluate", "--csv", path).err


def test_the_simulated_scan_is_compared_with_its_normal_dose_scan(
    pseudoct, index, models, tmp_path, monkeypatch
):
    seen = []

    def compare_all(arguments, pairs, name):
        seen.extend(pairs)
        return [
            {"method": method, "patient": p.patient, "slices": 1, "psnr_4096": 1.0, "psnr_400": 1.0}
            | {"ssim_4096": 1.0, "hu_bias": 0.0, "noise_reduction": 0.0, "seconds": 0.0}
            for method in ("LDCT", "fast, 8 orientations", "fast + method")
            for p in pairs
        ]

    monkeypatch.setattr(evaluate, "compare_all", compare_all)
    arguments = ["--index", index, "--models", models, "--split", "test", "--kernel", "soft"]
    assert pseudoct("evaluate", *arguments).code == 0
    (pair,) = seen
    assert pair.patient == "b"
    assert 25 < psnr_4096(pair.ldct, pair.ndct) < 70


@pytest.fixture
def refused(pseudoct, listing, index, models, monkeypatch):
    """Run `pseudoct evaluate`; it must simulate and write nothing."""

    def compute(*arguments):
        raise AssertionError("computed before the arguments were looked at")

    monkeypatch.setattr(evaluate, "simulated_pair", compute)

    def refused(*arguments) -> str:
        before = listing(index.parent)
        ended = pseudoct("evaluate", "--index", index, "--models", models, *arguments)
        assert ended.code == 2 and ended.err.count("\n") == 1, ended
        assert ended.err.startswith("pseudoct: ")
        assert listing(index.parent) == before
        return ended.err

    return refused


def test_invalid_arguments_are_refused_before_the_computation(refused, tmp_path):
    (tmp_path / "page.md").write_text("No block.\n")
    (tmp_path / "twice.md").write_text("<!-- RESULTS soft --><!-- /RESULTS soft -->" * 2)
    (tmp_path / "turned.md").write_text("<!-- /RESULTS soft --><!-- RESULTS soft -->")
    for name in ("page.md", "twice.md", "turned.md"):
        assert "<!-- RESULTS soft -->" in refused("--page", tmp_path / name)
    (tmp_path / "soft.md").write_text("<!-- RESULTS soft --><!-- /RESULTS soft -->")
    assert "<!-- RESULTS sharp -->" in refused("--page", tmp_path / "soft.md")
    assert "Cannot read the page" in refused("--page", tmp_path / "none.md")
    assert "does not exist" in refused("--csv", tmp_path / "missing" / "scores.csv")
    for dose in ("0", "1", "-0.5", "nan"):
        assert f"--dose {dose}" in refused("--dose", dose)
    assert "no scan of split 'none'" in refused("--split", "none")
    assert "No model" in refused("--model", "none")
    assert "Cannot read the index" in refused("--index", tmp_path / "none.csv")
