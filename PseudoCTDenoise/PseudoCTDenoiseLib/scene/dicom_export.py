"""Export of results as DICOM series that are derived from the files of their input."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer

from .. import __version__
from ..ct.hounsfield import MIN_CT_HU
from ..ct.hu_validation import checked_int16
from ..ct.io.derived_kinds import (
    DENOISED,
    NOISE_ENSEMBLE,
    PSEUDO_LDCT,
    REMOVED_NOISE,
    DerivedKind,
)
from ..ct.io.derived_note import derivation_note
from ..errors import BadInputError
from ..temporary_files import in_temporary_folder, with_cleanup
from . import provenance
from .ct_input import sliceAxis
from .results import checkInputUnchanged, originalOf, wasEdited

if TYPE_CHECKING:
    from ..ct.io.dicom_slices import Slice

INSTANCE_UIDS = "DICOM.instanceUIDs"
"""Attribute that Slicer gives to a volume from DICOM: the UID of the file of each slice."""


COMPANIONS = {
    provenance.NOISE_MAP: NOISE_ENSEMBLE,
    provenance.PSEUDO_LDCT: PSEUDO_LDCT,
    provenance.REMOVED_NOISE: REMOVED_NOISE,
}
"""Role of the volume among the references of its result → its kind."""


def canExport(node) -> bool:
    """Return True for a result, or a volume that belongs to one, whose input comes from DICOM."""
    result, _kind = _resultAndKind(node)
    original = result.GetNodeReference(provenance.INPUT) if result else None
    return original is not None and bool(original.GetAttribute(INSTANCE_UIDS))


def exportVolume(node, folder: str | os.PathLike) -> list[Path]:
    """Write a volume as a DICOM series to files in ``folder`` and return their paths.

    Patient, study, positions and acquisition are copied from the files of the result's input. The
    names begin with the UID of the series. The files appear when the series is complete, and all
    go if one cannot be put there. They lie in no folder of their own: when Slicer exports to its
    DICOM database, it removes only files from its temporary folder.

    Raises
    ------
    BadInputError
        If :func:`canExport` returns False, the files are no longer in Slicer's DICOM database, the
        volume or the input was changed, or the series cannot be written.
    """
    if not canExport(node):
        raise BadInputError(
            f"{node.GetName()} was not made from a DICOM series, so it has no patient data to "
            "copy. Load the scan in the module DICOM and denoise it again."
        )
    from ..ct.io.dicom_derivation import DerivedSeries  # pydicom is slow to import
    from ..ct.io.dicom_writer import check_source, file_names, write_series

    result, kind = _resultAndKind(node)
    original = originalOf(result)
    slices, sourceHu = _slicesOf(original)
    check_source(slices, original.GetName())
    hu = checked_int16(slicer.util.arrayFromVolume(node), node.GetName())
    if hu.shape != (len(slices), *slices[0].size):
        raise BadInputError(
            f"{node.GetName()} no longer has the size of its input. Denoise it again."
        )
    checkInputUnchanged(original, result)
    if wasEdited(node):
        raise BadInputError(
            f"{node.GetName()} was changed since it was made, which the new series would not say. "
            "Denoise the scan again, and export that result."
        )
    series = DerivedSeries(kind, _note(result, kind))
    names = [f"{series.uid}_{name}" for name in file_names(len(hu))]

    def write(temporary: Path) -> list[Path]:
        parts = [temporary / name for name in names]
        write_series(parts, hu, slices, sourceHu, series)
        return _moveAll(parts, Path(folder))

    try:
        return in_temporary_folder(folder, write)
    except OSError as error:
        raise BadInputError(
            f"The series could not be written to {folder} ({error.strerror or error}): free some "
            "space or choose another folder."
        ) from error


def _moveAll(files: list[Path], folder: Path) -> list[Path]:
    """Move all files to a folder, or none and raise OSError; no file there is replaced."""
    targets = [folder / file.name for file in files]
    moved: list[Path] = []

    def move() -> list[Path]:
        for target in targets:
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        for file, target in zip(files, targets, strict=True):
            moved.append(target)  # before the move, which a signal may follow
            os.replace(file, target)
        moved.clear()
        return targets

    def removeMoved() -> None:
        for target in moved:
            target.unlink(missing_ok=True)

    return with_cleanup(move, removeMoved)


def showExportDialog(node) -> None:
    """Show Slicer's own dialog for DICOM export with this volume selected."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    dialog = slicer.qSlicerDICOMExportDialog()
    dialog.setMRMLScene(slicer.mrmlScene)
    dialog.execDialog(hierarchy.GetItemByDataNode(node))


def _resultAndKind(node) -> tuple[object, DerivedKind | None]:
    """Return the result that a volume is, or belongs to, and what the volume shows of it."""
    if provenance.isResult(node):
        return node, DENOISED
    if provenance.isDerived(node):
        for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
            for role, kind in COMPANIONS.items():
                if provenance.isResult(volume) and volume.GetNodeReference(role) is node:
                    return volume, kind
    return None, None


def _note(result, kind: DerivedKind) -> str:
    made = provenance.provenanceOf(result)
    model = made.get("Model", "unknown")
    strengths = {DENOISED: made.get("Strength", 100.0), REMOVED_NOISE: 100.0}
    # Noise map and pseudo-LDCT do not depend on the strength.
    strength = strengths.get(kind)
    if made.get("SlicesWithNeighbours") and kind in strengths:
        model += ", corrected by neighbouring slices"
    version = made.get("Version", __version__)
    note = derivation_note(kind.note, version, model, strength)
    first, last = made.get("Slices", (0, 0))
    slices = result.GetImageData().GetDimensions()[sliceAxis(result)]
    if "Slices" in made and last - first + 1 < slices:
        note += f" Only slices {first + 1} to {last + 1} are denoised."
    return note


def _slicesOf(original) -> tuple[tuple[Slice, ...], np.ndarray]:
    """Return the slices of a volume's DICOM files and their HU, in the order of its voxels (k)."""
    from ..ct.io.dicom_series import read_slices

    paths = []
    database = getattr(slicer, "dicomDatabase", None)  # None until the user sets its folder
    for uid in original.GetAttribute(INSTANCE_UIDS).split():
        path = database.fileForInstance(uid) if database else ""
        if not path or not os.path.isfile(path):
            raise BadInputError(
                f"A DICOM file of {original.GetName()} is no longer in Slicer's DICOM database "
                f"(instance {uid}). Import the scan again in the module DICOM."
            )
        paths.append(Path(path))
    slices, hu = read_slices(paths, original.GetName())
    voxels = checked_int16(slicer.util.arrayFromVolume(original), original.GetName())
    # Slicer may reverse the frames of a file. Bright padding is air in the reader's slices.
    for order in (slice(None), slice(None, None, -1)):
        if hu.shape == voxels.shape:
            read = hu[order]
            if np.array_equal(np.where(read == MIN_CT_HU, read, voxels), read):
                return slices[order], read
    raise BadInputError(
        f"{original.GetName()} differs from its DICOM files: it was changed after it was loaded. "
        "Load the scan again in the module DICOM and denoise it again."
    )
