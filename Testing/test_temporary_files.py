"""Temporary files are removed, at whichever instruction a signal comes."""

from __future__ import annotations

import os

import pytest
from pseudoct_research.results.results_table import write_csv
from PseudoCTDenoiseLib.temporary_files import (
    in_temporary_folder,
    remove_folder,
    replace_file,
    with_cleanup,
)


def test_a_temporary_folder_is_private_and_is_removed_with_its_content(tmp_path):
    def work(folder):
        assert folder.parent == tmp_path and folder.name.startswith(".pseudoct-")
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
        return 7

    assert in_temporary_folder(tmp_path, work) == 7
    assert not list(tmp_path.iterdir())


def test_a_signal_at_any_instruction_leaves_no_temporary_folder(tmp_path, interrupt_everywhere):
    def work(folder):
        (folder / "file").touch()

    for _ in interrupt_everywhere(lambda: in_temporary_folder(tmp_path, work)):
        assert not list(tmp_path.iterdir())


def test_a_signal_during_a_removal_does_not_stop_it(tmp_path, interrupt_everywhere):
    folder, begun = tmp_path / "folder", []

    def prepare():
        folder.mkdir(exist_ok=True)
        (folder / "file").touch()
        begun.clear()

    def remove():
        # A signal before the removal begins is handled by the caller.
        with_cleanup(lambda: begun.append(True), lambda: begun and remove_folder(folder))

    prepare()
    for _ in interrupt_everywhere(remove):
        assert not (begun and folder.exists())
        prepare()


def test_a_link_is_removed_and_its_target_is_kept(tmp_path):
    kept, folder = tmp_path / "kept", tmp_path / "folder"
    kept.mkdir()
    (kept / "file").touch()
    folder.mkdir()
    (folder / "folder").symlink_to(kept)
    (folder / "file").symlink_to(kept / "file")
    remove_folder(folder)
    remove_folder(folder)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "kept"]


def test_a_folder_that_existed_before_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "same")
    (tmp_path / ".pseudoct-same").mkdir()
    with pytest.raises(FileExistsError):
        in_temporary_folder(tmp_path, lambda folder: None)
    assert (tmp_path / ".pseudoct-same").is_dir()


def test_a_signal_at_any_instruction_leaves_a_file_old_or_new(tmp_path, interrupt_everywhere):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen = set()
    for _ in interrupt_everywhere(lambda: replace_file(path, b"new")):
        assert list(tmp_path.iterdir()) == [path]
        seen.add(path.read_bytes())
        path.write_bytes(b"old")
    assert seen == {b"old", b"new"}


def test_an_interrupted_table_leaves_no_files(tmp_path, monkeypatch):
    def interrupted(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_csv(tmp_path / "table.csv", [{"a": 1}])
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_completely_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        replace_file(path, "no bytes")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    replace_file(path, b"new")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]
