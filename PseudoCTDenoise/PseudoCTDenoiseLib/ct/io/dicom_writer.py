"""Writing of a derived CT series: one DICOM file for each slice of the source."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from ...errors import BadInputError, is_out_of_memory
from ..display_window import noise_limit
from .derived_kinds import DENOISED
from .dicom_derivation import DerivedSeries, derived_header
from .dicom_files import (
    DicomFile,
    ignore_pydicom_warnings,
    load_dataset,
    read_dicom_header,
)
from .dicom_slices import Slice
from .dicom_stored_values import HU_FORMAT, format_for
from .dicom_voxels import PADDING, has_padding_value, slice_hu, stored_slices

NEEDED_UIDS = {
    "StudyInstanceUID": "Study Instance UID (0020,000D)",
    "SeriesInstanceUID": "Series Instance UID (0020,000E)",
    "SOPInstanceUID": "SOP Instance UID (0008,0018)",
}


@ignore_pydicom_warnings()
def check_source(slices: Sequence[Slice], name: str) -> None:
    """Check that a series can be derived from slices; read and derive all headers.

    Parameters
    ----------
    slices : of a DICOM volume; empty for a volume of another format.
    name : name of the volume in the message.

    Raises
    ------
    BadInputError
        If the volume is not DICOM, or a slice lacks a UID or has an attribute that cannot be
        copied.
    """
    if not slices:
        raise BadInputError(
            f"{name} is not DICOM, so it has no patient data to copy into a DICOM series: give "
            "the DICOM folder of the scan, or an output file such as .nrrd."
        )
    for source in slices:
        for keyword, label in NEEDED_UIDS.items():
            if not source.frame.text(keyword):
                raise BadInputError(
                    f"{source.frame.name} has no {label}, so a derived series cannot name its "
                    "source: export the scan again with its UIDs, or give an output file such as "
                    ".nrrd."
                )
    series, path, header = DerivedSeries(DENOISED, note=""), None, None
    for number, source in enumerate(slices):
        try:
            if source.frame.path != path:
                path, header = source.frame.path, load_dataset(source.frame.path)
            _file(derived_header(header, source, number + 1, series))
        except Exception as error:  # pydicom raises many kinds of errors for damaged files
            if is_out_of_memory(error):
                raise
            raise BadInputError(
                f"{source.frame.name} has an attribute that cannot be copied into a DICOM series: "
                "export the scan again, or give an output file such as .nrrd."
            ) from error


def file_names(slices: int) -> list[str]:
    """Return the names of the files of a series, in the order of the slices."""
    return [f"{number:04}.dcm" for number in range(1, slices + 1)]


@ignore_pydicom_warnings()
def write_series(
    paths: Sequence[Path],
    hu: np.ndarray,
    sources: Sequence[Slice],
    source_hu: np.ndarray,
    series: DerivedSeries,
) -> None:
    """Write one file for each slice; patient, study, geometry and acquisition are those of it.

    The pixels have the source's slope, intercept, sign and bits, or 16 bits if those are not
    enough. Padding of the source is written as it was.

    Parameters
    ----------
    paths : file of each slice.
    hu : (slices, rows, columns) int16, in the order of ``sources``.
    sources : slices of the source that :func:`check_source` accepts.
    source_hu : HU of the slices as they were read, in the shape of ``hu``.

    Raises
    ------
    BadInputError
        If a file of the source can no longer be read, or was changed after it was read.
    OSError
        If a file cannot be written.
    ValueError
        If the shape of ``hu`` is not that of the sources.
    """
    shape = (len(sources), *sources[0].size)
    if not hu.shape == source_hu.shape == shape or len(paths) != len(sources):
        raise ValueError(f"hu has shape {hu.shape}, the source has {len(sources)} slices")
    pixel_format = HU_FORMAT if series.kind.noise else format_for(hu, sources)
    window = 2 * noise_limit(hu) if series.kind.noise else None
    path, header = None, None
    for number, stored_source in stored_slices(sources):
        source = sources[number]
        if source.frame.path != path:
            path, header = source.frame.path, load_dataset(source.frame.path)
            found = read_dicom_header(path)
            # NaN differs from itself as a number, but not as text.
            if not isinstance(found, DicomFile) or str(found.header) != str(source.frame.header):
                raise _changed(source)
        original, bright = slice_hu(source, stored_source, source.frame.name)
        if not np.array_equal(original, source_hu[number]):
            raise _changed(source)
        image = derived_header(header, source, number + 1, series)
        stored = pixel_format.stored(hu[number], source)
        pixel_format.describe(image, source)
        if window is None:
            unchanged = has_padding_value(source, stored_source) & (hu[number] == original)
            padding = bright | unchanged
            stored[padding] = pixel_format.padding(stored_source[padding], source)
        else:
            _show_noise(image, window)
        image.add_new("PixelData", "OW", stored.tobytes())
        paths[number].write_bytes(_file(image))


def _changed(source: Slice) -> BadInputError:
    return BadInputError(
        f"{source.frame.name} was changed after it was read: denoise the scan again."
    )


def _show_noise(image: Dataset, window: float) -> None:
    """Replace the display of a CT by a window about 0 HU, and remove the padding."""
    for keyword in (*PADDING, "VOILUTSequence", "VOILUTFunction", "WindowCenterWidthExplanation"):
        if keyword in image:
            del image[keyword]
    image.WindowCenter, image.WindowWidth = "0", f"{window:g}"


def _file(image: Dataset) -> bytes:
    """Return the content of a file; pydicom hides the reason if it cannot write to the disk."""
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = BytesIO()
    dcmwrite(content, image, enforce_file_format=True)
    return content.getvalue()
