"""Check of a MetaImage header before ITK reads the file.

ITK's reader crashes or hangs on some headers. It sees only those whose sizes, numbers and names are
understood here. https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

from ...errors import BadInputError
from .data_files import (
    COMPRESSED,
    NO_SPACING,
    RAW,
    TEXT,
    StoredVoxels,
    check_length,
    check_streams,
    named_files,
    numbered_names,
)
from .itk_reading import damaged
from .text_header import (
    check_spacing,
    check_units,
    orientation_warning,
    read_start,
    rescaled,
    to_integer,
    to_number,
    to_text,
)

_LINE = re.compile(r"\s*([^=:]{1,200}?)\s*[=:][=:\s]*(.*?)\s*")
_BYTES_BY_TYPE = {
    **dict.fromkeys(("MET_CHAR", "MET_UCHAR"), 1),
    **dict.fromkeys(("MET_SHORT", "MET_USHORT"), 2),
    **dict.fromkeys(("MET_INT", "MET_UINT", "MET_LONG", "MET_ULONG", "MET_FLOAT"), 4),
    **dict.fromkeys(("MET_LONG_LONG", "MET_ULONG_LONG", "MET_DOUBLE"), 8),
}
_NO_RESCALE = {"ElementToIntensityFunctionSlope": 1.0, "ElementToIntensityFunctionOffset": 0.0}
_MODALITIES = ("MET_MOD_CT", "MET_MOD_UNKNOWN", "MET_MOD_OTHER", "")
_NUMBERS = dict.fromkeys(
    ("ID", "ParentID", "CompressionLevel", "ElementMin", "ElementMax", "ElementNBits"), 1
) | {**dict.fromkeys(_NO_RESCALE, 1), "Color": 4}
"""Number of values of fields of numbers whose values are not used here."""
_VECTORS = {
    *("ElementSpacing", "ElementSize", "Position", "Origin", "Offset", "ImagePosition"),
    *("CenterOfRotation", "SequenceID"),
}
_MATRICES = {"Orientation", "Rotation", "TransformMatrix"}
_TEXTS = {
    *("NDims", "DimSize", "BinaryData", "CompressedData", "CompressedDataSize", "HeaderSize"),
    *("ElementType", "ElementNumberOfChannels", "ElementDataFile", "Modality", "DistanceUnits"),
}
_KNOWN = {*_NUMBERS, *_VECTORS, *_MATRICES, *_TEXTS}
_MAX_DIMENSION = 10
_MAX_NAME = 400
"""Longest name of a data file, or pattern, in characters."""
_PATTERN = re.compile(r"(\S*%\S*)(?: +(\d+)(?: +(\d+) +(\d+))?)?")


def check_metaimage(path: Path) -> tuple[str, ...]:
    """Check header and length of a MetaImage file; return warnings about it.

    Raises
    ------
    BadInputError
        If the header is malformed, the file or a data file is too short, a data file is missing or
        outside the folder of the header, a spacing is zero, lengths are not in mm, or the voxels
        are rescaled or of another modality than CT.
    """
    fields, listed, start = _read_fields(path)
    sizes = _sizes(fields, path)
    dimension = len(sizes)
    size = _BYTES_BY_TYPE.get(fields.get("ElementType", ""))
    channels = to_integer(fields.get("ElementNumberOfChannels", "1"), 1, 1 << 16, path)
    if size is None:
        raise damaged(path.name)
    vectors = _check_numbers(fields, dimension, path)
    _check_meaning(fields, path)
    files = _files(fields, listed, sizes, path)
    numbers = math.prod(sizes) * channels // len(files)
    coding = _coding(fields)
    skipped = start if _is_inside(fields) else 0
    # −1 stands for voxels at the end of the file.
    header = to_integer(fields.get("HeaderSize", "0"), -1, 2**31 - 1, path)
    voxels = StoredVoxels(files, max(skipped, header), numbers * size, numbers, coding)
    check_length(voxels, path.name)
    if coding == COMPRESSED:
        rest = min(file.stat().st_size for file in files) - skipped
        compressed = to_integer(fields.get("CompressedDataSize", "0"), 0, max(0, rest), path)
        # ITK takes another place for the stream than this check would.
        if header:
            raise BadInputError(
                f"{path.name} states a HeaderSize for compressed voxels, which readers understand "
                "in different ways: save the scan again, without compression."
            )
        check_streams(voxels, compressed or None, path.name)
        if skipped and not compressed:
            raise BadInputError(
                f"{path.name} does not state the length of its compressed voxels: add the line "
                f"'CompressedDataSize = {rest}' to its header, before ElementDataFile."
            )
    spacing = vectors.get("ElementSpacing", vectors.get("ElementSize"))
    for distance, count in zip(spacing or (), sizes, strict=False):
        if count > 1:
            check_spacing(distance, path)
    warnings = [] if spacing else [NO_SPACING]
    if dimension > 2 and _MATRICES.isdisjoint(fields):
        warnings.append(orientation_warning("it has no TransformMatrix"))
    return tuple(warnings)


def metaimage_files(path: Path) -> list[Path]:
    """Return the files with the voxels of a MetaImage file.

    Raises
    ------
    BadInputError
        If a part of the header is malformed, or a data file is missing or outside its folder.
    """
    fields, listed, _ = _read_fields(path)
    return _files(fields, listed, _sizes(fields, path), path)


def _read_fields(path: Path) -> tuple[dict[str, str], list[str], int]:
    """Return the fields, the lines after the last field, and the position of the first of them."""
    content = read_start(path)
    fields, start = {}, 0
    for line in io.BytesIO(content):
        start += len(line)
        text = to_text(line, path)
        if not text.strip():
            continue
        entry = _LINE.fullmatch(text)
        if not entry:
            raise damaged(path.name)
        key, value = entry.groups()
        if key in fields and key in _KNOWN:
            raise damaged(path.name)
        fields[key] = value
        if key == "ElementDataFile":
            if not value.startswith("LIST"):
                return fields, [], start
            if not content.endswith(b"\n"):  # ITK's reader would leave out the last file
                raise BadInputError(
                    f"{path.name} ends without a line end: add one after the last data file."
                )
            listed = [to_text(line, path).rstrip() for line in io.BytesIO(content[start:])]
            return fields, [name for name in listed if name], start
    raise damaged(path.name)


def _check_numbers(fields: dict[str, str], dimension: int, path: Path) -> dict[str, list[float]]:
    """Return the fields of numbers; ITK's reader stops at the first text that is not a number."""
    counts = _NUMBERS | dict.fromkeys(_VECTORS, dimension) | dict.fromkeys(_MATRICES, dimension**2)
    values = {}
    for key in counts.keys() & fields.keys():
        values[key] = [to_number(text, path) for text in fields[key].split()]
        if len(values[key]) != counts[key]:
            raise damaged(path.name)
    return values


