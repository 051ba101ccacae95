"""DICOM geometry: spacing, gaps, order, tilted gantry, oblique, coronal and sagittal stacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from dicom_factory import HEIGHTS, SPACING, bodies, change
from pydicom import Dataset
from Reliability.case import Case, Read, Refused, Writer, reads, refuses
from Reliability.dicom_inputs import (
    ORIGIN,
    both,
    on,
    one,
    slices,
    stack,
)

COSINES = (1, 0, 0, 0, 1, 0)
LITTLE_TILT = (1, 0, 0, 0, *(float(f(np.radians(20))) for f in (np.cos, np.sin)))
TURNED = (0.6, 0.8, 0, -0.8, 0.6, 0)


def placed(cosines: Sequence[float], step: Sequence[float], count: int = 4) -> Writer:
    """Return a writer of a stack along any direction; slice i lies at i steps from the origin.

    Its pixels are those of the heights 0, 2.5 … mm.
    """

    def edit(index: int, image: Dataset) -> None:
        position = np.array((*ORIGIN, 0.0)) + index * np.array(step)
        image.ImageOrientationPatient = [round(float(c), 12) for c in cosines]
        image.ImagePositionPatient = [round(float(p), 9) for p in position]

    return slices([2.5 * index for index in range(count)], edit=edit)


def scan(
    cosines: Sequence[float], step: Sequence[float], count: int = 4, slice_axis: int = 2
) -> Read:
    """Return what :func:`placed` wrote."""
    along_row, along_column = np.reshape(cosines, (2, 3))
    steps = np.column_stack([along_row * SPACING[1], along_column * SPACING[0], step])
    values = bodies([2.5 * index for index in range(count)])
    return Read(values, (*ORIGIN, 0.0), steps, slice_axis)


def normal(cosines: Sequence[float], mm: float = 2.5) -> np.ndarray:
    return mm * np.cross(*np.reshape(cosines, (2, 3)))


def case(cosines: Sequence[float], step: Sequence[float], count: int = 4, axis: int = 2) -> Case:
    return Case(placed(cosines, step, count), scan(cosines, step, count, axis))


def reversed_case(
    cosines: Sequence[float], step: Sequence[float], count: int = 4, axis: int = 2
) -> Case:
    """Return a stack whose first file lies at the end; it is read along the normal."""
    step = np.array(step)
    wanted = scan(cosines, -step, count, axis)
    origin = np.array(wanted.origin) + (count - 1) * step
    return Case(
        placed(cosines, step, count),
        Read(wanted.values[::-1], tuple(origin), wanted.steps, wanted.slice_axis),
    )


def far_away(index: int, image: Dataset) -> None:
    change(image, "ImagePositionPatient", [*ORIGIN, -1500 + HEIGHTS[index]])


def rounded_spacing(i: int, image: Dataset) -> None:
    change(image, "PixelSpacing", [0.8, f"{0.7 + i * 1e-8:.10f}"])


UNEVEN = (0.0, 2.5, 5.0, 10.0, 12.5)
UNEVEN_READ = stack(UNEVEN, said="median distance of 2.5 mm, so slices lie up to 2.5 mm from")
DRIFTING = np.cumsum([0] + 12 * [2.5] + 12 * [2.72]).tolist()
ALLOWED = {"allow_uneven": True}
TILT = (1, 0, 0, 0, 0.8, 0.6)
TILTED_STEPS = np.column_stack([(0.7, 0, 0), (0, 0.64, 0.48), (0, 0, 2.5)])
CORONAL, SAGITTAL = (1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1)

CASES = (
    reads(
        stack(),
        {
            "pixel spacings that differ by 1e-8": slices(edit=rounded_spacing),
            "Spacing Between Slices 0": slices(SpacingBetweenSlices="0"),
            "Spacing Between Slices that is wrong": slices(SpacingBetweenSlices="5"),
            "thickness that is not the distance": slices(SliceThickness="5"),
            "empty thickness": slices(SliceThickness=""),
            "Slice Location that is wrong": slices(SliceLocation="7"),
            "instance numbers against the positions": slices(
                edit=lambda i, image: change(image, "InstanceNumber", 4 - i)
            ),
            "one instance number for all": slices(InstanceNumber=1),
            "no instance numbers": slices(InstanceNumber=None),
            "positions in exponents": slices(
                edit=lambda i, image: change(
                    image, "ImagePositionPatient", ["-1.05E+1", "-2.025e1", f"{2.5 * i:.3E}"]
                )
            ),
            "direction with rounding noise": slices(
                ImageOrientationPatient=["1", "2.05e-10", "0", "-2.05e-10", "1", "0"]
            ),
            "negative zeros in the direction": slices(
                ImageOrientationPatient=["1", "-0", "-0", "-0.0", "1", "-0"]
            ),
        },
    )
    | {
        "slices from head to feet": Case(
            slices((0.0, -2.5, -5.0, -7.5)),
            stack(
                (-7.5, -5.0, -2.5, 0.0),
                values=bodies((-7.5, -5.0, -2.5, 0.0)),
            ),
        ),
        "far from the origin": Case(
            slices(edit=far_away), replace(stack(), origin=(*ORIGIN, -1500.0))
        ),
        "one slice": Case(slices([5.0]), stack([5.0])),
        "one slice without thickness": Case(
            slices([5.0], SliceThickness=None), stack([5.0], step=(0, 0, 1))
        ),
        "two slices": Case(slices([0, 1]), stack([0, 1])),
        "gaps between the slices": Case(
            slices((0.0, 10.0, 20.0), SliceThickness="5"), stack((0.0, 10.0, 20.0))
        ),
        "overlapping slices": Case(
            slices((0.0, 0.6, 1.2), SliceThickness="1.2"), stack((0.0, 0.6, 1.2))
        ),
        "positions rounded to 0.01 mm": Case(
            slices((0, 0.67, 1.33, 2.0)),
            stack((0, 0.67, 1.33, 2.0), step=(0, 0, 2 / 3)),
        ),
        "pixels of 0.8 by 0.7 mm, not square": Case(slices(), stack()),
        "tilted gantry, 20 degrees": case(LITTLE_TILT, (0, 0, 2.5)),
        "tilted gantry, -20 degrees": case(
            (1, 0, 0, 0, LITTLE_TILT[4], -LITTLE_TILT[5]), (0, 0, 2.5)
        ),
        "tilted slices along their normal": case(LITTLE_TILT, normal(LITTLE_TILT)),
        "turned about the table": case(TURNED, normal(TURNED)),
        "prone": case((-1, 0, 0, 0, -1, 0), (0, 0, 2.5)),
        "feet first, rows mirrored": reversed_case((-1, 0, 0, 0, 1, 0), (0, 0, 2.5)),
        "rows and columns exchanged": reversed_case((0, 1, 0, 1, 0, 0), (0, 0, 2.5)),
        "coronal": case(CORONAL, normal(CORONAL), 16, 1),
        "sagittal": reversed_case(SAGITTAL, -normal(SAGITTAL), 16, 1),
        "uneven slices, allowed": Case(slices(UNEVEN), UNEVEN_READ, options=ALLOWED),
        "uneven slices of a tilted gantry, allowed": Case(
            slices(UNEVEN, ImageOrientationPatient=list(TILT)),
            replace(UNEVEN_READ, steps=TILTED_STEPS),
            options=ALLOWED,
        ),
        "distances that change by less than a tenth, allowed": Case(
            slices(DRIFTING),
            stack(DRIFTING, step=(0, 0, float(np.median(np.diff(DRIFTING)))), said="so that one"),
            options=ALLOWED,
        ),
        "even slices, uneven ones allowed": Case(slices(), stack(), options=ALLOWED),
        "oblique by 45 degrees, with an axis": Case(
            placed((1, 0, 0, 0, 0.5**0.5, 0.5**0.5), (0, -1.5, 1.5)),
            scan((1, 0, 0, 0, 0.5**0.5, 0.5**0.5), (0, -1.5, 1.5)),
            options={"slice_axis": "k"},
        ),
    }
    | refuses(
        {
            "oblique by 45 degrees": (
                placed((1, 0, 0, 0, 0.5**0.5, 0.5**0.5), (0, -1.5, 1.5)),
                "oblique by 45 degrees",
                "--slice-axis i|j|k",
            ),
            "a missing slice": (slices([0, 2.5, 7.5, 10]), "lacks slices", "2.5 to 5 mm"),
            "distances that change by less than a tenth": (
                slices(DRIFTING),
                "change along the scan, so that",
            ),
            "repeats": (slices([0, 0, 2.5, 2.5]), "at one position"),
            "a slice twice with other pixels": (
                both(slices(), slices([2.5], first=30, offset=7)),
                "at one position",
            ),
            "slices shifted sideways": (
                one(2, ImagePositionPatient=[-2.5, -20.25, 5]),
                "shifted sideways",
            ),
            "no position": (
                one(1, ImagePositionPatient=None),
                "s71_1.dcm has no position (Image Position, 0020,0032)",
            ),
            "empty position": (one(1, ImagePositionPatient=""), "s71_1.dcm has no position"),
            "no position anywhere": (slices(ImagePositionPatient=None), "4 such slices"),
            "two numbers as position": (
                one(1, ImagePositionPatient=[1, 2]),
                "s71_1.dcm",
                "3 numbers",
            ),
            "a scan all at position 0": (
                slices(ImagePositionPatient=[0, 0, 0]),
                "at one position",
            ),
            "no direction": (one(1, ImageOrientationPatient=None), "s71_1.dcm has no direction"),
            "direction of zeros": (
                slices(ImageOrientationPatient=[0, 0, 0, 0, 0, 0]),
                "not perpendicular unit vectors",
            ),
            "no pixel spacing": (one(1, PixelSpacing=None), "s71_1.dcm has no pixel spacing"),
            "no pixel spacing anywhere": (slices(PixelSpacing=None), "has no pixel spacing"),
            "Imager Pixel Spacing only": (
                slices(PixelSpacing=None, ImagerPixelSpacing=[0.8, 0.7]),
                "has no pixel spacing",
            ),
            "pixel spacing 0": (slices(PixelSpacing=[0, 0]), "Pixel Spacing", "of 0"),
            "negative pixel spacing": (slices(PixelSpacing=[-0.8, 0.7]), "Pixel Spacing"),
            "one number as pixel spacing": (
                slices(PixelSpacing=["0.7"]),
                "'0.7' instead of 2 numbers",
            ),
            "axes that are not perpendicular": (
                slices(ImageOrientationPatient=[1, 0, 0, 0.5, 1, 0]),
                "not perpendicular unit vectors",
            ),
            "axes that are not of length 1": (
                slices(ImageOrientationPatient=[0.5, 0, 0, 0, 0.5, 0]),
                "not perpendicular unit vectors",
            ),
        }
    )
    | {
        f"{name}, uneven ones allowed": Case(writer, Refused((words,)), options=ALLOWED | options)
        for name, writer, words, options in (
            ("repeats", slices([0, 0, 2.5, 7.5]), "at one position", {}),
            (
                "slices shifted sideways",
                slices(UNEVEN, edit=on(3, ImagePositionPatient=[-2.5, -20.25, 10])),
                "shifted sideways",
                {},
            ),
            (
                "uneven slices across the axis",
                slices(UNEVEN),
                "set --slice-axis k",
                {"slice_axis": "j"},
            ),
        )
    }
)
