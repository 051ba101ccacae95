"""Measure a denoiser on a phantom: noise, resolution, HU bias and low-contrast detectability."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

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
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.json_text import json_text
from PseudoCTDenoiseLib.models.store import Manifest, load_denoiser, model_files
from PseudoCTDenoiseLib.output_paths import check_writable, make_folder
from PseudoCTDenoiseLib.simulation.low_dose import check_dose
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS
from PseudoCTDenoiseLib.temporary_files import replace_file
from torch import nn

from ..results.results_table import check_block, replace_block
from .goals import goals
from .quality_metrics import quality_metrics
from .quality_page import quality_page
from .quality_report import goals_table, report
from .quality_scan import Denoise, check_realisations, scan_quality_phantom

STRENGTHS = (0.0, 40.0, 60.0, 80.0, 100.0)
PICTURE, FIGURES = "quality.png", "quality.json"
BLOCK = "QUALITY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, help=f"folder for {PICTURE} and {FIGURES}; created if missing"
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
    parser.add_argument("--page", type=Path, help=f"Markdown page whose block {BLOCK} is replaced")
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    # Imported here to fail before minutes of computation if the toolbox is not installed.
    import microct_iq_toolbox  # noqa: F401
    from tqdm import tqdm

    strengths = _strengths(arguments.strength)
    check_dose(arguments.dose, "--dose")
    check_realisations(arguments.realisations)
    network, manifest = load_denoiser(arguments.model, arguments.models)
    picture, figures = (arguments.folder / name for name in (PICTURE, FIGURES))
    _check_outputs(arguments, picture, figures)
    device = choose_device(arguments.device)
    print(f"Device: {device.description} ({device.reason})", file=sys.stderr)

    with tqdm(unit="realisation", total=arguments.realisations, disable=None) as bar:
        scan = scan_quality_phantom(
            _denoiser(network, device),
            KERNELS[arguments.kernel],
            strengths=strengths,
            dose=arguments.dose,
            realisations=arguments.realisations,
            seed=arguments.seed,
            device=device.name,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    metrics = quality_metrics(scan)

    about = _about(arguments, manifest)
    text = json_text(report(about, metrics), indent=1, ensure_ascii=False)
    replace_file(figures, (text + "\n").encode())
    setting = _setting(about)
    title = f"Image quality of “{manifest.name}”"
    side_outputs = SideOutputs()
    with side_outputs.writing(picture):
        quality_page(picture, metrics, title=title, subtitle=setting)
    judged = {part.strength: goals(metrics[0], part) for part in metrics[1:]}
    table = f"`{manifest.name}` by strength. {setting}.\n\n{goals_table(judged)}"
    print(table)
    if arguments.page:
        with side_outputs.writing(arguments.page):
            replace_block(arguments.page, BLOCK, table)
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


def _check_outputs(arguments: argparse.Namespace, picture: Path, figures: Path) -> None:
    """Check all outputs before minutes of computation."""
    make_folder(arguments.folder)
    for path in (picture, figures):
        check_writable(path)
    if arguments.page:
        check_writable(arguments.page)
        check_block(arguments.page, BLOCK)
    outputs = [Output(picture), Output(figures, ("goals_at_strength_percent", "strengths"))]
    outputs += [Output(arguments.page, is_own=True)] if arguments.page else []
    check_outputs(outputs, model_files(arguments.models), overwrite=arguments.overwrite)


def _denoiser(network: nn.Module, device: ComputeDevice) -> Denoise:
    """Return the untuned network in one orientation with bias correction for each image."""
    network = network.to(device.torch, memory_format=torch.channels_last)

    def denoise(hu: np.ndarray) -> np.ndarray:
        slices = normalise(torch.from_numpy(hu).to(device.torch))
        outputs = apply_network(network, slices)
        anchor = measure_density_bias(zip(slices.split(1), outputs.split(1), strict=True))
        return anchor.apply(to_hu(outputs)).clamp(min=MIN_CT_HU).cpu().numpy()

    return denoise


def _about(arguments: argparse.Namespace, manifest: Manifest) -> dict:
    return {
        "model": manifest.name,
        "sha256": manifest.sha256,
        "version": __version__,
        "kernel": arguments.kernel,
        "dose": arguments.dose,
        "realisations": arguments.realisations,
        "seed": arguments.seed,
    }


def _setting(about: dict) -> str:
    return (
        f"{about['kernel'].capitalize()} kernel, {100 * about['dose']:g} % dose, "
        f"water phantom of 30 cm, {about['realisations']} realisations of the noise, "
        f"seed {about['seed']}"
    )
