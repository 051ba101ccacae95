"""Compare networks and training settings by short runs, validated on held-out conditions."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.setting_arguments import add_device_argument
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.ct.comparison_figure import check_png_path
from PseudoCTDenoiseLib.denoising.device import choose_device
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.exit_codes import UNFINISHED
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.models.networks import build_network
from PseudoCTDenoiseLib.output_paths import check_writable

from ..datasets.ct_dataset import index_files, read_index, scan_credits
from ..results.pictures import curve_picture
from ..results.results_table import check_block, read_csv, replace_block, write_csv
from ..time_limit import add_time_limit
from .pretraining import Pretraining
from .training_pairs import NoisySlice, simulated_slices
from .trials import HELD_OUT, TRIALS, Trial, held_out_patches, milliseconds_a_slice

GAINS = [f"gain_{name}_db" for name in HELD_OUT]
COLUMNS = (
    Column("trial", "Trial"),
    Column("weights", "Weights (thousands)", decimals=0),
    Column("milliseconds", "Time (ms/slice)", decimals=0),
    *(Column(gain, f"Gain, {gain.split('_')[1]} (dB)", signed=True) for gain in GAINS),
    Column("held_out", "Mean of held-out (dB)", signed=True),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--index", type=Path, help="CSV that lists the scans; without it, only print"
    )
    parser.add_argument("--trial", action="append", help="only this trial (default: all)")
    add_time_limit(parser)
    add_device_argument(parser)
    parser.add_argument("--csv", type=Path, default=Path("Docs/research/training/trials.csv"))
    parser.add_argument("--page", type=Path, help="Markdown page whose blocks are replaced")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("local"),
        help="folder for checkpoints and simulated noise",
    )
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    trials = {trial.name: trial for group in TRIALS.values() for trial in group}
    if unknown := set(arguments.trial or ()) - trials.keys():
        raise BadInputError(f"No trial '{min(unknown)}'. Trials: {'; '.join(trials)}.")
    check_writable(arguments.csv)
    for group in TRIALS:
        if arguments.page:
            check_block(arguments.page, f"TRIALS {group}")
        if arguments.plots:
            check_png_path(arguments.plots / f"trials-{group}.png")
    _check_outputs(arguments)
    if arguments.index:
        wanted = [trials[name] for name in arguments.trial or trials]
        if not _make(arguments, wanted, list(trials)):
            print("Not all trials are finished. Run the same command to resume.", file=sys.stderr)
            return UNFINISHED
    side_outputs = SideOutputs()
    rows = read_csv(arguments.csv)
    for group, members in TRIALS.items():
        text = table(rows, members)
        print(f"{group}\n\n{text}")
        if arguments.page:
            with side_outputs.writing(arguments.page):
                replace_block(arguments.page, f"TRIALS {group}", text)
        if arguments.plots:
            picture = arguments.plots / f"trials-{group}.png"
            with side_outputs.writing(picture):
                _plot(picture, rows, members)
    return side_outputs.exit_code


def _check_outputs(arguments: argparse.Namespace) -> None:
    outputs = [Output(arguments.csv, ("trial", "step"))]
    outputs += [Output(arguments.page, is_own=True)] if arguments.page else []
    if arguments.plots:
        outputs += [Output(arguments.plots / f"trials-{group}.png") for group in TRIALS]
    inputs = index_files(arguments.index) if arguments.index else []
    check_outputs(outputs, inputs, overwrite=arguments.overwrite)


def table(rows: list[dict], trials: list[Trial]) -> str:
    """Return a Markdown table with the last validation of every trial that has run."""
    lines = []
    for trial in trials:
        of_trial = [row for row in rows if row["trial"] == trial.name]
        if of_trial:
            last = {key: _number(value) for key, value in of_trial[-1].items()}
            lines.append(last | {"trial": trial.name, "held_out": _held_out_mean(last)})
    return markdown(lines, COLUMNS)


def _make(arguments: argparse.Namespace, wanted: list[Trial], order: list[str]) -> bool:
    """Run the trials to the end and write their curves to the CSV file; return True when done."""
    from tqdm import tqdm

    about = _about(wanted)  # measures times before training loads the machine
    device = choose_device(arguments.device)
    scans = read_index(arguments.index, "train")
    slices = _slices(arguments, scans, device.name)
    validation = held_out_patches(
        _slices(arguments, read_index(arguments.index, "val"), device.name)
    )
    end = time.monotonic() + 60 * arguments.minutes
    for number, trial in enumerate(wanted):
        checkpoint = arguments.work / "trials" / f"{_file_name(trial.name)}.npz"
        data = {"scans": scan_credits(scans)}
        training = Pretraining(
            trial.settings, slices, validation, checkpoint, device.name, data=data
        )
        name = f"{number + 1}/{len(wanted)} {trial.name}"
        with tqdm(total=trial.settings.steps, initial=training.step, desc=name) as bar:
            left = (end - time.monotonic()) / 60
            training.run(left, lambda step, steps, row, bar=bar: bar.update(step - bar.n))
        if not training.done:
            return False
        rows = [row for row in _known(arguments) if row["trial"] != trial.name]
        rows += [about[trial.name] | row for row in training.curve]
        write_csv(arguments.csv, sorted(rows, key=lambda row: order.index(row["trial"])))
    return True


def _known(arguments: argparse.Namespace) -> list[dict]:
    return read_csv(arguments.csv) if arguments.csv.is_file() else []


def _about(trials: list[Trial]) -> dict[str, dict]:
    """Return size and time of each trial's network; equal networks are timed once."""
    times, about = {}, {}
    for trial in trials:
        kind = (trial.settings.architecture, str(trial.settings.parameters))
        network = build_network(trial.settings.architecture, trial.settings.parameters)
        if kind not in times:
            times[kind] = milliseconds_a_slice(network)
        about[trial.name] = {
            "trial": trial.name,
            "weights": sum(weights.numel() for weights in network.parameters()) / 1000,
            "milliseconds": times[kind],
        }
    return about


def _slices(arguments: argparse.Namespace, scans, device: str) -> list[NoisySlice]:
    return simulated_slices(scans, arguments.work / "noise", device=device)


def _plot(path: Path, rows: list[dict], trials: list[Trial]) -> None:
    names = [trial.name for trial in trials]
    points = [
        {"step": row["step"], row["trial"]: _held_out_mean({g: float(row[g]) for g in GAINS})}
        for row in rows
        if row["trial"] in names
    ]
    series = {name: name for name in names if any(name in point for point in points)}
    if series:
        curve_picture(path, points, series, y_label="Mean gain on held-out conditions (dB)")


def _held_out_mean(row: dict) -> float:
    return float(np.mean([row[gain] for gain in GAINS[1:]]))


def _number(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def _file_name(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)
