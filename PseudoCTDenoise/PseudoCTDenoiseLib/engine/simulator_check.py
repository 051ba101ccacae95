"""Holds the low-dose simulator's noise, measured on the phantom, against a real scanner's."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from .errors import BadInputError
from .low_dose import LowDoseSimulator, simulate_low_dose
from .metrics import autocorrelation, mean_frequency, noise_power_spectrum, normalised_spectrum
from .phantom import axial_plane
from .phantom_scan import NORMAL_DOSE_QUANTA
from .phantom_targets import FLAT_LIVER_MM, FLAT_LUNG_MM
from .reconstruction_kernels import KERNELS, SOFT

PIXEL_MM = 0.75
PIXELS = 512
LIVER_HEIGHTS_MM, LUNG_HEIGHTS_MM = (0.0, 8.0), (38.0,)
LIVER_WINDOW, LUNG_WINDOW = 64, 22

DOSE = 0.25
OTHER_DOSES = (0.1, 0.5, 0.75)

F_AV_TOLERANCE_PER_CM = {"soft": 0.1, "sharp": 0.25}
SPECTRUM_TOLERANCE_PERCENT = 12.0
AUTOCORRELATION_TOLERANCE = 0.08
DOSE_TOLERANCE = 0.05
LUNG_TO_LIVER, LUNG_TOLERANCE = 0.8, 0.2
"""In patients noise in the lung is 0.6 to 1.0 of the liver's: its rays cross less tissue, but
all of them still cross the chest wall and many the mediastinum."""


@dataclass(frozen=True)
class SimulatedNoise:
    """The noise that the simulator adds to the phantom with one kernel.

    Attributes
    ----------
    quanta : N0 as fitted to the phantom's normal-dose scan.
    frequency_per_cm, spectrum : radial noise power spectrum at a quarter dose, of sum 1.
    autocorrelation : by lag, as :func:`.metrics.autocorrelation` names them.
    sigma_hu : standard deviation in the liver at a quarter dose.
    dose_ratios : sigma at other doses over sigma at a quarter dose.
    lung_to_liver : sigma in the lung over sigma in the liver.
    """

    kernel: str
    quanta: float
    frequency_per_cm: np.ndarray
    spectrum: np.ndarray
    autocorrelation: dict[str, float]
    sigma_hu: float
    dose_ratios: dict[float, float]
    lung_to_liver: float

    @property
    def f_av_per_cm(self) -> float:
        return mean_frequency(self.frequency_per_cm, self.spectrum)


@dataclass(frozen=True)
class RealNoise:
    """The noise between full and quarter dose on a real scanner: the mean of some patients.

    ``spread`` is, for each lag, the largest distance of one patient from the mean; ``patients``
    holds each one's own spectrum (frequency in 1/cm, power of sum 1).
    """

    f_av_per_cm: float
    spectrum: np.ndarray
    autocorrelation: dict[str, float]
    spread: dict[str, float]
    patients: Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Check:
    """One figure, what it should be (None if nothing tells) and by how much it may differ."""

    kernel: str
    figure: str
    measured: float
    expected: float | None
    tolerance: float

    @property
    def passed(self) -> bool | None:
        if self.expected is None:
            return None
        return abs(self.measured - self.expected) <= self.tolerance


def simulated_noise(
    *,
    draws: int = 16,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, SimulatedNoise]:
    """Measure the noise that is added to the phantom, by kernel.

    N0 is fitted once to a normal-dose scan of the phantom. Each draw gives a 64x64 window of
    flat liver from each of two planes, and the same rays serve both kernels.
    """
    across = (np.arange(PIXELS) - (PIXELS - 1) / 2) * PIXEL_MM
    heights = LIVER_HEIGHTS_MM + LUNG_HEIGHTS_MM
    clean = np.stack([axial_plane(across, height, PIXEL_MM) for height in heights])
    scanner = LowDoseSimulator(PIXEL_MM, NORMAL_DOSE_QUANTA)
    ndct = simulate_low_dose(clean, scanner, 1.0, SOFT, image_dose=math.inf, seed=seed)
    simulator = replace(scanner, quanta=1e6).fitted(ndct)

    hu = torch.from_numpy(ndct).float().to(device)
    generator = torch.Generator(device).manual_seed(seed + 1)
    deviation = simulator.ray_deviation(hu, DOSE)
    liver = {name: [] for name in KERNELS}
    lung = {name: [] for name in KERNELS}
    for draw in range(draws):
        rays = torch.randn(deviation.shape, generator=generator, device=device)
        for name, kernel in KERNELS.items():
            noise = simulator.reconstruct(deviation * rays, hu.shape[-2:], kernel).cpu().numpy()
            liver[name].append(_window(noise[: len(LIVER_HEIGHTS_MM)], FLAT_LIVER_MM, LIVER_WINDOW))
            lung[name].append(_window(noise[len(LIVER_HEIGHTS_MM) :], FLAT_LUNG_MM, LUNG_WINDOW))
        progress(draw + 1, draws)

    # The last draw's rays at every dose: what differs is the dose alone.
    in_liver = slice(len(LIVER_HEIGHTS_MM))
    at_dose = {name: {DOSE: liver[name][-1].std()} for name in KERNELS}
    for dose in OTHER_DOSES:
        sinogram = simulator.ray_deviation(hu[in_liver], dose) * rays[in_liver]
        for name, kernel in KERNELS.items():
            noise = simulator.reconstruct(sinogram, hu.shape[-2:], kernel).cpu().numpy()
            at_dose[name][dose] = _window(noise, FLAT_LIVER_MM, LIVER_WINDOW).std()

    return {
        name: _figures(
            name,
            simulator.quanta,
            np.concatenate(liver[name]),
            np.concatenate(lung[name]),
            {dose: float(at_dose[name][dose] / at_dose[name][DOSE]) for dose in OTHER_DOSES},
        )
        for name in KERNELS
    }


def read_facts(path: str | Path) -> dict[str, RealNoise]:
    """Real scanners' figures, by kernel.

    Parameters
    ----------
    path : JSON with a list of patients under ``soft_kernel…`` and ``sharp_kernel…``: each with
        ``patient``, ``f_av_per_cm``, ``autocorr``, ``nps_freq_per_cm`` and ``nps_normalised``.

    Raises
    ------
    BadInputError
        If the file cannot be read or lacks one of these.
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        return {
            name: _mean_of_patients(next(facts[key] for key in facts if key.startswith(name)))
            for name in KERNELS
        }
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, TypeError, AttributeError, KeyError, StopIteration) as error:
        raise BadInputError(
            f"{path} does not hold the noise figures of real scans: give another file to --facts."
        ) from error


