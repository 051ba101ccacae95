"""Ablation of each setting of the paper's loop on the validation patients."""

from __future__ import annotations

import argparse
from pathlib import Path

from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.setting_arguments import add_device_argument
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.ct.comparison_figure import check_png_path
from PseudoCTDenoiseLib.exit_codes import UNFINISHED
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.output_paths import check_writable

from ..datasets.ct_dataset import index_files
from ..results.pictures import curve_picture, spectra_picture
from ..results.results_table import check_block, replace_block
from ..training.supervision import N2C
from .ablations import ABLATIONS, STEPS, ablation_rows, ensemble_texture
from .cells import KEYS, fresh_cells, read_cells, table
from .experiment_data import ExperimentData, simulated_description
from .experiment_runs import (
    SLICES,
    add_experiment_arguments,
    choose_rows,
    make_cells,
    read_simulated,
)
from .pretrained import subject_models
from .table1 import METHOD
from .trained_networks import load_networks

TEXTURE = "texture"
STEPS_PLOT, TEXTURE_PLOT = "steps.png", "texture.png"
TEXTURE_COLUMNS = (
    Column("noise", "Noise"),
    Column("sigma_hu", "σ (HU)", decimals=1),
    Column("f_av_per_cm", "f_av (1/cm)"),
    Column("neighbours", "Correlation of neighbours"),
    Column("rho", "ρ between the maps"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--index", type=Path, help="CSV that lists the scans; without it, only print"
    )
    parser.add_argument("--split", default="val", help="default: val")
    add_device_argument(parser)
    parser.add_argument("--csv", type=Path, default=Path("Docs/results/ablations.csv"))
    parser.add_argument("--page", type=Path, help="Markdown page whose blocks are replaced")
    parser.add_argument("--plots", type=Path, help="folder for the plots")
    add_experiment_arguments(parser.add_argument_group("selection of the cells"))
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    order = ablation_rows()
    rows = choose_rows(arguments, order)
    names = list(next(iter(ABLATIONS.values())))
    if arguments.page:
        check_writable(arguments.page)
        for name in [*names, TEXTURE]:
            check_block(arguments.page, f"ABLATION {name}")
    if arguments.plots:
        check_png_path(arguments.plots / STEPS_PLOT)
    check_writable(arguments.csv)
    _check_outputs(arguments)
    read_cells(arguments.csv)  # fails before hours of computation
    texts, whole, side_outputs = {}, True, SideOutputs()
    description = simulated_description(arguments.split, arguments.slices or SLICES)
    if arguments.index:
        data = read_simulated(arguments)
        whole = make_cells(arguments, rows, order, data)
        if whole and any(row.start == N2C and row.needs_noise_models for row in rows):
            texts[TEXTURE] = _texture(arguments, data, side_outputs)
    fresh = fresh_cells(read_cells(arguments.csv), arguments.network, order, description)
    lines = {line["row"]: line for line in table(fresh, order)}
    texts |= {name: setting_table(name, lines) for name in names}
    for name, text in texts.items():
        print(f"{name}\n\n{text}")
        if arguments.page:
            with side_outputs.writing(arguments.page):
                replace_block(arguments.page, f"ABLATION {name}", text)
    if arguments.plots:
        with side_outputs.writing(arguments.plots / STEPS_PLOT):
            _plot_steps(arguments.plots / STEPS_PLOT, lines)
    return side_outputs.exit_code if whole else UNFINISHED


def _check_outputs(arguments: argparse.Namespace) -> None:
    outputs = [Output(arguments.csv, KEYS)]
    outputs += [Output(arguments.page, is_own=True)] if arguments.page else []
    if arguments.plots:
        outputs += [Output(arguments.plots / name) for name in (STEPS_PLOT, TEXTURE_PLOT)]
    inputs = index_files(arguments.index) if arguments.index else []
    check_outputs(outputs, inputs, overwrite=arguments.overwrite)


def _texture(arguments: argparse.Namespace, data: ExperimentData, side_outputs: SideOutputs) -> str:
    networks = load_networks(arguments.work, arguments.network, [N2C], subject_models(data))
    pair = max(data.measured, key=lambda pair: len(pair.ndct))
    curves, metrics = ensemble_texture(pair, networks)
    if arguments.plots:
        true = {"true noise": curves.pop("true noise")}
        with side_outputs.writing(arguments.plots / TEXTURE_PLOT):
            spectra_picture(arguments.plots / TEXTURE_PLOT, curves, true)
    return f"Patient {pair.patient}.\n\n{markdown(metrics, TEXTURE_COLUMNS)}"


def setting_table(name: str, lines: dict[str, dict]) -> str:
    """Return the ablation of one setting in Markdown: a row per value, a column per denoiser."""
    ablated = {label: groups[name] for label, groups in ABLATIONS.items() if name in groups}
    rows = []
    for of_value in zip(*ablated.values(), strict=True):
        words = of_value[0].name.partition(": ")[2] or _unchanged(name)
        gains = {row.start: lines.get(row.name, {}).get("gain") for row in of_value}
        rows.append({"setting": words, **gains})
    columns = [
        Column("setting", "Setting"),
        *(Column(group[0].start, f"From {label}: gain (dB)") for label, group in ablated.items()),
    ]
    return markdown(rows, columns)


def _unchanged(name: str) -> str:
    """Describe the unchanged value of a setting."""
    return {
        "sign": "sign as it is",
        "noise models": "three noise models",
        "rescale": "rescale 0.5 to 2",
        "loss": "mean squared error",
        "teacher": f"update every {METHOD.update_period} steps",
        "preset": "loop as printed",
        "steps": f"{METHOD.steps} steps",
    }[name]


def _plot_steps(path: Path, lines: dict[str, dict]) -> None:
    rows = []
    for step in (0, *STEPS):
        row = {"step": step}
        for label in ABLATIONS:
            name = f"{label} + method" if step == METHOD.steps else f"{label}: {step} steps"
            line = lines.get(name, {})
            row[label] = line.get("gain_mean", "")
        rows.append(row)
    series = {f"from {label}": label for label in ABLATIONS}
    label = "PSNR-4096 gain over LDCT (dB)"
    curve_picture(path, rows, series, y_label=label, linear_to=STEPS[0])
