"""`pseudoct route` keeps the contract of a router: names of files, task, environment, exit code."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from dicom_factory import change, ct_slice, store, write
from dicom_network import STAND_IN
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.exit_codes import BAD_INPUT, DONE, FAULT, INCOMPLETE
from PseudoCTDenoiseLib.node.denoising_child import DenoisingChild
from PseudoCTDenoiseLib.node.routed_folder import (
    DenoisingFailedError,
    denoise_routed,
    task_options,
)
from pydicom import dcmread


def put(folder: Path, image) -> Path:
    return write(image, folder / f"{image.SeriesInstanceUID}#{image.SOPInstanceUID}.dcm")


@pytest.fixture
def routed(tmp_path, hu, models, monkeypatch):
    """Folders of a router: a study with a CT, a scout, an MR and an earlier result."""
    source, output = tmp_path / "in", tmp_path / "out"
    output.mkdir()
    for number, slice_hu in enumerate(hu, 1):
        image = ct_slice(2.5 * number, number)
        for keyword, value in zip(("Rows", "Columns"), slice_hu.shape, strict=True):
            change(image, keyword, value)
        store(image, slice_hu)
        put(source, image)
        (source / f"{image.SeriesInstanceUID}#{image.SOPInstanceUID}.tags").write_text("{}")
    others = {
        "1.2.1": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
        "1.2.2": {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"},
        "1.2.3": {"Manufacturer": "PseudoCTDenoise"},
    }
    for uid, values in others.items():
        image = ct_slice()
        for keyword, value in {**values, "SeriesInstanceUID": uid, "SOPInstanceUID": uid}.items():
            setattr(image, keyword, value)
        put(source, image)
    settings = {"models": str(models), "device": "cpu", "steps": 2, "strength": 70}
    write_task(source, {"settings": settings})
    monkeypatch.setenv("MERCURE_IN_DIR", str(source))
    monkeypatch.setenv("MERCURE_OUT_DIR", str(output))
    return source, output


def write_task(folder: Path, process) -> None:
    task = {"id": "1", "info": {"uid_type": "study"}, "process": process}
    (folder / "task.json").write_text(json.dumps(task), "utf-8")


@pytest.mark.slow
def test_the_ct_of_a_study_becomes_a_derived_series(pseudoct, routed, listing):
    source, output = routed
    before = listing(source)
    ended = pseudoct("route")
    assert ended.code == 0, ended.err
    assert listing(source) == before
    paths = sorted(output.iterdir())
    images = [dcmread(path) for path in paths]
    names = [f"{image.SeriesInstanceUID}#{image.SOPInstanceUID}.dcm" for image in images]
    assert [path.name for path in paths] == names and len(names) == 3
    assert len({image.SeriesInstanceUID for image in images}) == 1
    originals = [dcmread(path) for path in source.glob("1.2.826*.dcm")]
    assert {image.StudyInstanceUID for image in images} == {originals[0].StudyInstanceUID}
    assert "strength 70 %" in images[0].DerivationDescription
    notes = [line for line in ended.err.splitlines() if line.startswith("Note: ")]
    assert len(notes) == 3
    assert (
        "scout" in notes[0]
        and "no CT images but MR Image Storage" in notes[1]
        and "a result of this" in notes[2]
    )


def test_nothing_to_denoise_is_bad_input(pseudoct, routed):
    source, output = routed
    for path in [*source.glob("1.2.826*.dcm"), *source.glob("1.2.1*.dcm")]:
        path.unlink()
    ended = pseudoct("route")
    assert ended.code == 2 and "No series was denoised. 1.2.2 is left out" in ended.err
    assert not list(output.iterdir())


@pytest.mark.parametrize(
    ("process", "words"),
    [
        ({"settings": {"output": "x"}}, "denoise has no option 'output'"),
        *(({"settings": odd}, "must be a JSON object") for odd in (["strength"], [], "", False, 0)),
        *((odd, "does not hold one processing step") for odd in ([], [{}, {}], ["x"], "x", False)),
    ],
)
def test_wrong_settings_of_the_task_are_named(pseudoct, routed, process, words):
    write_task(routed[0], process)
    ended = pseudoct("route")
    assert ended.code == 2 and words in ended.err and "task.json" in ended.err


@pytest.mark.parametrize("several", [False, True])
def test_the_settings_are_those_of_the_step(tmp_path, several):
    step = {"module_name": "pseudoct", "settings": {"strength": 70}}
    write_task(tmp_path, [step] if several else step)
    assert task_options(tmp_path) == ["--strength=70"]


@pytest.mark.parametrize("process", [None, {}, [{}], {"settings": None}, {"settings": {}}])
def test_a_task_may_have_no_settings(tmp_path, process):
    write_task(tmp_path, process)
    assert task_options(tmp_path) == []


def test_relative_paths_of_the_task_count_from_its_folder(tmp_path):
    write_task(tmp_path, {"settings": {"settings": "a.json", "steps": 3}})
    assert task_options(tmp_path) == [f"--settings={tmp_path / 'a.json'}", "--steps=3"]


@pytest.mark.parametrize(("code", "error"), [(2, BadInputError), (1, DenoisingFailedError)])
def test_a_child_that_ends_without_a_result(routed, tmp_path, code, error):
    child = f"import sys; print('pseudoct: Odd: change it.'); sys.exit({code})"
    (tmp_path / "work").mkdir()
    folders = *routed, tmp_path / "work"
    shutil.copy(next(routed[0].glob("1.2.826*.dcm")), routed[0] / "..#1.dcm")  # leads upwards
    with pytest.raises(error, match="Odd: change it."):
        denoise_routed([sys.executable, "-c", child], *folders, 60)
    assert not list(routed[1].iterdir()) and not (tmp_path / "series").exists()


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, DONE), (INCOMPLETE, DONE), (2, BAD_INPUT), (3, FAULT), (1, FAULT)]
)
def test_a_complete_series_counts_although_a_file_beside_it_is_missing(tmp_path, code, outcome):
    program = [sys.executable, "-c", f"import sys; sys.exit({code})"]
    child = DenoisingChild(program, tmp_path, tmp_path / "derived", tmp_path, [], 60)
    assert child.wait().code == outcome


@pytest.mark.skipif(os.name != "posix", reason="only POSIX ends processes with signals")
def test_a_child_that_was_killed_is_told_as_such(tmp_path):
    program = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    child = DenoisingChild(program, tmp_path, tmp_path / "derived", tmp_path, [], 60)
    outcome = child.wait()
    assert outcome.code == FAULT and "ended by signal 9" in outcome.words


@pytest.mark.slow
def test_one_damaged_file_does_not_hide_a_series(pseudoct, routed):
    source, output = routed
    first = min(source.glob("1.2.826*.dcm"))
    first.write_bytes(first.read_bytes()[:200])
    ended = pseudoct("route")
    assert ended.code == 2 and "is not denoised" in ended.err and "damaged" in ended.err
    assert not list(output.iterdir())


@pytest.mark.parametrize("name", ["0", "9"])
def test_a_screenshot_does_not_hide_the_ct_of_its_series(routed, tmp_path, capsys, name):
    source, output = routed
    image = dcmread(min(source.glob("1.2.826*.dcm")))
    image.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.SOPInstanceUID = name
    write(image, source / f"{image.SeriesInstanceUID}#{name}.dcm")
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(STAND_IN.format(first=""), encoding="utf-8")
    (tmp_path / "work").mkdir()
    child = [sys.executable, str(stand_in)]
    assert denoise_routed(child, source, output, tmp_path / "work", 60)
    assert f"{image.SeriesInstanceUID} is left out" not in capsys.readouterr().err


def test_what_may_spoil_a_result_is_reported(routed, tmp_path, capsys):
    source, output = routed
    stand_in = tmp_path / "stand_in.py"
    first = r"print('Warning: Odd \x1b[2Kpixels.\nCheck: amber. Compare.')"
    stand_in.write_text(STAND_IN.format(first=first), encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    denoise_routed([sys.executable, str(stand_in)], source, output, work, 60)
    assert ": Odd ?[2Kpixels. Check: amber. Compare." in capsys.readouterr().err


def test_a_series_that_takes_too_long_leaves_no_results(pseudoct, routed):
    ended = pseudoct("route", "--time-limit", "0.0001")
    assert ended.code == 1 and "time limit" in ended.err
    assert not list(routed[1].iterdir())


def test_folders_are_arguments_or_variables(pseudoct, routed, tmp_path, monkeypatch):
    source, output = routed
    monkeypatch.delenv("MERCURE_OUT_DIR")
    assert "set MERCURE_OUT_DIR" in pseudoct("route").err
    assert "does not exist" in pseudoct("route", source, tmp_path / "gone").err
    (tmp_path / "link").symlink_to(source)
    assert "is the input folder: choose" in pseudoct("route", source, tmp_path / "link").err
    shutil.rmtree(source)
    source.mkdir()
    assert "SERIES#IMAGE.dcm" in pseudoct("route", source, output).err
    monkeypatch.chdir(source)
    assert "SERIES#IMAGE.dcm" in pseudoct("route", ".", output).err
    assert not list(output.iterdir())
