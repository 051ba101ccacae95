"""Temporary folders of killed processes are removed; those of running processes stay."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PseudoCTDenoiseLib.folder_lock import LOCK, is_abandoned, lock_folder
from PseudoCTDenoiseLib.temporary_files import in_temporary_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="only POSIX systems have these locks")

WRITING = """
import os, sys, time
from pathlib import Path
from PseudoCTDenoiseLib.cli.staged_files import write_together

def write(staged):
    staged.path(Path(sys.argv[1])).write_text("unfinished")
    print("writing", flush=True)
    time.sleep(600)

os.umask(0)
write_together(write)
"""


@pytest.fixture
def writing(tmp_path, repository):
    """Process that is writing files together in the folder of the test, with any permissions."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITING, str(tmp_path / "result.txt")],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(repository / "PseudoCTDenoise")},
    )
    assert process.stdout.readline() == b"writing\n"
    yield process
    process.kill()
    process.communicate()


def write_here(folder: Path) -> None:
    in_temporary_folder(folder, lambda temporary: None)


def test_the_folder_of_a_killed_process_is_removed_by_the_next_run(tmp_path, writing):
    (left,) = tmp_path.iterdir()
    assert left.stat().st_mode & 0o777 == 0o700
    writing.kill()
    writing.wait()
    assert left.is_dir()
    write_here(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_folder_of_a_running_or_stopped_process_stays(tmp_path, writing):
    write_here(tmp_path)
    writing.send_signal(signal.SIGSTOP)
    write_here(tmp_path)
    (left,) = tmp_path.iterdir()
    assert (left / "new" / "result.txt").read_text() == "unfinished"


def test_a_folder_stays_while_this_process_uses_it(tmp_path):
    def work(folder):
        write_here(tmp_path)
        assert folder.is_dir()

    in_temporary_folder(tmp_path, work)


def abandoned(folder: Path) -> Path:
    folder.mkdir(0o700)
    os.close(lock_folder(folder))
    assert is_abandoned(folder)
    return folder


def test_folders_of_others_stay(tmp_path, monkeypatch):
    names = (f".pseudoct-{digit * 16}" for digit in "0123456789abcdef")
    unmarked, foreign, pipe, link, folder = (tmp_path / next(names) for _ in range(5))
    unmarked.mkdir()
    for path in (foreign, pipe, folder):
        abandoned(path)
    (foreign / LOCK).write_text("another program's lock")
    (pipe / LOCK).unlink()
    os.mkfifo(pipe / LOCK)
    (folder / LOCK).unlink()
    (folder / LOCK).mkdir()
    link.symlink_to(abandoned(tmp_path / "elsewhere"))
    other_name = abandoned(tmp_path / ".pseudoct-settings")
    removed = abandoned(tmp_path / next(names))
    write_here(tmp_path)
    assert not removed.exists()
    kept = {unmarked, foreign, pipe, link, folder, other_name, tmp_path / "elsewhere"}
    assert set(tmp_path.iterdir()) == kept

    other_user = abandoned(tmp_path / next(names))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    write_here(tmp_path)
    assert other_user.exists()


def test_folders_of_other_computers_stay(tmp_path, monkeypatch):
    folder = abandoned(tmp_path / f".pseudoct-{'0' * 16}")
    name = platform.node()
    monkeypatch.setattr(platform, "node", lambda: f"not-{name}")
    write_here(tmp_path)
    assert folder.exists()
    monkeypatch.undo()
    write_here(tmp_path)
    assert not folder.exists()


def test_a_file_system_without_locks_still_has_temporary_folders(tmp_path, monkeypatch):
    def refused(*arguments):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refused)
    seen = in_temporary_folder(tmp_path, lambda folder: shutil.copytree(folder, tmp_path / "seen"))
    assert not is_abandoned(seen)
    assert list(tmp_path.iterdir()) == [seen]
