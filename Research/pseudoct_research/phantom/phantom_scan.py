"""Simulated normal-dose and low-dose scans of a phantom."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator, simulate_low_dose
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import SOFT, ReconstructionKernel

NORMAL_DOSE_QUANTA = 56e3
"""N0 that gives 12 HU of noise in the phantom's liver at normal dose with the soft kernel."""


@dataclass(frozen=True)
class PhantomScan:
    """Phantom with normal-dose and low-dose noise, int16 HU (slices, rows, columns)."""

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
    """Simulate a normal-dose and a low-dose scan of a noise-free phantom (slices, rows, columns).

    The low-dose scan is the normal-dose scan with added noise, so it contains the noise of both.
    The same arguments give the same voxels. ``progress`` receives the number of finished slices of
    both scans and their total.

    Raises
    ------
    BadInputError
        If the dose fraction is not above 0 and at most 1.
    """
    simulator = LowDoseSimulator(pixel_mm, NORMAL_DOSE_QUANTA)
    # Two seeds far from a user's small ones: with a common seed the added noise would equal the
    # noise of the normal-dose scan.
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
