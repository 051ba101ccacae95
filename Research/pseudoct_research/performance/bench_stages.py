"""Benchmark part `stages`: seconds per stage of one job, and time per torch operation."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.ct.io.volume_files import CtVolume, read_volume, write_volume
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.map_choice import ENSEMBLE
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.models.store import load_models
from PseudoCTDenoiseLib.temporary_files import in_temporary_folder

from .bench_setup import BenchSetup, bench_settings, load_networks
from .job_profile import seconds_to_start, shares_of_operations

MOST_SLICES = 24


def measure(setup: BenchSetup) -> Iterator[dict]:
    """Yield the number of slices, the seconds of each stage, and the shares of operations."""
    yield _stages(setup) | {"shares": _shares(setup)}


def _stages(setup: BenchSetup) -> dict:
    """Time a job with noise maps, from the start of Python to the written files."""
    ldct, pixel_mm = setup.scan.ldct, setup.pixel_mm
    size = min(max(setup.arguments.slices), MOST_SLICES)
    hu = np.resize(ldct, (size, *ldct.shape[1:]))
    straight = tuple(np.eye(3).ravel())
    volume = CtVolume(hu, (pixel_mm, pixel_mm, 3.0), (0.0, 0.0, 0.0), straight, 2, "scan")
    seconds = seconds_to_start()

    def read_denoise_write(folder: Path) -> None:
        scan, denoised, noise = (folder / f"{name}.nrrd" for name in ("a", "b", "c"))
        write_volume(scan, hu, volume)
        clock = _Clock()
        loaded = read_volume(scan)
        seconds["read"] = clock.lap()
        models = load_models("fast")
        seconds["load models"] = clock.lap()
        settings, _ = bench_settings(setup.arguments, setup.device.name)
        job = DenoisingJob(
            loaded.hu,
            models.denoiser[0],
            models.noise_networks,
            settings,
            maps=ENSEMBLE,
            pixel_mm=loaded.pixel_mm,
        )
        plan = job.estimate()
        seconds["prepare, estimate"] = clock.lap()
        result = job.run(plan)
        seconds.update(result.seconds)
        seconds["strength and rest"] = clock.lap() - sum(result.seconds.values())
        write_volume(denoised, result.hu, loaded)
        write_volume(noise, result.noise, loaded)
        seconds["write"] = clock.lap()

    in_temporary_folder(tempfile.gettempdir(), read_denoise_write)
    return {"slices": size, "seconds": seconds}


class _Clock:
    """Stopwatch that returns the seconds since the previous lap."""

    def __init__(self):
        self._latest = time.perf_counter()

    def lap(self) -> float:
        before, self._latest = self._latest, time.perf_counter()
        return self._latest - before


def _shares(setup: BenchSetup) -> dict[str, dict[str, float]]:
    """Return torch's operations by share of CPU time, in a forward pass and in a default job."""
    ldct, pixel_mm = setup.scan.ldct, setup.pixel_mm
    default, _ = bench_settings(setup.arguments, "cpu")
    forward = replace(default, method="pretrained", orientations=1, anchor=None)
    networks = load_networks("fast")

    def work(hu: np.ndarray, settings: DenoisingSettings):
        return lambda: DenoisingJob(hu, *networks, settings, pixel_mm=pixel_mm).run_at_once()

    return {
        "a forward pass on one slice": shares_of_operations(work(ldct[:1], forward)),
        f"a job of {len(ldct)} slices": shares_of_operations(work(ldct, default)),
    }


def table(stages: dict) -> str:
    """Return the Markdown table of the stages, followed by the shares of torch's operations."""
    total = sum(stages["seconds"].values())
    lines = [
        {"stage": name, "seconds": seconds, "share": 100 * seconds / total}
        for name, seconds in [*stages["seconds"].items(), ("total", total)]
    ]
    columns = (
        Column("stage", f"Stage, {stages['slices']} slices"),
        Column("seconds", "Seconds"),
        Column("share", "Share (%)", decimals=0),
    )
    text = markdown(lines, columns)
    for job, shares in stages["shares"].items():
        names = ", ".join(f"`{name}` {100 * share:.0f} %" for name, share in shares.items())
        text += f"\nTorch operations by share of CPU time in {job}: {names}.\n"
    return text
