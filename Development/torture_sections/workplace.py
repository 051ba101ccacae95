"""A folder for jobs that are attacked, and the rows that count what went wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PseudoCTDenoiseLib.markdown_table import Column, Row

LIBRARY = Path(__file__).resolve().parents[2] / "PseudoCTDenoise"
PATIENCE_SECONDS = 600
"""Longest wait for the end of a process."""
COLUMNS = (Column("what", "Attack"), Column("runs", "Runs"), Column("faults", "Faults"))

COMMAND = "import sys; from PseudoCTDenoiseLib.cli.main import main; sys.exit(main())"


def row(what: str, runs: int, problems: list[str]) -> Row:
    """Return a row of the table, and print the problems."""
    for problem in problems:
        print(f"  {what}: {problem}", flush=True)
    return {"what": what, "runs": runs, "faults": len(problems)}


@contextmanager
def workplace() -> Iterator[Path]:
    """Make a folder with a scan and an empty folder for temporary files."""
    place = Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        (place / "temporary").mkdir()
        sitk.WriteImage(sitk.GetImageFromArray(scan()), str(place / "scan.nrrd"))
        yield place
    finally:
        shutil.rmtree(place)


def scan() -> np.ndarray:
    """Return soft tissue in air with the noise of a low dose, HU."""
    hu = np.full((3, 64, 64), -1000.0)
    hu[:, 12:-12, 12:-12] = 50
    hu += np.random.default_rng(0).normal(0, 20, hu.shape)
    return np.rint(hu).clip(-1024).astype(np.int16)


def environment(place: Path) -> dict[str, str]:
    """Return the variables of a process whose temporary files are in the place."""
    own = {"TMPDIR": str(place / "temporary"), "PYTHONPATH": str(LIBRARY), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own}


def start(place: Path, code: str, *arguments: str) -> subprocess.Popen:
    """Start a Python with some lines in the place."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=place,
        env=environment(place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def left(place: Path) -> list[str]:
    """Return what is left in the folder for temporary files."""
    return [f"{path.name} was left" for path in (place / "temporary").iterdir()]
