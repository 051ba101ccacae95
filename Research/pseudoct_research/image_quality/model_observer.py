"""Channelised Hotelling observer (CHO) for the detection of low-contrast discs in noise.

The observer reduces an image region to a few Laguerre-Gauss channels and weights them with a
template estimated from other noise realisations (Barrett and Myers, Foundations of Image Science,
2004; Gallas and Barrett, JOSA A 2003, doi:10.1364/JOSAA.20.001725).
"""

from __future__ import annotations

import math

import numpy as np

CHANNELS = 6
_BOOTSTRAP_DRAWS = 1000


def channel_width_mm(diameter_mm: float, blur_mm: float) -> float:
    """Return the channel width a for a disc blurred with a standard deviation of ``blur_mm``.

    The lowest channel, exp(-pi r²/a²), has the variance of the blurred disc, d²/16 + blur² along
    each axis. The width depends neither on the noise nor on a denoiser.
    """
    return math.sqrt(2 * math.pi * (diameter_mm**2 / 16 + blur_mm**2))


def laguerre_gauss(
    width_mm: float, pixel_mm: float, side: int, count: int = CHANNELS
) -> np.ndarray:
    """Return Laguerre-Gauss channels of unit energy, centred in a square of odd ``side``.

    Channel j is exp(-pi r²/a²) L_j(2 pi r²/a²); the result is (count, side, side).
    """
    across = (np.arange(side) - side // 2) * pixel_mm
    x = 2 * np.pi * (across[:, None] ** 2 + across**2) / width_mm**2
    laguerre = [np.polynomial.laguerre.lagval(x, np.eye(count)[j]) for j in range(count)]
    channels = np.exp(-x / 2) * np.stack(laguerre)
    return channels / np.sqrt((channels**2).sum(axis=(1, 2), keepdims=True))


def observer_scores(responses: np.ndarray) -> np.ndarray:
    """Return the observer's test statistic at every position; higher values indicate a disc.

    Parameters
    ----------
    responses : channel responses without and with the disc, (2, realisations, positions, channels).
        Realisations are independent; each half needs more values than channels.

    Returns
    -------
    (2, realisations, positions). The template for each half of the realisations comes from the
    other half, so training and test noise are independent.
    """
    scores = np.empty(responses.shape[:-1])
    for tested in (0, 1):
        absent, present = (part[1 - tested :: 2].reshape(-1, part.shape[-1]) for part in responses)
        covariance = (np.cov(absent, rowvar=False) + np.cov(present, rowvar=False)) / 2
        template = np.linalg.solve(covariance, present.mean(axis=0) - absent.mean(axis=0))
        scores[:, tested::2] = responses[:, tested::2] @ template
    return scores


def win_shares(scores: np.ndarray) -> list[np.ndarray]:
    """Return, for each half, how often realisation i with disc scores above j without disc.

    ``scores`` is the result of :func:`observer_scores`. The halves are separate because they have
    different templates. Row i, column j is the fraction of pairs of positions in which realisation
    i with the disc scores above realisation j without it; ties count one half.
    """
    shares = []
    for half in (0, 1):
        absent, present = scores[:, half::2]
        order = np.sort(absent, axis=1)
        places = absent.shape[1]
        below = np.empty((len(present), len(absent)))
        for column, sorted_scores in enumerate(order):
            left = np.searchsorted(sorted_scores, present, side="left")
            right = np.searchsorted(sorted_scores, present, side="right")
            below[:, column] = (left + right).mean(axis=1) / (2 * places)
        shares.append(below)
    return shares


def area_under_curve(shares: list[np.ndarray]) -> float:
    """Return the area under the ROC curve (AUC): the fraction of all pairs in the correct order."""
    return float(np.mean([half.mean() for half in shares]))


def change_interval(before: list[np.ndarray], after: list[np.ndarray]) -> tuple[float, float]:
    """Return the 95 % interval of the AUC's change, by paired bootstrap over realisations.

    ``before`` and ``after`` are results of :func:`win_shares` for the same noise. The bootstrap
    does not estimate new templates.
    """
    rng = np.random.default_rng(0)
    changes = np.zeros(_BOOTSTRAP_DRAWS)
    for old, new in zip(before, after, strict=True):
        count = len(old)
        weights = rng.multinomial(count, np.full(count, 1 / count), _BOOTSTRAP_DRAWS) / count
        changes += np.einsum("di,ij,dj->d", weights, new - old, weights, optimize=True) / 2
    low, high = np.quantile(changes, (0.025, 0.975))
    return float(low), float(high)
