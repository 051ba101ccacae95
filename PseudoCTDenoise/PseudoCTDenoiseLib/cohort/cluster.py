"""Dask clusters: local processes that share the cores and GPUs, or an existing scheduler."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..errors import BadInputError, one_line

if TYPE_CHECKING:
    from distributed import Client, SpecCluster

GPU = "GPU"
"""Name of the Dask resource; each scan takes one."""
CORES_PER_WORKER = 4
"""Cores of a local worker without a GPU, if the number of workers is not given."""
CONNECT_SECONDS = 30
"""Time in seconds in which a scheduler must answer."""
RESTART_TIME = "10 minutes"
"""Time in which a local worker that died must be back."""
LOOPBACK = "127.0.0.1"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_LOGGERS = ("asyncio", "distributed", "tornado")
_GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class LocalWorkers:
    """Numbers of a local cluster.

    Attributes
    ----------
    gpus : value of CUDA_VISIBLE_DEVICES for each worker; empty without GPUs.
    """

    count: int
    threads: int
    gpus: tuple[str, ...] = ()


def plan_local_workers(wanted: int | None, device: str, cores: int) -> LocalWorkers:
    """Return how many processes a local cluster has and how they share the machine.

    Two processes that both use all cores slow each other down many times, so the cores are divided
    among them. OMP_NUM_THREADS is an upper limit for each of them. With GPUs there is one process
    for each.

    Parameters
    ----------
    wanted : number of workers; None chooses it.
    device : "auto", "cpu", "cuda" or "mps".
    cores : number of cores to use.

    Raises
    ------
    BadInputError
        If there are fewer GPUs than workers.
    """
    gpus = _visible_gpus() if device in ("auto", "cuda") else []
    if gpus and wanted and wanted > len(gpus):
        raise BadInputError(
            f"{wanted} workers need a GPU each, but {len(gpus)} can be used: set --workers to "
            f"{len(gpus)} or less, or set --device cpu."
        )
    count = wanted or len(gpus) or max(1, cores // CORES_PER_WORKER)
    threads = max(1, cores // count)
    limit = os.environ.get(_THREAD_VARIABLES[0], "")
    if limit.isdecimal() and int(limit):
        threads = min(threads, int(limit))
    return LocalWorkers(count, threads, tuple(gpus[:count]))


def _visible_gpus() -> list[str]:
    """Return the names under which processes can select the GPUs of this process."""
    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get(_GPU_VARIABLE, "").split(",") if name.strip()]
    return named[:count] if named else [str(index) for index in range(count)]


def start_local_cluster(workers: LocalWorkers) -> SpecCluster:
    """Start worker processes that only this machine can reach; they end with this process."""
    import dask
    from distributed import Nanny, Scheduler, SpecCluster

    # Dask gives up a worker that dies and is not back in this time. On a busy machine a new process
    # needs more than Dask's 15 s to load torch.
    dask.config.set({"distributed.deploy.lost-worker-timeout": RESTART_TIME})

    def worker(index: int) -> dict:
        environment = dict.fromkeys(_THREAD_VARIABLES, str(workers.threads))
        if workers.gpus:
            environment[_GPU_VARIABLE] = workers.gpus[index]
        options = {
            "host": LOOPBACK,
            "nthreads": 1,
            # Dask would kill a worker with a long scan although the machine has room for it.
            "memory_limit": 0,
            "dashboard": False,
            "env": environment,
            "preload": [f"{__package__}.worker_signals"],
            "resources": {GPU: 1} if workers.gpus else None,
            "silence_logs": logging.ERROR,
        }
        return {"cls": Nanny, "options": options}

    scheduler = {"host": LOOPBACK, "port": 0, "dashboard": False}
    scheduler["dashboard_address"] = f"{LOOPBACK}:0"  # Dask's default port may be in use
    return SpecCluster(
        workers={index: worker(index) for index in range(workers.count)},
        scheduler={"cls": Scheduler, "options": scheduler},
        silence_logs=logging.ERROR,
    )


def end_quietly() -> None:
    """Silence Dask and end its clusters without a word about a start that was cancelled."""
    from distributed.deploy.spec import close_clusters

    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)

    def close() -> None:
        with contextlib.suppress(Exception):  # Dask's assertion on workers that are starting
            close_clusters()

    atexit.unregister(close_clusters)
    atexit.register(close)


def connect(address: str) -> Client:
    """Return a client of an existing scheduler.

    Raises
    ------
    BadInputError
        If the scheduler does not answer.
    """
    from distributed import Client
    from distributed.comm.addressing import parse_address, parse_host_port

    try:
        protocol, place = parse_address(address)
        parse_host_port(place)
        if protocol not in ("tcp", "tls"):
            raise ValueError(f"unknown protocol {protocol}")
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except Exception as error:  # Dask has no class for errors of a connection
        raise BadInputError(
            f"The scheduler {address} does not answer ({one_line(error)}): check the address, such "
            "as tcp://10.0.0.1:8786, and that the scheduler is running."
        ) from error


def gpu_resource(client: Client) -> dict[str, int] | None:
    """Return the resource that a scan takes: one GPU if a worker offers the resource."""
    workers = client.scheduler_info()["workers"].values()
    return {GPU: 1} if any(worker["resources"].get(GPU) for worker in workers) else None
