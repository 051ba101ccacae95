"""Benchmark part `speed`: this engine, the reference implementation and untrained filters.

The reference implementation runs on the CPU only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.markdown_table import Column, markdown

from ..evaluation.filters import FILTERS
from .bench_setup import BenchSetup, bench_settings, load_networks, with_bar
from .reference_loop import apply_reference, denoise_with_reference_loop
from .speed_comparison import FirstRun, Work, compare_speed, run_first

FAST_PASS, FAST_METHOD = "fast, pass", "fast + method"
PAPER_PASS, PAPER_LOOP = "paper, pass", "paper + loop"
REFERENCES = {name: f"{name}, reference implementation" for name in (PAPER_PASS, PAPER_LOOP)}
"""Method of the engine → the same method in the reference implementation."""
COMPARED = ("non_local_means", "total_variation", "curvature_anisotropic_diffusion")


def measure(setup: BenchSetup) -> Iterator[dict]:
    """Time every method on scans of every size in ``--slices``; yield all rows measured so far."""
    methods = _methods(setup)
    first = dict(with_bar(run_first(methods, setup.scan.ldct), "method"))
    speed = {"plain_difference_db": _difference_db(first, setup.scan.ndct[:1]), "rows": []}
    timed = compare_speed(
        methods,
        setup.scan.ldct,
        sorted(set(setup.arguments.slices)),
        first,
        runs=setup.arguments.runs,
        limit_seconds=setup.arguments.limit,
    )
    for row in with_bar(timed, "row"):
        speed["rows"].append(row)
        yield speed


def _methods(setup: BenchSetup) -> dict[str, Work]:
    device, pixel_mm = setup.device, setup.pixel_mm
    networks = {name: load_networks(name) for name in ("fast", "paper")}
    default, loop = bench_settings(setup.arguments, device.name)
    forward = replace(loop, method="pretrained")

    def job(name: str, settings: DenoisingSettings) -> Work:
        return lambda hu: (
            DenoisingJob(hu, *networks[name], settings, pixel_mm=pixel_mm).run_at_once().hu
        )

    methods = {
        FAST_PASS: job("fast", forward),
        FAST_METHOD: job("fast", default),
        PAPER_PASS: job("paper", forward),
        PAPER_LOOP: job("paper", loop),
    }
    if device.name == "cpu":
        denoiser, models = load_networks("paper")
        methods[REFERENCES[PAPER_PASS]] = lambda hu: apply_reference(denoiser, hu)
        methods[REFERENCES[PAPER_LOOP]] = lambda hu: denoise_with_reference_loop(
            hu, denoiser, models, loop
        )
    for name in COMPARED:
        chosen = FILTERS[name]
        methods[chosen.name] = lambda hu, chosen=chosen: chosen.function(hu, **chosen.default)
    return methods


def _difference_db(first: Mapping[str, FirstRun], ndct: np.ndarray) -> dict[str, float]:
    """Return PSNR-4096 of the engine's result minus that of the reference implementation."""
    return {
        name: psnr_4096(first[name].hu, ndct) - psnr_4096(first[reference].hu, ndct)
        for name, reference in REFERENCES.items()
        if reference in first
    }


def table(speed: dict) -> str:
    """Return the Markdown table of median seconds and of their ratio to the default method."""
    rows = speed["rows"]
    medians = {(row["method"], row["slices"]): row["median_seconds"] for row in rows}
    names = list(dict.fromkeys(row["method"] for row in rows))
    sizes = sorted({row["slices"] for row in rows})
    lines = []
    for name in names:
        line: dict = {"method": name}
        for size in sizes:
            if (name, size) not in medians:
                continue
            seconds = medians[name, size]
            text = f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"
            own = medians.get((FAST_METHOD, size))
            line[str(size)] = text if own is None else f"{text} (×{seconds / own:.2g})"
        lines.append(line)
    columns = [Column("method", "Seconds (× default method)")]
    columns += [Column(str(size), f"{size} slice{'s' if size > 1 else ''}") for size in sizes]
    return markdown(lines, columns) + "".join(reference_sentences(speed, medians))


def reference_sentences(speed: dict, medians: Mapping[tuple[str, int], float]) -> Iterator[str]:
    """Yield a sentence for each method that the reference implementation runs as well.

    The reference is the method whose name continues the engine's after a comma: results of
    earlier versions use another suffix.
    """
    for name, difference in speed["plain_difference_db"].items():
        ratios = ", ".join(
            f"{seconds / medians[name, size]:.1f} ({size})"
            for (method, size), seconds in medians.items()
            if method.startswith(f"{name}, ") and (name, size) in medians
        )
        yield (
            f"\n*{name}*: speed-up over the float32 reference implementation (number of slices): "
            f"{ratios or 'none'}. Its PSNR-4096 on one slice is {difference:+.4f} dB relative to "
            "the reference implementation.\n"
        )
