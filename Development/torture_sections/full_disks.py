"""Commands on disks that are too small."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from PseudoCTDenoiseLib.markdown_table import Row

from .workplace import COLUMNS, COMMAND, PATIENCE_SECONDS, environment, row, workplace

__all__ = ["COLUMNS", "run"]
RUNS = 100
"""Number of disks."""


def run(count: int = RUNS) -> list[Row]:
    """Denoise on disks of random sizes; on a full disk nothing may be left.

    A disk is a file system in memory, where the system allows one, otherwise a limit on the size of
    files.
    """
    chance = random.Random(0)
    real = subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0
    done, full, problems = 0, 0, []
    for _ in range(count):
        with workplace() as place:
            code, printed, found = _denoise_on_disk(place, chance.randrange(4, 100), real)
        if code == 0 and found == ["out.json", "out.nrrd"]:
            done += 1
        elif code == 2 and len(printed.splitlines()) >= 1 and not found:
            full += 1
        else:
            problems.append(f"exit code {code}, left {found}: {printed.strip()[-200:]}")
        if "Traceback" in printed:
            problems.append(printed.strip()[-200:])
    kind = "file systems of 4 to 100 KiB" if real else "files limited to 4 to 100 KiB"
    return [row(f"{kind}: {done} with room, {full} full", count, problems)]


def _denoise_on_disk(place: Path, kib: int, real: bool) -> tuple[int, str, list[str]]:
    """Return exit code, printed text and files left on a disk of this size."""
    disk = place / "disk"
    disk.mkdir()
    command = f'"$0" -c "{COMMAND}" denoise scan.nrrd disk/out.nrrd --device cpu --steps 2'
    if real:
        script = f"mount -t tmpfs -o size={kib}k none disk && {{ {command}; }}"
    else:
        script = f"(ulimit -f {max(1, kib // 2)}; {command})"
    ended = subprocess.run(
        [*(["unshare", "-rm"] if real else []), "bash", "-c"]
        + [f'{script}; echo "code $?"; ls -A disk', sys.executable],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    before, _, after = ended.stdout.rpartition("code ")
    code, *found = after.split()
    return int(code), ended.stderr + before.partition("Noise in")[0], sorted(found)
