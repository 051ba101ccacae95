"""Correlation of the noise of neighbouring slices, measured on a scan and given to drawn noise.

Slices may overlap, and the reconstruction of a helical scan interpolates between rotations. So
neighbouring slices have a part of their noise in common.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat

import numpy as np

from ..ct.flat_windows import flat_windows, window_transforms
from ..ct.slice_selection import evenly_spaced_indices
from ..errors import BadInputError

REACH = 3
"""Largest distance in slices at which noise correlates."""
LOWEST_FREQUENCY = 0.25
"""Lowest frequency that is compared, in cycles per pixel. In flat windows, lower ones still contain
anatomy, which neighbouring slices have in common. Above, the correlation of noise is the same at
all frequencies."""
MOST_PAIRS = 12
"""Maximum number of pairs of slices that are compared at a distance."""
_SAMPLES = 256
"""Number of frequencies between slices at which the correlation becomes a filter."""


def slice_correlation(hu: np.ndarray) -> list[float]:
    """Return the correlation of the noise of slices at distances from 1 to :data:`REACH`.

    It is measured in flat soft tissue. Distances that the scan does not have, or at which it shows
    too little soft tissue, get 0.

    Parameters
    ----------
    hu : (slices, rows, columns) of one scan, HU.
    """
    correlation = [0.0] * REACH
    for distance in range(1, min(REACH, len(hu) - 1) + 1):
        first = np.array(evenly_spaced_indices(len(hu) - distance, MOST_PAIRS))
        slices, neighbours = (hu[few].astype(np.float32) for few in (first, first + distance))
        try:
            correlation[distance - 1] = _correlation(*flat_windows(slices, neighbours))
        except BadInputError:  # too little soft tissue
            break
    return correlation


def slice_weights(correlation: Sequence[float]) -> np.ndarray:
    """Return weights whose moving sum gives independent noise this correlation between slices.

    Parameters
    ----------
    correlation : at the distances 1, 2, …

    Returns
    -------
    Weights of the slices from −:data:`REACH` to :data:`REACH`; their squares add up to 1.
    """
    covariance = np.zeros(_SAMPLES)
    covariance[0] = 1
    for distance, value in enumerate(correlation, start=1):
        covariance[[distance, -distance]] = value
    spectrum = np.fft.rfft(covariance).real.clip(min=0)
    weights = np.fft.irfft(np.sqrt(spectrum), n=_SAMPLES)[np.arange(-REACH, REACH + 1)]
    return weights / np.sqrt(np.sum(weights**2))


def correlated_slices(noise: Iterable[np.ndarray], weights: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the noise of each slice as the weighted sum of independent noise around it.

    The standard deviation stays. What lies beyond the ends of the scan is left out.

    Parameters
    ----------
    noise : independent noise of each slice, (…, rows, columns).
    weights : see :func:`slice_weights`.
    """
    around: deque[np.ndarray | None] = deque([None] * REACH)
    for drawn in chain(noise, repeat(None, REACH)):
        around.append(drawn)
        if len(around) == len(weights):
            yield _weighted_sum(weights, around)
            around.popleft()


def _weighted_sum(weights: np.ndarray, around: Iterable[np.ndarray | None]) -> np.ndarray:
    """Return the sum of the slices that exist, with the standard deviation of one slice."""
    pairs = [
        (weight, part) for weight, part in zip(weights, around, strict=True) if part is not None
    ]
    known, slices = zip(*pairs, strict=True)
    factors = np.array(known, np.float32) / np.float32(np.linalg.norm(known))
    return np.tensordot(factors, np.asarray(slices, np.float32), 1)


def _correlation(windows: np.ndarray, others: np.ndarray) -> float:
    """Return the correlation of the noise in windows of two slices, (count, side, side) each."""
    frequency = np.fft.fftfreq(windows.shape[-1])
    high = np.hypot(frequency[:, None], frequency) >= LOWEST_FREQUENCY
    one, other = (window_transforms(part)[:, high] for part in (windows, others))
    power = np.sqrt(np.sum(np.abs(one) ** 2) * np.sum(np.abs(other) ** 2))
    return float(np.sum((one * other.conj()).real) / power) if power else 0.0
