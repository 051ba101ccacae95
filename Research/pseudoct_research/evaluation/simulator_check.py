"""Fit of the low-dose simulator's noise, measured on the phantom, to that of a scanner."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.noise_texture import noise_power_spectrum
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator, simulate_low_dose
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS, SOFT

from ..phantom.phantom_scan import NORMAL_DOSE_QUANTA
from ..phantom.targets import FLAT_LIVER_MM, FLAT_LUNG_MM
from ..phantom.torso import axial_plane
from .noise_texture import autocorrelation, normalised_spectrum, radial_mean_frequency

PIXEL_MM = 0.75
PIXELS = 512
LIVER_HEIGHTS_MM, DOME_HEIGHT_MM = (0.0, 8.0), 38.0
"""Heights of planes through the middle of the liver, and of one through its dome and the lung."""
LIVER_MM = (FLAT_LIVER_MM, (-85.0, -49.0), (-37.0, -37.0))
"""Centres of the windows in the liver: noise depends on the position, and the measurements of real
scans come from many positions. Only noise is measured, so vessels have no effect."""
WINDOW, SMALL_WINDOW = 64, 22
MIDDLE = 320
"""Side in pixels of the central square that contains all windows; only it is reconstructed."""

DOSE = 0.25
OTHER_DOSES = (0.1, 0.5, 0.75)

F_AV_TOLERANCE_PER_CM = {"soft": 0.1, "sharp": 0.25}
SPECTRUM_TOLERANCE_PERCENT = 12.0
AUTOCORRELATION_TOLERANCE = 0.08
DOSE_TOLERANCE = 0.05
LUNG_TO_LIVER, LUNG_TOLERANCE = 0.8, 0.2
"""Expected σ in lung over σ in liver, and tolerance. In slices of patients that show both, the
ratio is 0.6 to 1.0: rays through the lung cross less tissue, but all cross the chest wall and many
the mediastinum."""


@dataclass(frozen=True)
class SimulatedNoise:
    """Noise that the simulator adds to the phantom with one kernel.

    Attributes
    ----------
    quanta : N0 fitted to the phantom's normal-dose scan.
    frequency_per_cm, spectrum : radial noise power spectrum at 25 % dose, of sum 1.
    autocorrelation : by lag, with the names of :func:`.noise_texture.autocorrelation`.
    sigma_hu : standard deviation in the liver at 25 % dose.
    dose_ratios : sigma at other doses over sigma at 25 % dose.
    lung_to_liver : sigma in the lung over sigma in the liver of the same plane.
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
        return radial_mean_frequency(self.frequency_per_cm, self.spectrum)


@dataclass(frozen=True)
class RealNoise:
    """Noise between full and quarter dose on a real scanner: the mean over patients.

    ``spread`` is the largest distance of a patient from the mean, for each lag; ``patients`` holds
    the spectrum of each patient (frequency in 1/cm, power of sum 1).
    """

    f_av_per_cm: float
    spectrum: np.ndarray
    autocorrelation: dict[str, float]
    spread: dict[str, float]
    patients: Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Check:
    """A metric, its expected value (None if unknown) and the tolerance."""

    kernel: str
    metric: str
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
    draws: int = 20,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, SimulatedNoise]:
    """Measure the noise that the simulator adds to the phantom, by kernel.

    N0 is fitted once to a normal-dose scan of the phantom. Each draw gives three windows of
    64×64 pixels in the liver from each of two planes; both kernels use the same rays.
    """
    across = (np.arange(PIXELS) - (PIXELS - 1) / 2) * PIXEL_MM
    heights = (*LIVER_HEIGHTS_MM, DOME_HEIGHT_MM)
    clean = np.stack([axial_plane(across, height, PIXEL_MM) for height in heights])
    scanner = LowDoseSimulator(PIXEL_MM, NORMAL_DOSE_QUANTA)
    ndct = simulate_low_dose(clean, scanner, 1.0, SOFT, image_dose=math.inf, seed=seed)
    simulator = replace(scanner, quanta=1e6).fitted(ndct)

    hu = torch.from_numpy(ndct).float().to(device)
    generator = torch.Generator(device).manual_seed(seed + 1)
    deviation = simulator.ray_deviation(hu, DOSE)
    windows = {name: [] for name in KERNELS}
    dome = {name: [] for name in KERNELS}
    for draw in range(draws):
        rays = torch.randn(deviation.shape, generator=generator, device=device)
        for name, noise in _by_kernel(simulator, deviation * rays):
            windows[name].append(_liver_windows(noise[:-1]))
            pair = [_window(noise[-1:], at, SMALL_WINDOW) for at in (FLAT_LUNG_MM, FLAT_LIVER_MM)]
            dome[name].append(np.concatenate(pair))
        progress(draw + 1, draws)

    # The same rays at every dose, so only the dose differs.
    dose_ratios = {name: {} for name in KERNELS}
    for dose in OTHER_DOSES:
        sinogram = simulator.ray_deviation(hu[:-1], dose) * rays[:-1]
        for name, noise in _by_kernel(simulator, sinogram):
            dose_ratios[name][dose] = float(_liver_windows(noise).std() / windows[name][-1].std())

    return {
        name: _figures(
            name,
            simulator.quanta,
            np.concatenate(windows[name]),
            np.stack(dome[name], axis=1),
            dose_ratios[name],
        )
        for name in KERNELS
    }


