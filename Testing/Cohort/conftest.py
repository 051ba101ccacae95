"""Fixtures for tests of cohorts: a scheduler in this process, and scans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import *  # noqa: F403


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """Address of a Dask scheduler with two workers, all of them threads of this process."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        dashboard_address=None,
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def scans(tmp_path, write, hu) -> Path:
    """Folder with three scans in two formats and in a subfolder."""
    folder = tmp_path / "scans"
    (folder / "more").mkdir(parents=True)
    write(folder / "one.nrrd", hu)
    write(folder / "two.nii.gz", np.flip(hu, 1))
    write(folder / "more" / "one.nrrd", np.flip(hu, 2))
    (folder / "notes.csv").write_text("no scan", encoding="utf-8")
    return folder


@pytest.fixture
def quick(models) -> list[str]:
    """Arguments for the shortest possible run, without fine-tuning."""
    return ["--models", str(models), "--device", "cpu", "--method", "pretrained"]


@pytest.fixture
def cohort(pseudoct, tmp_path, quick, scheduler) -> Callable:
    """Function that runs `pseudoct cohort` on the scheduler with the folder `out`."""

    def cohort(*arguments):
        out = tmp_path / "out"
        return pseudoct("cohort", *arguments, "--out", out, "--scheduler", scheduler, *quick)

    return cohort
