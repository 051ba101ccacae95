"""Archive of weights: an ``.npz`` file that is checked before any array is made."""

from __future__ import annotations

import io
import math
import zipfile
from typing import BinaryIO

import numpy as np
import torch
from torch import nn

from ..errors import is_out_of_memory

_MAX_NUMBER_BYTES = 8
_MAX_HEADER_BYTES = 1024
_ENTRY_BYTES = 1024
"""Bytes that an archive adds to an array at most: names, headers, padding."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def max_archive_bytes(network: nn.Module) -> int:
    """Return the largest size of a file of weights of a network, in bytes."""
    state = network.state_dict().values()
    return sum(_ENTRY_BYTES + _MAX_NUMBER_BYTES * value.numel() for value in state)


def read_archive(content: bytes, network: nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights in an archive as float32 tensors.

    Parameters
    ----------
    network : network with the names and shapes of the weights that the archive must hold.

    Raises
    ------
    ValueError
        If the archive is damaged, or an array is missing, too much, of another shape, not of
        floating-point numbers, or not finite.
    """
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if sorted(entry.filename for entry in entries) != sorted(f"{k}.npy" for k in shapes):
                raise ValueError("other names of arrays")
            state = {}
            for entry in entries:
                if entry.compress_type not in _METHODS:
                    raise ValueError("another compression")
                key = entry.filename.removesuffix(".npy")
                with archive.open(entry) as file:
                    state[key] = torch.from_numpy(_read_array(file, shapes[key]))
            return state
    except Exception as error:  # zipfile and numpy raise many kinds of errors for damaged files
        if isinstance(error, ValueError) or is_out_of_memory(error):
            raise
        raise ValueError(str(error)) from error


def _read_array(file: BinaryIO, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of a known shape as float32; nothing beyond it is read or made."""
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("another version of the format")
    found, columns_first, kind = np.lib.format.read_array_header_1_0(
        file, max_header_size=_MAX_HEADER_BYTES
    )
    if found != shape or kind.kind != "f" or kind.itemsize > _MAX_NUMBER_BYTES:
        raise ValueError(f"an array {found} of {kind}")
    content = file.read(math.prod(shape) * kind.itemsize)
    array = np.frombuffer(content, kind).reshape(shape, order="F" if columns_first else "C")
    if file.read(1):
        raise ValueError("more numbers than its shape")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, order="C")
    if not np.isfinite(array).all():
        raise ValueError("numbers that are not finite")
    return array
