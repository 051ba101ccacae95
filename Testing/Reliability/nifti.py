"""NIfTI files: positions, units, voxel types, rescale, dimensions and damage."""

from __future__ import annotations

import gzip
import math
import struct
from dataclasses import replace

import numpy as np
from Reliability.case import Case, Read, refuses
from Reliability.volume_inputs import SMALL, SPACING, THICK, VALUES, file, scan

SQUARE = ((0.7, 0, 0, 5), (0, 0.8, 0, -6), (0, 0, 2.5, 7))
"""Steps along i, j and k and origin, in mm, RAS."""
TILT = 2.5 * math.tan(math.radians(15))
TILTED = ((0.7, 0, 0, 5), (0, 0.8, TILT, -6), (0, 0, 2.5, 7))
BESIDE = ((0.7, 0, 0, 6), (0, 0.8, 0, -6), (0, 0, 2.5, 7))
FLIPPED = ((0.7, 0, 0, 5), (0, -0.8, 0, -6), (0, 0, -2.5, 7))
MIRRORED = ((0.7, 0, 0, 5), (0, 0.8, 0, -6), (0, 0, -2.5, 7))
CORONAL = ((0.7, 0, 0, 5), (0, 0, 2.5, -6), (0, 0.8, 0, 7))
SAGITTAL = ((0, 0, 2.5, 5), (0.7, 0, 0, -6), (0, 0.8, 0, 7))
OBLIQUE = (
    (0.7 * 0.6, -0.8 * 0.8, 0, 5),
    (0.7 * 0.8, 0.8 * 0.6, 0, -6),
    (0, 0, 2.5, 7),
)
TYPES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "c8": 32, "f8": 64, "i1": 256, "u2": 512, "u4": 768}
"""NIfTI's codes of voxel types."""
TYPES |= {"i8": 1024, "u8": 1280}


def nifti(
    values: np.ndarray = VALUES,
    srow=SQUARE,
    *,
    kind: str = "i2",
    order: str = "<",
    fields: dict[int, tuple] | None = None,
    **header,
) -> bytes:
    """Return a NIfTI-1 file.

    Parameters
    ----------
    kind : voxel type as numpy names it.
    header : ``qform`` and ``sform`` codes, ``quaternion``, ``qfac``, ``pixdim``, ``units``,
        ``slope``, ``inter``, ``dim``, ``datatype``, ``bits``, ``offset``, ``magic``, ``size``,
        ``qoffset`` and ``extension`` as in nifti1.h.
    """
    get = header.get
    stored = values.astype(f"{order}{kind}")
    dim = get("dim", (values.ndim, *values.shape[::-1]))
    dim = (*dim, *[1] * (8 - len(dim)))
    pixdim = (get("qfac", 1), *get("pixdim", SPACING))
    extension = get("extension", bytes(4))
    data = bytearray(348)
    for at, layout, *numbers in (
        (0, "i", get("size", 348)),
        (40, "8h", *dim),
        (70, "2h", get("datatype", TYPES[kind]), get("bits", 8 * stored.itemsize)),
        (76, f"{len(pixdim)}f", *pixdim),
        (108, "3f", get("offset", 348 + len(extension)), get("slope", 1), get("inter", 0)),
        (123, "b", get("units", 2)),
        (252, "2h", get("qform", 1), get("sform", 1)),
        (256, "3f", *get("quaternion", (0, 0, 0))),
        (268, "3f", *get("qoffset", np.array(srow)[:, 3])),
        (280, "12f", *np.ravel(srow)),
    ):
        struct.pack_into(order + layout, data, at, *numbers)
    data[344:348] = get("magic", b"n+1\0")
    return bytes(data) + extension + stored.tobytes()


def placed(srow=SQUARE, values: np.ndarray = VALUES, slice_axis: int = 2) -> Read:
    """Return what a file holds whose voxels lie at ``srow``, in mm, RAS."""
    position = np.diag((-1, -1, 1)) @ np.array(srow, float)
    return scan(position[:, :3], values, origin=position[:, 3], slice_axis=slice_axis)