def acceptance(simulated: SimulatedNoise, real: RealNoise | None = None) -> list[Check]:
    """Every figure of one kernel beside what it should be.

    The spectrum is compared bin by bin; the check holds the largest difference in percent of
    the real peak. Sigma must follow sqrt(1/a - 1) for dose fraction a.
    """
    kernel = simulated.kernel
    f_av = None if real is None else real.f_av_per_cm
    checks = [
        Check(kernel, "f_av in 1/cm", simulated.f_av_per_cm, f_av, F_AV_TOLERANCE_PER_CM[kernel])
    ]
    if real is not None:
        deviation = np.abs(simulated.spectrum - real.spectrum).max() / real.spectrum.max()
        label = "largest NPS deviation in % of the peak"
        checks.append(Check(kernel, label, 100 * deviation, 0.0, SPECTRUM_TOLERANCE_PERCENT))
    for lag, value in simulated.autocorrelation.items():
        expected, tolerance = None, AUTOCORRELATION_TOLERANCE
        if real is not None:
            expected, tolerance = real.autocorrelation[lag], max(real.spread[lag], tolerance)
        checks.append(Check(kernel, f"autocorrelation {lag}", value, expected, tolerance))
    for dose, ratio in simulated.dose_ratios.items():
        law = math.sqrt((1 / dose - 1) / (1 / DOSE - 1))
        label = f"σ added at dose {dose:g} over {DOSE:g}"
        checks.append(Check(kernel, label, ratio, law, DOSE_TOLERANCE * law))
    ratio = simulated.lung_to_liver
    checks.append(Check(kernel, "σ in lung over liver", ratio, LUNG_TO_LIVER, LUNG_TOLERANCE))
    return checks


def _figures(
    kernel: str,
    quanta: float,
    liver: np.ndarray,
    lung: np.ndarray,
    dose_ratios: dict[float, float],
) -> SimulatedNoise:
    frequency, power = noise_power_spectrum(liver, PIXEL_MM)
    return SimulatedNoise(
        kernel,
        quanta,
        frequency,
        normalised_spectrum(power),
        autocorrelation(liver),
        float(liver.std()),
        dose_ratios,
        float(lung.std() / liver.std()),
    )


def _window(planes: np.ndarray, centre_mm: tuple[float, float], size: int) -> np.ndarray:
    """Squares of ``size`` pixels around a point (x, y), mm from the middle of the planes."""
    left, top = (round(c / PIXEL_MM + (PIXELS - size) / 2) for c in centre_mm)
    return planes[:, top : top + size, left : left + size]


def _mean_of_patients(patients: list[dict]) -> RealNoise:
    spectra = [np.array(patient["nps_normalised"], float) for patient in patients]
    correlations = {
        lag: [float(p["autocorr"][lag]) for p in patients] for lag in patients[0]["autocorr"]
    }
    means = {lag: float(np.mean(values)) for lag, values in correlations.items()}
    return RealNoise(
        f_av_per_cm=float(np.mean([patient["f_av_per_cm"] for patient in patients])),
        spectrum=np.mean(spectra, axis=0),
        autocorrelation=means,
        spread={
            lag: max(abs(value - means[lag]) for value in values)
            for lag, values in correlations.items()
        },
        patients={
            patient["patient"]: (np.array(patient["nps_freq_per_cm"], float), spectrum)
            for patient, spectrum in zip(patients, spectra, strict=True)
        },
    )
