"""Jobs and commands that are killed at random times."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import SimpleITK as sitk
from PseudoCTDenoiseLib.markdown_table import Row

from .workplace import COLUMNS, COMMAND, PATIENCE_SECONDS, left, row, start, workplace

__all__ = ["COLUMNS", "run"]
RUNS = 100
"""Number of jobs, and of commands."""

JOB = """
import sys, tempfile
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
import SimpleITK as sitk
hu = sitk.GetArrayFromImage(sitk.ReadImage(sys.argv[1]))
settings = DenoisingSettings(steps=int(sys.argv[2]), device="cpu", orientations=1)
job = DenoisingProcess(SubprocessRunner(), hu, settings)
job.state_changed.connect(lambda state: print(state.value, job._worker_id, flush=True))
job.start()
job.wait()
"""
"""Host of a job, for a scan and a number of steps; it prints states and the worker's number."""
NEXT_START = """
from PseudoCTDenoiseLib.worker.job_folder import remove_abandoned_jobs
remove_abandoned_jobs()
"""


def run(count: int = RUNS) -> list[Row]:
    """Kill host, worker or both of jobs, and as many commands, at random times.

    After the next start no scan may be left, no process may run, and a result is complete or
    missing.
    """
    chance = random.Random(0)
    ways = {
        "host killed": ("KILL", None),
        "worker killed": (None, "KILL"),
        "host and worker killed": ("KILL", "KILL"),
        "host killed, worker stopped": ("KILL", "STOP"),
        "host terminated": ("TERM", None),
        "terminal closed": ("HUP", "HUP"),
        "worker terminated": (None, "TERM"),
    }
    rows = []
    for way, (to_host, to_worker) in ways.items():
        problems, ends = [], 0
        for _ in range(max(1, count // len(ways))):
            ends += 1
            problems += _kill_a_job(chance, to_host, to_worker)
        rows.append(row(f"job, {way}", ends, problems))
    for name in ("KILL", "TERM", "INT", "HUP"):
        problems = []
        for _ in range(max(1, count // 4)):
            problems += _kill_a_command(chance, getattr(signal, f"SIG{name}"))
        rows.append(row(f"pseudoct denoise, SIG{name}", max(1, count // 4), problems))
    return rows


def _kill_a_job(chance: random.Random, to_host: str | None, to_worker: str | None) -> list[str]:
    with workplace() as place:
        host = start(place, JOB, "scan.nrrd", "1000000")
        moment = chance.choice(["starting", "running"])
        for line in host.stdout:
            if line.split()[0] == moment:
                break
        time.sleep(chance.expovariate(1.0))
        worker = next(iter(_processes(place)), None)
        for name, pid in ((to_worker, worker), (to_host, host.pid)):
            if name is not None and pid is not None:
                _send(pid, f"SIG{name}")
        if to_host is None and worker is None:  # the signal came before there was a worker
            host.kill()
        host.stdout.close()
        host.wait(PATIENCE_SECONDS)
        if to_worker == "STOP" and worker is not None:
            _next_start(place)
            problems = left(place)
            _send(worker, "SIGKILL")
        else:
            _wait_for(lambda: not _processes(place))
            _next_start(place)
            problems = left(place)
        _wait_for(lambda: not _processes(place))
        return problems + [f"process {pid} runs on" for pid in _processes(place)]


def _kill_a_command(chance: random.Random, number: int) -> list[str]:
    arguments = ["denoise", "scan.nrrd", "out.nrrd", "--device", "cpu", "--steps", "20"]
    with workplace() as place:
        command = start(place, COMMAND, *arguments)
        time.sleep(chance.uniform(0, 12))
        command.send_signal(number)
        command.communicate(timeout=PATIENCE_SECONDS)
        outputs = {path.name for path in place.glob("out*")}
        problems = []
        if outputs not in (set(), {"out.nrrd", "out.json"}):
            problems.append(f"only {outputs} was written")
        if "out.nrrd" in outputs:
            sitk.ReadImage(str(place / "out.nrrd"))
        if number != signal.SIGKILL:
            problems += [f"{path.name} was left" for path in place.glob(".pseudoct-*")]
        again = start(place, COMMAND, *arguments)
        again.communicate(timeout=PATIENCE_SECONDS)
        if again.returncode != 0:
            problems.append(f"the next run ended with {again.returncode}")
        problems += [f"the next run left {path.name}" for path in place.glob(".pseudoct-*")]
        return problems + left(place)


def _next_start(place: Path) -> None:
    start(place, NEXT_START).communicate(timeout=PATIENCE_SECONDS)


def _processes(place: Path) -> list[int]:
    """Return the workers whose job folder is in the place."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,stat=,args="], capture_output=True)
    lines = listed.stdout.decode("utf-8", "replace").splitlines()
    mine = (line.split(maxsplit=2) for line in lines if f"{place}/temporary" in line)
    return [int(pid) for pid, state, _ in mine if not state.startswith("Z")]


def _send(pid: int, name: str) -> None:
    try:
        os.kill(pid, getattr(signal, name))
    except ProcessLookupError:  # it has just ended
        return


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
