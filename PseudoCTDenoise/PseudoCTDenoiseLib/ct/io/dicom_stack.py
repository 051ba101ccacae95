"""A stack of slices: what describes it, and its geometry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...errors import BadInputError
from ..slice_distances import GAP_TOLERANCE, MAX_DRIFT, unevenness
from .dicom_attributes import Frame
from .dicom_content import content_problem, is_ct, is_scout
from .dicom_slices import Slice

MIN_GAP = 1e-3
"""Minimum distance in mm between two slices. Closer slices are at one position."""


@dataclass(frozen=True)
class DicomStack:
    """Slices that form one volume, if their geometry allows it.

    Attributes
    ----------
    id : text that chooses the stack: number or UID of its series, with ``.1``, ``.2`` … if the
        series holds several stacks.
    part : end of ``id``: ``.1``, ``.2`` … or an empty text.
    labels : values that distinguish the stack from the others of its series, by name. They get into
        logs, so a patient has a number within the series and the name of a file.
    slices : in the order of their positions.
    """

    id: str
    part: str
    series_uid: str
    labels: dict[str, str]
    slices: tuple[Slice, ...]

    @property
    def first(self) -> Frame:
        """First slice; all slices share what describes the stack."""
        return self.slices[0].frame

    @property
    def number(self) -> str:
        """Series number, or an empty text."""
        return self.first.text("SeriesNumber")

    @property
    def description(self) -> str:
        """Series description on one line, or an empty text."""
        return self.first.text("SeriesDescription")

    @property
    def modality(self) -> str:
        """DICOM modality, such as CT."""
        return self.first.text("Modality")

    @cached_property
    def problem(self) -> str:
        """Why an image is not a CT slice in HU, or an empty text; see :func:`content_problem`."""
        return next(filter(None, (content_problem(part.frame) for part in self.slices)), "")

    @property
    def usable(self) -> bool:
        """True for CT slices in HU; False for scouts, maps, screenshots and other modalities."""
        return not self.problem

    @property
    def other_object(self) -> bool:
        """True for scouts and for objects other than CT, such as a dose report."""
        return is_scout(self.first) or not is_ct(self.first)

    @property
    def volume(self) -> bool:
        """True for CT slices in HU at several positions."""
        return self.usable and not _at_one_position(self.slices)

    def __str__(self) -> str:
        """Return one line for a list of stacks."""
        count = f"{len(self.slices)} slice{'s' if len(self.slices) != 1 else ''}"
        kind = "scout" if is_scout(self.first) else self.modality or "no modality"
        labels = [f"{name} {value or '-'}" for name, value in self.labels.items()]
        parts = [f"'{self.description}'", kind, count, *labels, f"UID {self.series_uid or 'none'}"]
        return f"{self.id}: {', '.join(parts)}"


def sorted_along_normal(slices: list[Slice]) -> list[Slice]:
    """Return slices by increasing position along their normal; incomplete ones as they are."""
    if any(part.problem for part in slices):
        return slices
    return sorted(slices, key=lambda part: float(part.position @ slices[0].direction[:, 2]))


def heights_of(slices: Iterable[Slice]) -> np.ndarray:
    """Return the positions of complete slices along the normal of the first, in mm."""
    slices = list(slices)
    return np.array([part.position for part in slices]) @ slices[0].direction[:, 2]


def gap_problem(slices: list[Slice]) -> str:
    """Return why sorted slices are not evenly spaced along a line, or an empty text."""
    return _position_problem(slices) or unevenness(heights_of(slices))


def stack_step(
    slices: tuple[Slice, ...], name: str, allow_uneven: bool
) -> tuple[np.ndarray | None, tuple[float, ...]]:
    """Return the step from slice to slice, and the positions of slices that it does not give.

    Parameters
    ----------
    allow_uneven : accept slices that are not evenly spaced.

    Returns
    -------
    step : (3,) mm: the mean step or, for unevenly spaced slices, one of their median distance;
        None for a single slice.
    offsets : distances of the slices from the first in mm, if they are not evenly spaced; else
        empty.

    Raises
    ------
    BadInputError
        If a slice lacks its position, direction, spacing or rescale, or if the slices do not lie
        along a line, or not evenly.
    """
    if incomplete := [part.problem for part in slices if part.problem]:
        more = f" ({len(incomplete)} such slices)" if len(incomplete) > 1 else ""
        raise BadInputError(f"{name} is incomplete: {incomplete[0]}{more}. Export it again.")
    if len(slices) == 1:
        return None, ()
    if problem := _position_problem(slices):
        raise BadInputError(f"{name} {problem}")
    path = slices[-1].position - slices[0].position
    uneven = unevenness(heights_of(slices), [part.label for part in slices])
    if not uneven:
        return path / (len(slices) - 1), ()
    heights = heights_of(slices)
    path /= heights[-1] - heights[0]  # per mm along the normal
    offsets = (heights - heights[0]) * np.linalg.norm(path)
    usual = np.median(np.diff(offsets))
    if not allow_uneven:
        raise BadInputError(
            f"{name} lacks slices or is unevenly spaced ({uneven}): add the missing files. To "
            "process the slices as they are, denoise them into a DICOM folder, which keeps every "
            "position, or add --allow-uneven; a volume file then states their median distance of "
            f"{usual:.4g} mm."
        )
    return path / np.linalg.norm(path) * usual, tuple(offsets.tolist())


def _at_one_position(slices: tuple[Slice, ...]) -> bool:
    return not any(part.problem for part in slices) and bool(np.ptp(heights_of(slices)) < MIN_GAP)


def _position_problem(slices: Sequence[Slice]) -> str:
    """Return why sorted slices do not lie along a line, as the end of a sentence, or an empty text.

    Files without the UID of their series are one stack only if their instance numbers follow the
    positions.
    """
    heights = heights_of(slices)
    gaps = np.diff(heights)
    if gaps.min() < MIN_GAP:
        return "has several images at one position (phases or repeats): export one of them."
    usual = np.median(gaps)
    positions = np.array([part.position for part in slices])
    slopes = np.diff(positions, axis=0) / gaps[:, None]
    kinks = (slopes - np.median(slopes, axis=0)) * np.minimum(gaps, usual)[:, None]
    share = (heights - heights[0]) / (heights[-1] - heights[0])
    off_line = positions - positions[0] - share[:, None] * (positions[-1] - positions[0])
    if np.abs(kinks).max() > GAP_TOLERANCE * usual or np.abs(off_line).max() > MAX_DRIFT * usual:
        return "has slices that are shifted sideways against each other: export a single stack."
    if not slices[0].frame.text("SeriesInstanceUID") and not _numbered_in_order(slices):
        return (
            "lacks the Series Instance UID (0020,000E), and its instance numbers do not show that "
            "the slices belong together: export the series again."
        )
    return ""


def _numbered_in_order(slices: Sequence[Slice]) -> bool:
    if slices[0].frame.multi_frame:
        return len({part.frame.path for part in slices}) == 1
    try:
        numbers = [int(part.frame.text("InstanceNumber")) for part in slices]
    except ValueError:
        return False
    return len(set(np.diff(numbers).tolist())) == 1 and numbers[0] != numbers[1]
