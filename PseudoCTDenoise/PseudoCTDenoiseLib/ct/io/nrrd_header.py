"""Check of an NRRD header before ITK reads the file.

ITK's reader crashes or hangs on some headers. It sees only those whose sizes, numbers and names are
understood here. https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import io
import math
import re
import zlib
from pathlib import Path

from ...errors import BadInputError
from .data_files import (
    COMPRESSED,
    MAX_SURPLUS_BYTES,
    NO_SPACING,
    RAW,
    TEXT,
    StoredVoxels,
    check_length,
    expanded_sizes,
    named_files,
    numbered_names,
)
from .itk_reading import damaged
from .text_header import (
    MAX_BYTES,
    check_spacing,
    check_units,
    orientation_warning,
    read_start,
    rescaled,
    to_integer,
    to_text,
)

_MAGIC = re.compile(r"NRRD000[1-5]")
_BYTES = {
    1: "signed char, int8, int8_t, uchar, unsigned char, uint8, uint8_t",
    2: "short, short int, signed short, signed short int, int16, int16_t, ushort, unsigned short, "
    "unsigned short int, uint16, uint16_t",
    4: "int, signed int, int32, int32_t, uint, unsigned int, uint32, uint32_t, float",
    8: "longlong, long long, long long int, signed long long, signed long long int, int64, "
    "int64_t, ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t, double",
}
_BYTES_BY_TYPE = {name: size for size, names in _BYTES.items() for name in names.split(", ")}
_CODINGS = {"raw": RAW, "gzip": COMPRESSED, "gz": COMPRESSED} | dict.fromkeys(
    ("text", "txt", "ascii", "hex"), TEXT
)
_FLOATS = {"float", "double"}
_QUOTED = re.compile(r'"([^"]*)"')
_PATTERN = re.compile(r"(\S*%\d*d\S*)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)(?:\s+(\d+))?")
_DIRECTION = re.compile(r"none|\(([^()]*)\)")
_MAX_SKIP = 1 << 20
_GZIP, _GZIP_MAGIC = 31, b"\x1f\x8b"
"""Window of zlib for gzip alone, and the first bytes of a gzip part."""
_FIELDS = {
    *("type", "dimension", "sizes", "encoding", "endian", "datafile", "lineskip", "byteskip"),
    *("space", "spacedimension", "spaceunits", "spaceorigin", "spacedirections", "spacings"),
    *("measurementframe", "thicknesses", "axismins", "axismaxs", "centers", "centerings", "kinds"),
    *("labels", "units", "sampleunits", "blocksize", "number", "content"),
    *("min", "max", "oldmin", "oldmax"),
}
"""Names of the fields without spaces, as several have a second name that differs in its spaces."""
_KNOWN_SPACES = {"las", "leftanteriorsuperior", "ras", "rightanteriorsuperior"}
_KNOWN_SPACES |= {"lps", "leftposteriorsuperior", "lpst", "leftposteriorsuperiortime"}
"""Spaces, without hyphens and spaces, that ITK converts to LPS. It takes all others for LPS."""
_MAX_FIELD = 500
"""Longest field in characters. ITK's reader copies a longer wrong one into a buffer of 1 kB."""


def check_nrrd(path: Path) -> tuple[str, ...]:
    """Check header, length and checksums of an NRRD file; return warnings about it.

    ITK does not read the checksum of compressed voxels: it ends with the last voxel.

    Raises
    ------
    BadInputError
        If the header is malformed, the file or a data file is too short or fails its checksum, a
        data file is missing or outside the folder of the header, a spacing is NaN, infinite or
        zero, lengths are not in mm, values are rescaled, or the encoding or the type is unknown.
    """
    fields, listed, start = _read_fields(path)
    check_units(_QUOTED.findall(fields.get("spaceunits", "")), "space units", path)
    sizes = _sizes(fields, path)
    encoding, kind = (fields.get(name, "").lower() for name in ("encoding", "type"))
    if not encoding or not kind:
        raise damaged(path.name)
    if encoding not in _CODINGS:
        raise BadInputError(
            f"{path.name} has the encoding {encoding}, which cannot be read: save it with the "
            "encoding gzip or raw."
        )
    if kind not in _BYTES_BY_TYPE:
        raise BadInputError(
            f"{path.name} has voxels of the type {kind}, which cannot be read: save it with the "
            "type short or float."
        )
    if kind not in _FLOATS and not {"oldmin", "oldmax"}.isdisjoint(fields):
        raise rescaled("old min, old max", path)
    coding, size = _CODINGS[encoding], _BYTES_BY_TYPE[kind]
    files = _files(fields, listed, sizes, path)
    inside = "datafile" not in fields
    numbers, rest = divmod(math.prod(sizes), len(files))
    if rest or start is None and inside:
        raise damaged(path.name)
    lines = to_integer(fields.get("lineskip", "0"), 0, _MAX_SKIP, path)
    # In compressed data, −1 would expand everything before the voxels are found.
    skip = to_integer(
        fields.get("byteskip", "0"), 0 if coding == COMPRESSED else -_MAX_SKIP, _MAX_SKIP, path
    )
    voxels = StoredVoxels(
        files,
        (start if inside else 0) + lines + (0 if coding == COMPRESSED else max(0, skip)),
        numbers * size + skip * (coding == COMPRESSED),
        numbers,
        coding,
    )
    check_length(voxels, path.name)
    if coding == COMPRESSED:
        for file in files:
            _check_stream(file, start if inside else 0, lines, voxels.length, path.name)
    spacing = "" if _states_spacing(fields, sizes, path) else NO_SPACING
    return tuple(filter(None, (spacing, _space_warning(fields, sizes))))


