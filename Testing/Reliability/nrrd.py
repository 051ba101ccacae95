"""NRRD files: spaces and axes, encodings, data files beside the header, voxel types and damage."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from Reliability.case import Case, Read, Writer, refuses
from Reliability.volume_inputs import ORIGIN, SMALL, SPACING, THICK, VALUES, file, scan

TYPES = {"i1": "signed char", "u1": "uchar", "i2": "short", "u2": "unsigned short", "i4": "int"}
TYPES |= {"u4": "unsigned int", "i8": "long long int", "f4": "float", "f8": "double"}
"""NRRD's names of voxel types."""
AXES = "(0.7,0,0) (0,0.8,0) (0,0,2.5)"


def hexadecimal(data: bytes) -> bytes:
    return data.hex().encode()


def with_a_wrong_bit(stream: bytes) -> bytes:
    """Return a compressed stream whose middle is damaged; ITK reads some of them."""
    middle = len(stream) // 2
    return stream[:middle] + bytes([stream[middle] ^ 1]) + stream[middle + 1 :]


ENCODINGS = {"raw": bytes, "gzip": gzip.compress, "gz": gzip.compress, "bzip2": bz2.compress}
ENCODINGS |= {"hex": hexadecimal}


def nrrd(
    values: np.ndarray = VALUES,
    *,
    kind: str = "i2",
    order: str = "<",
    encoding: str = "raw",
    version: int = 4,
    line_end: bytes = b"\n",
    data: bytes | None = None,
    first: str = "",
    **fields: str | None,
) -> bytes:
    """Return an NRRD file.

    Parameters
    ----------
    kind : voxel type as numpy names it.
    data : what follows the header instead of the encoded values.
    first : lines after the magic number, such as comments.
    fields : fields of the header with underscores for spaces; None leaves one out.
    """
    header = {
        "type": TYPES[kind],
        "dimension": str(values.ndim),
        "space": "left-posterior-superior",
        "sizes": " ".join(map(str, values.shape[::-1])),
        "space directions": AXES,
        "endian": "little" if order == "<" else "big",
        "encoding": encoding,
        "space origin": "({},{},{})".format(*ORIGIN),
    }
    header |= {name.replace("_", " "): value for name, value in fields.items()}
    lines = [f"NRRD000{version}", *filter(None, [first])]
    lines += [f"{name}: {value}" for name, value in header.items() if value is not None]
    if data is None:
        data = ENCODINGS[encoding](values.astype(f"{order}{kind}").tobytes())
    return line_end.join(line.encode() for line in [*lines, "", ""]) + data


def case(values: np.ndarray = VALUES, expected: Read | None = None, **fields) -> Case:
    content = nrrd(values, **fields)
    return Case(file("in.nrrd", content), expected or scan(values=values), "in.nrrd")


def in_space(name: str, signs: tuple[int, int, int]) -> Case:
    """Return a file whose space has other directions than LPS."""
    return case(
        expected=scan(np.diag(np.multiply(signs, SPACING)), origin=np.multiply(signs, ORIGIN)),
        space=name,
    )


def detached(named: str, files: Mapping[str, bytes], **fields) -> Writer:
    """Return a writer of a header and of the files that it names."""

    def make(folder: Path) -> None:
        content = nrrd(data=b"", data_file=named, **fields)
        file("in.nhdr", content[:-1] if named.startswith("LIST") else content)(folder)
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)

    return make


RAW = VALUES.astype("<i2").tobytes()
TWO = np.stack([VALUES] * 2)
PLANES = {f"p{k}.raw": VALUES[k].astype("<i2").tobytes() for k in range(4)}
TILTED = "(0.7,0,0) (0,0.64,0.48) (0,0,2.5)"
TILTED_STEPS = np.column_stack([(0.7, 0, 0), (0, 0.64, 0.48), (0, 0, 2.5)])
TURNED = "(0.42,0.56,0) (-0.64,0.48,0) (0,0,2.5)"
TURNED_STEPS = np.column_stack([(0.42, 0.56, 0), (-0.64, 0.48, 0), (0, 0, 2.5)])
CORONAL = "(0.7,0,0) (0,0,-0.8) (0,2.5,0)"
SAGITTAL = "(0,0.7,0) (0,0,-0.8) (2.5,0,0)"
BODY = {"space_directions": None, "space_origin": None, "space": None}

