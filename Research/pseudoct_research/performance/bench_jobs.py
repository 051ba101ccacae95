"""Benchmark part `jobs`: whole jobs in a background process, as the panel runs them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PseudoCTDenoiseLib.denoising.map_choice import ENSEMBLE, NO_MAPS
from PseudoCTDenoiseLib.denoising.plan import DENOISING, MAPS, TUNING
from PseudoCTDenoiseLib.markdown_table import Column, markdown

from .bench_setup import FIELD_MM, BenchSetup, bench_settings, quarter_dose_scan, with_bar
from .timed_job import time_job


def measure(setup: BenchSetup) -> Iterator[list[dict]]:
    """Run the jobs of ``--jobs`` with and without noise maps; yield the values so far."""
    default, _ = bench_settings(setup.arguments, setup.arguments.device)
    jobs = []
    for slices, rows in with_bar(setup.arguments.jobs, "job"):
        pixel_mm = FIELD_MM / rows
        hu = np.resize(quarter_dose_scan(pixel_mm, rows).ldct, (slices, rows, rows))
        job = time_job(hu, pixel_mm, default, ENSEMBLE)
        without = time_job(hu, pixel_mm, default, NO_MAPS)
        jobs.append(job | {"seconds_without_maps": without["seconds"]})
        yield jobs


def table(jobs: Sequence[dict]) -> str:
    """Return the Markdown table of the jobs, one job per row."""
    seen = {stage for job in jobs for stage in job["stages"]}
    stages = [stage for stage in (TUNING, DENOISING, MAPS) if stage in seen]
    lines = [
        {"size": f"{job['slices']} × {job['rows']}²", "rest": job["other"]}
        | {stage: job["stages"].get(stage) for stage in stages}
        | {
            name: job[name]
            for name in ("preview_seconds", "seconds", "seconds_without_maps", "peak_memory_mib")
        }
        for job in jobs
    ]
    columns = (
        Column("size", "Slices"),
        Column("preview_seconds", "First preview after (s)", decimals=1),
        Column("seconds", "Result after (s)", decimals=1),
        *(Column(stage, f"{stage.capitalize()} (s)", decimals=1) for stage in stages),
        Column("rest", "Start, files, rest (s)", decimals=1),
        Column("seconds_without_maps", "Result without noise maps after (s)", decimals=1),
        Column("peak_memory_mib", "Peak memory (MiB)", decimals=0),
    )
    return markdown(lines, columns)
