"""Reading through SimpleITK: one line for what goes wrong, nothing spilled to the terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import SimpleITK as sitk

from ...errors import BadInputError

MODALITY = "0008|0060"


@contextmanager
def quiet_itk() -> Iterator[BinaryIO]:
    """Keep what ITK and its C libraries print from the terminal; yields the file that takes it.

    The libraries write to the process's standard error directly, past ``sys.stderr``.
    """
    warned = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    with tempfile.TemporaryFile() as printed:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            terminal = os.dup(2)
        except OSError:  # a process without standard error, as windowed programs are
            terminal = None
        try:
            if terminal is not None:
                os.dup2(printed.fileno(), 2)
            yield printed
        finally:
            sitk.ProcessObject.SetGlobalWarningDisplay(warned)
            if terminal is not None:
                os.dup2(terminal, 2)
                os.close(terminal)


def itk_path(path: str | Path) -> str:
    """A path as SimpleITK takes it; at one that is no UTF-8 it would abort the process.

    Raises
    ------
    BadInputError
        If the path holds bytes that are no UTF-8, as names from older systems may.
    """
    text = str(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInputError(
            f"{text.encode('utf-8', 'replace').decode()} holds characters that are not UTF-8: "
            "rename the file or its folder."
        ) from error
    return text


def read_header(path: str | Path, image_io: str = "") -> sitk.ImageFileReader:
    """A reader that has read the file's header but none of its voxels.

    Raises
    ------
    BadInputError
        If the header cannot be read, or the path is no UTF-8.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(itk_path(path))
    reader.SetImageIO(image_io)
    try:
        with quiet_itk():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise damaged(Path(path).name) from error
    return reader


def read_voxels(reader: sitk.ImageFileReader | sitk.ImageSeriesReader, name: str) -> sitk.Image:
    """Run a reader whose header is known to be good.

    Raises
    ------
    BadInputError
        If the voxels cannot be read in full.
    """
    try:
        with quiet_itk() as printed:
            image = reader.Execute()
            printed.seek(0)
            # MetaImage prints this for a broken stream and returns the voxels all the same.
            broken = b"Uncompress failed" in printed.read()
    except RuntimeError as error:
        raise damaged(name) from error
    if broken:
        raise damaged(name)
    return image


def check_header(header: sitk.ImageFileReader, name: str) -> None:
    """Refuse by its header what is no CT volume.

    Raises
    ------
    BadInputError
        For colour, vectors and complex numbers, for more than three dimensions, and for a DICOM
        modality (PS3.3 C.7.3.1.1.1) other than CT.
    """
    if header.GetNumberOfComponents() != 1:
        raise BadInputError(
            f"{name} holds {header.GetNumberOfComponents()} numbers a voxel (colour, vectors or "
            "complex numbers): a CT has one."
        )
    if header.GetDimension() not in (2, 3):
        raise BadInputError(
            f"{name} is {header.GetDimension()}-D: save one volume of the series and give that."
        )
    modality = tag(header, MODALITY)
    if modality not in ("", "CT"):
        raise BadInputError(f"{name} is of modality {modality}: only CT can be denoised.")


def tag(header: sitk.ImageFileReader, key: str) -> str:
    """A DICOM tag's text on one line, empty where the file has none."""
    if not header.HasMetaDataKey(key):
        return ""
    # Older files hold Latin-1, which SimpleITK hands over as lone surrogates.
    raw = header.GetMetaData(key).encode("utf-8", "surrogateescape")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return " ".join(text.replace("\0", " ").split())


def damaged(name: str) -> BadInputError:
    """The error for a file that ITK, or the length of its data, says is broken."""
    return BadInputError(
        f"{name} cannot be read: it is damaged, incomplete or of another format; "
        "copy or export it again."
    )
