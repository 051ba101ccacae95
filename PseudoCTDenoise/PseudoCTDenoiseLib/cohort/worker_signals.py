"""Signals of a local worker, which Dask loads into the process before its first scan."""

from __future__ import annotations

import signal


def dask_setup(worker: object) -> None:
    """Ignore Ctrl-C, which a terminal sends to all processes: the command ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
