"""Local workers share the cores of the machine and have a GPU each."""

from __future__ import annotations

from collections.abc import Callable

import dask
import distributed
import pytest
import torch
from dask.utils import parse_timedelta
from PseudoCTDenoiseLib.cohort.cluster import (
    GPU,
    RESTART_TIME,
    LocalWorkers,
    gpu_resource,
    plan_local_workers,
    start_local_cluster,
)
from PseudoCTDenoiseLib.errors import BadInputError


@pytest.fixture
def gpus(monkeypatch):
    """Function that sets the number of GPUs and the value of CUDA_VISIBLE_DEVICES."""

    def gpus(count, visible=None):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    gpus(0)
    return gpus


@pytest.mark.parametrize(
    ("wanted", "cores", "count", "threads"),
    [(None, 2, 1, 2), (None, 16, 4, 4), (3, 16, 3, 5), (5, 2, 5, 1)],
)
def test_the_cores_are_divided_among_the_workers(gpus, wanted, cores, count, threads):
    assert plan_local_workers(wanted, "auto", cores) == LocalWorkers(count, threads)


def test_the_users_number_of_threads_is_an_upper_limit(gpus, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert plan_local_workers(2, "cpu", 16) == LocalWorkers(2, 2)
    assert plan_local_workers(16, "cpu", 16) == LocalWorkers(16, 1)


def test_each_worker_has_a_gpu_of_its_own(gpus):
    gpus(2)
    assert plan_local_workers(None, "auto", 16) == LocalWorkers(2, 8, ("0", "1"))
    gpus(2, "GPU-5, 7")
    assert plan_local_workers(None, "cuda", 16).gpus == ("GPU-5", "7")
    assert plan_local_workers(1, "cuda", 16) == LocalWorkers(1, 16, ("GPU-5",))
    assert plan_local_workers(None, "cpu", 16) == LocalWorkers(4, 4)
    with pytest.raises(BadInputError, match="set --workers to 2 or less"):
        plan_local_workers(3, "auto", 16)


@pytest.fixture
def started(monkeypatch) -> Callable[[LocalWorkers], dict]:
    """Function that returns what a local cluster would be started with."""
    monkeypatch.setattr(distributed, "SpecCluster", lambda **values: values)

    def started(workers: LocalWorkers) -> dict:
        with dask.config.set({"distributed.deploy.lost-worker-timeout": None}):  # is set again
            return start_local_cluster(workers)

    return started


def test_each_process_sees_its_own_gpu_only(started):
    workers = started(LocalWorkers(2, 3, ("GPU-5", "7")))["workers"]
    environments = [workers[index]["options"]["env"] for index in range(2)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments] == ["GPU-5", "7"]
    assert {each["OMP_NUM_THREADS"] for each in environments} == {"3"}
    (worker,) = started(LocalWorkers(1, 3))["workers"].values()
    assert "CUDA_VISIBLE_DEVICES" not in worker["options"]["env"]


def test_only_this_machine_reaches_a_local_cluster(started):
    cluster = started(LocalWorkers(2, 1))
    processes = [cluster["scheduler"], *cluster["workers"].values()]
    assert [each["options"]["host"] for each in processes] == ["127.0.0.1"] * 3


def test_a_worker_that_died_has_minutes_to_come_back():
    assert parse_timedelta(RESTART_TIME) == 600


@pytest.mark.parametrize(
    ("offers", "taken"), [([{}, {}], None), ([{}, {GPU: 2}], {GPU: 1}), ([], None)]
)
def test_a_scan_takes_one_gpu_if_workers_offer_gpus(offers, taken):
    class Client:
        def scheduler_info(self):
            return {"workers": {n: {"resources": offer} for n, offer in enumerate(offers)}}

    assert gpu_resource(Client()) == taken