def case(values: np.ndarray = VALUES, srow=SQUARE, expected: Read | None = None, **header) -> Case:
    content = nifti(values, srow, **header)
    return Case(file("in.nii", content), expected or placed(srow, values), "in.nii")


def moved(used: str, srow=SQUARE, expected=None, **header) -> Case:
    """Return a scan whose sform and qform differ by a movement; 3D Slicer uses one of them."""
    there = placed(srow if expected is None else expected)
    return case(srow=srow, expected=replace(there, warnings=(f"the {used} is used",)), **header)


def one_voxel(value: float, kind: str, **header) -> bytes:
    values = VALUES.astype(kind)
    values[2, 3, 4] = value
    return nifti(values, kind=kind, **header)


PLAIN = nifti()
WHOLE = VALUES - VALUES % 2
"""HU that are even, so that half of them is whole."""
SHEAR = ((0.7, 0, 0, 5), (0, 0.8, 0.003, -6), (0, 0, 2.5, 7))
SKEWED = ((0.7, 0.1, 0, 5), (0, 0.8, 0, -6), (0, 0, 2.5, 7))
LENGTH = math.hypot(2.5, TILT)
IN_METRES = np.array(SQUARE) / 1e3
IN_MICROMETRES = np.array(SQUARE) * 1e3

