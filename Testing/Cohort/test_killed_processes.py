"""A killed worker or driver loses nothing and repeats at most the scans in work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
NUMBER = 12


def wait_for(condition: Callable[[], object], process: subprocess.Popen) -> None:
    """Wait until a condition is met while a process runs."""
    pause = threading.Event()
    while not condition():
        assert process.poll() is None, process.communicate()
        pause.wait(0.005)


def finished(out: Path) -> dict[str, tuple[int, int, str]]:
    """Return inode, time and worker of each finished scan."""
    found = {}
    for path in out.glob("scans/*/outcome.json"):
        worker = json.loads(path.read_text("utf-8"))["worker"].rpartition(":")[2]
        found[path.parent.name] = (path.stat().st_ino, path.stat().st_mtime_ns, int(worker))
    return found


def is_in_work(out: Path) -> bool:
    return any(out.glob("unfinished/*/.*/scan"))


def is_running(process: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True).stdout
    return bool(state.strip()) and not state.strip().startswith(b"Z")


@pytest.mark.slow
def test_a_killed_worker_and_a_killed_driver_lose_nothing(
    program, cohort, tmp_path, write, hu, quick
):
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    for number in range(NUMBER):
        write(scans / f"{number}.nrrd", np.roll(hu, number, 1))
    command = [*program, "cohort", scans, "--out", out, "--workers", "1", *quick]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: finished(out) and is_in_work(out), driver)
        before = finished(out)
        ((_, _, worker), *_) = before.values()
        os.kill(worker, signal.SIGKILL)

        wait_for(lambda: len({entry[2] for entry in finished(out).values()}) == 2, driver)
        wait_for(lambda: is_in_work(out), driver)
        between = finished(out)
        assert {name: between[name] for name in before} == before
        (restarted,) = {entry[2] for entry in between.values()} - {worker}
    finally:
        driver.kill()
        _, printed = driver.communicate()
    assert "1 workers with 1 threads each" in printed
    pause = threading.Event()
    while is_running(restarted):  # workers end with their driver
        pause.wait(0.01)

    between = finished(out)
    assert 2 <= len(between) < NUMBER
    assert cohort().code == 0
    after = finished(out)
    assert after.keys() == {str(number) for number in range(NUMBER)}
    assert {name: after[name] for name in between} == between
    assert not (out / "unfinished").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_cancelled_while_its_workers_start_says_so_in_one_line(
    program, tmp_path, scans, quick, number
):
    command = [*program, "cohort", scans, "--out", tmp_path / "out", "--workers", "1", *quick]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "1 workers with 1 threads each" in driver.stderr.readline()
        driver.send_signal(number)
        _, printed = driver.communicate(timeout=60)
    finally:
        driver.kill()
    assert (driver.returncode, printed.splitlines()) == (3, ["pseudoct: cancelled."])
