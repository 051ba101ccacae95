"""Timing of one job in a background process, as the panel runs it, from the click on."""

from __future__ import annotations

import time

import numpy as np
from PseudoCTDenoiseLib.denoising.map_choice import NO_MAPS
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState


def time_job(hu: np.ndarray, pixel_mm: float, settings: DenoisingSettings, maps: str) -> dict:
    """Denoise (slices, rows, columns) HU with the default model and return the timing.

    Returns
    -------
    dict
        ``preview_seconds`` until the first preview, ``seconds`` until all results are available,
        the seconds of each stage in ``stages`` and of everything else in ``other``;
        ``precision`` of inference; ``peak_memory_mib`` of the background process, which holds
        neither the scan nor its results (None if the system does not report it).

    Raises
    ------
    BadInputError
        If the job rejects the scan or the settings.
    MemoryError
        If the background process has too little memory.
    RuntimeError
        If the job fails for another reason.
    """
    process = DenoisingProcess(
        SubprocessRunner(),
        hu,
        settings,
        maps=maps,
        pixel_mm=pixel_mm,
    )
    previews: list[float] = []
    process.previewed.connect(lambda *preview: previews.append(time.perf_counter() - started))
    started = time.perf_counter()
    process.start()
    if process.wait() is not JobState.COMPLETED:
        failure = process.failure
        if failure.kind == "out-of-memory":
            raise MemoryError(f"in the background process: {failure.message}")
        kind = BadInputError if failure.kind == "bad-input" else RuntimeError
        raise kind(f"{failure.message} {failure.what_to_do}\n{failure.standard_error}".strip())
    seconds = time.perf_counter() - started
    report = process.result.report
    stages = report["seconds"]
    return {
        "slices": len(hu),
        "rows": hu.shape[1],
        "noise_maps": maps != NO_MAPS,
        "precision": report["device"]["precision"],
        "preview_seconds": previews[0],
        "seconds": seconds,
        "stages": stages,
        "other": seconds - sum(stages.values()),
        "peak_memory_mib": report["peak_memory_mib"].get("process"),
    }
