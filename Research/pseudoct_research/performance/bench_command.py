"""Time this engine, the paper's loop written plainly, and untrained filters on the same scans.

The plain loop runs on the CPU only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PseudoCTDenoiseLib import __version__
from PseudoCTDenoiseLib.ct.hounsfield import normalise
from PseudoCTDenoiseLib.ct.io.volume_files import (
    CtVolume,
    check_place,
    make_folder,
    read_volume,
    write_volume,
)
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.device import (
    DEVICES,
    ComputeDevice,
    autocast_precision,
    choose_device,
    precision_name,
)
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.plan import DENOISING, MAPS, TUNING
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.settings import PRECISIONS, DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.models.store import load_denoiser, load_noise_models
from PseudoCTDenoiseLib.temporary_files import in_temporary_folder, replace_file
from torch import nn

from ..evaluation.filters import FILTERS
from ..evaluation.pictures import cost_picture
from ..evaluation.results_table import check_block, replace_block
from ..phantom.phantom_scan import PhantomScan, scan_phantom
from ..phantom.torso import torso_phantom
from .job_profile import seconds_to_start, shares_of_operations
from .machine_limits import matrix_gflops, memory_gb_per_second
from .operation_counts import count_operations
from .pass_variants import time_variants
from .plain_reference import apply_plainly, denoise_plainly
from .speed_comparison import FirstRun, Work, compare_speed, run_first
from .timed_job import time_job

SIZES = (1, 10, 50, 200, 1000)
JOBS = ((24, 512), (200, 512), (4, 2048), (2000, 512))
"""Slices, and rows of a slice."""
FIELD_MM = 384.0
FAST_PASS, FAST_METHOD = "fast, pass", "fast + method"
PAPER_PASS, PAPER_LOOP = "paper, pass", "paper + loop"
PLAIN = {name: f"{name}, written plainly" for name in (PAPER_PASS, PAPER_LOOP)}
COMPARED = ("non_local_means", "total_variation", "curvature_anisotropic_diffusion")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, help="folder for PART.json and speed.png; made if missing"
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    parser.add_argument(
        "--slices",
        type=int,
        nargs="+",
        default=SIZES,
        help="of the part 'speed' (default: 1 10 50 200 1000)",
    )
    parser.add_argument(
        "--jobs",
        type=_job,
        nargs="+",
        default=JOBS,
        metavar="SLICESxROWS",
        help="of the part 'jobs', each run once, by default and with noise maps (default: "
        + " ".join(f"{slices}x{rows}" for slices, rows in JOBS)
        + ")",
    )
    parser.add_argument(
        "--rows", type=int, default=512, help="of a slice, but of the jobs' (default: 512)"
    )
    parser.add_argument("--runs", type=int, default=3, help="of 'speed', each (default: 3)")
    parser.add_argument(
        "--limit",
        type=float,
        default=120.0,
        help="in 'speed', leave out what would take more seconds a run (default: 120)",
    )
    parser.add_argument("--steps", type=int, help="tuning steps (default: those of the methods)")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="of the engine (default: auto)"
    )
    parser.add_argument(
        "--page",
        type=Path,
        help="Markdown page whose blocks 'BENCH part' are replaced; with a GPU 'BENCH part cuda', "
        "in a precision that was asked for 'BENCH part float32'",
    )


def run(arguments: argparse.Namespace) -> None:
    names = arguments.part or list(PARTS)
    device = choose_device(arguments.device)
    _check(arguments, names, device)
    pixel_mm = FIELD_MM / arguments.rows
    machine = {
        "device": device.description,
        "precision": precision_name(autocast_precision(arguments.precision, device)),
        "matrix_gflops": matrix_gflops(device.torch),
        "memory_gb_per_s": memory_gb_per_second(device.torch),
    }
    print(
        f"{device.description}: {machine['matrix_gflops']:.0f} GFLOP/s, "
        f"{machine['memory_gb_per_s']:.0f} GB/s; passes in {machine['precision']}",
        file=sys.stderr,
    )
    bench = _Bench(arguments, device, machine, pixel_mm, _scan(pixel_mm, arguments.rows))
    for name in names:
        label = _label(name, arguments, device)
        for part in PARTS[name].make(bench):  # more of it every time
            figures = {"version": __version__, "machine": machine, name: part}
            text = json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
            replace_file(_path(arguments, label, "json"), text.encode())
        table = PARTS[name].table(part)
        print(f"{table}\n")
        if arguments.page:
            replace_block(arguments.page, f"BENCH {label}", table)
        if name == "speed":
            cost_picture(_path(arguments, label, "png"), part["rows"])
    print(f"Written to {arguments.folder}.")


class _Bench(NamedTuple):
    """What the parts need: the machine, and a scan of four slices."""

    arguments: argparse.Namespace
    device: ComputeDevice
    machine: dict
    pixel_mm: float
    scan: PhantomScan


def _label(part: str, arguments: argparse.Namespace, device: ComputeDevice) -> str:
    """Of a part: what a GPU or a chosen precision does has files and blocks of its own."""
    words = [part]
    words += [device.name] if device.name != "cpu" else []
    words += [arguments.precision] if arguments.precision != "auto" else []
    return " ".join(words)


def _path(arguments: argparse.Namespace, label: str, suffix: str) -> Path:
    return arguments.folder / f"{label.replace(' ', '-')}.{suffix}"


def _check(arguments: argparse.Namespace, names: Sequence[str], device: ComputeDevice) -> None:
    """Refuse what cannot be done before anything is timed."""
    for name in ("rows", "runs", "limit"):
        if not getattr(arguments, name) > 0:
            raise BadInputError(f"--{name} must be positive, not {getattr(arguments, name):g}.")
    if min(arguments.slices) < 1:
        raise BadInputError(f"--slices must be at least 1, not {min(arguments.slices)}.")
    _settings(arguments, "cpu")
    labels = [_label(name, arguments, device) for name in names]
    if arguments.page:
        for label in labels:
            check_block(arguments.page, f"BENCH {label}")
    make_folder(arguments.folder)
    for label in labels:
        check_place(_path(arguments, label, "json"))
        check_place(_path(arguments, label, "png"))


def _job(text: str) -> tuple[int, int]:
    slices, _, rows = text.partition("x")
    if not (slices.isdecimal() and rows.isdecimal() and int(slices) and int(rows)):
        raise argparse.ArgumentTypeError(f"'{text}' is no SLICESxROWS, as 200x512")
    return int(slices), int(rows)


# --------------------------------------------------------------- what is timed


def _scan(pixel_mm: float, rows: int) -> PhantomScan:
    """A few slices of the phantom at a quarter of the dose."""
    return scan_phantom(torso_phantom(4, rows, pixel_mm).hu, pixel_mm)


def _settings(
    arguments: argparse.Namespace, device: str
) -> tuple[DenoisingSettings, DenoisingSettings]:
    """Of the default method and of the paper's loop."""
    chosen = {"device": device, "precision": arguments.precision}
    if arguments.steps is not None:
        chosen["steps"] = arguments.steps
    return DenoisingSettings(**chosen), paper_settings(**chosen)


