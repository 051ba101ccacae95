"""NIfTI files that differ only by .gz, which ITK confuses.

ITK takes the voxels of X.nii.gz from X.nii if both lie in one folder, and does not find those of a
file whose suffix mixes capital and small letters.
https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1_io.c, nifti_findimgname
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import BadInputError
from ...temporary_files import TemporaryFolder, explain_temporary_errors, temporary_parent

COMPRESSED, PLAIN = ".nii.gz", ".nii"


@contextmanager
def apart_from_namesake(path: Path) -> Iterator[Path]:
    """Yield a path from which ITK reads this NIfTI and no other file.

    Raises
    ------
    BadInputError
        If ITK confuses the file with another one, or does not know its suffix, and the system
        allows no links.
    """
    name = path.name
    suffix = next((each for each in (COMPRESSED, PLAIN) if name.lower().endswith(each)), "")
    is_mixed = not name.endswith((suffix, suffix.upper()))
    if not is_mixed and not (suffix == COMPRESSED and namesake_of(path)):
        yield path
        return
    folder = TemporaryFolder(temporary_parent())
    try:
        with explain_temporary_errors():
            folder.create()
        link = folder.path / (name[: -len(suffix)] + suffix)
        try:
            os.symlink(path.resolve(), link)
        except OSError as error:
            raise BadInputError(
                f"{name} cannot be read beside a file of this name without .gz, or with "
                "capital and small letters in its suffix: rename it."
            ) from error
        yield link
    finally:
        folder.remove()


def check_no_namesake(path: Path) -> None:
    """Reject a new NIfTI that ITK would confuse with a file beside it.

    Raises
    ------
    BadInputError
        If there is such a file.
    """
    if namesake := namesake_of(path):
        raise BadInputError(
            f"{namesake.name} lies in the same folder. Programs that use ITK, such as 3D Slicer, "
            f"would take one of the two files for the other: choose another name than {path.name}."
        )


def namesake_of(path: Path) -> Path | None:
    """Return the file or folder whose name is that of a NIfTI with or without .gz, if it exists."""
    name = path.name
    if name.lower().endswith(COMPRESSED):
        other = name[:-3]
    else:
        other = name + (".GZ" if name.endswith(PLAIN.upper()) else ".gz")
    return path.with_name(other) if os.path.lexists(path.with_name(other)) else None
