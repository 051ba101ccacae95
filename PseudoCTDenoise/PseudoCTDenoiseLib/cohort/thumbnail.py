"""Thumbnail of a denoised scan: original, denoised and difference side by side, as PNG."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from ..ct.slice_selection import most_informative_slice

SIDE_PX = 160
"""Longest side of each of the three images."""
WINDOW_HU = (-160.0, 240.0)
"""HU shown as black and as white: soft tissue."""
DIFFERENCE_HU = 100.0
"""The difference is shown from −100 to +100 HU in every scan, so that scans can be compared."""


def thumbnail_png(before: np.ndarray, after: np.ndarray) -> bytes:
    """Return a PNG of the slice with the most organ tissue.

    Parameters
    ----------
    before, after : (slices, rows, columns) HU. Pixels are left out and not averaged, so the noise
        keeps its standard deviation.
    """
    index = most_informative_slice(before)
    step = -(-max(before.shape[1:]) // SIDE_PX)
    old, new = (scan[index, ::step, ::step].astype(np.float32) for scan in (before, after))
    images = [_grey(old, *WINDOW_HU), _grey(new, *WINDOW_HU)]
    images.append(_grey(old - new, -DIFFERENCE_HU, DIFFERENCE_HU))
    return _png(np.hstack(images))


def _grey(hu: np.ndarray, black: float, white: float) -> np.ndarray:
    return np.rint(np.clip((hu - black) / (white - black), 0, 1) * 255).astype(np.uint8)


def _png(grey: np.ndarray) -> bytes:
    """Return (rows, columns) uint8 as a greyscale PNG (ISO/IEC 15948)."""
    rows, columns = grey.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)  # 8 bits, grey, not interlaced
    lines = np.pad(grey, ((0, 0), (1, 0)))  # each line begins with its filter, none
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
