"""All files of a command appear, or none of them does."""

from __future__ import annotations

import errno

import pytest
from PseudoCTDenoiseLib.commands.staged_files import StagedFiles
from PseudoCTDenoiseLib.engine.errors import BadInputError


def test_files_appear_together_and_only_when_the_block_ends(tmp_path):
    old = tmp_path / "old.txt"
    old.write_text("old")
    with StagedFiles() as staged:
        staged.path(tmp_path / "new.txt").write_text("new")
        staged.path(old).write_text("newer")
        assert not (tmp_path / "new.txt").exists()
        assert old.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.txt", "old.txt"]
    assert old.read_text() == "newer"


def test_the_temporary_name_keeps_the_suffix_and_the_folder(tmp_path):
    with StagedFiles() as staged:
        temporary = staged.path(tmp_path / "scan.nii.gz")
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(".nii.gz") and temporary.name.startswith(".")
        temporary.touch()


@pytest.mark.parametrize("end", [KeyboardInterrupt, BadInputError, ZeroDivisionError, OSError])
def test_nothing_is_left_after_an_error(tmp_path, end):
    (tmp_path / "old.txt").write_text("old")
    with pytest.raises(BadInputError if end is OSError else end), StagedFiles() as staged:
        staged.folder(tmp_path / "made")
        staged.path(tmp_path / "made" / "a.txt").write_text("a")
        staged.path(tmp_path / "old.txt").write_text("new")
        staged.path(tmp_path / "never.txt")
        raise end("odd")
    assert [path.name for path in tmp_path.iterdir()] == ["old.txt"]
    assert (tmp_path / "old.txt").read_text() == "old"


def test_a_folder_that_was_there_or_holds_something_stays(tmp_path):
    there, made = tmp_path / "there", tmp_path / "made"
    there.mkdir()
    with pytest.raises(KeyboardInterrupt), StagedFiles() as staged:
        staged.folder(there)
        staged.folder(made)
        (made / "foreign.txt").touch()
        raise KeyboardInterrupt
    assert there.is_dir()
    assert (made / "foreign.txt").exists()


def test_a_folder_that_was_made_stays_with_its_files(tmp_path):
    with StagedFiles() as staged:
        staged.folder(tmp_path / "made")
        staged.path(tmp_path / "made" / "a.txt").write_text("a")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["a.txt"]


def test_an_error_speaks_of_the_file_not_of_its_temporary_name(tmp_path):
    final = tmp_path / "out.nrrd"
    with pytest.raises(BadInputError) as raised, StagedFiles() as staged:
        raise BadInputError(f"{staged.path(final)} could not be written.")
    assert str(raised.value) == f"{final} could not be written."

    with pytest.raises(BadInputError) as raised, StagedFiles() as staged:
        raise OSError(errno.ENOSPC, "No space left on device", str(staged.path(final)))
    assert str(raised.value) == (
        f"{final} could not be written (No space left on device): free some space or choose "
        "another folder."
    )


def test_a_file_that_cannot_get_its_name_leaves_nothing_either(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInputError, match="folder could not be written"), StagedFiles() as staged:
        staged.path(tmp_path / "folder").write_text("not a folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_longest_name_that_a_disk_takes_can_be_staged(tmp_path):
    final = tmp_path / ("n" * 250 + ".json")
    with StagedFiles() as staged:
        staged.path(final).write_text("{}")
    assert final.read_text() == "{}"
