"""Replacement workers: programs of a few lines, which start quickly because they load no torch."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from example_report import REPORT
from PseudoCTDenoiseLib.worker import worker_process
from PseudoCTDenoiseLib.worker.protocol import PROTOCOL_VERSION

SPEAK = f"""\
#!/bin/sh
"exec" "{sys.executable}" "-SE" "$0" "$@"
import json, os, sys, time
def say(type, **fields):
    print(json.dumps({{"type": type, **fields}}), flush=True)
def hello(protocol={PROTOCOL_VERSION}, pid=os.getpid()):
    say("hello", protocol=protocol, pid=pid)
def until_the_input_ends():
    while sys.stdin.readline():
        pass
folder = sys.argv[2]
"""

HALVING = (
    f"report = json.loads({json.dumps(REPORT)!r})\n"
    + """\
import select
from array import array
hello()
say("device", description="CPU", reason="selected by the user")
with open(f"{folder}/job.json", encoding="utf-8") as file:
    request = json.load(file)
if request["settings"]["steps"] >= 5000:
    select.select([sys.stdin], [], [], 120)
    sys.exit(3)
with open(f"{folder}/input.npy", "rb") as file:
    content = file.read()
start = 10 + int.from_bytes(content[8:10], "little")  # length of the header
with open(f"{folder}/denoised.npy", "wb") as file:
    halves = array("h", [value // 2 for value in array("h", content[start:])])
    file.write(content[:start] + halves.tobytes())
report["settings"] = request["settings"]
report["model"]["name"] = request["model"]
say("result", denoised="denoised.npy", noise="input.npy", report=report)
"""
)
"""Worker whose denoised scan has half the HU of the scan; a job of 5000 steps waits until it is
cancelled."""


def write_worker(path: Path, code: str) -> str:
    """Write a program that runs a few lines after :data:`SPEAK`, and return its path."""
    path.write_text(SPEAK + code, encoding="utf-8")
    path.chmod(0o700)
    return str(path)


@pytest.fixture
def halvingWorker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: N802
    """Run jobs with :data:`HALVING` in place of the worker."""
    program = write_worker(tmp_path / "worker", HALVING)
    monkeypatch.setattr(worker_process, "python_program", lambda: program)