def _networks(name: str) -> tuple[nn.Module, list[nn.Module]]:
    """A denoiser and its noise models, loaded anew: a job moves them to its device."""
    denoiser, manifest = load_denoiser(name)
    return denoiser, [one for one, _ in load_noise_models(names=manifest.noise_models)]


def _make_speed(bench: _Bench) -> Iterator:
    methods = _methods(bench)
    first = dict(_with_bar(run_first(methods, bench.scan.ldct), "method"))
    speed = {"plain_difference_db": _difference_db(first, bench.scan.ndct[:1]), "rows": []}
    timed = compare_speed(
        methods,
        bench.scan.ldct,
        sorted(set(bench.arguments.slices)),
        first,
        runs=bench.arguments.runs,
        limit_seconds=bench.arguments.limit,
    )
    for row in _with_bar(timed, "row"):
        speed["rows"].append(row)
        yield speed


def _methods(bench: _Bench) -> dict[str, Work]:
    device, pixel_mm = bench.device, bench.pixel_mm
    networks = {name: _networks(name) for name in ("fast", "paper")}
    default, loop = _settings(bench.arguments, device.name)
    once = replace(loop, method="pretrained")

    def job(name: str, settings: DenoisingSettings) -> Work:
        return lambda hu: (
            DenoisingJob(hu, *networks[name], settings, pixel_mm=pixel_mm).run_at_once().hu
        )

    methods = {
        FAST_PASS: job("fast", once),
        FAST_METHOD: job("fast", default),
        PAPER_PASS: job("paper", once),
        PAPER_LOOP: job("paper", loop),
    }
    if device.name == "cpu":
        denoiser, models = _networks("paper")
        methods[PLAIN[PAPER_PASS]] = lambda hu: apply_plainly(denoiser, hu)
        methods[PLAIN[PAPER_LOOP]] = lambda hu: denoise_plainly(hu, denoiser, models, loop)
    for name in COMPARED:
        chosen = FILTERS[name]
        methods[chosen.name] = lambda hu, one=chosen: one.function(hu, **one.default)
    return methods