def read_facts(path: str | Path) -> dict[str, RealNoise]:
    """Read the noise measurements of real scanners, by kernel.

    Parameters
    ----------
    path : JSON with a list of patients under ``soft_kernel…`` and ``sharp_kernel…``, each with
        ``patient``, ``f_av_per_cm``, ``autocorr``, ``nps_freq_per_cm`` and ``nps_normalised``.

    Raises
    ------
    BadInputError
        If the file cannot be read, lacks one of these, or has spectra at other frequencies than
        the simulator's.
    """
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
        return {
            name: _mean_of_patients(next(facts[key] for key in facts if key.startswith(name)))
            for name in KERNELS
        }
    except BadInputError:
        raise
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: {error.strerror}. Check the path.") from error
    except (ValueError, TypeError, AttributeError, LookupError, StopIteration) as error:
        raise BadInputError(
            f"{path} contains no noise measurements of real scans. "
            "Choose another file with --facts."
        ) from error


def acceptance(simulated: SimulatedNoise, real: RealNoise | None = None) -> list[Check]:
    """Compare every metric of one kernel with its expected value.

    The spectrum is compared bin by bin; the check uses the largest difference in percent of the
    real peak. Sigma must be proportional to sqrt(1/a - 1) for dose fraction a.
    """
    kernel = simulated.kernel
    f_av = None if real is None else real.f_av_per_cm
    checks = [
        Check(kernel, "f_av in 1/cm", simulated.f_av_per_cm, f_av, F_AV_TOLERANCE_PER_CM[kernel])
    ]
    if real is not None:
        deviation = float(np.abs(simulated.spectrum - real.spectrum).max() / real.spectrum.max())
        label = "largest deviation of the NPS in % of its peak"
        checks.append(Check(kernel, label, 100 * deviation, 0.0, SPECTRUM_TOLERANCE_PERCENT))
    for lag, value in simulated.autocorrelation.items():
        expected, tolerance = None, AUTOCORRELATION_TOLERANCE
        if real is not None:
            expected, tolerance = real.autocorrelation[lag], max(real.spread[lag], tolerance)
        checks.append(Check(kernel, f"autocorrelation {lag}", value, expected, tolerance))
    for dose, ratio in simulated.dose_ratios.items():
        law = math.sqrt((1 / dose - 1) / (1 / DOSE - 1))
        label = f"σ added at dose {dose:g} over that at {DOSE:g}"
        checks.append(Check(kernel, label, ratio, law, DOSE_TOLERANCE * law))
    ratio = simulated.lung_to_liver
    checks.append(Check(kernel, "σ in lung over σ in liver", ratio, LUNG_TO_LIVER, LUNG_TOLERANCE))
    return checks


def _by_kernel(
    simulator: LowDoseSimulator, sinogram: torch.Tensor
) -> Iterator[tuple[str, np.ndarray]]:
    for name, kernel in KERNELS.items():
        yield name, simulator.reconstruct(sinogram, (MIDDLE, MIDDLE), kernel).cpu().numpy()


def _liver_windows(planes: np.ndarray) -> np.ndarray:
    return np.concatenate([_window(planes, at, WINDOW) for at in LIVER_MM])


def _window(planes: np.ndarray, centre_mm: tuple[float, float], size: int) -> np.ndarray:
    """Crop squares of ``size`` pixels around (x, y), in mm from the centre of the planes."""
    left, top = (round(c / PIXEL_MM + (planes.shape[-1] - size) / 2) for c in centre_mm)
    return planes[:, top : top + size, left : left + size]


def _figures(
    kernel: str,
    quanta: float,
    windows: np.ndarray,
    dome: np.ndarray,
    dose_ratios: dict[float, float],
) -> SimulatedNoise:
    frequency, power = noise_power_spectrum(windows, PIXEL_MM)
    lung, liver = dome
    return SimulatedNoise(
        kernel,
        quanta,
        frequency,
        normalised_spectrum(power),
        autocorrelation(windows),
        float(windows.std()),
        dose_ratios,
        float(lung.std() / liver.std()),
    )


def _mean_of_patients(patients: list[dict]) -> RealNoise:
    frequency, _ = noise_power_spectrum(np.zeros((1, WINDOW, WINDOW)), PIXEL_MM)
    for patient in patients:
        own = np.array(patient["nps_freq_per_cm"], float)
        if own.shape != frequency.shape or not np.allclose(own, frequency):
            raise BadInputError(
                f"The noise power spectrum of {patient['patient']} is not at the "
                f"{len(frequency)} frequencies from {frequency[0]:g} to {frequency[-1]:g} 1/cm: "
                "measure it there, or choose another file with --facts."
            )
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
