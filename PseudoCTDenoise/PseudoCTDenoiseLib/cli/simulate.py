"""Simulate a lower dose of a scan: add noise and leave anatomy and padding unchanged.

Research use only; not for primary diagnosis.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from ..ct.constant_areas import surrounding_padding
from ..ct.hounsfield import MIN_CT_HU
from ..ct.hu_validation import ct_warning
from ..ct.io.derived_note import simulation_note
from ..ct.io.volume_files import CtVolume, check_output_path, write_volume
from ..ct.noise_level import soft_tissue_noise
from ..ct.pixel_spacing import square_pixel_mm
from ..ct.reference_metrics import psnr_4096
from ..denoising.clipping import with_padding
from ..denoising.device import choose_device
from ..denoising.settings import WHOLE_NUMBER_LIMIT
from ..errors import BadInputError, printable
from ..printed_words import print_warnings
from ..simulation.low_dose import LowDoseSimulator, check_dose, simulate_low_dose
from ..simulation.pixel_size import pixel_size_warning, simulated_pixel_mm
from ..simulation.reconstruction_kernels import KERNELS
from ..simulation.slice_correlation import slice_correlation
from .output_guard import add_overwrite_argument, check_outputs
from .progress_bar import ProgressBar
from .result_report import older_reports
from .scan_arguments import add_scan_arguments, read_scan
from .setting_arguments import add_device_argument
from .staged_files import StagedFiles, write_together


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", type=Path, help="normal-dose scan: .nrrd, .nii.gz, .mha or a DICOM folder"
    )
    parser.add_argument("output", type=Path, help="simulated low-dose scan: .nrrd, .nii.gz or .mha")
    parser.add_argument(
        "--dose", type=float, default=0.25, help="fraction of the scan's dose (default: 0.25)"
    )
    parser.add_argument(
        "--kernel",
        choices=KERNELS,
        default="soft",
        help="reconstruction kernel of the scan (default: soft)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random noise (default: 0)")
    add_device_argument(parser)
    add_scan_arguments(parser)
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    check_dose(arguments.dose, "--dose")
    if not 0 <= arguments.seed < WHOLE_NUMBER_LIMIT:
        raise BadInputError(
            f"--seed {arguments.seed} is out of range: choose 0 or more, below 2^63."
        )
    check_output_path(arguments.output)
    checked = check_outputs([arguments.output], [arguments.input], overwrite=arguments.overwrite)
    device = choose_device(arguments.device)
    print(f"Device: {device.description} ({device.reason})", file=sys.stderr)
    scan = read_scan(arguments.input, arguments, series=arguments.series)
    print_warnings(scan.warnings)
    check_output_path(arguments.output, scan)
    pixel_mm = square_pixel_mm(scan.pixel_size, scan.name)
    doubts = ct_warning(scan.hu, scan.name), pixel_size_warning(pixel_mm, scan.name)
    print_warnings(filter(None, doubts))

    kernel = KERNELS[arguments.kernel]
    # Padding that looks like tissue would attenuate the rays.
    hu = np.stack([np.where(surrounding_padding(part), MIN_CT_HU, part) for part in scan.hu])
    simulator = LowDoseSimulator(simulated_pixel_mm(pixel_mm)).fitted(
        hu, kernel=kernel, seed=arguments.seed
    )
    correlation = slice_correlation(hu)
    with ProgressBar() as bar:
        low_dose = simulate_low_dose(
            hu,
            simulator,
            arguments.dose,
            kernel,
            correlation=correlation,
            seed=arguments.seed,
            device=device.name,
            progress=lambda done, total: bar.show(done / total, "simulation", f"{done}/{total}"),
        )
    low_dose = with_padding(low_dose, scan.hu)
    write_together(lambda staged: _write(staged, low_dose, scan, arguments), checked)

    print(f"Estimated unattenuated photon count: N0 = {simulator.quanta:.0f} photons per ray.")
    if len(hu) > 1:
        print(f"Correlation of the noise of neighbouring slices: {correlation[0]:.2f}.")
    try:
        before, after = soft_tissue_noise(scan.hu), soft_tissue_noise(low_dose)
    except BadInputError:  # little soft tissue, or little that this noise leaves recognisable
        print("Noise in uniform soft tissue: it cannot be measured.")
    else:
        print(
            f"Noise in uniform soft tissue (do not compare it with that of a region): {before:.1f} "
            f"HU at full dose, {after:.1f} HU at {100 * arguments.dose:g} % dose."
        )
    print(
        "PSNR of the low-dose scan against the input: "
        f"{psnr_4096(low_dose, scan.hu):.2f} dB (data range 4096 HU)."
    )
    output = printable(str(arguments.output))
    print(f"Low-dose scan ({kernel.name} kernel, seed {arguments.seed}): {output}")


def _write(
    staged: StagedFiles, low_dose: np.ndarray, scan: CtVolume, arguments: argparse.Namespace
) -> None:
    """Write the low-dose scan, and remove the report of a denoised scan that it replaces."""
    note = simulation_note(arguments.dose, arguments.kernel, arguments.seed)
    write_volume(staged.path(arguments.output), low_dose, scan, note=note)
    for path in older_reports(arguments.output):
        staged.retire(path)
