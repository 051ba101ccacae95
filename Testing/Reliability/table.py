"""The table of inputs: all cases by kind."""

from __future__ import annotations

from Reliability import (
    dicom_content,
    dicom_folders,
    dicom_frames,
    dicom_geometry,
    dicom_mixed,
    dicom_pixels,
    metaimage,
    nifti,
    nrrd,
    values,
)
from Reliability.case import Case

KINDS: dict[str, dict[str, Case]] = {
    "DICOM folders and files": dicom_folders.CASES,
    "DICOM pixels": dicom_pixels.CASES,
    "DICOM geometry": dicom_geometry.CASES,
    "DICOM stacks": dicom_mixed.CASES,
    "DICOM content": dicom_content.CASES,
    "Multi-frame DICOM": dicom_frames.CASES,
    "NIfTI": nifti.CASES,
    "NRRD": nrrd.CASES,
    "MetaImage": metaimage.CASES,
    "Values and sizes": values.CASES,
}

COMMAND = "Command line and output"
"""Kind of the situations of the command; see :mod:`Reliability.command`."""

HEADERS = "Random headers"
"""Kind of the random headers; see :mod:`Reliability.headers`."""

KNOWN_FAULTS: dict[tuple[str, str], str] = {
    ("NIfTI", "qform of NaN, alone"): "ITK replaces NaN by 0",
    ("NIfTI", "offset of NaN, alone"): "ITK replaces NaN by 0",
    ("NIfTI", "spacing 0"): "ITK replaces the spacing by 1 mm",
    ("NIfTI", "spacing of NaN"): "ITK replaces the spacing by 1 mm",
    ("NIfTI", "a wrong length of the header"): "ITK ignores the length",
    ("NIfTI", "a wrong magic number"): "ITK reads the file as ANALYZE 7.5",
    ("Random headers", "NIfTI, hostile"): "ITK replaces or ignores what it cannot use",
    ("NRRD", "more voxels than any memory"): "the message is lack of memory",
    ("NRRD", "a spacing of NaN"): "ITK replaces the spacing by 1 mm",
    ("MetaImage", "a negative length"): "the message is lack of memory",
    ("MetaImage", "compressed, without the length of the stream"): "ITK does not find the voxels",
    ("MetaImage", "more voxels than any memory"): "the message is lack of memory",
    ("MetaImage", "an origin of NaN"): "ITK replaces NaN by 0",
    (
        "MetaImage",
        "a list that is too short",
    ): "ITK leaves the missing slices as they are in memory",
}
"""Inputs of which the product does not make what is expected yet, by kind and name, and why."""
