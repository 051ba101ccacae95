"""Jobs that are killed at random times, full disks, and many jobs in a row.

    python Development/torture_jobs.py [COUNT] [SEED]

Each section is a function of a number of runs and of a seed, and returns the rows of a table: what
was done, how often, and what went wrong. Everything happens in a temporary folder.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

LIBRARY = Path(__file__).resolve().parents[1] / "PseudoCTDenoise"
sys.path.insert(0, str(LIBRARY))

from PseudoCTDenoiseLib.markdown_table import Column, markdown  # noqa: E402

Row = dict[str, object]

SHAPE = (3, 64, 64)
PATIENCE_SECONDS = 600
"""Longest wait for the end of a process."""

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
COMMAND = "import sys; from PseudoCTDenoiseLib.cli.main import main; sys.exit(main())"


def kill_at_random_times(count: int, seed: int) -> list[Row]:
    """Kill host, worker or both of ``count`` jobs, and as many commands, at random times.

    After the next start no scan may be left, no process may run, and a result is complete or
    missing.
    """
    chance = random.Random(seed)
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
        rows.append(_row(f"job, {way}", ends, problems))
    for name in ("KILL", "TERM", "INT", "HUP"):
        problems = []
        for _ in range(max(1, count // 4)):
            problems += _kill_a_command(chance, getattr(signal, f"SIG{name}"))
        rows.append(_row(f"pseudoct denoise, SIG{name}", max(1, count // 4), problems))
    return rows


def full_disks(count: int, seed: int) -> list[Row]:
    """Denoise on disks of ``count`` random sizes; on a full disk nothing may be left.

    A disk is a file system in memory, where the system allows one, otherwise a limit on the size of
    files.
    """
    chance = random.Random(seed)
    real = subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0
    done, full, problems = 0, 0, []
    for _ in range(count):
        with _workplace() as place:
            code, printed, left = _denoise_on_disk(place, chance.randrange(4, 100), real)
        if code == 0 and left == ["out.json", "out.nrrd"]:
            done += 1
        elif code == 2 and len(printed.splitlines()) >= 1 and not left:
            full += 1
        else:
            problems.append(f"exit code {code}, left {left}: {printed.strip()[-200:]}")
        if "Traceback" in printed:
            problems.append(printed.strip()[-200:])
    kind = "file systems of 4 to 100 KiB" if real else "files limited to 4 to 100 KiB"
    return [_row(f"{kind}: {done} with room, {full} full", count, problems)]


def jobs_in_a_row(count: int, seed: int) -> list[Row]:
    """Run ``count`` jobs in one process; memory, open files and threads must not grow."""
    from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
    from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
    from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
    from PseudoCTDenoiseLib.worker.worker_process import JobState

    settings = DenoisingSettings(steps=2, device="cpu", orientations=1, seed=seed)
    problems, usage, first = [], [], None
    with _workplace() as place:
        for number in range(count):
            job = DenoisingProcess(
                SubprocessRunner(),
                _scan(),
                settings,
                temporary_folder=place / "temporary",
                environment=_environment(place),
            )
            job.start()
            if job.wait() is not JobState.COMPLETED:
                problems.append(f"job {number + 1}: {job.failure}")
                continue
            first = job.result.denoised if first is None else first
            if not np.array_equal(job.result.denoised, first):
                problems.append(f"job {number + 1} gave another result")
            del job
            problems += _left(place)
            usage.append(_usage())
    rows = [_row("jobs with the same scan and settings", count, problems)]
    for index, (what, slack) in enumerate({"MiB": 20, "open files": 2, "threads": 2}.items()):
        # The first jobs load libraries and fill pools.
        early, late = (max(part[index] for part in each) for each in _halves(usage))
        grown = [f"grew from {early} to {late} {what}"] if late > early + slack else []
        rows.append(_row(f"{what} of the host: {early} at first, {late} at the end", count, grown))
    return rows


SECTIONS: dict[str, Callable[[int, int], list[Row]]] = {
    "Killed at random times": kill_at_random_times,
    "Full disks": full_disks,
    "Jobs in a row": jobs_in_a_row,
}
COLUMNS = [Column("what", "What was done"), Column("runs", "Runs"), Column("wrong", "Went wrong")]


def _row(what: str, runs: int, problems: list[str]) -> Row:
    for problem in problems:
        print(f"{what}: {problem}", file=sys.stderr)
    return {"what": what, "runs": runs, "wrong": len(problems)}


def _halves(values: list) -> tuple[list, list]:
    middle = (len(values) + 1) // 2
    return values[:middle], values[middle:] or values[:middle]


@contextmanager
def _workplace() -> Iterator[Path]:
    """A folder with a scan and an empty folder for temporary files."""
    place = Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        (place / "temporary").mkdir()
        sitk.WriteImage(sitk.GetImageFromArray(_scan()), str(place / "scan.nrrd"))
        yield place
    finally:
        shutil.rmtree(place)


def _scan() -> np.ndarray:
    """Soft tissue in air with the noise of a low dose, HU."""
    hu = np.full(SHAPE, -1000.0)
    hu[:, 12:-12, 12:-12] = 50
    hu += np.random.default_rng(0).normal(0, 20, SHAPE)
    return np.rint(hu).clip(-1024).astype(np.int16)


def _environment(place: Path) -> dict[str, str]:
    own = {"TMPDIR": str(place / "temporary"), "PYTHONPATH": str(LIBRARY), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own}


def _start(place: Path, code: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=place,
        env=_environment(place),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _kill_a_job(chance: random.Random, to_host: str | None, to_worker: str | None) -> list[str]:
    with _workplace() as place:
        host = _start(place, JOB, "scan.nrrd", "1000000")
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
            problems = _left(place)
            _send(worker, "SIGKILL")
        else:
            _wait_for(lambda: not _processes(place))
            _next_start(place)
            problems = _left(place)
        _wait_for(lambda: not _processes(place))
        return problems + [f"process {pid} runs on" for pid in _processes(place)]


def _kill_a_command(chance: random.Random, number: int) -> list[str]:
    arguments = ["denoise", "scan.nrrd", "out.nrrd", "--device", "cpu", "--steps", "20"]
    with _workplace() as place:
        command = _start(place, COMMAND, *arguments)
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
        again = _start(place, COMMAND, *arguments)
        again.communicate(timeout=PATIENCE_SECONDS)
        if again.returncode != 0:
            problems.append(f"the next run ended with {again.returncode}")
        problems += [f"the next run left {path.name}" for path in place.glob(".pseudoct-*")]
        return problems + _left(place)


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
        env=_environment(place),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    before, _, after = ended.stdout.rpartition("code ")
    code, *left = after.split()
    return int(code), ended.stderr + before.partition("Noise in")[0], sorted(left)


def _next_start(place: Path) -> None:
    _start(place, NEXT_START).communicate(timeout=PATIENCE_SECONDS)


def _left(place: Path) -> list[str]:
    return [f"{path.name} was left" for path in (place / "temporary").iterdir()]


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


def _usage() -> tuple[int, int, int]:
    """Return resident memory in MiB, open files and threads of this process."""
    status = Path("/proc/self/status").read_text("utf-8")
    values = dict(line.split(":", 1) for line in status.splitlines())
    memory = int(values["VmRSS"].split()[0]) // 1024
    return memory, len(os.listdir("/proc/self/fd")), int(values["Threads"])


def main(arguments: list[str]) -> int:
    count = int(arguments[0]) if arguments else 100
    seed = int(arguments[1]) if len(arguments) > 1 else 0
    wrong = 0
    for title, section in SECTIONS.items():
        rows = section(count, seed)
        wrong += sum(row["wrong"] for row in rows)
        print(f"## {title}\n\n{markdown(rows, COLUMNS)}", flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