def _check_stream(path: Path, start: int, lines: int, length: int, name: str) -> None:
    """Expand the voxels after some lines of a file, to check their number and their checksum.

    The stream may consist of several gzip parts. Like ITK, this ignores what follows the voxels.
    """
    found, rest = 0, b""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            for _ in range(lines):
                file.readline(MAX_BYTES)
            while True:
                stream = zlib.decompressobj(_GZIP)
                for size in expanded_sizes(stream, file, block=rest):
                    found += size
                    if found > length + MAX_SURPLUS_BYTES:
                        raise damaged(name)
                rest = stream.unused_data
                rest += file.read(max(0, len(_GZIP_MAGIC) - len(rest)))
                if not stream.eof or not rest.startswith(_GZIP_MAGIC):
                    break
    except (OSError, zlib.error) as error:
        raise damaged(name) from error
    if found < length or not stream.eof:
        raise damaged(name)


def nrrd_files(path: Path) -> list[Path]:
    """Return the files with the voxels of an NRRD file.

    Raises
    ------
    BadInputError
        If a part of the header is malformed, or a data file is missing or outside its folder.
    """
    fields, listed, _ = _read_fields(path)
    return _files(fields, listed, _sizes(fields, path), path)


def _read_fields(path: Path) -> tuple[dict[str, str], list[str], int | None]:
    """Return the fields, the lines of a list of data files, and the first byte after the header.

    The byte is None if no blank line ends the header.
    """
    content = read_start(path)
    fields, listed, start = {}, [], 0
    for number, line in enumerate(io.BytesIO(content)):
        start += len(line)
        text = to_text(line, path)
        if number == 0:
            if not _MAGIC.fullmatch(text):
                raise damaged(path.name)
        elif not text:
            return fields, listed, start
        elif fields.get("datafile", "").startswith("LIST"):
            listed.append(text)
        elif not text.startswith("#"):
            field, _, value = text.partition(": ")
            if ":=" in field:  # a key and a value
                continue
            field = field.replace(" ", "").lower()
            too_long = len(text) > _MAX_FIELD and field != "content"
            if field not in _FIELDS or field in fields or too_long:
                raise damaged(path.name)
            fields[field] = value.strip(" \t")
    if len(content) == MAX_BYTES:
        raise damaged(path.name)
    return fields, listed, None


def _space_warning(fields: dict[str, str], sizes: list[int]) -> str:
    """Return a sentence on a space that ITK takes for LPS although it is not, or an empty text.

    Two-dimensional images have no space of a patient.
    """
    space = fields.get("space", "")
    if len(sizes) < 3 or space.lower().replace("-", "").replace(" ", "") in _KNOWN_SPACES:
        return ""
    stated = f"its space is {space}" if space else "it has no space"
    return orientation_warning(stated)


def _sizes(fields: dict[str, str], path: Path) -> list[int]:
    dimension = to_integer(fields.get("dimension", ""), 1, 16, path)
    sizes = [to_integer(text, 1, 2**31 - 1, path) for text in fields.get("sizes", "").split()]
    if len(sizes) != dimension:
        raise damaged(path.name)
    return sizes


def _files(fields: dict[str, str], listed: list[str], sizes: list[int], path: Path) -> list[Path]:
    """Return the files with the voxels: the data files, or the file of the header itself."""
    named = fields.get("datafile")
    if named is None:
        return [path]
    return named_files(path, _data_file_names(named, listed, len(sizes), path))


def _data_file_names(named: str, listed: list[str], dimension: int, path: Path) -> list[str]:
    if named.startswith("LIST"):
        parts = named.split()
        if len(parts) > 2 or parts[0] != "LIST":
            raise damaged(path.name)
        to_integer(parts[1] if len(parts) > 1 else "1", 1, dimension, path)
        return listed
    if not re.search(r"%\S*d", named):
        return [named]
    pattern = _PATTERN.fullmatch(named)
    if not pattern:
        raise damaged(path.name)
    first, last, step = (to_integer(text, -(10**7), 10**7, path) for text in pattern.group(2, 3, 4))
    to_integer(pattern[5] or "1", 1, dimension, path)
    return numbered_names(pattern[1], first, last, step, path)


def _states_spacing(fields: dict[str, str], sizes: list[int], path: Path) -> bool:
    """Return False if the distance of the voxels along an axis of the scan is not stated."""
    if "spacedirections" in fields:
        text = fields["spacedirections"]
        found = list(_DIRECTION.finditer(text))
        if len(found) != len(sizes) or _DIRECTION.sub("", text).strip():
            raise damaged(path.name)
        for direction, size in zip(found, sizes, strict=True):
            if direction[1] is not None and size > 1:
                check_spacing(math.hypot(*_floats(direction[1].split(","), path)), path)
        return all(
            direction[1] is not None
            for direction, size in zip(found, sizes, strict=True)
            if size > 1
        )
    if "spacings" not in fields:
        return False
    spacings = _floats(fields["spacings"].split(), path)
    if len(spacings) != len(sizes):
        raise damaged(path.name)
    for spacing, size in zip(spacings, sizes, strict=True):
        if size > 1:
            check_spacing(spacing, path)
    units = zip(_QUOTED.findall(fields.get("units", "")), sizes, strict=False)
    check_units([unit for unit, size in units if size > 1], "units", path)
    return True


def _floats(texts: list[str], path: Path) -> list[float]:
    """Return numbers, which may be NaN or infinite in NRRD."""
    try:
        return [float(text) for text in texts]
    except ValueError as error:
        raise damaged(path.name) from error
