"""Ranges of the figures of training scans, for the manifest of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PseudoCTDenoiseLib.ct.slice_selection import evenly_spaced_indices
from PseudoCTDenoiseLib.denoising.scan_domain import FREQUENCY, PIXEL, TISSUE, scan_figures
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator, simulate_low_dose
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import kernel_at_sharpness

from ..datasets.ct_dataset import CtScan
from .training_domain import TrainingDomain

MOST_SCANS = 16
_SLICES = 2


def measured_domain(
    scans: Sequence[CtScan],
    domain: TrainingDomain | None,
    rescale: tuple[float, float] | None = None,
) -> dict[str, list[float]]:
    """Return the smallest and largest of the :func:`.scan_figures` of training inputs.

    Up to :data:`MOST_SCANS` scans are measured with the softest kernel at the highest dose, and
    with the sharpest kernel at the lowest dose; one of both at the smallest pixels, the other at
    the largest, in turn.

    Parameters
    ----------
    domain : ranges that the patches are drawn from; None measures the scans as they are. A scan
        without soft tissue, whose dose cannot be fitted, is measured as it is.
    rescale : range of the factor by which patches are magnified; None if they are not.
    """
    figures = []
    for turn, number in enumerate(evenly_spaced_indices(len(scans), MOST_SCANS)):
        scan = scans[number]
        scan = replace(scan, hu=scan.hu[evenly_spaced_indices(len(scan.hu), _SLICES)])
        measured = scan_figures(scan.hu, scan.pixel_mm)
        try:
            limits = () if domain is None else (0, 1)
            found = [_figures(scan, domain, limit, (turn + limit) % 2) for limit in limits]
        except BadInputError:  # its dose cannot be fitted
            found = []
        # The body's size is that of the patient, without the zoom.
        figures += [each | {TISSUE: measured[TISSUE]} for each in found] or [measured]
    names = dict.fromkeys(name for found in figures for name in found)
    values = {name: [found[name] for found in figures if name in found] for name in names}
    ranges = {name: (min(of), max(of)) for name, of in values.items()}
    for name in ranges.keys() & {PIXEL, FREQUENCY} if rescale else ():
        ranges[name] = ranges[name][0] / rescale[1], ranges[name][1] / rescale[0]
    return {name: [_rounded(low), _rounded(high)] for name, (low, high) in ranges.items()}


def _figures(scan: CtScan, domain: TrainingDomain, kernel: int, zoom: int) -> dict[str, float]:
    """Return the figures at the lower (0) or upper (1) limit of kernel and zoom."""
    pixel_mm = scan.pixel_mm * domain.zoom[zoom]
    hu = simulate_low_dose(
        scan.hu,
        LowDoseSimulator(pixel_mm).fitted(scan.hu),
        domain.doses[1 - kernel],
        kernel_at_sharpness(domain.sharpness[kernel]),
    )
    return scan_figures(hu, pixel_mm)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
