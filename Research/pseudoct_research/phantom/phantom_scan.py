"""The phantom as a scanner would show it: at normal dose, and its low-dose twin."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator, simulate_low_dose
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import SOFT, ReconstructionKernel

NORMAL_DOSE_QUANTA = 56e3
"""N0 at which the soft kernel leaves 12 HU of noise in the phantom's liver at normal dose."""


@dataclass(frozen=True)
class PhantomScan:
    """int16 HU, (slices, rows, columns): the phantom with normal-dose and low-dose noise."""

    ndct: np.ndarray
    ldct: np.ndarray


def scan_phantom(
    hu: np.ndarray,
    pixel_mm: float,
    *,
    dose: float = 0.25,
    kernel: ReconstructionKernel = SOFT,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PhantomScan:
    """Scan a noise-free phantom (slices, rows, columns) twice, as hospitals cannot.

    The low-dose scan is the normal-dose one with noise added, so both share its noise; the same
    arguments give the same voxels. ``progress`` is called with the slices done, of both scans.

    Raises
    ------
    BadInputError
        If the dose fraction is not above 0 and at most 1.
    """
    simulator = LowDoseSimulator(pixel_mm, NORMAL_DOSE_QUANTA)
    # Two streams far from a user's small seeds: with a seed in common the added noise would be
    # the scan's own noise once more.
    first, second = (int(s) for s in np.random.SeedSequence(seed).generate_state(2))
    total = 2 * len(hu)
    ndct = simulate_low_dose(
        hu,
        simulator,
        1.0,
        kernel,
        image_dose=math.inf,
        seed=first,
        progress=lambda done, _: progress(done, total),
    )
    ldct = simulate_low_dose(
        ndct,
        simulator,
        dose,
        kernel,
        seed=second,
        progress=lambda done, _: progress(len(hu) + done, total),
    )
    return PhantomScan(ndct, ldct)
