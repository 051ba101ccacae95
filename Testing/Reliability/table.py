"""The table of inputs: all cases by kind."""

from __future__ import annotations

from Reliability import (
    command,
    dicom_content,
    dicom_folders,
    dicom_frames,
    dicom_geometry,
    dicom_lengths,
    dicom_mixed,
    dicom_output,
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
    "DICOM pixel lengths": dicom_lengths.CASES,
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
"""Kind of the situations of the command."""

SITUATIONS = command.SITUATIONS | dicom_output.SITUATIONS

HEADERS = "Random headers"
"""Kind of the random headers; see :mod:`Reliability.headers`."""

KNOWN_FAULTS: dict[tuple[str, str], str] = {}
"""Inputs of which the product does not make what is expected yet, by kind and name, and why."""