def _difference_db(first: dict[str, FirstRun], ndct: np.ndarray) -> dict[str, float]:
    """By how much the engine's result is closer to the NDCT than the plain one's (PSNR-4096)."""
    return {
        name: psnr_4096(first[name].hu, ndct) - psnr_4096(first[plain].hu, ndct)
        for name, plain in PLAIN.items()
        if plain in first
    }


# --------------------------------------------------------------- where the time goes


def _make_jobs(bench: _Bench) -> Iterator:
    default, _ = _settings(bench.arguments, bench.arguments.device)
    jobs = []
    for slices, rows in _with_bar(bench.arguments.jobs, "job"):
        pixel_mm = FIELD_MM / rows
        hu = np.resize(_scan(pixel_mm, rows).ldct, (slices, rows, rows))
        jobs.append(time_job(hu, pixel_mm, default.as_dict(), want_noise=True))
        yield jobs


def _make_stages(bench: _Bench) -> Iterator:
    yield _stages(bench) | {"shares": _shares(bench)}


def _stages(bench: _Bench) -> dict:
    """Seconds of a job with noise maps, from the start of Python to the written files."""
    ldct, pixel_mm = bench.scan.ldct, bench.pixel_mm
    size = min(max(bench.arguments.slices), 24)
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
        networks = _networks("fast")
        seconds["load models"] = clock.lap()
        settings, _ = _settings(bench.arguments, bench.device.name)
        job = DenoisingJob(
            loaded.hu, *networks, settings, want_noise=True, pixel_mm=loaded.pixel_mm
        )
        plan = job.estimate()
        seconds["prepare, estimate"] = clock.lap()
        result = job.run(plan)
        seconds.update(result.seconds)
        seconds["strength and rest"] = clock.lap() - sum(result.seconds.values())
        write_volume(denoised, result.hu, loaded)
        write_volume(noise, result.noise, loaded)
        seconds["write"] = clock.lap()

    in_temporary_folder(tempfile.gettempdir(), "PseudoCTDenoise-", read_denoise_write)
    return {"slices": size, "seconds": seconds}


class _Clock:
    """Seconds from one lap to the next."""

    def __init__(self):
        self._latest = time.perf_counter()

    def lap(self) -> float:
        before, self._latest = self._latest, time.perf_counter()
        return self._latest - before


def _make_operations(bench: _Bench) -> Iterator:
    """Of a pass over a slice, and how long they would take at what the machine can at best."""
    networks = {}
    for name in ("fast", "paper"):
        rows = bench.arguments.rows
        counts = count_operations(load_denoiser(name)[0], rows, rows)
        networks[name] = asdict(counts) | {
            "seconds_at_matrix_peak": counts.operations / bench.machine["matrix_gflops"] / 1e9,
            "seconds_without_caches": counts.bytes / bench.machine["memory_gb_per_s"] / 1e9,
        }
    yield {"machine": bench.machine, "networks": networks}


def _shares(bench: _Bench) -> dict[str, dict[str, float]]:
    """Shares of torch's operations, on the CPU, in a pass and in a whole job by default."""
    ldct, pixel_mm = bench.scan.ldct, bench.pixel_mm
    default, _ = _settings(bench.arguments, "cpu")
    once = replace(default, method="pretrained", orientations=1, anchor=None)
    networks = _networks("fast")

    def work(hu: np.ndarray, settings: DenoisingSettings):
        return lambda: DenoisingJob(hu, *networks, settings, pixel_mm=pixel_mm).run_at_once()

    return {
        "a pass over a slice": shares_of_operations(work(ldct[:1], once)),
        f"a job of {len(ldct)} slices": shares_of_operations(work(ldct, default)),
    }


def _make_variants(bench: _Bench) -> Iterator:
    """Seconds of a pass of the denoiser and of a noise model, done in several ways."""
    denoiser, noise_models = _networks("fast")
    slices = normalise(torch.from_numpy(bench.scan.ldct.astype(np.float32)))
    networks = {"fast": denoiser, "a noise model": noise_models[0]}
    yield {name: time_variants(network, slices) for name, network in networks.items()}


