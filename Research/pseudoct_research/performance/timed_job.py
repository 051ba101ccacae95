"""One job as the panel runs it, in a process of its own, timed from the click."""

from __future__ import annotations

import time

import numpy as np
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState

PREVIEW_SECONDS = 3.0


def time_job(hu: np.ndarray, pixel_mm: float, settings: dict, want_noise: bool) -> dict:
    """Denoise (slices, rows, columns) HU with ``fast`` and say what it took.

    Returns
    -------
    dict
        ``preview_seconds`` until the first picture of a slice, ``seconds`` until all results are
        back, those of every stage in ``stages`` and of all the rest in ``other``; ``precision`` of
        the passes;
        ``peak_memory_mib`` of the background process, which holds neither the scan nor its results
        (None where the system does not count it).

    Raises
    ------
    BadInputError
        If the scan or the settings are refused.
    RuntimeError
        If the job fails otherwise.
    """
    process = DenoisingProcess(
        SubprocessRunner(),
        hu,
        settings,
        wantNoise=want_noise,
        previewSeconds=PREVIEW_SECONDS,
        pixelMm=pixel_mm,
    )
    previews: list[float] = []
    process.previewed.connect(lambda *preview: previews.append(time.perf_counter() - started))
    started = time.perf_counter()
    process.start()
    if process.wait() is not JobState.COMPLETED:
        failure = process.failure
        kind = BadInputError if failure.kind == "bad-input" else RuntimeError
        raise kind(f"{failure.message} {failure.whatToDo}\n{failure.standardError}".strip())
    seconds = time.perf_counter() - started
    report = process.result.report
    stages = report["seconds"]
    return {
        "slices": len(hu),
        "rows": hu.shape[1],
        "noise_maps": want_noise,
        "precision": report["device"]["precision"],
        "preview_seconds": previews[0],
        "seconds": seconds,
        "stages": stages,
        "other": seconds - sum(stages.values()),
        "peak_memory_mib": report["peak_memory_mib"].get("process"),
    }
