"""Stacks of slices: grouping of a series by what one stack shares, and the geometry of a stack."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydicom.uid import UID

from ...errors import BadInputError
from ..slice_distances import GAP_TOLERANCE, MAX_DRIFT, unevenness
from .dicom_attributes import Frame
from .dicom_content import content_problem, image_type, is_ct, is_scout, rescale_type
from .dicom_files import sop_class
from .dicom_slices import Slice

MIN_GAP = 1e-3
"""Minimum distance in mm between two slices. Closer slices are at one position."""


def _number(*keywords: str) -> Callable[[Frame], str]:
    """Return a lookup in which 120 and 120.0 are the same."""

    def find(frame: Frame) -> str:
        text = frame.text(*keywords)
        try:
            return f"{float(text):g}"
        except ValueError:
            return text

    return find


def _text(*keywords: str) -> Callable[[Frame], str]:
    return lambda frame: frame.text(*keywords)


def _phase(frame: Frame) -> str:
    time = frame.text("TemporalPositionIdentifier", "TemporalPositionIndex")
    return " ".join(filter(None, (time, frame.text("NominalPercentageOfCardiacPhase"))))


def _patient(frame: Frame) -> str:
    keywords = ("PatientID", "PatientName", "PatientBirthDate")
    return " ".join(filter(None, map(frame.text, keywords)))


ONE_VALUE: dict[str, Callable[[Frame], str]] = {
    "patient": _patient,
    "study": _text("StudyInstanceUID"),
    "number": _number("SeriesNumber"),
    "description": _text("SeriesDescription"),
    "modality": _text("Modality"),
    "image type": image_type,
    "kind": lambda frame: UID(sop_class(frame.header)).name,
    "size": lambda frame: f"{frame.header.get('Rows')}×{frame.header.get('Columns')}",
    "kernel": _text("ConvolutionKernel"),
    "kV": _number("KVP"),
    "thickness": _number("SliceThickness"),
    "phase": _phase,
    "stack": _text("StackID"),
    "unit": rescale_type,
    "frame of reference": _text("FrameOfReferenceUID"),
}
"""Attributes that have one value within a stack."""
ACQUISITIONS: dict[str, Callable[[Frame], str]] = {
    "acquisition": _number("AcquisitionNumber", "FrameAcquisitionNumber"),
    "folder": lambda frame: str(frame.path.parent),
    "file": lambda frame: frame.path.name if frame.multi_frame else "",
}
TIMES: dict[str, Callable[[Frame], str]] = {
    "trigger time": _number("TriggerTime", "NominalCardiacTriggerDelayTime"),
    "acquisition time": _text("AcquisitionDateTime", "FrameAcquisitionDateTime", "AcquisitionTime"),
    "series time": _text("SeriesTime"),
    "content time": _text("ContentTime"),
}
"""Attributes that separate slices at the same position, and slices of two scans whose positions
alternate. Within one stack they may vary."""
WITHOUT_UID: dict[str, Callable[[Frame], str]] = {
    "folder": ACQUISITIONS["folder"],
    "acquisition": ACQUISITIONS["acquisition"],
    "study date": _text("StudyDate"),
    "series date": _text("SeriesDate"),
    "series time": _text("SeriesTime"),
}
"""Further attributes with one value, if files lack the UID of their series."""


@dataclass(frozen=True)
class DicomStack:
    """Slices that form one volume, if their geometry allows it.

    Attributes
    ----------
    id : text that chooses the stack: number or UID of its series, with ``.1``, ``.2`` … if the
        series holds several stacks.
    labels : values that distinguish the stack from the others of its series, by name. They get into
        logs, so a patient has a number within the series and the name of a file.
    slices : in the order of their positions.
    """

    id: str
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


def split_into_stacks(slices: Iterable[Slice], has_uid: bool) -> list[tuple[dict, list[Slice]]]:
    """Return the stacks of a series as (values that differ between them, sorted slices).

    Slices at one position are separated by acquisition, folder, file or time, if one of these
    yields stacks without repeated positions. Slices of two acquisitions or times in turn are
    separated if each value has evenly spaced slices.
    """
    shared = ONE_VALUE if has_uid else ONE_VALUE | WITHOUT_UID
    stacks = []
    for values, group in _grouped(slices, shared.values()).items():
        labels = dict(zip(shared, values, strict=True))
        for grid in _grids(group):
            geometry = {"geometry": _geometry(grid[0])}
            for extra, part in _acquisitions(grid):
                stacks.append((labels | geometry | extra, sorted_along_normal(part)))
    differing = [
        name
        for name in dict.fromkeys(name for labels, _ in stacks for name in labels)
        if len({labels.get(name) for labels, _ in stacks}) > 1
    ]
    stacks = [({n: labels.get(n, "") for n in differing}, part) for labels, part in stacks]
    if "folder" in differing:
        common = os.path.commonpath([part[0].frame.path.parent for _, part in stacks])
        for labels, part in stacks:
            labels["folder"] = os.path.relpath(part[0].frame.path.parent, common)
    stacks.sort(key=lambda stack: [_natural(value) for value in stack[0].values()])
    if "patient" in differing:
        patients = list(dict.fromkeys(labels["patient"] for labels, _ in stacks))
        for labels, part in stacks:
            number = patients.index(labels["patient"]) + 1
            labels["patient"] = f"{number} (such as {part[0].frame.path.name})"
    return stacks


def sorted_along_normal(slices: list[Slice]) -> list[Slice]:
    """Return slices by increasing position along their normal; incomplete ones as they are."""
    if any(part.problem for part in slices):
        return slices
    return sorted(slices, key=lambda part: float(part.position @ slices[0].direction[:, 2]))


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
    uneven = unevenness(_heights(slices), [part.label for part in slices])
    if not uneven:
        return path / (len(slices) - 1), ()
    heights = _heights(slices)
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


def _grouped(slices: Iterable[Slice], lookups: Iterable[Callable[[Frame], str]]) -> dict:
    lookups = list(lookups)
    groups: dict[tuple[str, ...], list[Slice]] = {}
    for part in slices:
        groups.setdefault(tuple(find(part.frame) for find in lookups), []).append(part)
    return groups


def _grids(slices: list[Slice]) -> list[list[Slice]]:
    """Return the slices by direction and spacing. Incomplete slices join the first part."""
    grids: list[list[Slice]] = []
    for part in sorted(slices, key=lambda part: bool(part.problem)):
        for grid in grids:
            if part.problem or part.on_the_same_grid(grid[0]):
                grid.append(part)
                break
        else:
            grids.append([part])
    return grids


def _geometry(part: Slice) -> str:
    if part.problem:
        return "incomplete"
    rows, columns = part.spacing
    along_row, _, normal = (
        " ".join(f"{value + 0.0:.3f}" for value in axis) for axis in part.direction.T
    )
    return f"{rows:.6g}×{columns:.6g} mm along {normal}, rows {along_row}"


def _acquisitions(slices: list[Slice]) -> list[tuple[dict[str, str], list[Slice]]]:
    """Return the acquisitions in slices that do not form one stack, with what separates them."""
    whole = [({}, slices)]
    if len(slices) < 2 or any(part.problem for part in slices):
        return whole
    repeated = _repeats(slices)
    several = (
        repeated
        or _returns(ACQUISITIONS["acquisition"], slices)
        or bool(_gap_problem(sorted_along_normal(slices)))
    )
    for name, find in (ACQUISITIONS | TIMES).items():
        if not (several if name in ACQUISITIONS else repeated or _returns(find, slices)):
            continue
        parts = _grouped(slices, [find])
        if len(parts) == 1 or ("",) in parts:
            continue
        stacks = [sorted_along_normal(part) for part in parts.values()]
        separate = all(len(part) > 1 and not _repeats(part) for part in stacks)
        if separate and (repeated or not any(map(_gap_problem, stacks))):
            return [({name: value}, part) for (value,), part in parts.items()]
    return whole


def _returns(find: Callable[[Frame], str], slices: list[Slice]) -> bool:
    """Return True if a value returns after another along the positions."""
    values = [find(part.frame) for part in sorted_along_normal(slices)]
    changes = sum(a != b for a, b in zip(values, values[1:], strict=False))
    return changes >= len(set(values))


def _heights(slices: Iterable[Slice]) -> np.ndarray:
    slices = list(slices)
    return np.array([part.position for part in slices]) @ slices[0].direction[:, 2]


def _repeats(slices: list[Slice]) -> bool:
    return bool(np.diff(np.sort(_heights(slices))).min() < MIN_GAP)


def _at_one_position(slices: tuple[Slice, ...]) -> bool:
    return not any(part.problem for part in slices) and bool(np.ptp(_heights(slices)) < MIN_GAP)


def _gap_problem(slices: list[Slice]) -> str:
    """Return why sorted slices are not evenly spaced along a line, or an empty text."""
    return _position_problem(slices) or unevenness(_heights(slices))


def _position_problem(slices: Sequence[Slice]) -> str:
    """Return why sorted slices do not lie along a line, as the end of a sentence, or an empty text.

    Files without the UID of their series are one stack only if their instance numbers follow the
    positions.
    """
    heights = _heights(slices)
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


def _natural(text: str) -> tuple[bool, float, str]:
    """Return a sort key that puts 2 before 10."""
    try:
        return False, float(text), ""
    except ValueError:
        return True, 0.0, text
