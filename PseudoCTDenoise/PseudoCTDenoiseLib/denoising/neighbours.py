"""Correction of denoised slices by their neighbours in the scan.

A denoiser treats every slice alone. What a slice and its neighbours have in common is mostly
anatomy, beside a part of their noise; what they do not have in common is mostly noise. The
neighbour model sees both, as scanned and denoised, and corrects the denoised slice.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from ..ct.hounsfield import MIN_CT_HU
from ..models.catalog import NEIGHBOUR_IMAGES
from ..models.networks import widened
from .tensor_box_mean import tensor_box_mean

STACK = NEIGHBOUR_IMAGES // 2
"""Number of slices in a stack: the slice, then its neighbours in the order of :data:`OFFSETS`."""
REACH = (STACK - 1) // 2
"""Number of neighbours that are used on each side of a slice."""
OFFSETS = tuple(sign * distance for distance in range(1, REACH + 1) for sign in (-1, 1))
"""Positions of the neighbours relative to the slice: -1, 1, -2, 2."""

LEAST_SIMILARITY = 0.9
"""Similarity of two slices from which they correct each other. Chosen on the validation scans, also
with slices left out: neighbours that are less similar cost more than they gain."""
DIFFERENCE = (5.0, 8.0)
"""Difference of a neighbour, as a multiple of the removed noise's standard deviation, from which it
is replaced in part and completely. Both are means over boxes. Chosen on the validation scans."""
_BOX_PX, _AROUND_PX = 7, 31
_BLOCK = 8
_BODY_HU, _BONE_HU = -300, 300


def similar_neighbours(hu: np.ndarray) -> list[tuple[int, ...]]:
    """Return which of the :data:`OFFSETS` lead to a similar slice, for each slice of a scan.

    Slices of another scan or after a gap are not similar, nor are copies, which have the same noise
    and say nothing.

    Parameters
    ----------
    hu : (slices, rows, columns), HU.
    """
    means = [_block_means(part) for part in hu]

    def is_copy(index: int, other: int) -> bool:
        # The means are in memory; the slices may be on disk.
        return np.array_equal(means[index], means[other]) and np.array_equal(hu[index], hu[other])

    similar = {
        (index, index + distance)
        for distance in range(1, REACH + 1)
        for index in range(len(means) - distance)
        if similarity(means[index], means[index + distance]) >= LEAST_SIMILARITY
        and not is_copy(index, index + distance)
    }
    similar |= {(other, index) for index, other in similar}
    return [
        tuple(offset for offset in OFFSETS if (index, index + offset) in similar)
        for index in range(len(means))
    ]


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of two slices inside the body, of which at least one has some.

    The result is 0 for slices without body or contrast.

    Parameters
    ----------
    first, second : (rows, columns) HU. Means of blocks, so that noise matters little.
    """
    body = (first > _BODY_HU) | (second > _BODY_HU)
    values = np.stack([first[body], second[body]])
    if body.sum() < 2 or not values.std(axis=1).all():
        return 0.0
    return float(np.corrcoef(values)[0, 1])


def _block_means(hu: np.ndarray) -> np.ndarray:
    """Return the means of blocks of a slice, in which bone counts as at most 300 HU."""
    block = min(_BLOCK, *hu.shape)
    rows, columns = (size - size % block for size in hu.shape)
    blocks = hu[:rows, :columns].clip(MIN_CT_HU, _BONE_HU).astype(np.float32)
    return blocks.reshape(rows // block, block, columns // block, block).mean(axis=(1, 3))


def tuned_likewise(neighbour_model: nn.Module, denoiser: nn.Module, tuned: nn.Module) -> nn.Module:
    """Return the neighbour model with the change of the weights that tuned its denoiser.

    The training of a neighbour model starts from the weights of its denoiser, so the change suits
    both (compare Ilharco et al., ICLR 2023, arXiv:2212.04089). It needs no steps of its own. A
    neighbour model of another architecture is returned as it is.
    """
    if tuned is denoiser:
        return neighbour_model
    before = denoiser.state_dict()
    change = {key: value - before[key] for key, value in tuned.state_dict().items()}
    try:
        change = widened(change, neighbour_model)
    except ValueError:
        return neighbour_model
    weights = neighbour_model.state_dict()
    likewise = copy.deepcopy(neighbour_model)
    likewise.load_state_dict({key: weights[key] + change[key] for key in weights})
    return likewise.eval()


def neighbour_input(scanned: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor:
    """Return the input of the neighbour model, (N, 2·STACK, rows, columns), normalised.

    The denoised slice replaces a neighbour, scanned and denoised, where the neighbour shows
    something else. So a structure of one slice does not appear in the next.

    Parameters
    ----------
    scanned, denoised : stacks, (N, STACK, rows, columns), normalised. A copy of the slice stands
        for a neighbour that is missing. Its noise would look like anatomy, so it is replaced too.
    """
    missing = (scanned[:, 1:] == scanned[:, :1]).flatten(2).all(dim=2)[:, :, None, None]
    replaced = torch.where(missing, 1.0, _difference(scanned, denoised))
    neighbours = torch.cat([denoised[:, 1:], scanned[:, 1:]], dim=1)
    neighbours = neighbours.lerp(denoised[:, :1], replaced.repeat(1, 2, 1, 1))
    return torch.cat([scanned[:, :1], denoised[:, :1], neighbours], dim=1)


def _difference(scanned: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor:
    """Return how certainly the neighbours differ from the slice, 0 to 1.

    (N, STACK - 1, rows, columns). The difference of the denoised images, as the mean over a small
    box, is compared with the same mean of the noise that was removed around it.
    """
    change = tensor_box_mean(denoised[:, 1:] - denoised[:, :1], _BOX_PX).abs()
    removed = tensor_box_mean(scanned[:, :1] - denoised[:, :1], _BOX_PX)
    noise = tensor_box_mean(removed**2, _AROUND_PX).clamp(min=1e-12).sqrt()
    least, full = DIFFERENCE
    return ((change / noise - least) / (full - least)).clamp(0, 1)
