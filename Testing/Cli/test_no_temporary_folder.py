"""Without a folder for temporary files, commands and the worker end with one line about it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.exit_codes import BAD_INPUT, DONE
from PseudoCTDenoiseLib.temporary_files import temporary_parent
from PseudoCTDenoiseLib.worker import worker


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No process finds a folder for temporary files; they would all be write-protected."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import tempfile\ntempfile._candidate_tempdir_list = lambda: ['/no/such/folder']\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: ["/no/such/folder"])


def test_the_message_says_what_to_do(nowhere):
    with pytest.raises(BadInputError, match="^Cannot create a temporary file .*set TMPDIR"):
        temporary_parent()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["denoise", "simulate"])
def test_a_command_ends_with_one_line(nowhere, program, scan, command):
    ended = subprocess.run(
        [*program, command, scan, scan.with_name("out.nrrd"), "--device", "cpu"],
        capture_output=True,
        text=True,
    )
    last = ended.stderr.splitlines()[-1]
    assert ended.returncode == BAD_INPUT and "Traceback" not in ended.stderr
    assert last.startswith("pseudoct: Cannot create a temporary file")
    assert [path.name for path in scan.parent.iterdir() if path.name.startswith("out")] == []


@pytest.mark.slow
def test_the_worker_needs_no_temporary_folder(nowhere):
    process = subprocess.Popen(
        [sys.executable, worker.__file__, "--check", "32x32", "--device", "cpu"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert b'"check"' in process.stdout.read()
    assert b"Traceback" not in process.communicate()[1]
    assert process.returncode == DONE
