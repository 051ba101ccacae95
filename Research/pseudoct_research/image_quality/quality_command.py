"""Measure a denoiser on a phantom: noise, resolution, HU bias and low-contrast detectability."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PseudoCTDenoiseLib import __version__
from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.setting_arguments import add_device_argument, add_model_arguments
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.ct.hounsfield import MIN_CT_HU, normalise, to_hu
from PseudoCTDenoiseLib.denoising.bias_correction import measure_density_bias
from PseudoCTDenoiseLib.denoising.device import ComputeDevice, choose_device
from PseudoCTDenoiseLib.denoising.inference import apply_network
from PseudoCTDenoiseLib.denoising.neighbours import STACK, neighbour_input
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.json_text import json_text
from PseudoCTDenoiseLib.models.store import LoadedModels, load_models, model_files
from PseudoCTDenoiseLib.output_paths import check_writable
from PseudoCTDenoiseLib.simulation.low_dose import check_dose
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS
from PseudoCTDenoiseLib.temporary_files import replace_file
from torch import nn

from ..output_folder import make_folder
from ..results.results_table import check_block, replace_block
from .goals import goals
from .quality_metrics import quality_metrics
from .quality_page import quality_page
from .quality_report import goals_table, report
from .quality_scan import Denoise, check_realisations, scan_quality_phantom

STRENGTHS = (0.0, 40.0, 60.0, 80.0, 100.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, help="folder for the picture and the JSON file; created if missing"
    )
    add_model_arguments(parser)
    parser.add_argument("--kernel", choices=KERNELS, default="soft", help="default: soft")
    parser.add_argument("--dose", type=float, default=0.25, help="dose fraction (default: 0.25)")
    parser.add_argument(
        "--strength",
        type=float,
        nargs="+",
        default=STRENGTHS,
        help="strengths in %%; the picture's verdict applies to the highest (default: "
        f"{' '.join(f'{strength:g}' for strength in STRENGTHS)})",
    )
    parser.add_argument(
        "--realisations",
        type=int,
        default=200,
        help="even number of noise realisations (default: 200)",
    )
    parser.add_argument("--seed", type=int, default=0)
    add_device_argument(parser)
    parser.add_argument(
        "--neighbours",
        action="store_true",
        help="denoise each slice with four neighbours of the same section in correlated noise",
    )
    parser.add_argument(
        "--page",
        type=Path,
        help="Markdown page whose block QUALITY, or QUALITY neighbours, is replaced",
    )
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    # Imported here to fail before minutes of computation if the toolbox is not installed.
    import microct_iq_toolbox  # noqa: F401
    from tqdm import tqdm

    strengths = _strengths(arguments.strength)
    check_dose(arguments.dose, "--dose")
    check_realisations(arguments.realisations)
    models = load_models(arguments.model, arguments.models)
    network, manifest = models.denoiser
    neighbour_model = models.neighbour_network if arguments.neighbours else None
    if arguments.neighbours and neighbour_model is None:
        raise BadInputError(f"'{manifest.name}' has no neighbour model: leave out --neighbours.")
    outputs = _outputs(arguments)
    device = choose_device(arguments.device)
    print(f"Device: {device.description} ({device.reason})", file=sys.stderr)

    with tqdm(unit="realisation", total=arguments.realisations, disable=None) as bar:
        scan = scan_quality_phantom(
            _denoiser(network, neighbour_model, device),
            KERNELS[arguments.kernel],
            strengths=strengths,
            slices=STACK if arguments.neighbours else 1,
            dose=arguments.dose,
            realisations=arguments.realisations,
            seed=arguments.seed,
            device=device.name,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    metrics = quality_metrics(scan)

    about = _about(arguments, models)
    text = json_text(report(about, metrics), indent=1, ensure_ascii=False)
    replace_file(outputs.figures, (text + "\n").encode())
    setting = _setting(about)
    with_neighbours = " with neighbours" if arguments.neighbours else ""
    title = f"Image quality of “{manifest.name}”{with_neighbours}"
    side_outputs = SideOutputs()
    with side_outputs.writing(outputs.picture):
        quality_page(outputs.picture, metrics, title=title, subtitle=setting)
    judged = {part.strength: goals(metrics[0], part) for part in metrics[1:]}
    table = f"`{manifest.name}`{with_neighbours} by strength. {setting}.\n\n{goals_table(judged)}"
    print(table)
    if arguments.page:
        with side_outputs.writing(arguments.page):
            replace_block(arguments.page, outputs.block, table)
    print(f"The results are in {arguments.folder}.")
    return side_outputs.exit_code


def _strengths(wanted: Sequence[float]) -> list[float]:
    """Return the strengths in ascending order, starting with 0 (the LDCT).

    Raises
    ------
    BadInputError
        If a strength is not between 0 and 100, or none is above 0.
    """
    odd = [strength for strength in wanted if not 0 <= strength <= 100]
    if odd or not max(wanted) > 0:
        raise BadInputError(
            f"--strength {(odd or [0])[0]:g} is not valid. Give strengths from 0 to 100, one "
            "above 0."
        )
    return sorted({0.0, *wanted})


class _Outputs(NamedTuple):
    """Picture and figures, and the block of the page."""

    picture: Path
    figures: Path
    block: str


def _outputs(arguments: argparse.Namespace) -> _Outputs:
    """Return the outputs; all are checked before minutes of computation."""
    make_folder(arguments.folder)
    stem, block = "quality", "QUALITY"
    if arguments.neighbours:
        stem, block = "quality-neighbours", "QUALITY neighbours"
    picture, figures = (arguments.folder / f"{stem}.{kind}" for kind in ("png", "json"))
    for path in (picture, figures):
        check_writable(path)
    if arguments.page:
        check_writable(arguments.page)
        check_block(arguments.page, block)
    outputs = [Output(picture), Output(figures, ("goals_at_strength_percent", "strengths"))]
    outputs += [Output(arguments.page, is_own=True)] if arguments.page else []
    check_outputs(outputs, model_files(arguments.models), overwrite=arguments.overwrite)
    return _Outputs(picture, figures, block)


def _denoiser(
    network: nn.Module, neighbour_model: nn.Module | None, device: ComputeDevice
) -> Denoise:
    """Return the untuned network in one orientation with bias correction for each image."""
    place = {"device": device.torch, "memory_format": torch.channels_last}
    network = network.to(**place)
    neighbour_model = neighbour_model and neighbour_model.to(**place)

    def denoise(hu: np.ndarray) -> np.ndarray:
        scanned = normalise(torch.from_numpy(hu).to(device.torch))
        slices = scanned[:, 0]
        outputs = apply_network(network, scanned.flatten(0, 1)).view(scanned.shape)
        if neighbour_model is None:
            outputs = outputs[:, 0]
        else:
            outputs = apply_network(neighbour_model, neighbour_input(scanned, outputs))
        anchor = measure_density_bias(zip(slices.split(1), outputs.split(1), strict=True))
        return anchor.apply(to_hu(outputs)).clamp(min=MIN_CT_HU).cpu().numpy()

    return denoise


def _about(arguments: argparse.Namespace, models: LoadedModels) -> dict:
    _, manifest = models.denoiser
    about = {"model": manifest.name, "sha256": manifest.sha256}
    if arguments.neighbours:
        neighbours = models.neighbour_manifest
        about |= {"neighbour_model": neighbours.name, "neighbour_model_sha256": neighbours.sha256}
    return about | {
        "version": __version__,
        "kernel": arguments.kernel,
        "dose": arguments.dose,
        "realisations": arguments.realisations,
        "seed": arguments.seed,
        "neighbours": arguments.neighbours,
    }


def _setting(about: dict) -> str:
    return (
        f"{about['kernel'].capitalize()} kernel, {100 * about['dose']:g} % dose, "
        f"water phantom of 30 cm, {about['realisations']} realisations of the noise, "
        f"seed {about['seed']}"
    )
