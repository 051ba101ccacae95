"""Messages that cannot be printed neither end a command nor change its exit code."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from PseudoCTDenoiseLib.cli import main as entry
from PseudoCTDenoiseLib.cli.printing import printing_without_errors

posix = pytest.mark.skipif(os.name != "posix", reason="a POSIX shell closes the streams")
linux = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")


class Failing(io.StringIO):
    """A stream whose disk is full, either immediately or when its buffer is written."""

    def __init__(self, error, fails_at):
        super().__init__()
        self.calls = 0
        self._error, self._fails_at = error, fails_at

    def write(self, text):
        return self._call("write", len(text))

    def flush(self):
        return self._call("flush", None)

    def _call(self, name, result):
        self.calls += 1
        if name == self._fails_at:
            raise self._error
        return result


@pytest.mark.parametrize("error", [OSError(28, "full"), BrokenPipeError(), ValueError("closed")])
@pytest.mark.parametrize("fails_at", ["write", "flush"])
def test_nothing_more_is_printed_after_the_first_failure(monkeypatch, error, fails_at):
    stream = Failing(error, fails_at)
    monkeypatch.setattr(sys, "stdout", stream)
    with printing_without_errors():
        print("one", flush=True)
        calls = stream.calls
        print("two", flush=True)
    assert calls > 0 and stream.calls == calls
    assert sys.stdout is stream


def test_the_other_stream_still_prints(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Failing(OSError(), "write"))
    with printing_without_errors():
        print("lost")
        print("kept", file=sys.stderr)
    assert capsys.readouterr().err == "kept\n"


def test_a_process_without_streams_prints_nothing(monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert entry.main(["--version"]) == 0
    assert entry.main(["dream"]) == 2
    assert sys.stdout is None


@posix
@pytest.mark.parametrize(
    "streams",
    [
        "2>&-",
        "1>&-",
        "0<&- 1>&- 2>&-",
        pytest.param(">/dev/full", marks=linux),
        pytest.param("2>/dev/full", marks=linux),
        pytest.param(">/dev/full 2>&1", marks=linux),
        "2>&1 | true",
    ],
)
def test_a_result_is_written_and_the_command_ends_with_0(scan, quick, program, streams):
    output = scan.with_name("out.nrrd")
    words = [*program, "denoise", str(scan), str(output), *quick, "--method", "pretrained"]
    line = f'set -o pipefail; "$@" {streams}'
    ended = subprocess.run(["bash", "-c", line, "bash", *words], capture_output=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert b"Traceback" not in ended.stderr and b"Exception" not in ended.stderr
    written = sitk.GetArrayFromImage(sitk.ReadImage(str(output)))
    assert written.shape == (3, 48, 64) and np.ptp(written) > 0


@posix
@pytest.mark.parametrize("streams", ["2>&-", "2>&1 | true"])
def test_an_error_keeps_its_exit_code(program, streams):
    line = f'set -o pipefail; "$@" {streams}'
    words = [*program, "denoise", "none.nrrd", "out.nrrd"]
    ended = subprocess.run(["bash", "-c", line, "bash", *words], capture_output=True, timeout=300)
    assert ended.returncode == 2 and not ended.stderr
