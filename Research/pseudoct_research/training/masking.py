"""Masking of pixels, which are hidden in the input and predicted (Noise2Void).

If the noise of the pixels is independent, the network can predict a hidden pixel only from its
surroundings, without its noise. CT noise is correlated, which limits the method.
"""

from __future__ import annotations

import torch

BOX_PIXELS = 8
"""Side of the boxes of which N2V hides one pixel each: 64 pixels in a patch of 64×64."""
REACH_PIXELS = 2
"""Reach of the neighbourhood, 5×5, from which N2V replaces a hidden pixel."""


def mask_n2v(images: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Mask pixels as Noise2Void does (Krull et al., CVPR 2019, arXiv:1811.10980, section 3.4).

    Parameters
    ----------
    images : (count, 1, rows, columns).

    Returns
    -------
    The images with one pixel of each box replaced by another one of its 5×5 neighbourhood, and the
    mask of those pixels, True where hidden. A replacement is inside the image and not hidden
    itself, so no hidden value appears in the input.
    """
    count, _, rows, columns = images.shape
    top, left = torch.meshgrid(
        torch.arange(0, rows, BOX_PIXELS), torch.arange(0, columns, BOX_PIXELS), indexing="ij"
    )
    row = _draw(top.expand(count, -1, -1), (top + BOX_PIXELS).clamp(max=rows), generator)
    column = _draw(left.expand(count, -1, -1), (left + BOX_PIXELS).clamp(max=columns), generator)
    image = torch.arange(count)[:, None, None].expand_as(row)
    hidden = torch.zeros(images.shape, dtype=torch.bool)
    hidden[image, 0, row, column] = True

    reach = torch.arange(-REACH_PIXELS, REACH_PIXELS + 1)
    down, right = (axis.flatten() for axis in torch.meshgrid(reach, reach, indexing="ij"))
    rows_around, columns_around = row[..., None] + down, column[..., None] + right
    inside = (rows_around.clamp(0, rows - 1) == rows_around) & (
        columns_around.clamp(0, columns - 1) == columns_around
    )
    rows_around, columns_around = (
        rows_around.clamp(0, rows - 1),
        columns_around.clamp(0, columns - 1),
    )
    shown = inside & ~hidden[image[..., None], 0, rows_around, columns_around]
    lot = torch.rand(shown.shape, generator=generator)
    drawn = torch.where(shown, lot, -1.0).argmax(dim=-1, keepdim=True)
    from_row, from_column = (
        around.gather(-1, drawn)[..., 0] for around in (rows_around, columns_around)
    )
    masked = images.clone()
    masked[image, 0, row, column] = images[image, 0, from_row, from_column]
    return masked, hidden


def _draw(first: torch.Tensor, end: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw an integer from ``first`` up to, not including, ``end`` for each element."""
    share = torch.rand(first.shape, generator=generator, dtype=torch.float64)
    return first + (share * (end - first)).long()
