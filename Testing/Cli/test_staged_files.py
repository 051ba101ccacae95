"""A command writes all its files or none of them."""

from __future__ import annotations

import errno
import shutil

import pytest
from PseudoCTDenoiseLib.cli.staged_files import write_together
from PseudoCTDenoiseLib.errors import BadInputError


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


def test_the_temporary_name_keeps_the_suffix_and_the_folder(tmp_path):
    def write(staged):
        temporary = staged.path(tmp_path / "scan.nii.gz")
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".nii.gz") and temporary.name.startswith(".")
        temporary.touch()

    write_together(write)


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


def test_a_signal_at_any_instruction_leaves_all_files_or_none(tmp_path, interrupt_everywhere):
    made, old = tmp_path / "made", tmp_path / "old.txt"
    old.write_text("old")

    def write(staged):
        staged.folder(made)
        staged.path(made / "a.txt").write_text("a")
        staged.path(old).write_text("new")

    seen = set()
    for _ in interrupt_everywhere(lambda: write_together(write)):
        names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
        found = (old.read_text("utf-8"), *names)
        assert found in {("old", "old.txt"), ("new", "made", "made/a.txt", "old.txt")}
        seen.add(found)
        shutil.rmtree(made, ignore_errors=True)
        old.write_text("old")
    assert len(seen) == 2


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


def test_the_longest_allowed_name_can_be_staged(tmp_path):
    final = tmp_path / ("n" * 250 + ".json")
    write_together(lambda staged: staged.path(final).write_text("{}"))
    assert final.read_text("utf-8") == "{}"
