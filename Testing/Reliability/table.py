"""The table of inputs: all cases by kind."""

from __future__ import annotations

from Reliability import (
    dicom_content,
    dicom_folders,
    dicom_frames,
    dicom_geometry,
    dicom_mixed,
    dicom_pixels,
)
from Reliability.case import Case

KINDS: dict[str, dict[str, Case]] = {
    "DICOM folders and files": dicom_folders.CASES,
    "DICOM pixels": dicom_pixels.CASES,
    "DICOM geometry": dicom_geometry.CASES,
    "DICOM stacks": dicom_mixed.CASES,
    "DICOM content": dicom_content.CASES,
    "Multi-frame DICOM": dicom_frames.CASES,
}
