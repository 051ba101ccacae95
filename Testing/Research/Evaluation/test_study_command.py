"""`pseudoct study` and `trials` compute tables, save them as CSV, and print them again."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from pseudoct_research.evaluation import study_computation as computation
from pseudoct_research.evaluation import study_tables as tables
from pseudoct_research.evaluation.method_study import NO_TUNING, START, WITH_METHOD
from pseudoct_research.evaluation.study_command import STUDIES
from pseudoct_research.phantom.torso import torso_phantom
from pseudoct_research.training import training_pairs
from pseudoct_research.training import trials_command as trials
from pseudoct_research.training.trials import Trial
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS

SHORT = DenoisingSettings(steps=2, patch_size=16, batch=1, tuning_slices=1)
SIZE = 192


@pytest.fixture
def index(tmp_path):
    """Write a training and a validation scan of eight slices in a folder with a space."""
    folder = tmp_path / "some scäns"
    folder.mkdir()
    rows = []
    for seed, split in enumerate(("train", "val")):
        hu = np.full((8, SIZE, SIZE), -1000.0)
        noise = np.random.default_rng(seed).normal(0, 12, (8, SIZE - 32, SIZE - 32))
        hu[:, 16:-16, 16:-16] = 50 + noise
        image = sitk.GetImageFromArray(np.rint(hu).astype(np.int16))
        image.SetSpacing((0.8, 0.8, 3.0))
        sitk.WriteImage(image, str(folder / f"{split}.nrrd"))
        rows.append({"file": f"{split}.nrrd", "patient": split, "split": split})
    with (folder / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder / "index.csv"


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def page(tmp_path, *blocks):
    path = tmp_path / "page.md"
    path.write_text("".join(f"<!-- {block} -->\n<!-- /{block} -->\n" for block in blocks))
    return path


@pytest.mark.slow
def test_a_study_is_computed_saved_and_printed_again(
    pseudoct, index, models, tmp_path, monkeypatch
):
    monkeypatch.setattr(computation, "INGREDIENTS", {WITH_METHOD: SHORT})
    monkeypatch.setattr(
        "pseudoct_research.evaluation.method_study.START", replace(START, orientations=1)
    )
    text = page(tmp_path, "STUDY ingredients")
    retired = (
        "kernel,dose,patient,scan,slices,variant,gain,more,more_target,change_hu,hu_bias,steps\n"
        f"soft,0.25,val,0,2,{WITH_METHOD},9,9,9,9,9,9\n"
        "soft,0.25,val,0,2,no longer made,1,-0.5,1,1,1,1\n"
    )
    (tmp_path / "study-ingredients.csv").write_text(retired, "utf-8")
    rest = ["--study", "ingredients", "--csv", tmp_path, "--page", text]
    made = pseudoct("study", "--index", index, "--models", models, "--slices", "2", *rest)
    assert made.code == 0, made.err

    rows = read(tmp_path / "study-ingredients.csv")
    seen = [(row["kernel"], row["variant"]) for row in rows]
    made_now = [(kernel, name) for kernel in KERNELS for name in (NO_TUNING, WITH_METHOD)]
    assert seen == [*made_now, ("soft", "no longer made")]
    assert {row["slices"] for row in rows} == {"2"} and float(rows[0]["more"]) == 0
    lines = text.read_text("utf-8").splitlines()
    for row in rows:
        (line,) = (line for line in lines if f"| {row['kernel']} | {row['variant']} |" in line)
        assert f"{float(row['more']):+.3f}".replace("-", "−") in line

    again = pseudoct("study", *rest)
    assert again.code == 0 and again.out == made.out


@pytest.mark.slow
def test_clean_scans_are_a_phantom_denoised_and_filtered_scans(
    pseudoct, index, models, tmp_path, monkeypatch
):
    small = torso_phantom(slices=1, size=64, pixel_mm=6.0)
    seen = []

    def noted(denoiser, hu, pixel_mm):
        seen.append((hu, pixel_mm))
        return {
            "steps": 0,
            "best_step": 0,
            "noise_found_hu": 1.5,
            "start_change_hu": 0.25,
            "change_hu": float(len(seen)),
        }

    monkeypatch.setattr(computation, "torso_phantom", lambda slices: small)
    monkeypatch.setattr(computation, "TUNED", {WITH_METHOD: SHORT})
    monkeypatch.setattr(computation, "clean_scan", noted)
    rest = ["--study", "clean", "--csv", tmp_path]
    made = pseudoct("study", "--index", index, "--models", models, "--slices", "1", *rest)
    assert made.code == 0, made.err
    rows = read(tmp_path / "study-clean.csv")
    assert [(row["scan"], row["change_hu"]) for row in rows] == [
        ("phantom without noise", "1.0"),
        ("val, result of the method", "2.0"),
        ("val, filtered normal dose", "3.0"),
    ]
    (phantom, _), (result, pixel_mm), (filtered, _) = seen
    assert phantom is small.hu and pixel_mm == 0.8
    inner = np.s_[:, 40:-40, 40:-40]
    assert filtered[inner].std() < 6  # of 12 HU
    assert filtered[inner].mean() == pytest.approx(50, abs=1)
    assert result.dtype == np.int16 and not np.array_equal(result, filtered)
    again = pseudoct("study", *rest)
    assert again.code == 0 and again.out == made.out and "| 0.25 |" in again.out


def test_unseen_scans_are_those_of_the_training_that_the_denoiser_did_not_learn_from(
    pseudoct, index, models, tmp_path, monkeypatch
):
    text = index.read_text("utf-8")
    index.write_text(text + "train.nrrd,known,train\n", "utf-8")
    loaded = computation.load_models("fast", models)
    network, manifest = loaded.denoiser
    manifest = replace(manifest, training={"scans": [{"patient": "known"}]})
    loaded = loaded._replace(denoiser=(network, manifest))
    monkeypatch.setattr(computation, "load_models", lambda *_: loaded)
    seen = []

    def measured(pair, denoiser, noise_models, variants, dose):
        seen.append((pair.patient, dose))
        return [
            {"variant": name, "gain": gain, "hu_bias": -0.25}
            for name, gain in ((NO_TUNING, 1.0), (WITH_METHOD, 2.0))
        ]

    monkeypatch.setattr(computation, "measure", measured)
    monkeypatch.setattr(computation, "QUARTER", computation.QUARTER[:1])
    rest = ["--study", "unseen", "--csv", tmp_path]
    made = pseudoct("study", "--index", index, "--models", models, "--slices", "1", *rest)
    assert made.code == 0, made.err
    assert seen == [("train", 0.25)]
    (row,) = read(tmp_path / "study-unseen.csv")
    assert float(row["filter"]) > 3  # non-local means on a homogeneous body
    assert made.out.rstrip().endswith("| +1.00 | +2.00 | −0.25 |")
    again = pseudoct("study", *rest)
    assert again.code == 0 and again.out == made.out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--slices", "0"], "at least 1"),
        (["--study", "narrow"], "narrow"),
        (["--page", "missing.md"], "missing.md"),
        (["--study", "clean", "--plots", "missing"], "missing"),
    ],
)
def test_invalid_arguments_of_a_study_are_refused(pseudoct, index, models, tmp_path, wrong, words):
    given = ["--index", index, "--models", models, "--narrow", models, "--csv", tmp_path]
    ended = pseudoct("study", *given, *wrong)
    assert ended.code == 2 and words in ended.err


def test_a_study_without_results_cannot_be_printed(pseudoct, tmp_path):
    text = page(tmp_path, "STUDY doses")
    before = text.read_text("utf-8")
    ended = pseudoct("study", "--study", "doses", "--csv", tmp_path, "--page", text)
    assert ended.code == 2 and "study-doses.csv" in ended.err and text.read_text("utf-8") == before


def test_an_interrupted_study_keeps_the_former_results(
    pseudoct, index, models, tmp_path, monkeypatch
):
    file = tmp_path / "study-clean.csv"
    former = "scan,noise_found_hu,steps,best_step,start_change_hu,change_hu\nformer,1,1,1,1,1\n"
    file.write_text(former, "utf-8")
    cases = [[{"scan": "first"}], [{"scan": "second"}]]

    def interrupted(arguments, name):
        yield from cases
        raise BadInputError("interrupted")

    monkeypatch.setitem(STUDIES, "clean", STUDIES["clean"]._replace(compute=interrupted))
    given = ["--study", "clean", "--index", index, "--models", models, "--csv", tmp_path]
    ended = pseudoct("study", *given)
    assert ended.code == 2 and f"The results so far are in {file}.partial" in ended.err
    assert file.read_text("utf-8") == former
    assert [row["scan"] for row in read(tmp_path / "study-clean.csv.partial")] == [
        "first",
        "second",
    ]
    whole = {key: 2 for key in former.splitlines()[0].split(",")}
    complete = STUDIES["clean"]._replace(compute=lambda *_: iter([[whole]]))
    monkeypatch.setitem(STUDIES, "clean", complete)
    assert "study-clean.csv.partial exists" in pseudoct("study", *given).err
    (tmp_path / "study-clean.csv.partial").unlink()
    assert pseudoct("study", *given).code == 0
    assert [row["scan"] for row in read(file)] == ["2"] and not list(tmp_path.glob("*.partial"))


def test_scans_of_all_studies_are_read_before_the_first_computation(
    pseudoct, index, models, tmp_path, monkeypatch
):
    def compute(arguments, name):
        raise AssertionError("computed before the scans of all studies were read")

    monkeypatch.setitem(STUDIES, "clean", STUDIES["clean"]._replace(compute=compute))
    given = ["--index", index, "--models", models, "--csv", tmp_path, "--study", "clean"]
    ended = pseudoct("study", *given, "--study", "banding")
    assert ended.code == 2 and "no scan of split 'test'" in ended.err


def test_the_studies_are_those_of_the_page(pseudoct, tmp_path, repository):
    results = repository / "Docs/results"
    text = page(tmp_path, "STUDY clean", "STUDY banding")
    ended = pseudoct("study", "--csv", results, "--page", text)
    assert ended.code == 0
    assert [line for line in ended.out.splitlines() if line in STUDIES] == [
        "clean",
        "banding",
    ]
    empty = page(tmp_path, "STUDY nothing")
    ended = pseudoct("study", "--csv", results, "--page", empty)
    assert ended.code == 2 and "has no block of a study" in ended.err


def rows_of(start, risk_to_gain, chosen, scan="0"):
    about = {"start": start, "kernel": "soft", "patient": "one", "scan": scan}
    return [
        about
        | {"step": str(20 * n), "gain": str(gain), "chosen": str(20 * n == chosen)}
        | {"risk_hu2": str(50 - n), "error_hu2": str(40 - 2 * n)}
        for n, gain in enumerate(risk_to_gain)
    ]


def test_the_loss_by_the_stop_rule_is_reported():
    more_than_the_method_runs = [1.0, 1.5, 1.4, 1.3, 1.3, 1.3, 1.3, 1.9]
    rows = rows_of("fast", more_than_the_method_runs, chosen=40)
    table = tables.stopping_table(rows + rows_of("fast", [1.0, 2.0], chosen=20, scan="1"))
    assert table.count("| fast | soft | one |") == 2  # two scans of one patient
    assert (
        "| fast | soft | one | +1.00 | 20 | +1.50 | 40 | 0.100 | +1.90 | −2.00 | −4.00 | 1.00 |"
        in table
    )


def test_a_row_holds_means_and_the_worst_scan():
    keys = ("patient", "gain", "more", "more_target", "hu_bias")
    metric_rows = [
        ("one", "4", "-0.1", "0.3", "-0.5"),
        ("two", "5", "0.2", "0.8", "0.25"),
        ("two", "5", "0.4", "0.6", "-0.25"),
    ]
    common = {"variant": WITH_METHOD, "change_hu": "2", "steps": "10"}
    rows = [common | dict(zip(keys, metrics, strict=True)) for metrics in metric_rows]
    # Patients have equal weight, and opposite biases do not cancel.
    means = "| 3 | +4.50 | +0.100 | −0.100 | +0.500 | +0.300 | 2.00 | 0.38 | 10 |"
    about = {"kernel": "soft", "dose": "0.5"}
    table = tables.conditions_table([about | row for row in rows])
    assert f"| soft | 0.5 {means} 1 | +4.00 | 0.50 |" in table
    table = tables.ingredients_table([about | row for row in rows])
    assert f"| soft | method {means}" in table
    retired = tables.ingredients_table([about | row | {"variant": "retired"} for row in rows])
    assert f"| soft | retired {means.replace('+4.50', '–')}" in retired  # gain of other LDCT


@pytest.mark.slow
def test_trials_are_run_saved_and_resumed(pseudoct, index, tmp_path, monkeypatch):
    monkeypatch.setattr(
        training_pairs,
        "_draw_noise",
        lambda scan, device, seed: np.ones((2, *scan.hu.shape), np.float16),
    )
    base = replace(
        trials.TRIALS["training"][0].settings,
        parameters={"widths": [2, 4]},
        **{"steps": 2, "batch": 1, "patch_size": 32, "validate_every": 1},
    )
    group = [Trial("one", base), Trial("two", replace(base, loss="l1"))]
    monkeypatch.setattr(trials, "TRIALS", {"training": group})
    text = page(tmp_path, "TRIALS training")
    rest = ["--csv", tmp_path / "t.csv", "--page", text, "--plots", tmp_path]
    given = ["--index", index, "--work", tmp_path / "work", "--device", "cpu"]
    assert pseudoct("trials", *given, *rest, "--minutes", "0").code == 4
    made = pseudoct("trials", *given, *rest)
    assert made.code == 0, made.err
    rows = read(tmp_path / "t.csv")
    assert [(row["trial"], row["step"]) for row in rows] == [
        *(("one", "1.0"), ("one", "2.0"), ("two", "1.0"), ("two", "2.0"))
    ]
    assert (tmp_path / "trials-training.png").is_file()
    assert "| one |" in text.read_text("utf-8") and "| two |" in text.read_text("utf-8")
    assert pseudoct("trials", *rest).out == made.out
    unknown = pseudoct("trials", *rest, "--trial", "three")
    assert unknown.code == 2 and "three" in unknown.err and "two" in unknown.err