def _with_bar(things: Iterable, unit: str) -> Iterable:
    from tqdm import tqdm

    return tqdm(things, unit=unit, file=sys.stderr)


# --------------------------------------------------------------- printing


def _jobs_table(jobs: list[dict]) -> str:
    stages = (TUNING, DENOISING, MAPS)
    lines = [
        {"size": f"{job['slices']} × {job['rows']}²", "rest": job["other"]}
        | {stage: job["stages"].get(stage) for stage in stages}
        | {name: job[name] for name in ("preview_seconds", "seconds", "peak_memory_mib")}
        for job in jobs
    ]
    columns = (
        Column("size", "Slices"),
        Column("preview_seconds", "First picture after (s)", decimals=1),
        Column("seconds", "Result after (s)", decimals=1),
        *(Column(stage, f"Of it {stage}", decimals=1) for stage in stages),
        Column("rest", "Start, files, rest", decimals=1),
        Column("peak_memory_mib", "Peak memory (MiB)", decimals=0),
    )
    return markdown(lines, columns)


def _speed_table(speed: dict) -> str:
    """Medians, and how many times the default method's median each of them is."""
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
    return markdown(lines, columns) + "".join(_against_plain(speed, medians))


def _against_plain(speed: dict, medians: dict[tuple[str, int], float]) -> Iterator[str]:
    """A sentence for each of the two that were written plainly as well."""
    for name, difference in speed["plain_difference_db"].items():
        ratios = ", ".join(
            f"{seconds / medians[name, size]:.1f} ({size})"
            for (method, size), seconds in medians.items()
            if method == PLAIN[name] and (name, size) in medians
        )
        yield (
            f"\n*{name}* is so many times faster than written plainly in float32, at a number "
            f"of slices: {ratios or 'none'}. Its result on a slice is {difference:+.4f} dB closer "
            "to the NDCT.\n"
        )


def _stages_table(stages: dict) -> str:
    total = sum(stages["seconds"].values())
    lines = [
        {"stage": name, "seconds": seconds, "share": 100 * seconds / total}
        for name, seconds in [*stages["seconds"].items(), ("together", total)]
    ]
    columns = (
        Column("stage", f"Stage, {stages['slices']} slices"),
        Column("seconds", "Seconds"),
        Column("share", "Share (%)", decimals=0),
    )
    text = markdown(lines, columns)
    for what, shares in stages["shares"].items():
        names = ", ".join(f"`{name}` {100 * share:.0f} %" for name, share in shares.items())
        text += f"\nTime of torch's operations on the CPU in {what}: {names}.\n"
    return text


def _operations_table(figures: dict) -> str:
    machine = figures["machine"]
    lines = [
        {
            "network": name,
            "gflop": one["operations"] / 1e9,
            "gb": one["bytes"] / 1e9,
            "calls": one["calls"],
            "matrix": 1000 * one["seconds_at_matrix_peak"],
            "memory": 1000 * one["seconds_without_caches"],
        }
        for name, one in figures["networks"].items()
    ]
    columns = (
        Column("network", "Pass over a slice"),
        Column("gflop", "GFLOP", decimals=1),
        Column("calls", "Convolutions", decimals=0),
        Column("matrix", f"ms at {machine['matrix_gflops']:.0f} GFLOP/s", decimals=0),
        Column("gb", "Their images (GB)"),
        Column("memory", f"ms at {machine['memory_gb_per_s']:.0f} GB/s", decimals=0),
    )
    return markdown(lines, columns)


def _variants_table(variants: dict[str, dict[str, float]]) -> str:
    ways = dict.fromkeys(way for seconds in variants.values() for way in seconds)
    lines = [
        {"way": way} | {name: 1000 * seconds[way] for name, seconds in variants.items()}
        for way in ways
    ]
    columns = [Column("way", "A pass over a slice, on the CPU")]
    columns += [Column(name, f"{name} (ms)", decimals=0) for name in variants]
    return markdown(lines, columns)


class Part(NamedTuple):
    """What yields a part of the figures, as far as it has come, and its table."""

    make: Callable[[_Bench], Iterator]
    table: Callable[..., str]


PARTS = {
    "jobs": Part(_make_jobs, _jobs_table),
    "stages": Part(_make_stages, _stages_table),
    "operations": Part(_make_operations, _operations_table),
    "variants": Part(_make_variants, _variants_table),
    "speed": Part(_make_speed, _speed_table),
}
