"""A scheduler gets as many scans at a time as it can denoise."""

from __future__ import annotations

import distributed
import pytest
from PseudoCTDenoiseLib.cohort import distribution
from PseudoCTDenoiseLib.cohort.cluster import GPU
from PseudoCTDenoiseLib.cohort.scan_task import ScanTask


class Future:
    """A scan that a worker has denoised."""

    status = "finished"

    def __init__(self, key: str):
        self.key = key

    def result(self) -> dict:
        return {"exit": 0, "words": ""}


class Client:
    """A scheduler with two workers that notes what it gets."""

    loop = None

    def __init__(self, resources: dict):
        self.resources, self.taken, self.working, self.most = resources, [], 0, 0

    def scheduler_info(self) -> dict:
        return {"workers": {number: {"resources": self.resources} for number in range(2)}}

    def nthreads(self) -> dict:
        return {0: 1, 1: 1}

    def submit(self, function, task, key, pure, resources=None) -> Future:
        self.taken.append(resources)
        self.working += 1
        self.most = max(self.most, self.working)
        return Future(key)


class Ended(list):
    """The scans in the order of their submission."""

    def __init__(self, loop):
        super().__init__()

    add = list.append


@pytest.mark.parametrize(("at_once", "most"), [(None, 2), (1, 1), (5, 5)])
@pytest.mark.parametrize("taken", [None, {GPU: 1}])
def test_scans_wait_for_their_turn_and_take_a_gpu_where_workers_have_some(
    monkeypatch, at_once, most, taken
):
    monkeypatch.setattr(distributed, "as_completed", Ended)
    client, recorded = Client(taken or {}), []

    def record(task: ScanTask, outcome: dict) -> None:
        client.working -= 1
        recorded.append(task.name)

    names = [str(number) for number in range(8)]
    tasks = (ScanTask(name, name, "/out", ".nrrd") for name in names)
    distribution.distribute(client, tasks, record, at_once)
    assert recorded == names and client.most == most
    assert client.taken == [taken] * 8
