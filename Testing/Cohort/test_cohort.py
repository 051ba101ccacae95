"""`pseudoct cohort` on a scheduler: results, table, page, resumption and refusals."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import save_tiny_models
from dicom_factory import HEIGHTS, SERIES, write_slices
from PseudoCTDenoiseLib.cli import denoise
from PseudoCTDenoiseLib.cohort import cluster, command, distribution
from PseudoCTDenoiseLib.cohort.changed_scans import LOST, REPLACED
from PseudoCTDenoiseLib.cohort.manifest import FILE, CohortManifest
from PseudoCTDenoiseLib.cohort.scan_task import ScanTask, denoise_task
from PseudoCTDenoiseLib.cohort.thumbnail import write_thumbnail
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.printed_words import print_warnings


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "cohort.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def results(out: Path) -> dict[str, tuple]:
    """Return what identifies the outcome of each scan: a repeated scan has another one."""
    files = {path: path.stat() for path in out.glob("scans/*/outcome.json")}
    return {path.parent.name: (s.st_ino, s.st_mtime_ns) for path, s in files.items()}


def values(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def set_state(out: Path, state: str) -> None:
    with closing(sqlite3.connect(out / FILE)) as database:
        outcome = '{"exit": 1, "words": "odd"}' if state == "failed" else None
        database.execute("UPDATE scans SET state = ?, outcome = ?", [state, outcome])
        database.commit()


def test_every_scan_is_denoised_once_and_failed_ones_are_set_aside(
    cohort, pseudoct, scans, tmp_path, quick
):
    write_slices(scans / "patient")
    (scans / "odd.nrrd").write_text("NRRD0004\n", encoding="utf-8")
    out = tmp_path / "out"
    ended = cohort(scans, "--seed", "3")
    assert (ended.code, ended.err.count("Warning:")) == (5, 1)
    assert "4 scans denoised, 1 set aside" in ended.out
    assert sorted(path.name for path in out.iterdir()) == [
        *("cohort.csv", "cohort.html", "cohort.sqlite", "scans", "settings.json")
    ]
    assert sorted(path.name for path in (out / "scans").iterdir()) == [
        *("more_one", "one", "patient", "two")
    ]
    alone = pseudoct("denoise", scans / "one.nrrd", tmp_path / "alone.nrrd", *quick, "--seed", "3")
    assert alone.code == 0
    assert np.array_equal(
        values(out / "scans" / "one" / "denoised.nrrd"), values(tmp_path / "alone.nrrd")
    )
    assert (out / "scans" / "two" / "denoised.nii.gz").is_file()
    assert len(list((out / "scans" / "patient" / "denoised").iterdir())) == len(HEIGHTS)
    for report in out.glob("scans/*/report.json"):
        place = Path(json.loads(report.read_text("utf-8"))["output_path"])
        assert place.parent == report.parent.resolve() and place.exists()

    rows = rows_of(out)
    assert {name: row["exit"] for name, row in rows.items()} == {
        **dict.fromkeys(["one", "two", "more_one", "patient"], "0"),
        "odd": "2",
    }
    assert "cannot be read" in rows["odd"]["words"] and rows["odd"]["slices"] == ""
    assert rows["patient"]["series_uid"] == SERIES and rows["one"]["series_uid"] == ""
    assert float(rows["one"]["noise_before_hu"]) > 10 and rows["one"]["slices"] == "3"
    assert float(rows["one"]["seconds"]) >= float(rows["one"]["compute_seconds"]) > 0
    assert int(rows["one"]["read_bytes"]) == (scans / "one.nrrd").stat().st_size
    page = (out / "cohort.html").read_text("utf-8")
    assert page.count("<figure") == 4 and "method pretrained" in page

    # A repeated command does nothing; a new scan is added; a failed one is repeated if its file
    # changed, or on request.
    before = results(out)
    write_again = scans / "three.mha"
    sitk.WriteImage(sitk.ReadImage(str(scans / "one.nrrd")), str(write_again))
    (scans / "odd.nrrd").write_bytes((scans / "one.nrrd").read_bytes())
    ended = cohort(scans, "--seed", "3")
    assert (ended.code, ended.err.count("Warning:")) == (0, 1)
    assert "odd: The scan changed since the last run, so it is denoised again." in ended.err
    after = results(out)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"three", "odd"}
    set_state(out, "failed")
    assert cohort("--seed", "3").code == 5
    ended = cohort("--retry-failed", "--seed", "3")
    assert (ended.code, ended.err) == (0, "")
    assert "6 scans denoised, 0 set aside" in ended.out
    assert {name: results(out)[name] for name in after} == after

    ended = cohort("--seed", "4")
    assert ended.code == 2 and "was begun with seed 3, not 4" in ended.err


def test_a_result_that_the_manifest_does_not_know_is_not_repeated(cohort, scans, tmp_path):
    out = tmp_path / "out"
    options = ["--format", "nii.gz", "--model", "other"]
    assert cohort(scans / "one.nrrd", *options).code == 0
    assert (out / "scans" / "one" / "denoised.nii.gz").is_file()
    report = json.loads((out / "scans" / "one" / "report.json").read_text("utf-8"))
    assert report["model"]["name"] == "other"
    before, rows = results(out), rows_of(out)
    set_state(out, "pending")
    assert cohort(*options).code == 0
    assert results(out) == before
    assert rows_of(out)["one"]["noise_after_hu"] == rows["one"]["noise_after_hu"]


@pytest.mark.slow
def test_a_scan_that_was_replaced_or_whose_result_is_gone_is_denoised_again(
    cohort, scans, tmp_path, write, hu
):
    out, one = tmp_path / "out", scans / "one.nrrd"
    write_slices(scans / "patient")
    assert cohort(scans).code == 0
    before, rows = results(out), rows_of(out)

    write(one, hu + np.int16(5))
    slices = sorted((scans / "patient").iterdir())
    os.utime(slices[0], ns=(0, 0))
    (scans / "patient" / ".DS_Store").touch()
    (scans / "patient" / "copy.nrrd").touch()
    (out / "scans" / "two" / "denoised.nii.gz").unlink()
    ended = cohort()
    assert ended.code == 0
    assert [line.removeprefix("Warning: ") for line in ended.err.splitlines()] == [
        f"one: {REPLACED}",
        f"two: {LOST}",
        f"patient: {REPLACED}",
    ]
    after = results(out)
    repeated = {name for name in after if after[name] != before[name]}
    assert repeated == {"one", "two", "patient"}
    assert (out / "scans" / "two" / "denoised.nii.gz").is_file()
    assert rows_of(out)["one"]["noise_after_hu"] != rows["one"]["noise_after_hu"]

    os.rename(scans, scans.with_name("moved"))  # inputs that are gone cost no result
    ended = cohort()
    assert (ended.code, ended.err, results(out)) == (0, "", after)


@pytest.mark.slow
def test_a_result_of_an_earlier_scan_that_the_manifest_does_not_know_is_dropped(
    cohort, scans, tmp_path, write, hu
):
    out, one = tmp_path / "out", scans / "one.nrrd"
    assert cohort(one).code == 0
    before = results(out)
    set_state(out, "pending")  # the driver was killed when the result was complete
    write(one, hu + np.int16(5))
    assert cohort().code == 0
    assert results(out) != before


def test_a_cohort_is_not_resumed_with_another_version_or_other_weights(
    cohort, pseudoct, scans, tmp_path, models, monkeypatch
):
    odd = scans / "odd.nrrd"
    odd.write_text("NRRD0004\n", encoding="utf-8")
    assert cohort(odd).code == 5  # nothing is denoised
    retrained, out = tmp_path / "retrained", tmp_path / "out"
    save_tiny_models(retrained, first_seed=7)
    options = ["--device", "cpu", "--method", "pretrained", "--models"]
    ended = pseudoct("cohort", "--out", out, *options, retrained)
    assert ended.code == 2 and "was begun with weights of fast " in ended.err
    monkeypatch.setattr(command, "__version__", "0.0.1")
    ended = pseudoct("cohort", "--out", out, *options, models)
    assert ended.code == 2 and "was begun with version " in ended.err


def test_a_page_that_cannot_be_written_costs_a_warning(cohort, scans, tmp_path):
    cohort(scans)
    page = tmp_path / "out" / "cohort.html"
    page.unlink()
    page.mkdir()  # nothing can replace it
    ended = cohort(scans)
    assert ended.code == 5
    assert "cohort.html could not be written" in ended.err
    assert "3 scans denoised, 0 set aside" in ended.out


def test_a_task_that_runs_twice_changes_nothing_unless_power_was_lost(
    scans, tmp_path, quick, monkeypatch
):
    (tmp_path / "out" / "scans").mkdir(parents=True)
    source, out = str(scans / "one.nrrd"), tmp_path / "out"
    task = ScanTask("one", source, str(out), ".nrrd", tuple(quick))
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_ino))
    first, before = denoise_task(task), results(out)
    assert denoise_task(task) == first and results(out) == before
    for path in [*task.result.iterdir(), task.result, out / "scans"]:
        assert path.stat().st_ino in synced

    (task.result / "outcome.json").write_bytes(b"")
    (task.result / "lost").touch()
    assert denoise_task(task)["exit"] == 0
    assert results(out) != before and not (task.result / "lost").exists()


def test_a_scan_beside_which_a_file_cannot_be_written_is_set_aside(scans, tmp_path, quick):
    out = tmp_path / "out"
    (out / "scans").mkdir(parents=True)
    (out / "unfinished").touch()  # no folder can be made there
    task = ScanTask("one", str(scans / "one.nrrd"), str(out), ".nrrd", tuple(quick))
    outcome = denoise_task(task)
    assert outcome["exit"] == 1 and "repeat the command with --retry-failed" in outcome["words"]


def test_the_outcome_and_the_thumbnail_are_those_of_the_run(scans, tmp_path, quick, monkeypatch):
    out, source = tmp_path / "out", scans / "one.nrrd"
    (out / "scans").mkdir(parents=True)
    run = denoise.denoise

    def judged(*arguments, **values):
        done = run(*arguments, **values)
        done.report["removed_noise"]["light"] = "red"
        print_warnings(["The slices are odd."])
        return done

    monkeypatch.setattr(denoise, "denoise", judged)
    outcome = denoise_task(ScanTask("one", str(source), str(out), ".nrrd", tuple(quick)))
    assert outcome["traffic_light"] == "red" and outcome["words"] == "The slices are odd."
    result = out / "scans" / "one"
    # The scan counts its rows and its columns from left posterior.
    images = (values(path)[:, ::-1, ::-1] for path in (source, result / "denoised.nrrd"))
    write_thumbnail(tmp_path / "shown.png", *images)
    shown = values(tmp_path / "shown.png")
    original, denoised, _ = np.split(shown, 3, axis=1)
    assert not np.array_equal(original, denoised)
    assert np.array_equal(values(result / "thumbnail.png"), shown)


def test_of_two_workers_with_the_same_scan_the_first_result_stays(
    scans, tmp_path, quick, monkeypatch
):
    (tmp_path / "out" / "scans").mkdir(parents=True)
    source, out = str(scans / "one.nrrd"), tmp_path / "out"
    task = ScanTask("one", source, str(out), ".nrrd", tuple(quick))
    first, before = denoise_task(task), results(out)
    from PseudoCTDenoiseLib.cohort import scan_task

    found = [None, first]  # the other worker ended while this one was denoising
    monkeypatch.setattr(scan_task, "finished_outcome", lambda task: found.pop(0))
    assert denoise_task(task) == first
    assert results(out) == before and not list((out / "unfinished").glob("*/.*"))


def test_a_scan_that_kills_its_workers_is_set_aside():
    from distributed import KilledWorker

    class Future:
        status = "error"

        def result(self):
            raise KilledWorker("task", None, 3)

    outcome = distribution._outcome(Future())
    assert outcome["exit"] == 1 and outcome["words"].startswith("4 workers died")


def test_an_error_of_files_or_network_asks_for_no_installation():
    class Future:
        status = "error"

        def result(self):
            raise OSError(28, "No space left on device")

    with pytest.raises(BadInputError, match=r"No space left on device\): see its log, then run"):
        distribution._outcome(Future())


def test_a_lost_scheduler_ends_the_command_with_advice():
    class Future:
        status = "cancelled"

    with pytest.raises(BadInputError, match="run the same command again to resume"):
        distribution._outcome(Future())


@pytest.mark.parametrize(
    ("change", "words"),
    [({"version": "0.0.1"}, "install the same version"), ({"folder": "/gone"}, "workers share")],
)
def test_a_worker_that_cannot_denoise_any_scan_ends_the_command(
    cohort, scans, tmp_path, monkeypatch, change, words
):
    class Other(ScanTask):
        def __init__(self, *values):
            super().__init__(*values)
            for key, value in change.items():
                object.__setattr__(self, key, value)

    monkeypatch.setattr(command, "ScanTask", Other)
    ended = cohort(scans)
    assert ended.code == 2 and words in ended.err
    with closing(sqlite3.connect(tmp_path / "out" / FILE)) as database:
        assert database.execute("SELECT DISTINCT state FROM scans").fetchall() == [("pending",)]


def test_a_second_command_on_the_same_cohort_is_refused(cohort, scans, tmp_path):
    (tmp_path / "out").mkdir()
    manifest = CohortManifest(tmp_path / "out", {})
    ended = cohort(scans)
    manifest.close()
    assert ended.code == 2 and "wait for its end" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scans", "--out", "scans/out"], "contain each other"),
        (["scans/more", "--out", "scans"], "holds files"),
        (["scans", "--out", "."], "holds files"),
        (["scans", "--out", "scans/one.nrrd"], "is a file"),
        (["scans/more", "--out", "scans/one.nrrd/out"], "cannot be created (Not a directory)"),
        (["--out", "new"], "no cohort to resume"),
        (["gone", "--out", "new"], "does not exist"),
        (["scans", "--out", "new", "--workers", "0"], "--workers is 0"),
        (["scans", "--out", "new", "--device", "cuda:1"], "CUDA_VISIBLE_DEVICES"),
        (["scans", "--out", "new", "--steps", "-1"], "steps"),
        (["scans", "--out", "new", "--scheduler", "nonsense"], "does not answer"),
        (["scans", "--out", "new", "--scheduler", "odd://127.0.0.1:9"], "does not answer"),
        (["scans", "--out", "new", "--scheduler", "tcp://127.0.0.1:9"], "does not answer"),
    ],
)
def test_bad_input_is_refused_before_the_work(
    pseudoct, scans, tmp_path, models, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    ended = pseudoct("cohort", *arguments, "--models", models)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert words in ended.err


@pytest.mark.parametrize("name", [".DS_Store", ".hidden"])
def test_a_folder_with_hidden_files_only_is_empty(tmp_path, name):
    (tmp_path / name).touch()
    command._check_folder(tmp_path, [tmp_path.with_name("scans")])
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BadInputError, match="holds files: choose a new or an empty folder"):
        command._check_folder(tmp_path, [tmp_path.with_name("scans")])


def test_a_missing_package_is_reported_with_its_installation(pseudoct, scans, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    ended = pseudoct("cohort", scans, "--out", scans.with_name("out"))
    assert ended.code == 2
    assert 'pip install "pseudoctdenoise[cohort]"' in ended.err
    assert not scans.with_name("out").exists()


def test_a_noise_map_among_the_scans_is_set_aside(cohort, pseudoct, scans, tmp_path, quick):
    options = [*quick, "--noise-dir", tmp_path / "noise"]
    assert pseudoct("denoise", scans / "one.nrrd", tmp_path / "x.nrrd", *options).code == 0
    ended = cohort(scans / "one.nrrd", tmp_path / "noise" / "noise_ensemble.nrrd")
    assert ended.code == 5 and "1 scans denoised, 1 set aside" in ended.out
    assert "noise_ensemble: noise_ensemble.nrrd is a noise map" in ended.err


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not UTF-8")
def test_a_folder_that_is_not_utf_8_is_refused(pseudoct, scans, tmp_path, quick):
    out = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller"))
    ended = pseudoct("cohort", scans, "--out", out, *quick)
    assert ended.code == 2 and "not UTF-8: rename the file or its folder" in ended.err
    assert not out.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not UTF-8")
def test_a_worker_survives_a_thumbnail_that_cannot_be_named(tmp_path, hu):
    with pytest.raises(BadInputError, match="not UTF-8"):
        write_thumbnail(Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller.png")), hu, hu)


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not UTF-8")
def test_names_that_are_not_utf_8_do_not_end_the_cohort(cohort, scans, tmp_path):
    os.rename(scans / "one.nrrd", os.fsencode(scans) + b"/M\xfcller.nrrd")
    for _ in range(2):  # the second run resumes
        ended = cohort(scans)
        assert ended.code == 5 and "2 scans denoised, 1 set aside" in ended.out
    assert "rename the file" in ended.err
    assert len(rows_of(tmp_path / "out")) == 3
