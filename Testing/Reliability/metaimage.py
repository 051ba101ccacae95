"""MetaImage files: axes, voxels in the file and in others, voxel types and damage."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from Reliability.case import Case, Read, Writer, refuses
from Reliability.volume_inputs import ORIGIN, SMALL, THICK, VALUES, file, scan

TYPES = {"i1": "CHAR", "u1": "UCHAR", "i2": "SHORT", "u2": "USHORT", "i4": "INT", "u4": "UINT"}
TYPES |= {"f4": "FLOAT", "f8": "DOUBLE", "i8": "LONG_LONG"}
"""MetaImage's names of voxel types, without MET_."""


def header(values: np.ndarray = VALUES, *, kind: str = "i2", **fields: str | None) -> bytes:
    """Return a MetaImage header; ``fields`` replace or add fields, None leaves one out."""
    known = {
        "ObjectType": "Image",
        "NDims": str(values.ndim),
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": " ".join(map(str, np.eye(values.ndim, dtype=int).ravel())),
        "Offset": " ".join(map(str, (*ORIGIN, 0)[: values.ndim])),
        "ElementSpacing": " ".join(("0.7", "0.8", "2.5", "1")[: values.ndim]),
        "DimSize": " ".join(map(str, values.shape[::-1])),
        "ElementType": f"MET_{TYPES[kind]}",
    }
    known |= {"ElementDataFile": "LOCAL"}
    data_file = fields.pop("ElementDataFile", known.pop("ElementDataFile"))
    known |= fields
    lines = [f"{name} = {value}" for name, value in known.items() if value is not None]
    return "\n".join([*lines, f"ElementDataFile = {data_file}", ""]).encode()


def metaimage(
    values: np.ndarray = VALUES, *, kind: str = "i2", order: str = "<", data=None, **fields
) -> bytes:
    """Return a MetaImage file; ``data`` replaces the voxels."""
    if order == ">":
        fields = {"BinaryDataByteOrderMSB": "True"} | fields
    stored = values.astype(f"{order}{kind}").tobytes() if data is None else data
    return header(values, kind=kind, **fields) + stored


def compressed(values: np.ndarray = VALUES, **options) -> bytes:
    stream = zlib.compress(values.astype("<i2").tobytes())
    fields = {"CompressedData": "True", "CompressedDataSize": str(len(stream))}
    return metaimage(values, data=stream, **(fields | options))


def case(values: np.ndarray = VALUES, expected: Read | None = None, **fields) -> Case:
    content = metaimage(values, **fields)
    return Case(file("in.mha", content), expected or scan(values=values), "in.mha")


def turned(matrix: str, steps, values: np.ndarray = VALUES, slice_axis: int = 2, **fields) -> Case:
    expected = scan(np.column_stack(steps), values, slice_axis=slice_axis)
    return case(values, expected, TransformMatrix=matrix, **fields)


def detached(named: str, files: Mapping[str, bytes], **fields) -> Writer:
    """Return a writer of a header and of the files that it names."""

    def make(folder: Path) -> None:
        file("in.mhd", header(ElementDataFile=named, **fields))(folder)
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)

    return make


RAW = VALUES.astype("<i2").tobytes()
PLANES = {f"p{k}.raw": VALUES[k].astype("<i2").tobytes() for k in range(4)}
STREAM = zlib.compress(RAW)

