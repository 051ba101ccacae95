"""Normal-dose reference of `denoise`: reading, and warnings if it may be another scan."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ..ct.io.dicom_attributes import PATIENT
from ..ct.io.volume_files import CtVolume, check_same_grid, read_volume


def read_reference(arguments: argparse.Namespace, scan: CtVolume) -> CtVolume | None:
    """Return the reference of a scan, with warnings that begin with "Reference: ".

    Raises
    ------
    BadInputError
        If it cannot be read or is not on the grid of the scan.
    """
    if arguments.reference is None:
        return None
    reference = read_volume(
        arguments.reference,
        series=arguments.reference_series,
        slice_axis=arguments.slice_axis,
        allow_uneven=True,  # its grid must be that of the scan
    )
    check_same_grid(scan, reference)
    warnings = (*reference.warnings, *_doubts(scan, reference))
    return replace(reference, warnings=tuple(f"Reference: {text}" for text in warnings))


def _doubts(scan: CtVolume, reference: CtVolume) -> list[str]:
    """Return what DICOM files state against their being of one scan. Names are not part of it."""
    found = []
    if any(map(_differ, *map(_patient, (scan, reference)))):
        found.append(
            "It is of another patient (ID, name or birth date differ): give the normal-dose CT of "
            "the same scan."
        )
    if _differ(*(volume.uids.get("frame_of_reference_uid", "") for volume in (scan, reference))):
        found.append(
            "It has another Frame of Reference UID, so it may show another place: check that it is "
            "of the same scan."
        )
    return found


def _patient(volume: CtVolume) -> list[str]:
    texts = [volume.dicom_slices[0].frame.text(k) for k in PATIENT] if volume.dicom_slices else []
    return [text.rstrip("^ ").casefold() for text in texts]


def _differ(one: str, other: str) -> bool:
    return bool(one and other) and one != other
