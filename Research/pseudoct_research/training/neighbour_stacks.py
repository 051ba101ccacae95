"""Stacks of a slice and its neighbours for training: at, below and above the scan's distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PseudoCTDenoiseLib.denoising.neighbours import OFFSETS, REACH, STACK
from torch.nn import functional as F

from .training_domain import TrainingDomain

if TYPE_CHECKING:
    from .training_pairs import NoisySlice

THINNER_BY = (2, 5)
"""Range of the factors by which interpolated slices lie closer than those of the scan."""
APART = (3, 8)
"""Range of the distances of slices that have little in common, in slices of the scan."""
LARGEST_MOTION_PX = 1.5
"""Largest standard deviation of the motion of anatomy from an interpolated slice to the next."""
_MOTION_PX = 6
"""Least distance of the nodes between which the motion is interpolated."""


class Mixture(NamedTuple):
    """An image as a weighted mean of a scan's slices, with other slices for the noise."""

    anatomy: list[tuple[NoisySlice, float]]
    noise: list[tuple[NoisySlice, float]]


class Stack(NamedTuple):
    """Images of a slice and its neighbours; ``is_interpolated`` if between clean slices."""

    images: list[Mixture]
    is_interpolated: bool = False


def draw_stack(noisy: NoisySlice, rng: np.random.Generator, domain: TrainingDomain) -> Stack:
    """Draw the images of a patch from a slice and those below it.

    A domain without neighbours has one image, otherwise there are STACK: the slice, then its
    neighbours in the order of OFFSETS. Copies of the slice stand for missing neighbours. The
    distance is at most the thickness, so closer slices overlap and their noise is correlated,
    except in the shares of the domain with other distances.
    """
    thickness = int(rng.integers(domain.thickness[0], domain.thickness[1] + 1))
    if domain.neighbours is None:
        return Stack([_mean(_chain(noisy, thickness))])
    if rng.random() >= domain.neighbours:
        return Stack([_mean(_chain(noisy, thickness))] * STACK)
    if domain.thinner is not None and rng.random() < domain.thinner:
        images = _interpolated(noisy, thickness, rng)
        if images:
            return Stack(_in_order(images, REACH, rng), is_interpolated=True)
    distance = int(rng.integers(1, thickness + 1))
    if domain.apart is not None and rng.random() < domain.apart:
        distance = int(rng.integers(APART[0], APART[1] + 1))
    chain = _chain(noisy, thickness + 2 * REACH * distance)
    thickness = min(thickness, len(chain))
    starts = range(0, len(chain) - thickness + 1, distance)
    images = [_mean(chain[start : start + thickness]) for start in starts]
    middle = REACH if len(images) == STACK else int(rng.integers(len(images)))
    return Stack(_in_order(images, middle, rng))


def moved(stack: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Move the anatomy of interpolated images smoothly, the farther from the slice the more.

    Interpolation alone would fade one slice into the next. Between thin slices, edges move.

    Parameters
    ----------
    stack : (STACK, side, side), the slice first.
    """
    side = stack.shape[-1]
    nodes = int(rng.integers(3, max(4, side // _MOTION_PX)))
    motion = torch.from_numpy(rng.standard_normal((1, 2, nodes, nodes)).astype(np.float32))
    motion = F.interpolate(motion, size=(side, side), mode="bicubic", align_corners=True)
    # Small motions are more frequent. Positions in the grid run from -1 to 1.
    motion = motion[0].permute(1, 2, 0) * LARGEST_MOTION_PX * rng.random() ** 2 * 2 / side
    axis = torch.linspace(-1, 1, side)
    still = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    grids = torch.stack([still + offset * motion for offset in OFFSETS])
    look = {"mode": "bicubic", "padding_mode": "border", "align_corners": True}
    return torch.cat([stack[:1], F.grid_sample(stack[1:, None], grids, **look)[:, 0]])


def _interpolated(noisy: NoisySlice, thickness: int, rng: np.random.Generator) -> list[Mixture]:
    """Return STACK images that lie closer than the slices of the scan; none near its end.

    Anatomy is interpolated between clean slices: the noise of the scan would become weaker and too
    much alike. Added noise is not interpolated: every image has that of ``thickness`` slices, which
    may overlap with those of the next image.
    """
    closer = int(rng.integers(THINNER_BY[0], THINNER_BY[1] + 1))
    step = int(rng.integers(1, thickness + 1))
    length = thickness + 2 * REACH * step  # of which the anatomy needs a part
    chain = _chain(noisy, length)
    if len(chain) < length:
        return []
    images = []
    for place in range(STACK):
        first, between = divmod(place, closer)
        upper, lower = (_equal(chain[i : i + thickness]) for i in (first, first + 1))
        share = between / closer
        anatomy = [(layer, (1 - share) * part) for layer, part in upper]
        anatomy += [(layer, share * part) for layer, part in lower if share]
        noise = chain[place * step : place * step + thickness]
        images.append(Mixture(anatomy, _equal(noise)))
    return images


def _in_order(images: Sequence[Mixture], middle: int, rng: np.random.Generator) -> list[Mixture]:
    """Return the middle image and its neighbours in the order of OFFSETS, from either end."""
    known, direction = range(len(images)), rng.choice([-1, 1])
    places = [middle + direction * offset for offset in OFFSETS]
    return [images[middle]] + [images[place if place in known else middle] for place in places]


def _mean(layers: Sequence[NoisySlice]) -> Mixture:
    return Mixture(_equal(layers), _equal(layers))


def _equal(layers: Sequence[NoisySlice]) -> list[tuple[NoisySlice, float]]:
    return [(layer, 1 / len(layers)) for layer in layers]


def _chain(noisy: NoisySlice, length: int) -> list[NoisySlice]:
    """Return a slice and those below it, at most ``length``."""
    chain = [noisy]
    while len(chain) < length and chain[-1].below is not None:
        chain.append(chain[-1].below)
    return chain
