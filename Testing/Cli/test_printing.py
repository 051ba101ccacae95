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
    with printing_without_errors(own_process=False):
        print("one", flush=True)
        calls = stream.calls
        print("two", flush=True)
    assert calls > 0 and stream.calls == calls
    assert sys.stdout is stream


def test_the_other_stream_still_prints(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Failing(OSError(), "write"))
    with printing_without_errors(own_process=False):
        print("lost")
        print("kept", file=sys.stderr)
    assert capsys.readouterr().err == "kept\n"


def test_a_process_without_streams_prints_nothing(monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert entry.main(["--version"]) == 0
    assert entry.main(["dream"]) == 2
    assert sys.stdout is None


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_letters_that_the_encoding_of_a_caller_lacks_become_question_marks(
    tmp_path, monkeypatch, encoding
):
    with open(tmp_path / "log.txt", "w", encoding=encoding) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with printing_without_errors(own_process=False):
            print("20 HU → 5 HU")
            print("second line")
        print("the caller's line", file=stream)
    written = (tmp_path / "log.txt").read_text(encoding)
    assert written == "20 HU ? 5 HU\nsecond line\nthe caller's line\n"


@linux
def test_the_descriptor_of_a_caller_is_never_redirected(monkeypatch):
    with open("/dev/full", "w", encoding="utf-8") as stream:
        before = os.fstat(stream.fileno())
        monkeypatch.setattr(sys, "stdout", stream)
        assert entry.main(["--version"]) == 0
        assert os.path.samestat(os.fstat(stream.fileno()), before)
        with open(os.devnull, "wb") as nothing:  # the caller makes room before it closes the file
            os.dup2(nothing.fileno(), stream.fileno())


@posix
@pytest.mark.parametrize(
    "streams",
    [
        # The slow ones are parts of the others, which close or fill several streams together.
        pytest.param("2>&-", marks=pytest.mark.slow),
        pytest.param("1>&-", marks=pytest.mark.slow),
        pytest.param("0<&-", marks=pytest.mark.slow),
        "0<&- 1>&- 2>&-",
        pytest.param(">/dev/full", marks=[linux, pytest.mark.slow]),
        pytest.param("2>/dev/full", marks=[linux, pytest.mark.slow]),
        pytest.param(">/dev/full 2>&1", marks=[linux, pytest.mark.slow]),
        pytest.param("2>&1 | true", marks=pytest.mark.slow),
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


@pytest.mark.slow
@posix
@pytest.mark.parametrize("streams", ["2>&-", "1>&- 2>&-", "2>&1 | true"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["models"],
        ["study", "--csv", "Docs/results"],
        ["table1", "--csv", "Docs/results/table1.csv"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_only_print_end_with_0(program, repository, arguments, streams):
    line = f'set -o pipefail; "$@" {streams}'
    ended = subprocess.run(
        ["bash", "-c", line, "bash", *program, *arguments],
        cwd=repository,
        capture_output=True,
        timeout=300,
    )
    assert ended.returncode == 0 and not ended.stderr


@pytest.mark.slow
@posix
@pytest.mark.parametrize("encoding", ["ascii:strict", "cp1252:strict"])
def test_a_terminal_without_some_letters_is_no_error(program, repository, encoding):
    ended = subprocess.run(
        [*program, "study", "--csv", "Docs/results"],
        cwd=repository,
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        timeout=300,
    )
    assert ended.returncode == 0 and not ended.stderr
    assert "?" in ended.stdout.decode(encoding.partition(":")[0])


@pytest.mark.slow
@posix
@pytest.mark.parametrize("streams", ["2>&-", "2>&1 | true"])
def test_an_error_keeps_its_exit_code(program, streams):
    line = f'set -o pipefail; "$@" {streams}'
    words = [*program, "denoise", "none.nrrd", "out.nrrd"]
    ended = subprocess.run(["bash", "-c", line, "bash", *words], capture_output=True, timeout=300)
    assert ended.returncode == 2 and not ended.stderr