CASES = (
    {
        "voxels in the file": case(),
        "big endian": case(order=">"),
        "big endian by its other field": case(
            order=">", BinaryDataByteOrderMSB=None, ElementByteOrderMSB="True"
        ),
        "compressed": Case(file("in.mha", compressed()), scan(), "in.mha"),
        "text": case(BinaryData="False", data=" ".join(map(str, VALUES.ravel())).encode() + b"\n"),
        "prone": turned("-1 0 0 0 -1 0 0 0 1", [(-0.7, 0, 0), (0, -0.8, 0), (0, 0, 2.5)]),
        "turned about the table": turned(
            "0.6 0.8 0 -0.8 0.6 0 0 0 1", [(0.42, 0.56, 0), (-0.64, 0.48, 0), (0, 0, 2.5)]
        ),
        "tilted gantry": turned(
            "1 0 0 0 0.8 0.6 0 0 1", [(0.7, 0, 0), (0, 0.64, 0.48), (0, 0, 2.5)]
        ),
        "coronal": turned("1 0 0 0 0 -1 0 1 0", [(0.7, 0, 0), (0, 0, -0.8), (0, 2.5, 0)], THICK, 1),
        "sagittal": turned(
            "0 1 0 0 0 -1 1 0 0", [(0, 0.7, 0), (0, 0, -0.8), (2.5, 0, 0)], THICK, 1
        ),
        "an anatomical orientation in letters": case(AnatomicalOrientation="RAI"),
        "a centre of rotation": case(CenterOfRotation="0 0 0"),
        "the origin as Position": Case(
            file("in.mha", metaimage(Offset=None, Position="-5 6 7")), scan(), "in.mha"
        ),
        "the origin as Origin": Case(
            file("in.mha", metaimage(Offset=None, Origin="-5 6 7")), scan(), "in.mha"
        ),
        "directions as Orientation": case(TransformMatrix=None, Orientation="1 0 0 0 1 0 0 0 1"),
        "directions as Rotation": case(TransformMatrix=None, Rotation="1 0 0 0 1 0 0 0 1"),
        "no directions": case(
            expected=scan(warnings=["it has no TransformMatrix"]), TransformMatrix=None
        ),
        "distances in mm": case(DistanceUnits="mm"),
        "distances in an unknown unit": case(DistanceUnits="?"),
        "no origin": case(expected=scan(origin=(0, 0, 0)), Offset=None),
        "spacing and another size of the voxels": case(ElementSize="0.5 0.5 1"),
        "modality CT": case(Modality="MET_MOD_CT"),
        "comments and unknown fields": case(Comment="Made by hand", Scanner="X = Y"),
        "a rescale that changes nothing": case(
            ElementToIntensityFunctionSlope="1.0", ElementToIntensityFunctionOffset="0"
        ),
        "modality other": case(Modality="MET_MOD_OTHER"),
        "a range of the values": case(ElementMin="-1024", ElementMax="3071"),
        "one channel": case(ElementNumberOfChannels="1"),
        "a fourth axis with one volume": case(VALUES[None], scan(), ElementSpacing="0.7 0.8 2.5 1"),
        "one slice": case(VALUES[:1]),
        "two axes": case(VALUES[0], Read(VALUES[0], (-5, 6), np.diag((0.7, 0.8)))),
        "lines that end as on Windows": Case(
            file("in.mha", header().replace(b"\n", b"\r\n") + RAW), scan(), "in.mha"
        ),
        "suffix in capitals": Case(file("IN.MHA", metaimage()), scan(), "IN.MHA"),
        "8 bits, signed": case(SMALL, kind="i1"),
        "8 bits": case(VALUES % 251, kind="u1"),
        "fractions of HU": case(VALUES + 0.25, scan(), kind="f4"),
        "voxels in a file beside the header": Case(
            detached("v.raw", {"v.raw": RAW}), scan(), "in.mhd"
        ),
        "voxels after a header of 40 bytes": Case(
            detached("v.raw", {"v.raw": bytes(40) + RAW}, HeaderSize="40"), scan(), "in.mhd"
        ),
        "voxels at the end of the file": Case(
            detached("v.raw", {"v.raw": bytes(40) + RAW}, HeaderSize="-1"), scan(), "in.mhd"
        ),
        "voxels in a compressed file": Case(
            detached("v.zraw", {"v.zraw": STREAM}, CompressedData="True"), scan(), "in.mhd"
        ),
        "voxels in a sub-folder": Case(
            detached("more/v.raw", {"more/v.raw": RAW}), scan(), "in.mhd"
        ),
        "a name with a space and an accent": Case(
            detached("vöxel 1.raw", {"vöxel 1.raw": RAW}), scan(), "in.mhd"
        ),
        "a numbered file for each slice": Case(detached("p%d.raw 0 3 1", PLANES), scan(), "in.mhd"),
        "a list of files": Case(detached("LIST\n" + "\n".join(PLANES), PLANES), scan(), "in.mhd"),
        "a list of files with their number of axes": Case(
            detached("LIST 2\n" + "\n".join(PLANES), PLANES), scan(), "in.mhd"
        ),
    }
    | {
        f"voxel type {TYPES[kind]}, {name}": case(kind=kind, order=order)
        for kind in ("i4", "f4", "f8")
        for name, order in (("little endian", "<"), ("big endian", ">"))
    }
    | refuses(
        {
            name: (file("in.mha", metaimage(**options)), *said)
            for name, said, options in (
                ("cut in the voxels", ("cannot be read",), {"data": RAW[:-1]}),
                ("header only", ("cannot be read",), {"data": b""}),
                ("more voxels than the file holds", ("cannot be read",), {"DimSize": "24 20 5"}),
                ("an axis of length 0", ("in.mha",), {"DimSize": "24 0 4"}),
                ("a negative length", ("in.mha",), {"DimSize": "24 -20 4"}),
                ("more voxels than any memory", ("in.mha",), {"DimSize": "99999999 99999 9999"}),
                ("two lengths for three axes", ("in.mha",), {"DimSize": "24 20"}),
                ("no lengths", ("in.mha",), {"DimSize": None}),
                ("no voxel type", ("in.mha",), {"ElementType": None}),
                ("an unknown voxel type", ("in.mha",), {"ElementType": "MET_QUAD"}),
                ("a spacing of zeros", ("in.mha",), {"ElementSpacing": "0 0 0"}),
                ("a spacing of NaN", ("in.mha",), {"ElementSpacing": "nan 0.8 2.5"}),
                ("an origin of NaN", ("in.mha",), {"Offset": "nan 0 0"}),
                ("directions of zeros", ("in.mha",), {"TransformMatrix": "0 0 0 0 0 0 0 0 0"}),
                (
                    "axes skewed within the slices",
                    ("skewed axes within its slices",),
                    {"TransformMatrix": "1 0 0 0.1 0.995 0 0 0 1"},
                ),
                (
                    "a rescale of the values",
                    ("rescale",),
                    {
                        "ElementToIntensityFunctionSlope": "1",
                        "ElementToIntensityFunctionOffset": "-1024",
                    },
                ),
                ("distances in cm", ("cm (DistanceUnits)", "mm"), {"DistanceUnits": "cm"}),
                ("MR by its modality", ("modality MR",), {"Modality": "MET_MOD_MR"}),
                ("two volumes", ("is 4-D",), {"values": np.stack([VALUES] * 2)}),
                (
                    "colours",
                    ("3 numbers per voxel",),
                    {"data": RAW * 3, "ElementNumberOfChannels": "3"},
                ),
                (
                    "values beyond int16",
                    ("outside the range of HU",),
                    {"values": VALUES * 100, "kind": "i4"},
                ),
                ("labels of organs", ("segmentation",), {"values": VALUES > 0, "kind": "u1"}),
                ("one value everywhere", ("everywhere",), {"values": np.full((4, 20, 24), 40)}),
            )
        }
        | {
            "NaN": (
                file("in.mha", metaimage(np.where(VALUES == 7, np.nan, VALUES), kind="f4")),
                "NaN or infinity",
            ),
            "cut in the compressed voxels": (
                file("in.mha", compressed()[:-99]),
                "cannot be read: it is damaged",
            ),
            "a wrong checksum": (
                file("in.mha", compressed()[:-4] + bytes(4)),
                "cannot be read: it is damaged",
            ),
            "compressed, without the length of the stream": (
                file("in.mha", compressed(CompressedDataSize=None)),
                "add the line 'CompressedDataSize = ",
            ),
            "compressed, with a length of a header": (
                file("in.mha", compressed(HeaderSize="40")),
                "states a HeaderSize for compressed voxels",
            ),
            "empty": (file("in.mha", b""), "cannot be read"),
            "another text": (
                file("in.mha", b"This is not a volume.\n"),
                "cannot be read",
            ),
        },
        "in.mha",
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
                "in.mhd",
            ),
            "a list that is too short": (
                detached("LIST\np0.raw\np1.raw", PLANES),
                "in.mhd",
            ),
        },
        "in.mhd",
    )
)
