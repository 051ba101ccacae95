"""Distribution of the scans of a cohort over the workers of a Dask scheduler."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..errors import BadInputError, one_line
from ..exit_codes import FAULT
from .cluster import gpu_resource
from .scan_task import ScanTask, denoise_task

if TYPE_CHECKING:
    from distributed import Client, Future

RESUME = "run the same command again to resume the cohort"


def distribute(
    client: Client,
    tasks: Iterator[ScanTask],
    record: Callable[[ScanTask, dict], None],
    at_once: int | None = None,
) -> None:
    """Denoise all scans and record the outcome of each as soon as it is known.

    A scan whose worker dies is repeated on another one. If that happens several times, the scan is
    given up.

    Parameters
    ----------
    record : called with each task and its outcome, in the order of their ends.
    at_once : number of scans in work; None is one for each worker. Further scans wait here and not
        at a worker, so the death of a worker concerns one scan.

    Raises
    ------
    BadInputError
        If no scan can be processed: the scheduler ended, or a worker lacks the program or the
        folder of the cohort.
    """
    from distributed import as_completed

    run = secrets.token_hex(4)
    working: dict[str, ScanTask] = {}
    ended = as_completed(loop=client.loop)

    def submit() -> None:
        resource = gpu_resource(client)
        while len(working) < (at_once or max(1, len(client.nthreads()))):
            if (task := next(tasks, None)) is None:
                return
            key = f"denoise-{task.name}-{run}"
            future = client.submit(denoise_task, task, key=key, pure=False, resources=resource)
            working[key] = task
            ended.add(future)

    submit()
    spent = 0.0
    for future in ended:
        started = time.perf_counter()
        # The time that this process needs for a scan limits how many workers it can feed. It is
        # known when the scan is recorded, so it is stored with the next one.
        record(working.pop(future.key), _outcome(future) | {"driver_seconds": round(spent, 6)})
        submit()
        spent = time.perf_counter() - started


def _outcome(future: Future) -> dict:
    """Return the outcome of a task, also of one that killed its workers."""
    from distributed import KilledWorker

    if future.status not in ("finished", "error"):
        raise BadInputError(f"The scheduler ended or lost a scan: start it again and {RESUME}.")
    try:
        return future.result()
    except KilledWorker as error:
        return {
            "exit": FAULT,
            "words": f"{error.allowed_failures + 1} workers died while they denoised this scan, "
            "probably for lack of memory: use fewer workers on a machine, or split the scan.",
        }
    except BadInputError:
        raise
    except OSError as error:
        raise BadInputError(
            f"A worker failed ({type(error).__name__}: {one_line(error)}): see its log, then "
            f"{RESUME}."
        ) from error
    except Exception as error:
        raise BadInputError(
            f"A worker cannot denoise ({type(error).__name__}: {one_line(error)}): install "
            f"pseudoctdenoise on all workers and {RESUME}."
        ) from error