def _check_meaning(fields: dict[str, str], path: Path) -> None:
    """Reject a modality besides CT, other units than mm and a rescale, which ITK ignores."""
    modality = fields.get("Modality", "")
    if modality not in _MODALITIES:
        raise BadInputError(
            f"{path.name} has the modality {modality.removeprefix('MET_MOD_')}: give a CT."
        )
    if any(float(fields.get(key, number)) != number for key, number in _NO_RESCALE.items()):
        raise rescaled("ElementToIntensityFunction", path)
    check_units([fields.get("DistanceUnits", "")], "DistanceUnits", path)


def _coding(fields: dict[str, str]) -> str:
    def is_true(key: str) -> bool:
        return fields.get(key, "")[:1] in ("T", "t", "1")

    if not is_true("BinaryData"):
        return TEXT
    return COMPRESSED if is_true("CompressedData") else RAW


def _sizes(fields: dict[str, str], path: Path) -> list[int]:
    dimension = to_integer(fields.get("NDims", ""), 1, _MAX_DIMENSION, path)
    sizes = [to_integer(text, 1, 2**31 - 1, path) for text in fields.get("DimSize", "").split()]
    if len(sizes) != dimension:
        raise damaged(path.name)
    return sizes


def _is_inside(fields: dict[str, str]) -> bool:
    """Return True if the voxels follow the header."""
    return fields["ElementDataFile"] in ("Local", "LOCAL", "local")


def _files(fields: dict[str, str], listed: list[str], sizes: list[int], path: Path) -> list[Path]:
    """Return the files with the voxels: the data files, or the file of the header itself."""
    if _is_inside(fields):
        return [path]
    return named_files(path, _data_file_names(fields["ElementDataFile"], listed, sizes, path))


def _data_file_names(named: str, listed: list[str], sizes: list[int], path: Path) -> list[str]:
    slices = sizes[-1]
    if not named or len(named) > _MAX_NAME:
        raise damaged(path.name)
    if named.startswith("LIST"):
        if named not in ("LIST", f"LIST {len(sizes) - 1}"):
            raise damaged(path.name)
        names = listed[:slices]
    elif "%" not in named:
        return [named]
    else:
        pattern = _PATTERN.fullmatch(named)
        if not pattern:
            raise damaged(path.name)
        first = to_integer(pattern[2] or "1", 0, 10**6, path)
        last = to_integer(pattern[3] or str(first + slices - 1), first, 10**6, path)
        step = to_integer(pattern[4] or "1", 1, 10**6, path)
        names = numbered_names(pattern[1], first, last, step, path)[:slices]
    if len(names) != slices or max(map(len, names)) > _MAX_NAME:
        raise damaged(path.name)
    return names
