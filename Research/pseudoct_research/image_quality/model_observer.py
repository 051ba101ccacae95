"""A channelised Hotelling observer: how well low-contrast discs are told from noise.

It sees a place through a few Laguerre-Gauss channels and weighs them by a template learnt from
other realisations of the noise (Barrett and Myers, Foundations of Image Science, 2004; Gallas
and Barrett, JOSA A 2003, doi:10.1364/JOSAA.20.001725).
"""

from __future__ import annotations

import math

import numpy as np

CHANNELS = 6


def channel_width_mm(diameter_mm: float, blur_mm: float) -> float:
    """Width a of the channels for a disc under a blur of standard deviation ``blur_mm``.

    The lowest channel, exp(-pi r²/a²), gets the blurred disc's own variance, d²/16 + blur² along
    each axis. Nothing in it depends on the noise or on a denoiser.
    """
    return math.sqrt(2 * math.pi * (diameter_mm**2 / 16 + blur_mm**2))


def laguerre_gauss(
    width_mm: float, pixel_mm: float, side: int, count: int = CHANNELS
) -> np.ndarray:
    """Laguerre-Gauss channels around the middle of a square of odd ``side``, of unit energy.

    Channel j is exp(-pi r²/a²) L_j(2 pi r²/a²); the result is (count, side, side).
    """
    across = (np.arange(side) - side // 2) * pixel_mm
    x = 2 * np.pi * (across[:, None] ** 2 + across**2) / width_mm**2
    laguerre = [np.polynomial.laguerre.lagval(x, np.eye(count)[j]) for j in range(count)]
    channels = np.exp(-x / 2) * np.stack(laguerre)
    return channels / np.sqrt((channels**2).sum(axis=(1, 2), keepdims=True))


def observer_scores(responses: np.ndarray) -> np.ndarray:
    """What the observer reads at every place; higher speaks for a disc.

    Parameters
    ----------
    responses : of the channels, (2, realisations, places, channels): without and with the disc.
        Realisations are independent; there must be more values than channels in each half.

    Returns
    -------
    (2, realisations, places). Every other realisation is read with the template of the rest, so
    that no template meets the noise that it was made from.
    """
    scores = np.empty(responses.shape[:-1])
    for tested in (0, 1):
        absent, present = (part[1 - tested :: 2].reshape(-1, part.shape[-1]) for part in responses)
        covariance = (np.cov(absent, rowvar=False) + np.cov(present, rowvar=False)) / 2
        template = np.linalg.solve(covariance, present.mean(axis=0) - absent.mean(axis=0))
        scores[:, tested::2] = responses[:, tested::2] @ template
    return scores


def win_shares(scores: np.ndarray) -> list[np.ndarray]:
    """For each half of the realisations, how often "with" of one scores above "without" of another.

    ``scores`` is that of :func:`observer_scores`. Halves are not mixed, having other templates.
    Row i and column j hold the share of pairs of places in which realisation i with the disc
    scores above realisation j without; ties count half.
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
    """Area under the observer's ROC curve: the share of all pairs that it puts right."""
    return float(np.mean([half.mean() for half in shares]))


def change_interval(
    before: list[np.ndarray], after: list[np.ndarray], *, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the change of the area, by paired bootstrap over realisations.

    ``before`` and ``after`` are of :func:`win_shares` and of the same noise. Templates stay.
    """
    rng = np.random.default_rng(seed)
    changes = np.zeros(draws)
    for old, new in zip(before, after, strict=True):
        count = len(old)
        weights = rng.multinomial(count, np.full(count, 1 / count), draws) / count
        changes += np.einsum("di,ij,dj->d", weights, new - old, weights, optimize=True) / 2
    low, high = np.quantile(changes, (0.025, 0.975))
    return float(low), float(high)
