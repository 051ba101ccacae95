"""A command writes all its files or none of them."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from PseudoCTDenoiseLib.cli.output_guard import CheckedFiles
from PseudoCTDenoiseLib.cli.staged_files import StagedFiles, write_together
from PseudoCTDenoiseLib.errors import BadInputError


def texts(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_files_get_their_names_together_after_all_are_written(tmp_path):
    old = tmp_path / "old.txt"
    old.write_text("old")

    def write(staged):
        staged.path(tmp_path / "new.txt").write_text("new")
        staged.path(old).write_text("newer")
        assert not (tmp_path / "new.txt").exists()
        assert old.read_text("utf-8") == "old"
        return 7

    assert write_together(write) == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.txt", "old.txt"]
    assert old.read_text("utf-8") == "newer"


def test_files_are_written_in_a_private_folder_beside_their_final_place(tmp_path, umask_0):
    def write(staged):
        temporary = staged.path(tmp_path / "scan.nii.gz")
        (folder,) = tmp_path.iterdir()
        assert folder in temporary.parents and temporary.name == "scan.nii.gz"
        assert folder.name.startswith(".") and folder.stat().st_mode & 0o777 == 0o700
        temporary.touch()

    write_together(write)
    assert [path.name for path in tmp_path.iterdir()] == ["scan.nii.gz"]


@pytest.fixture
def umask_0():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("end", [KeyboardInterrupt, BadInputError, ZeroDivisionError, OSError])
def test_an_error_leaves_no_files(tmp_path, end):
    (tmp_path / "old.txt").write_text("old")

    def write(staged):
        staged.folder(tmp_path / "made")
        staged.path(tmp_path / "made" / "a.txt").write_text("a")
        staged.path(tmp_path / "old.txt").write_text("new")
        staged.path(tmp_path / "never.txt")
        raise end("odd")

    with pytest.raises(BadInputError if end is OSError else end):
        write_together(write)
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]
    assert (tmp_path / "old.txt").read_text("utf-8") == "old"


@pytest.mark.slow
def test_a_signal_at_any_instruction_leaves_all_files_or_none(tmp_path, interrupt_everywhere):
    made, first, last, stale = (tmp_path / name for name in ("made", "1.txt", "2.txt", "3.txt"))

    def prepare():
        shutil.rmtree(made, ignore_errors=True)
        for path in (first, last, stale):
            path.write_text("old")

    def write(staged):
        staged.path(first).write_text("new")
        staged.folder(made)
        staged.path(made / "a.txt").write_text("new")
        staged.path(last).write_text("new")
        staged.retire(stale)

    prepare()
    seen = []
    for _ in interrupt_everywhere(lambda: write_together(write)):
        seen.append(texts(tmp_path))
        prepare()
    old = {"1.txt": "old", "2.txt": "old", "3.txt": "old"}
    new = {"1.txt": "new", "2.txt": "new", "made/a.txt": "new"}
    assert seen[0] == old and seen[-1] == new
    assert all(found in (old, new) for found in seen)


def test_a_missing_file_leaves_no_files(tmp_path):
    def write(staged):
        staged.path(tmp_path / "a.txt").write_text("a")
        staged.path(tmp_path / "never.txt")

    with pytest.raises(BadInputError, match="never.txt could not be written"):
        write_together(write)
    assert not list(tmp_path.iterdir())


def test_existing_and_non_empty_folders_stay(tmp_path):
    there, made = tmp_path / "there", tmp_path / "made"
    there.mkdir()

    def write(staged):
        staged.folder(there)
        staged.folder(made)
        (made / "foreign.txt").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_together(write)
    assert there.is_dir()
    assert (made / "foreign.txt").exists()


def test_a_created_folder_stays_with_its_files(tmp_path):
    def write(staged):
        staged.folder(tmp_path / "made")
        staged.path(tmp_path / "made" / "a.txt").write_text("a")

    write_together(write)
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["a.txt"]


def test_an_error_names_the_file_and_not_its_temporary_name(tmp_path):
    final = tmp_path / "out.nrrd"

    def damaged(staged):
        raise BadInputError(f"{staged.path(final)} could not be written.")

    with pytest.raises(BadInputError) as raised:
        write_together(damaged)
    assert str(raised.value) == f"{final} could not be written."

    def full(staged):
        raise OSError(errno.ENOSPC, "No space left on device", str(staged.path(final)))

    with pytest.raises(BadInputError) as raised:
        write_together(full)
    assert str(raised.value) == (
        f"{final} could not be written (No space left on device): free some space or choose "
        "another folder."
    )


def test_a_file_that_cannot_be_renamed_leaves_no_files(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInputError, match="folder could not be written"):
        write_together(lambda staged: staged.path(tmp_path / "folder").write_text("no folder"))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("is_locked", [True, False])
def test_older_files_come_back_if_a_later_file_cannot_be_renamed(
    tmp_path, monkeypatch, has_links, is_locked
):
    def refused(*paths):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    def rename(source, target):
        if Path(target) == tmp_path / "last.txt":
            assert (tmp_path / "target.txt").read_text() == "new"
            raise OSError(
                errno.EACCES if is_locked else errno.EIO, "Odd", str(source), None, str(target)
            )
        os.rename(source, target)

    (tmp_path / "first.txt").write_text("old")
    (tmp_path / "target.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("target.txt")
    (tmp_path / "report.txt").write_text("old")
    before = texts(tmp_path)
    monkeypatch.setattr(os, "replace", rename)
    if not has_links:  # such as FAT
        monkeypatch.setattr(os, "link", refused)

    def write(staged):
        staged.retire(tmp_path / "report.txt")
        for name in ("first.txt", "link.txt", "other.txt", "last.txt"):
            staged.path(tmp_path / name).write_text("new")

    words = "replaced" if is_locked else "written"
    with pytest.raises(BadInputError, match=f"last.txt could not be {words} .Odd.") as raised:
        write_together(write)
    names = ["first.txt", "link.txt", "other.txt", "last.txt"]
    kept = {f"new-{name}": "new" for name in names} if is_locked else {}
    assert texts(tmp_path) == before | kept
    assert all(str(tmp_path / name) in str(raised.value) for name in kept)
    assert (tmp_path / "link.txt").is_symlink()


@pytest.mark.parametrize("locked", ["out.txt", "report.txt"])
def test_a_result_stays_beside_an_older_file_that_another_program_uses(
    tmp_path, monkeypatch, locked
):
    """As on Windows, where such a file can be neither replaced nor removed."""

    def refuse(path):
        if Path(path) == tmp_path / locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    def rename(source, target):
        refuse(target)
        os.rename(source, target)

    def unlink(path, **options):
        refuse(path)
        os.unlink(path)

    for name in ("out.txt", "report.txt", "new-out.txt"):
        (tmp_path / name).write_text("old")
    before = texts(tmp_path)
    monkeypatch.setattr(os, "replace", rename)
    monkeypatch.setattr(Path, "unlink", unlink)

    def write(staged):
        staged.retire(tmp_path / "report.txt")
        staged.path(tmp_path / "out.txt").write_text("new")

    with pytest.raises(BadInputError) as raised:
        write_together(write)
    assert str(raised.value) == (
        f"{tmp_path / locked} could not be replaced (Permission denied): close the programs that "
        f"use it. The new result is kept as {tmp_path / 'new-2-out.txt'}."
    )
    assert texts(tmp_path) == before | {"new-2-out.txt": "new"}


@pytest.mark.parametrize("event", ["appears", "is replaced", "is changed"])
def test_a_file_that_another_program_writes_during_the_run_is_kept(tmp_path, event):
    output, other, stale = (tmp_path / name for name in ("out.txt", "other.txt", "out.json"))
    stale.write_text("old")
    if event != "appears":
        output.write_text("old")

    def write(staged):
        staged.retire(stale)
        staged.path(other).write_text("new")
        staged.path(output).write_text("new")
        if event == "is replaced":
            output.rename(tmp_path / "moved.txt")
        output.write_text("precious")

    checked = CheckedFiles([output, other, stale])
    with pytest.raises(BadInputError) as raised:
        write_together(write, checked)
    found = texts(tmp_path)
    found.pop("moved.txt", None)
    kept = {"new-out.txt": "new", "new-other.txt": "new"}
    assert found == {"out.txt": "precious", "out.json": "old"} | kept
    assert str(raised.value) == (
        f"{output} appeared or changed during this run, so it is kept: choose another name. The "
        f"new result is kept as {tmp_path / 'new-other.txt'}, {tmp_path / 'new-out.txt'}."
    )


def test_an_older_file_that_did_not_change_is_replaced(tmp_path):
    output, stale = tmp_path / "out.txt", tmp_path / "out.json"
    output.write_text("old")
    stale.write_text("old")

    def write(staged):
        staged.retire(stale)
        staged.path(output).write_text("new")

    write_together(write, CheckedFiles([output, stale]))
    assert texts(tmp_path) == {"out.txt": "new"}


def test_a_report_that_changes_during_the_run_is_not_removed(tmp_path):
    output, report = tmp_path / "out.txt", tmp_path / "out.json"

    def write(staged):
        report.write_text("precious")
        staged.retire(report)
        staged.path(output).write_text("new")

    write_together(write, CheckedFiles([output, report]))
    assert texts(tmp_path) == {"out.txt": "new", "out.json": "precious"}


@pytest.mark.parametrize("made", [True, False])
def test_two_runs_never_share_the_folder_of_a_series(tmp_path, made):
    folder, beside = tmp_path / "series", tmp_path / "new-series"
    beside.mkdir()
    if not made:
        folder.mkdir()

    def write(staged):
        staged.folder(folder, is_empty=True)
        for name in ("1.dcm", "2.dcm"):
            staged.path(folder / name).write_text("new")
        (folder / ".hidden").touch()
        (folder / "3.dcm").write_text("other patient")

    with pytest.raises(BadInputError, match=f"kept as {tmp_path / 'new-2-series'}\\.$"):
        write_together(write)
    assert texts(tmp_path) == {
        "series/.hidden": "",
        "series/3.dcm": "other patient",
        "new-2-series/1.dcm": "new",
        "new-2-series/2.dcm": "new",
    }


def test_an_older_file_that_cannot_come_back_is_kept_in_the_temporary_folder(tmp_path, monkeypatch):
    old = tmp_path / "old.txt"
    old.write_text("old")
    renamed = []

    def rename(source, target):
        if renamed:
            raise PermissionError(errno.EACCES, "Permission denied")
        renamed.append(target)
        os.rename(source, target)

    monkeypatch.setattr(os, "replace", rename)

    def write(staged):
        staged.path(old).write_text("new")
        staged.path(tmp_path / "last.txt").write_text("new")

    with pytest.raises(BadInputError) as raised:
        write_together(write)
    monkeypatch.undo()
    write_together(lambda staged: staged.path(tmp_path / "next.txt").touch())
    kept = {path.read_text("utf-8"): path for path in tmp_path.rglob("old.txt") if path != old}
    assert kept.keys() == {"old", "new"} and str(kept["new"]) in str(raised.value)


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path, exists):
    link, target, dangling = tmp_path / "out.txt", tmp_path / "far" / "real.bin", tmp_path / "dir"
    target.parent.mkdir()
    if exists:
        target.write_text("old")
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "far" / "series")

    def write(staged):
        temporary = staged.path(link)
        assert temporary.name == "out.txt" and target.parent in temporary.parents
        temporary.write_text("new")
        staged.folder(dangling, is_empty=True)
        staged.path(dangling / "1.dcm").write_text("new")

    write_together(write, CheckedFiles([link]))
    assert link.is_symlink() and dangling.is_symlink()
    found = {"far/real.bin": "new", "far/series/1.dcm": "new", "out.txt": "new"}
    assert texts(tmp_path) == found


def test_two_links_of_one_name_into_one_folder_stay_apart(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "out.txt").symlink_to(tmp_path / f"{name}.txt")

    def write(staged):
        for name in ("a", "b"):
            staged.path(tmp_path / name / "out.txt").write_text(name)

    write_together(write)
    assert [(tmp_path / f"{name}.txt").read_text() for name in ("a", "b")] == ["a", "b"]


def test_the_longest_allowed_name_can_be_staged(tmp_path):
    final = tmp_path / ("n" * 250 + ".json")
    write_together(lambda staged: staged.path(final).write_text("{}"))
    assert final.read_text("utf-8") == "{}"


@pytest.mark.parametrize("place", ["temporary", "older", "saved"])
def test_a_message_names_the_final_path_and_no_hidden_one(tmp_path, place):
    staged = StagedFiles(CheckedFiles(()))
    staged.path(tmp_path / "scan.nrrd")
    hidden = getattr(staged._files[0], place)
    text = staged.error_message(OSError(errno.ENOSPC, "No space left on device", str(hidden)))
    staged.end()
    assert text.startswith(f"{tmp_path / 'scan.nrrd'} could not be written (No space left")
