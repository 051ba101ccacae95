"""Values and sizes: padding, metal, constant areas, offsets, windows, crops and small images."""

from __future__ import annotations

import numpy as np
from Reliability.case import Case, refuses
from Reliability.nrrd import nrrd
from Reliability.volume_inputs import file, scan

RANDOM = np.random.default_rng(7)
NOISE = np.rint(RANDOM.normal(0, 20, (2, 48, 48))).astype(int)
"""Noise of 20 HU; the same in all cases."""


def body(tissue: int = 40, fat: int = -100, air: int = -1000) -> np.ndarray:
    """Return a body with a rim of fat in air, with noise, (2, 48, 48) HU."""
    hu = np.full((2, 48, 48), air)
    hu[:, 6:-6, 6:-6] = fat
    hu[:, 9:-9, 9:-9] = tissue
    return np.maximum(hu + NOISE, air)


def around(value: int) -> np.ndarray:
    """Return a body in a round field of view, with padding of one value outside of it."""
    hu = body()
    row, column = np.indices(hu.shape[1:]) - 23.5
    hu[:, np.hypot(row, column) > 24] = value
    return hu


def with_metal(value: int) -> np.ndarray:
    hu = body()
    hu[:, 20:23, 20:23] = value
    return hu


def organ(mean: int) -> np.ndarray:
    """Return a crop of an organ, without air and fat."""
    return mean + NOISE


def windowed() -> np.ndarray:
    """Return a soft-tissue window of 400 HU as 8 bits."""
    return np.clip((body() + 160) * 255 // 400, 0, 255)


def read(values: np.ndarray, kind: str = "i2") -> Case:
    return Case(file("in.nrrd", nrrd(values, kind=kind)), scan(values=values), "in.nrrd")


MR = np.abs(np.rint(np.linspace(0, 900, 48)[None, :, None] + 2 * NOISE)).astype(int)
FLAT = np.where(body() > -50, 40, -1000)
"""A phantom of two values without noise."""

CASES = {
    "a body in air": read(body()),
    "padding of -1024 HU": read(around(-1024)),
    "padding of -2000 HU": read(around(-2000)),
    "padding of -3024 HU": read(around(-3024)),
    "padding of -32768 HU": read(around(-32768)),
    "padding of 0 HU": read(around(0)),
    "padding of 3071 HU": read(around(3071)),
    "metal of 3071 HU": read(with_metal(3071)),
    "metal of 30000 HU": read(with_metal(30000)),
    "metal of 32767 HU": read(with_metal(32767)),
    "a crop of brain": read(organ(35)),
    "a crop of liver": read(organ(110)),
    "a crop of bone": read(organ(900)),
    "a crop of lung": read(organ(-850)),
    "air alone": read(np.maximum(-1000 + NOISE, -1024)),
    "a phantom without noise": read(FLAT),
    "1024 HU too high": read(body(1064, 924, 24)),
    "1024 HU too high, unsigned": read(body(1064, 924, 24), "u2"),
    "a window of 8 bits": read(windowed(), "u1"),
    "an MR": read(MR),
    "one slice that is constant": read(np.stack([body()[0], np.full((48, 48), -1000)])),
    "slices of 16 pixels": read(body()[:, 4:20, 4:20]),
    "one row more than columns": read(body()[:, :, :47]),
    "one slice": read(body()[:1]),
    "300 slices": read(np.tile(body()[:, :16, :16], (150, 1, 1))),
    "a size that no network divides": read(body()[:, :37, :41]),
} | refuses(
    {
        name: (file("in.nrrd", nrrd(values, kind=kind)), *said)
        for name, said, values, kind in (
            ("-1000 HU everywhere", ("everywhere",), np.full((2, 48, 48), -1000), "i2"),
            ("less than 0.5 HU of contrast", ("everywhere",), body() / 5000, "f4"),
            ("values from 0 to 1", ("everywhere",), (body() + 1024) / 5000, "f4"),
            ("one voxel of 40000 HU", ("outside the range of HU",), with_metal(40000), "i4"),
            ("one voxel of -40000 HU", ("outside the range",), with_metal(-40000), "i4"),
            ("values of 1e30", ("outside the range of HU",), with_metal(1) * 1e30, "f4"),
            ("labels", ("segmentation",), (body() > -50) * 1, "u1"),
            ("labels as floats", ("segmentation",), (body() > -50) * 3.0, "f4"),
            ("labels of many organs", ("segmentation",), np.arange(48) // 6 + 0 * MR, "i2"),
            ("slices of 15 rows", ("too small (2×15×48)",), body()[:, :15], "i2"),
            ("one voxel", ("too small (1×1×1)",), np.full((1, 1, 1), 40), "i2"),
            ("a line of voxels", ("too small",), body()[:1, :1], "i2"),
        )
    },
    "in.nrrd",
)