CASES = (
    {
        "left-posterior-superior": case(),
        "LPS": case(space="LPS"),
        "right-anterior-superior": in_space("right-anterior-superior", (-1, -1, 1)),
        "RAS": in_space("RAS", (-1, -1, 1)),
        "left-anterior-superior": in_space("left-anterior-superior", (1, -1, 1)),
        "LAS": in_space("LAS", (1, -1, 1)),
        "tilted gantry": case(expected=scan(TILTED_STEPS), space_directions=TILTED),
        "turned about the table": case(expected=scan(TURNED_STEPS), space_directions=TURNED),
        "coronal": case(
            THICK,
            scan(np.column_stack([(0.7, 0, 0), (0, 0, -0.8), (0, 2.5, 0)]), THICK, slice_axis=1),
            space_directions=CORONAL,
        ),
        "sagittal": case(
            THICK,
            scan(np.column_stack([(0, 0.7, 0), (0, 0, -0.8), (2.5, 0, 0)]), THICK, slice_axis=1),
            space_directions=SAGITTAL,
        ),
        "spacings only": case(
            expected=scan(origin=(0, 0, 0), warnings=["it has no space"]),
            **(BODY | {"spacings": "0.7 0.8 2.5"}),
        ),
        "a space without directions of the patient": case(
            expected=scan(warnings=["its space is scanner-xyz"]), space="scanner-xyz"
        ),
        "a space with a handedness only": case(
            expected=scan(warnings=["its space is 3D-right-handed"]), space="3D-right-handed"
        ),
        "a dimension instead of a space": case(
            expected=scan(warnings=["it has no space"]),
            **{"space": None, "first": "space dimension: 3"},
        ),
        "space directions with spaces": case(
            space_directions="(0.7, 0, 0) (0, 0.8, 0) (0, 0, 2.5)"
        ),
        "numbers in exponents": case(space_directions="(7e-1,0,0) (0,8.0E-1,0) (0,0,0.25e1)"),
        "units of mm and of time": case(
            VALUES[None],
            scan(origin=(0, 0, 0), warnings=["it has no space"]),
            **(BODY | {"spacings": "0.7 0.8 2.5 1", "units": '"mm" "mm" "mm" "s"'}),
        ),
        "fractions of HU that were quantised before": case(
            VALUES + 0.25, scan(), kind="f4", old_min="-1000", old_max="3000"
        ),
        "space units of mm": case(space_units='"mm" "mm" "mm"'),
        "kinds of the axes": case(kinds="domain domain domain"),
        "a fourth axis with one volume": case(
            VALUES[None],
            scan(),
            kinds="domain domain domain list",
            space_directions=f"{AXES} none",
        ),
        "one slice": case(VALUES[:1]),
        "two axes": case(
            VALUES[0],
            Read(VALUES[0], (0, 0), np.diag((0.7, 0.8))),
            **(BODY | {"spacings": "0.7 0.8"}),
        ),
        "comments, keys and values": case(
            first="# made by hand\nModality:=CT\nnote:=two\\nlines: with a colon"
        ),
        "a measurement frame": case(measurement_frame="(1,0,0) (0,1,0) (0,0,1)"),
        "lines that end as on Windows": case(line_end=b"\r\n"),
        "names of the fields without spaces": Case(
            file("in.nrrd", nrrd().replace(b"space directions", b"spacedirections")),
            scan(),
            "in.nrrd",
        ),
        "suffix in capitals": Case(file("IN.NRRD", nrrd()), scan(), "IN.NRRD"),
        "text": case(encoding="ascii", data=" ".join(map(str, VALUES.ravel())).encode() + b"\n"),
        "8 bits, signed": case(SMALL, kind="i1"),
        "8 bits": case(VALUES % 251, kind="u1"),
        "fractions of HU": case(VALUES + 0.25, scan(), kind="f4"),
        "a byte skip": case(data=bytes(7) + RAW, byte_skip="7"),
        "a byte skip of -1": case(data=bytes(7) + RAW, byte_skip="-1"),
        "a line skip": case(data=b"a line\n" + RAW, line_skip="1"),
        "bytes after the voxels": case(data=RAW + bytes(9)),
        "voxels in a file beside the header": Case(
            detached("v.raw", {"v.raw": RAW}), scan(), "in.nhdr"
        ),
        "voxels in a compressed file": Case(
            detached("v.raw.gz", {"v.raw.gz": gzip.compress(RAW)}, encoding="gzip"),
            scan(),
            "in.nhdr",
        ),
        "voxels in a sub-folder": Case(
            detached("more/v.raw", {"more/v.raw": RAW}), scan(), "in.nhdr"
        ),
        "a name with a space and an accent": Case(
            detached("vöxel 1.raw", {"vöxel 1.raw": RAW}), scan(), "in.nhdr"
        ),
        "a numbered file for each slice": Case(
            detached("p%d.raw 0 3 1", PLANES), scan(), "in.nhdr"
        ),
        "a list of files": Case(detached("LIST\n" + "\n".join(PLANES), PLANES), scan(), "in.nhdr"),
    }
    | {f"version {number}": case(version=number) for number in (1, 2, 3, 5)}
    | {
        f"{encoding}, {name}": case(encoding=encoding, order=order)
        for encoding in ("raw", "gzip", "gz", "hex")
        for name, order in (("little endian", "<"), ("big endian", ">"))
    }
    | {f"voxel type {TYPES[kind]}": case(kind=kind) for kind in ("i4", "i8", "f4", "f8")}
    | refuses(
        {
            name: (file("in.nrrd", nrrd(**options)), *said)
            for name, said, options in (
                ("bzip2", ("encoding bzip2", "gzip or raw"), {"encoding": "bzip2"}),
                ("an unknown encoding", ("encoding zip",), {"data": RAW, "encoding": "zip"}),
                ("no encoding", ("damaged",), {"data": RAW, "encoding": None}),
                ("quantised values", ("rescale", "old min"), {"old_min": "0", "old_max": "1"}),
                ("cut in the voxels", ("cannot be read",), {"data": RAW[:-1]}),
                (
                    "cut in the compressed voxels",
                    ("cannot be read",),
                    {"encoding": "gzip", "data": gzip.compress(RAW)[:-99]},
                ),
                (
                    "a wrong checksum",
                    ("cannot be read",),
                    {"encoding": "gzip", "data": gzip.compress(RAW)[:-8] + bytes(8)},
                ),
                (
                    "a wrong bit in the compressed voxels",
                    ("cannot be read",),
                    {"encoding": "gzip", "data": with_a_wrong_bit(gzip.compress(RAW))},
                ),
                ("more voxels than the file holds", ("cannot be read",), {"sizes": "24 20 5"}),
                ("an axis of length 0", ("in.nrrd",), {"sizes": "24 0 4"}),
                ("a negative length", ("in.nrrd",), {"sizes": "24 -20 4"}),
                ("more voxels than any memory", ("in.nrrd",), {"sizes": "99999999 99999 9999"}),
                ("two lengths for three axes", ("cannot be read",), {"sizes": "24 20"}),
                ("no sizes", ("cannot be read",), {"sizes": None}),
                ("no voxel type", ("cannot be read",), {"type": None}),
                (
                    "voxels as blocks of bytes",
                    ("type block",),
                    {"type": "block", "block_size": "2"},
                ),
                ("two directions for three axes", ("in.nrrd",), {"space_directions": AXES[:20]}),
                (
                    "a direction of zeros",
                    ("in.nrrd",),
                    {"space_directions": "(0.7,0,0) (0,0.8,0) (0,0,0)"},
                ),
                (
                    "a direction of NaN",
                    ("in.nrrd",),
                    {"space_directions": "(nan,0,0) (0,0.8,0) (0,0,2.5)"},
                ),
                (
                    "parallel directions",
                    ("in.nrrd",),
                    {"space_directions": "(0.7,0,0) (0.8,0,0) (0,0,2.5)"},
                ),
                (
                    "axes skewed within the slices",
                    ("skewed axes within its slices",),
                    {"space_directions": "(0.7,0,0) (0.1,0.8,0) (0,0,2.5)"},
                ),
                ("an origin of NaN", ("in.nrrd",), {"space_origin": "(nan,0,0)"}),
                ("a spacing of NaN", ("in.nrrd",), BODY | {"spacings": "0.7 nan 2.5"}),
                (
                    "units of cm",
                    ("cm (units)", "mm"),
                    BODY | {"spacings": "0.07 0.08 0.25", "units": '"cm" "cm" "cm"'},
                ),
                ("space units of cm", ("space units", "mm"), {"space_units": '"cm" "cm" "cm"'}),
                (
                    "two volumes",
                    ("2 numbers per voxel",),
                    {
                        "values": TWO,
                        "kinds": "domain domain domain list",
                        "space_directions": f"{AXES} none",
                    },
                ),
                (
                    "colours",
                    ("3 numbers per voxel",),
                    {
                        "values": np.zeros((4, 20, 24, 3)),
                        "kind": "u1",
                        "kinds": "RGB-color domain domain domain",
                        "space_directions": f"none {AXES}",
                    },
                ),
                (
                    "values beyond int16",
                    ("outside the range of HU",),
                    {"values": VALUES * 100, "kind": "i4"},
                ),
                ("labels of organs", ("segmentation",), {"values": VALUES > 0, "kind": "u1"}),
                ("one value everywhere", ("everywhere",), {"values": np.full((4, 20, 24), -1000)}),
                ("slices of 15 pixels", ("too small",), {"values": VALUES[:, :, :15]}),
                ("MR by its modality", ("modality MR",), {"first": "0008|0060:=MR"}),
            )
        }
        | {
            "NaN": (file("in.nrrd", nrrd(np.where(VALUES == 7, np.nan, VALUES), kind="f4")), "NaN"),
            "infinity": (
                file("in.nrrd", nrrd(np.where(VALUES == 7, np.inf, VALUES), kind="f8")),
                "NaN or infinity",
            ),
            "header only": (file("in.nrrd", nrrd(data=b"")), "cannot be read"),
            "header without its end": (file("in.nrrd", nrrd()[:100]), "cannot be read"),
            "empty": (file("in.nrrd", b""), "cannot be read"),
            "another magic number": (file("in.nrrd", b"NRRD0009" + nrrd()[8:]), "cannot be read"),
        },
        "in.nrrd",
    )
    | refuses(
        {
            "a missing data file": (detached("v.raw", {}), "data file v.raw is missing"),
            "an empty data file": (detached("v.raw", {"v.raw": b""}), "cannot be read"),
            "a data file that is too short": (
                detached("v.raw", {"v.raw": RAW[:-1]}),
                "cannot be read",
            ),
            "a folder as data file": (detached("v.raw", {"v.raw/x": b""}), "v.raw"),
            "a missing file of a numbered slice": (
                detached("p%d.raw 0 3 1", {k: v for k, v in PLANES.items() if k != "p2.raw"}),
                "in.nhdr",
            ),
            "a header without a data file": (file("in.nhdr", nrrd(data=b"")), "cannot be read"),
        },
        "in.nhdr",
    )
)
