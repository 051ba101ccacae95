"""Make a torso phantom with known lesions, noise-free, at normal dose and at low dose."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.ct.io.derived_note import MADE_BY
from PseudoCTDenoiseLib.ct.io.volume_files import CtVolume, check_output_path, write_volume
from PseudoCTDenoiseLib.json_text import json_text
from PseudoCTDenoiseLib.output_paths import make_folder
from PseudoCTDenoiseLib.simulation.low_dose import check_dose
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS
from PseudoCTDenoiseLib.temporary_files import replace_file

from .phantom_scan import NORMAL_DOSE_QUANTA, scan_phantom
from .torso import Phantom, torso_phantom

SLICES, SMALL_SLICES = 24, 18
SAMPLE = "PseudoCTDenoise_phantom_ldct.nrrd"
"""File name of Slicer's sample volume, the low-dose scan of `--small`."""
NOTE = f"Phantom made {MADE_BY}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder for the volumes; created if missing")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--small", action="store_true", help=f"{SMALL_SLICES} slices, not {SLICES}")
    size.add_argument(
        "--sample",
        action="store_true",
        help=f"write only {SAMPLE}: the low-dose scan of --small that the extension ships",
    )
    parser.add_argument("--dose", type=float, default=0.25, help="dose fraction of the low dose")
    parser.add_argument("--kernel", choices=KERNELS, default="soft", help="reconstruction kernel")
    parser.add_argument("--seed", type=int, default=0)
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    check_dose(arguments.dose, "--dose")
    folder = arguments.folder
    make_folder(folder)
    check_output_path(folder / SAMPLE)
    files = {name: folder / f"phantom_{name}.nrrd" for name in ("clean", "ndct", "ldct")}
    lesions = Output(folder / "lesions.json", ("position_lps_mm", "contrast_hu"))
    outputs = [folder / SAMPLE] if arguments.sample else [*files.values(), lesions]
    check_outputs(outputs, [], overwrite=arguments.overwrite)

    small = arguments.small or arguments.sample
    phantom = torso_phantom(SMALL_SLICES if small else SLICES)
    with tqdm(unit="slice") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        scan = scan_phantom(
            phantom.hu,
            phantom.spacing_mm[1],
            dose=arguments.dose,
            kernel=KERNELS[arguments.kernel],
            seed=arguments.seed,
            progress=show,
        )

    if arguments.sample:
        write_volume(folder / SAMPLE, scan.ldct, phantom_volume(phantom), note=NOTE)
        print(f"Sample volume: {folder / SAMPLE}")
        return
    images = (phantom.hu, scan.ndct, scan.ldct)
    for path, hu in zip(files.values(), images, strict=True):
        write_volume(path, hu, phantom_volume(phantom), note=NOTE)
    text = json_text(_ground_truth(phantom), indent=1)
    replace_file(lesions.path, (text + "\n").encode())

    print(f"Normal dose: N0 = {NORMAL_DOSE_QUANTA:.0f} photons per ray, ", end="")
    print(f"{_liver_noise(phantom, scan.ndct):.1f} HU of noise in the liver.")
    low = _liver_noise(phantom, scan.ldct)
    print(f"{100 * arguments.dose:g} % dose: {low:.1f} HU of noise in the liver.")
    print(f"{len(phantom.lesions)} lesions; all files are in {folder}.")


def phantom_volume(phantom: Phantom) -> CtVolume:
    """Return the phantom as a volume centred at the origin, in LPS, slices from feet to head."""
    spacing = phantom.spacing_mm[::-1]
    size = phantom.hu.shape[::-1]
    return CtVolume(
        hu=phantom.hu,
        spacing=spacing,
        origin=tuple(-(n - 1) / 2 * mm for n, mm in zip(size, spacing, strict=True)),
        direction=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        slice_axis=2,
        name="phantom",
    )


def _ground_truth(phantom: Phantom) -> list[dict]:
    """Return the lesions for JSON; the phantom's millimetres are LPS positions."""
    return [
        {
            "position_lps_mm": [float(mm) for mm in lesion.centre_mm],
            "index_slice_row_column": lesion.index,
            "diameter_mm": lesion.diameter_mm,
            "height_mm": lesion.height_mm,
            "contrast_hu": lesion.contrast_hu,
            "organ": lesion.organ,
        }
        for lesion in phantom.lesions
    ]


def _liver_noise(phantom: Phantom, hu: np.ndarray) -> float:
    """Return the standard deviation in HU of the noise in the uniform regions of the liver."""
    noise = [
        hu[region.at].astype(float) - phantom.hu[region.at]
        for region in phantom.flat_regions
        if region.name == "liver"
    ]
    return float(np.std(noise))
