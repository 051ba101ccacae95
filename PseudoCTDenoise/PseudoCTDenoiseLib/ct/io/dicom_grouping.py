"""Grouping of the slices of a series into stacks, by what the slices of one stack share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from pydicom.uid import UID

from .dicom_attributes import PATIENT, Frame
from .dicom_content import image_type, rescale_type
from .dicom_files import sop_class
from .dicom_slices import Slice
from .dicom_stack import MIN_GAP, gap_problem, heights_of, sorted_along_normal

_COMPUTED: dict[str, Callable[[Frame], str]] = {
    "patient": lambda frame: " ".join(filter(None, map(frame.text, PATIENT))),
    "image type": image_type,
    "kind": lambda frame: UID(sop_class(frame.header)).name,
    "size": lambda frame: f"{frame.header.get('Rows')}×{frame.header.get('Columns')}",
    "unit": rescale_type,
    "folder": lambda frame: str(frame.path.parent),
    "file": lambda frame: frame.path.name if frame.multi_frame else "",
}
"""Labels besides :data:`.LABELS`."""
ONE_VALUE = (
    *("patient", "study", "number", "description", "modality", "image type", "kind", "size"),
    *("kernel", "kV", "thickness", "phase", "cardiac phase", "stack", "unit"),
    "frame of reference",
)
"""Labels that have one value within a stack."""
ACQUISITIONS = ("acquisition", "folder", "file")
TIMES = ("trigger time", "acquisition time", "series time", "content time")
"""Labels that separate slices at the same position, and slices of two scans whose positions
alternate. Within one stack they may vary."""
WITHOUT_UID = ("folder", "acquisition", "study date", "series date", "series time")
"""Further labels with one value, if files lack the UID of their series."""


def split_into_stacks(slices: Iterable[Slice], has_uid: bool) -> list[tuple[dict, list[Slice]]]:
    """Return the stacks of a series as (values that differ between them, sorted slices).

    Slices at one position are separated by acquisition, folder, file or time, if one of these
    yields stacks without repeated positions. Slices of two acquisitions or times in turn are
    separated if each value has evenly spaced slices.
    """
    shared = ONE_VALUE if has_uid else (*ONE_VALUE, *WITHOUT_UID)
    stacks = []
    for values, group in _grouped(slices, shared).items():
        labels = dict(zip(shared, values, strict=True))
        for grid in _grids(group):
            geometry = {"geometry": _geometry(grid[0])}
            for extra, part in _acquisitions(grid):
                stacks.append((labels | geometry | extra, sorted_along_normal(part)))
    return _distinguishing_labels(stacks)


def _distinguishing_labels(
    stacks: list[tuple[dict[str, str], list[Slice]]],
) -> list[tuple[dict[str, str], list[Slice]]]:
    """Return the stacks, sorted, with only the labels in which they differ.

    The labels get into logs, so a patient becomes a number within the series.
    """
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


def _grouped(slices: Iterable[Slice], names: Sequence[str]) -> dict[tuple[str, ...], list[Slice]]:
    groups: dict[tuple[str, ...], list[Slice]] = {}
    for part in slices:
        groups.setdefault(tuple(_label(part.frame, name) for name in names), []).append(part)
    return groups


def _label(frame: Frame, name: str) -> str:
    return _COMPUTED[name](frame) if name in _COMPUTED else frame.label(name)


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
        or _returns("acquisition", slices)
        or bool(gap_problem(sorted_along_normal(slices)))
    )
    for name in (*ACQUISITIONS, *TIMES):
        if not (several if name in ACQUISITIONS else repeated or _returns(name, slices)):
            continue
        parts = _grouped(slices, [name])
        if len(parts) == 1 or ("",) in parts:
            continue
        stacks = [sorted_along_normal(part) for part in parts.values()]
        separate = all(len(part) > 1 and not _repeats(part) for part in stacks)
        if separate and (repeated or not any(map(gap_problem, stacks))):
            return [({name: value}, part) for (value,), part in parts.items()]
    return whole


def _returns(name: str, slices: list[Slice]) -> bool:
    """Return True if a label returns after another along the positions."""
    values = [_label(part.frame, name) for part in sorted_along_normal(slices)]
    changes = sum(a != b for a, b in zip(values, values[1:], strict=False))
    return changes >= len(set(values))


def _repeats(slices: list[Slice]) -> bool:
    return bool(np.diff(np.sort(heights_of(slices))).min() < MIN_GAP)


def _natural(text: str) -> tuple[bool, float, str]:
    """Return a sort key that puts 2 before 10."""
    try:
        return False, float(text), ""
    except ValueError:
        return True, 0.0, text
