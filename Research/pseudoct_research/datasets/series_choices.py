"""Choices of a DICOM series for each of several scans of a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PseudoCTDenoiseLib.ct.io.volume_files import CtVolume, read_volume
from PseudoCTDenoiseLib.errors import BadInputError

NO_CHOICE = "-"


def check_choices(paths: Sequence[Path], choices: Sequence[str], flag: str) -> None:
    """Check that there is a choice for each scan, or none at all.

    Raises
    ------
    BadInputError
        If the numbers differ.
    """
    if choices and len(choices) != len(paths):
        raise BadInputError(
            f"{flag} names {len(choices)} series for {len(paths)} scans: give one for each scan, "
            f"'{NO_CHOICE}' for a scan without a choice."
        )


def read_scans(paths: Sequence[Path], choices: Sequence[str], **options) -> list[CtVolume]:
    """Read scans with their choices; ``options`` are those of :func:`.read_volume`.

    Raises
    ------
    BadInputError
        As :func:`.read_volume`.
    """
    return [
        read_volume(path, series=None if choice == NO_CHOICE else choice, **options)
        for path, choice in zip(paths, choices or [NO_CHOICE] * len(paths), strict=True)
    ]