CASES = (
    {
        "sform and qform": case(),
        "qform only": case(sform=0, srow=SQUARE),
        "sform only": case(qform=0),
        "sform as in a template": case(sform=4),
        "big endian": case(order=">"),
        "voxels of another order than the patient": case(srow=FLIPPED, quaternion=(1, 0, 0)),
        "flipped, sform only": case(srow=FLIPPED, qform=0),
        "mirrored": case(srow=MIRRORED, qfac=-1),
        "mirrored, sform only": case(srow=MIRRORED, qform=0),
        "qfac 0": case(qfac=0),
        "turned about the table": case(srow=OBLIQUE, quaternion=(0, 0, 0.2**0.5)),
        "turned, sform only": case(srow=OBLIQUE, qform=0),
        "coronal": case(THICK, CORONAL, placed(CORONAL, THICK, 1), qform=0),
        "sagittal": case(THICK, SAGITTAL, placed(SAGITTAL, THICK, 1), qform=0),
        "a shear of 0.01 mm in all": case(srow=SHEAR, qform=0),
        "tilted gantry": case(srow=TILTED),
        "tilted gantry, sform only": case(srow=TILTED, qform=0),
        "tilted gantry, sform of a template": case(srow=TILTED, sform=4),
        "tilted gantry, big endian": case(srow=TILTED, order=">"),
        "tilted gantry, spacing along the step": case(srow=TILTED, pixdim=(0.7, 0.8, LENGTH)),
        "tilted gantry, spacing along the step, sform only": case(
            srow=TILTED, qform=0, pixdim=(0.7, 0.8, LENGTH)
        ),
        "tilted gantry, in metres": case(
            srow=np.array(TILTED) / 1e3,
            qform=0,
            units=1,
            pixdim=np.array(SPACING) / 1e3,
            expected=placed(TILTED),
        ),
        "sform 1 mm beside the qform": moved("sform", qoffset=(6, -6, 7)),
        "sform flipped against the qform": moved("sform", FLIPPED),
        "sform turned against the qform": moved("sform", OBLIQUE),
        "sform of a template, turned against the qform": moved("qform", OBLIQUE, SQUARE, sform=4),
        "sform of a template, 1 mm beside the qform": moved(
            "qform", SQUARE, BESIDE, sform=4, qoffset=(6, -6, 7)
        ),
        "in metres": case(
            srow=IN_METRES, units=1, pixdim=np.array(SPACING) / 1e3, expected=placed()
        ),
        "in micrometres": case(
            srow=IN_MICROMETRES, units=3, pixdim=np.array(SPACING) * 1e3, expected=placed()
        ),
        "no unit": case(units=0),
        "mm and seconds": case(units=10),
        "neither qform nor sform": case(
            qform=0,
            sform=0,
            expected=scan(origin=(0, 0, 0), warnings=["neither qform nor sform"]),
        ),
        "a time in the fourth spacing": case(pixdim=(*SPACING, 2.0)),
        "slope 0, for no rescale": case(slope=0),
        "slope and intercept of NaN, for no rescale": case(slope=math.nan, inter=math.nan),
        "slope 0.5": case(WHOLE * 2, expected=placed(values=WHOLE), slope=0.5),
        "negative slope": case(-VALUES, expected=placed(), slope=-1),
        "intercept -1024": case(VALUES + 1024, expected=placed(), kind="u2", inter=-1024),
        "slope 2 and intercept": case(
            (WHOLE + 1024) // 2, expected=placed(values=WHOLE), slope=2, inter=-1024
        ),
        "rescale of 8 bits": case(
            (SMALL + 125) // 2,
            expected=placed(values=(SMALL + 125) // 2 * 2 - 125),
            kind="u1",
            slope=2,
            inter=-125,
        ),
        "fractions of HU": case(VALUES + 0.25, expected=placed(), kind="f4"),
        "8 bits, signed": case(SMALL, kind="i1"),
        "a fourth axis with one volume": case(VALUES[None], expected=placed()),
        "seven axes with one volume": case(dim=(7, 24, 20, 4)),
        "one slice": case(VALUES[:1]),
        "two axes": case(
            VALUES[0],
            expected=Read(VALUES[0], (-5, 6), np.diag((-0.7, -0.8))),
        ),
        "an extension of the header": case(
            extension=b"\1\0\0\0" + struct.pack("<2i", 32, 6) + bytes(24)
        ),
        "voxels at 512 bytes": case(extension=bytes(164)),
        "bytes after the voxels": Case(file("in.nii", PLAIN + bytes(99)), placed(), "in.nii"),
        "compressed": Case(file("in.nii.gz", gzip.compress(PLAIN)), placed(), "in.nii.gz"),
        "suffix in capitals": Case(file("IN.NII.GZ", gzip.compress(PLAIN)), placed(), "IN.NII.GZ"),
        "compressed in two parts": Case(
            file("in.nii.gz", gzip.compress(PLAIN[:999]) + gzip.compress(PLAIN[999:])),
            placed(),
            "in.nii.gz",
        ),
        "not compressed, named .gz": Case(file("in.nii.gz", PLAIN), placed(), "in.nii.gz"),
    }
    | {
        f"voxel type {kind}, {name}": case(kind=kind, order=order)
        for kind in ("i2", "i4", "i8", "f4", "f8")
        for name, order in (("little endian", "<"), ("big endian", ">"))
    }
    | {
        f"voxel type {kind}": case(VALUES + 1024, expected=placed(), kind=kind, inter=-1024)
        for kind in ("u2", "u4", "u8")
    }
    | refuses(
        {
            name: (file("in.nii", nifti(**options)), said)
            for name, said, options in (
                ("sform mirrored against the qform", "sform and qform differ", {"srow": MIRRORED}),
                (
                    "sform with other spacings than the qform",
                    "sform and qform differ",
                    {"srow": np.array(SQUARE) * (1.3, 1.3, 1, 1)},
                ),
                (
                    "sform with other spacings than pixdim",
                    "not pixdim",
                    {"srow": np.array(SQUARE) * (1, 1, 1.3, 1), "qform": 0},
                ),
                ("sform skewed within the slices", "skewed", {"srow": SKEWED, "qform": 0}),
                ("sform of NaN", "sform and qform differ", {"srow": np.full((3, 4), np.nan)}),
                (
                    "sform of zeros",
                    "skewed",
                    {"srow": np.zeros((3, 4)), "qform": 0},
                ),
                ("qform of NaN, alone", "in.nii", {"quaternion": (math.nan, 0, 0), "sform": 0}),
                ("offset of NaN, alone", "in.nii", {"qoffset": (math.nan, 0, 0), "sform": 0}),
                ("spacing 0", "in.nii", {"pixdim": (0, 0.8, 2.5), "sform": 0}),
                ("spacing 0 beside an sform", "sform and qform differ", {"pixdim": (0, 0.8, 2.5)}),
                ("spacing of NaN", "in.nii", {"pixdim": (math.nan, 0.8, 2.5), "sform": 0}),
                ("slope 0 with an intercept", "scl_slope", {"slope": 0, "inter": -1024}),
                (
                    "slope of NaN with an intercept",
                    "scl_slope",
                    {"slope": math.nan, "inter": -1024},
                ),
                ("infinite slope", "scl_slope", {"slope": math.inf}),
                ("negative spacing", "in.nii", {"pixdim": (-0.7, -0.8, -2.5)}),
                ("infinite intercept", "scl_inter", {"inter": math.inf}),
                ("values beyond int16", "outside the range of HU", {"slope": 100}),
                ("two volumes", "is 4-D", {"values": np.stack([VALUES, VALUES])}),
                ("complex voxels", "2 numbers per voxel", {"kind": "c8"}),
                (
                    "colours",
                    "3 numbers per voxel",
                    {
                        "values": np.zeros((4, 20, 24, 3)),
                        "kind": "u1",
                        "datatype": 128,
                        "bits": 24,
                        "dim": (3, 24, 20, 4),
                    },
                ),
                ("floats of 128 bits", "in.nii", {"datatype": 1536, "bits": 128}),
                ("an unknown voxel type", "cannot be read", {"datatype": 9999}),
                ("an axis of length 0", "in.nii", {"dim": (3, 24, 0, 4)}),
                ("a negative length", "in.nii", {"dim": (3, 24, -20, 4)}),
                ("more voxels than the file holds", "cannot be read", {"dim": (3, 24, 20, 400)}),
                ("32767 voxels along each axis", "in.nii", {"dim": (3, 32767, 32767, 32767)}),
                ("a wrong length of the header", "in.nii", {"size": 340}),
                ("a wrong magic number", "in.nii", {"magic": b"abc\0"}),
                ("voxels after the end of the file", "cannot be read", {"offset": 1 << 20}),
                ("labels of organs", "segmentation", {"values": VALUES > 0, "kind": "u1"}),
                ("one value everywhere", "everywhere", {"values": np.full((4, 20, 24), 40)}),
                ("slices of 15 pixels", "too small", {"values": VALUES[:, :15]}),
            )
        },
        "in.nii",
    )
    | refuses(
        {
            f"{name} in {kind}": (
                file("in.nii", one_voxel(value, kind, order=order)),
                "NaN or infinity",
            )
            for name, value in (("NaN", math.nan), ("infinity", math.inf))
            for kind, order in (("f4", "<"), ("f8", ">"))
        }
        | {
            "NIfTI-2": (
                file("in.nii", struct.pack("<i", 540) + b"n+2\0\r\n\x1a\n" + bytes(600)),
                "is NIfTI-2",
            ),
            "NIfTI-2, big endian": (
                file("in.nii", struct.pack(">i", 540) + bytes(600)),
                "is NIfTI-2",
            ),
            "cut in the voxels": (file("in.nii", PLAIN[:-1]), "cannot be read: it is damaged"),
            "cut in the header": (file("in.nii", PLAIN[:300]), "cannot be read"),
            "header only": (file("in.nii", PLAIN[:352]), "cannot be read"),
            "compressed, named .nii": (
                file("in.nii", gzip.compress(PLAIN)),
                "is compressed: rename",
            ),
            "empty": (file("in.nii", b""), "cannot be read"),
            "text": (file("in.nii", b"no image at all\n" * 99), "cannot be read"),
        },
        "in.nii",
    )
    | refuses(
        {
            "compressed and cut": (
                file("in.nii.gz", gzip.compress(PLAIN)[:-99]),
                "cannot be read: it is damaged",
            ),
            "compressed, without its checksum": (
                file("in.nii.gz", gzip.compress(PLAIN)[:-4]),
                "cannot be read: it is damaged",
            ),
            "compressed after a cut": (
                file("in.nii.gz", gzip.compress(PLAIN[:-2])),
                "cannot be read: it is damaged",
            ),
            "compressed, a wrong checksum": (
                file("in.nii.gz", gzip.compress(PLAIN)[:-8] + bytes(8)),
                "cannot be read: it is damaged",
            ),
        },
        "in.nii.gz",
    )
    | refuses(
        {
            "header of a pair of files": (
                file("in.hdr", nifti(magic=b"ni1\0")),
                "suffix of a format that can be read",
            )
        },
        "in.hdr",
    )
)
