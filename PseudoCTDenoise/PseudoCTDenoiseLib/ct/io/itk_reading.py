"""Reading through SimpleITK with one-line errors and no output on the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import SimpleITK as sitk

from ...errors import BadInputError, is_out_of_memory
from ...temporary_files import temporary_file

MODALITY = "0008|0060"
BROKEN_STREAM = (b"Uncompress failed", b"Corrupt JPEG data", b"Premature end of JPEG")
"""Texts of the MetaImage reader and of the JPEG decoder."""


@contextmanager
def suppress_itk_output() -> Iterator[BinaryIO]:
    """Redirect the output of ITK and its C libraries from the terminal to a file; yield the file.

    The libraries write to the standard error of the process and bypass ``sys.stderr``.
    """
    with temporary_file() as printed:
        warned = sitk.ProcessObject.GetGlobalWarningDisplay()
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            terminal = os.dup(2)
        except OSError:  # a windowed program has no standard error
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


@contextmanager
def skewed_axes_allowed() -> Iterator[None]:
    """Let ITK read a NIfTI with skewed axes; it makes them square."""
    name = "ITK_NIFTI_SFORM_PERMISSIVE"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def itk_path(path: str | Path) -> str:
    """Return a path as a text that SimpleITK accepts.

    SimpleITK aborts the process if a path is not UTF-8.

    Raises
    ------
    BadInputError
        If the path is not UTF-8, as can happen with names from older systems.
    """
    text = str(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInputError(
            f"{text.encode('utf-8', 'replace').decode()} contains characters that are not UTF-8: "
            "rename the file or its folder."
        ) from error
    return text


def read_header(path: str | Path, image_io: str = "") -> sitk.ImageFileReader:
    """Return a reader that has read the header of a file but not its voxels.

    Raises
    ------
    BadInputError
        If the header cannot be read, or the path is not UTF-8.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(itk_path(path))
    reader.SetImageIO(image_io)
    try:
        with suppress_itk_output():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise damaged(Path(path).name) from error
    return reader


def read_voxels(reader: sitk.ImageFileReader, name: str) -> sitk.Image:
    """Read the voxels with a reader whose header was checked; axes after the third have size 1.

    Raises
    ------
    BadInputError
        If the voxels cannot be read in full.
    """
    size = reader.GetSize()
    if len(size) > 3:
        reader.SetExtractSize([*size[:3], *[0] * (len(size) - 3)])
    try:
        with suppress_itk_output() as printed:
            image = reader.Execute()
            printed.seek(0)
            # For a broken stream, some readers print such a text and still return voxels.
            text = printed.read()
            broken = any(words in text for words in BROKEN_STREAM)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise damaged(name) from error
    if broken:
        raise damaged(name)
    return image


def check_header(header: sitk.ImageFileReader, name: str) -> None:
    """Reject a file whose header is not that of a CT volume.

    Raises
    ------
    BadInputError
        If voxels are colours, vectors or complex numbers, the image holds several volumes, or its
        DICOM modality (PS3.3 C.7.3.1.1.1) is not CT.
    """
    if header.GetNumberOfComponents() != 1:
        raise BadInputError(
            f"{name} has {header.GetNumberOfComponents()} numbers per voxel (colours, vectors or "
            "complex numbers): give a CT with one number per voxel."
        )
    if header.GetDimension() < 2 or any(size > 1 for size in header.GetSize()[3:]):
        raise BadInputError(
            f"{name} is {header.GetDimension()}-D: save a single volume and give that file."
        )
    modality = tag(header, MODALITY)
    if modality not in ("", "CT"):
        raise BadInputError(f"{name} has the modality {modality}: give a CT.")


def tag(header: sitk.ImageFileReader, key: str) -> str:
    """Return an entry of the header on one line, or an empty text if the file lacks it."""
    if not header.HasMetaDataKey(key):
        return ""
    # Older files hold Latin-1, which SimpleITK returns as lone surrogates.
    raw = header.GetMetaData(key).encode("utf-8", "surrogateescape")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return " ".join(text.replace("\0", " ").split())


def damaged(name: str) -> BadInputError:
    """Return the error for a file that is broken according to ITK or to the length of its data."""
    return BadInputError(
        f"{name} cannot be read: it is damaged, incomplete or of another format. "
        "Copy or export it again."
    )
