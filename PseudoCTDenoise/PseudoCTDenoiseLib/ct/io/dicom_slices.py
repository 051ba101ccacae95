"""Slices of DICOM files with their position, spacing and rescale, as the files state them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...errors import BadInputError
from .dicom_attributes import REQUIRED, Frame

SAME_DIRECTION = 1e-3
"""Maximum difference of direction cosines within a stack."""
SAME_SPACING = 1e-4
"""Maximum relative difference of pixel spacings within a stack."""


@dataclass(frozen=True)
class Slice:
    """A slice of a stack.

    Attributes
    ----------
    numbers : values of the attributes in :data:`.REQUIRED`; without those that are missing.
    problem : what the slice lacks, as a sentence without its end; empty if it is complete.
    """

    frame: Frame
    numbers: dict[str, tuple[float, ...]]
    problem: str

    @property
    def position(self) -> np.ndarray:
        """Centre of the first pixel, (3,) mm, LPS."""
        return np.array(self.numbers["ImagePositionPatient"])

    @property
    def spacing(self) -> np.ndarray:
        """Distances between rows and between columns, (2,) mm."""
        return np.array(self.numbers["PixelSpacing"])

    @cached_property
    def direction(self) -> np.ndarray:
        """Unit vectors along the rows, the columns and the normal, as columns of (3, 3)."""
        axes = np.reshape(self.numbers["ImageOrientationPatient"], (2, 3))  # files round them
        along_row, along_column = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        return np.column_stack([along_row, along_column, np.cross(along_row, along_column)])

    @property
    def slope(self) -> float:
        """HU per stored unit."""
        return self.numbers["RescaleSlope"][0]

    @property
    def intercept(self) -> float:
        """HU of the stored value 0."""
        return self.numbers["RescaleIntercept"][0]

    @property
    def size(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return int(self.frame.header.get("Rows") or 0), int(self.frame.header.get("Columns") or 0)

    @property
    def label(self) -> str:
        """What viewers call the slice; empty for a classic file without an Instance Number."""
        if self.frame.multi_frame:
            return self.frame.name
        number = self.frame.text("InstanceNumber")
        return f"Instance Number {number}" if re.fullmatch(r"[+-]?\d{1,12}", number) else ""

    def on_the_same_grid(self, other: Slice) -> bool:
        """Return True if two complete slices have the same direction and spacing."""
        return bool(
            np.abs(self.direction - other.direction).max() <= SAME_DIRECTION
            and np.allclose(self.spacing, other.spacing, rtol=SAME_SPACING, atol=0)
        )


def slice_of(frame: Frame) -> Slice:
    """Return a frame with its numbers, or with what it lacks."""
    numbers, problem = {}, ""
    try:
        for keyword, (label, count) in REQUIRED.items():
            values = frame.numbers(keyword, count)
            if values is None:
                raise BadInputError(f"{frame.name} has no {label}")
            numbers[keyword] = values
        if min(numbers["PixelSpacing"]) <= 0 or numbers["RescaleSlope"][0] == 0:
            raise BadInputError(f"{frame.name} has a Pixel Spacing or a Rescale Slope of 0")
        axes = np.reshape(numbers["ImageOrientationPatient"], (2, 3))
        if np.abs(axes @ axes.T - np.eye(2)).max() > SAME_DIRECTION:
            raise BadInputError(
                f"{frame.name} has an Image Orientation (Patient) whose axes are not perpendicular "
                "unit vectors"
            )
    except BadInputError as error:
        problem = str(error).removesuffix(": export it again.")
    return Slice(frame, numbers, problem)
