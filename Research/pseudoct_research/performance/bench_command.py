"""Benchmark: time this engine, the paper's loop and untrained filters, and profile a job.

Each part of the benchmark is a module with ``measure``, which yields all values measured so far,
and ``table``, which formats them in Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PseudoCTDenoiseLib import __version__
from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.setting_arguments import add_device_argument
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.denoising.device import (
    ComputeDevice,
    autocast_precision,
    choose_device,
    precision_name,
)
from PseudoCTDenoiseLib.denoising.settings import PRECISIONS
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.json_text import json_text
from PseudoCTDenoiseLib.output_paths import check_writable, make_folder
from PseudoCTDenoiseLib.temporary_files import replace_file

from ..results.pictures import cost_picture
from ..results.results_table import check_block, replace_block
from . import bench_jobs, bench_operations, bench_speed, bench_stages, bench_variants
from .bench_setup import FIELD_MM, BenchSetup, bench_settings, quarter_dose_scan
from .machine_limits import matrix_gflops, memory_gb_per_second

PARTS = {
    "jobs": bench_jobs,
    "stages": bench_stages,
    "operations": bench_operations,
    "variants": bench_variants,
    "speed": bench_speed,
}
SIZES = (1, 10, 50, 200, 1000)
JOBS = ((24, 512), (200, 512), (4, 2048), (2000, 512))
"""Number of slices, and rows per slice, of each job."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, help="folder for PART.json and speed.png; created if missing"
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all parts")
    parser.add_argument(
        "--slices",
        type=int,
        nargs="+",
        default=SIZES,
        help="numbers of slices in part 'speed' (default: 1 10 50 200 1000)",
    )
    parser.add_argument(
        "--jobs",
        type=_job,
        nargs="+",
        default=JOBS,
        metavar="SLICESxROWS",
        help="jobs of part 'jobs'; each runs with the default settings, with and without noise "
        "maps (default: " + " ".join(f"{slices}x{rows}" for slices, rows in JOBS) + ")",
    )
    parser.add_argument(
        "--rows", type=int, default=512, help="rows per slice, except in part 'jobs' (default: 512)"
    )
    parser.add_argument(
        "--runs", type=int, default=3, help="runs per method and size in part 'speed' (default: 3)"
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=120.0,
        help="seconds per run in part 'speed'; slower methods are skipped (default: 120)",
    )
    parser.add_argument(
        "--steps", type=int, help="tuning steps (default: the default of each method)"
    )
    add_device_argument(parser)
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="engine precision (default: auto)"
    )
    parser.add_argument(
        "--page",
        type=Path,
        help="Markdown page whose blocks 'BENCH part' are replaced; a GPU has blocks of its own "
        "('BENCH part cuda'), and so does a chosen precision ('BENCH part float32')",
    )
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
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
        f"{machine['memory_gb_per_s']:.0f} GB/s; inference in {machine['precision']}",
        file=sys.stderr,
    )
    scan = quarter_dose_scan(pixel_mm, arguments.rows)
    setup = BenchSetup(arguments, device, machine, pixel_mm, scan)
    side_outputs = SideOutputs()
    for name in names:
        label = part_label(name, arguments, device)
        # A part takes hours: write what is measured after each row, not only at the end.
        for values in PARTS[name].measure(setup):
            content = {"version": __version__, "machine": machine, name: values}
            text = json_text(content, indent=1, ensure_ascii=False) + "\n"
            replace_file(_path(arguments, label, "json"), text.encode())
        table = PARTS[name].table(values)
        print(f"{table}\n")
        if arguments.page:
            with side_outputs.writing(arguments.page):
                replace_block(arguments.page, f"BENCH {label}", table)
        if name == "speed":
            picture = _path(arguments, label, "png")
            with side_outputs.writing(picture):
                cost_picture(picture, values["rows"])
    print(f"The results are in {arguments.folder}.")
    return side_outputs.exit_code


def part_label(part: str, arguments: argparse.Namespace, device: ComputeDevice) -> str:
    """Return the name of a part's files and page block.

    A kind of GPU, with any index, and a chosen precision have files and blocks of their own.
    """
    kind = device.torch.type
    words = [part]
    words += [kind] if kind != "cpu" else []
    words += [arguments.precision] if arguments.precision != "auto" else []
    return " ".join(words)


def _path(arguments: argparse.Namespace, label: str, suffix: str) -> Path:
    return arguments.folder / f"{label.replace(' ', '-')}.{suffix}"


def _check(arguments: argparse.Namespace, names: Sequence[str], device: ComputeDevice) -> None:
    """Reject invalid arguments before any timing starts."""
    for name in ("rows", "runs", "limit"):
        if not getattr(arguments, name) > 0:
            raise BadInputError(f"--{name} must be positive, not {getattr(arguments, name):g}.")
    if min(arguments.slices) < 1:
        raise BadInputError(f"--slices must be at least 1, not {min(arguments.slices)}.")
    bench_settings(arguments, "cpu")
    labels = [part_label(name, arguments, device) for name in names]
    if arguments.page:
        for label in labels:
            check_block(arguments.page, f"BENCH {label}")
    make_folder(arguments.folder)
    for label in labels:
        check_writable(_path(arguments, label, "json"))
        check_writable(_path(arguments, label, "png"))
    outputs = [Output(_path(arguments, label, "json"), ("version", "machine")) for label in labels]
    outputs += [Output(_path(arguments, label, "png")) for label in labels]
    outputs += [Output(arguments.page, is_own=True)] if arguments.page else []
    check_outputs(outputs, [], overwrite=arguments.overwrite)


def _job(text: str) -> tuple[int, int]:
    slices, _, rows = text.partition("x")
    if not (slices.isdecimal() and rows.isdecimal() and int(slices) and int(rows)):
        raise argparse.ArgumentTypeError(f"'{text}' is not SLICESxROWS, for example 200x512")
    return int(slices), int(rows)
