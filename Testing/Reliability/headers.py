"""Random headers of all formats: each is read exactly as it was made, or refused.

A case is either a valid header with random voxels, or the same with a single hostile change after
which nobody can know what the file means.
"""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from dicom_factory import change, ct_slice, set_pixels, write
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from Reliability.case import Case, Read, Refused
from Reliability.metaimage import compressed, metaimage
from Reliability.nifti import nifti, placed
from Reliability.nrrd import nrrd
from Reliability.volume_inputs import file

SPACINGS = st.integers(200, 3000).map(lambda micrometres: micrometres / 1000)
PLACES = st.integers(-9999, 9999).map(lambda tenths: tenths / 10)
ANGLES = st.integers(-25, 25).map(math.radians)
ORDERS = st.sampled_from("<>")
SHAPES = st.tuples(st.integers(1, 3), st.integers(16, 19), st.integers(16, 21))
"""Numbers of slices, rows and columns."""
NOT_NUMBERS = st.sampled_from(["NaN", "inf", "-inf", "abc", "1e999", "", "0x10", "1,5", "1 2"])
"""Texts that are not one finite number."""


def profile(examples: int) -> settings:
    """Return the settings of a run with this number of examples, the same in every run."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def arrays(draw, low: int, high: int, shape=SHAPES) -> np.ndarray:
    """Draw whole numbers from ``low`` to ``high``, (slices, rows, columns)."""
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(low, high, draw(shape), endpoint=True)


def rotation(about_z: float, about_x: float) -> np.ndarray:
    """Return the rotation about x, then about z, by angles in radians, (3, 3)."""
    (sz, cz), (sx, cx) = ((math.sin(a), math.cos(a)) for a in (about_z, about_x))
    return np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ [[1, 0, 0], [0, cx, -sx], [0, sx, cx]]


@st.composite
def geometries(draw) -> tuple[np.ndarray, tuple[float, ...]]:
    """Draw steps along i, j and k, (3, 3) mm, perpendicular and near the patient's axes; origin."""
    turn = rotation(draw(ANGLES), draw(ANGLES))
    spacing = np.array(draw(st.tuples(SPACINGS, SPACINGS, SPACINGS)))
    return turn * spacing, draw(st.tuples(PLACES, PLACES, PLACES))


def texts(values) -> str:
    return " ".join(f"{value:.15g}" for value in np.ravel(values))


def cut_somewhere(draw, content: bytes, name: str) -> Case:
    length = draw(st.integers(0, len(content) - 1))
    return Case(file(name, content[:length]), Refused(()), name)


# ------------------------------------------------------------------------------------ DICOM

RESCALES = st.tuples(
    st.sampled_from([1, 2, 0.5, 0.25, -1]), st.sampled_from([-1024, 0, -1000.5, 17])
)
SYNTAXES = st.sampled_from(
    [
        *(ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian),
        *(DeflatedExplicitVRLittleEndian, RLELossless),
    ]
)


@st.composite
def dicom_series(draw, hostile: bool = False) -> Case:
    """Draw a classic series: pixels, rescale, syntax, direction, spacing, order of the files."""
    signed, bits = draw(st.booleans()), draw(st.sampled_from([12, 16]))
    low, high = (-2048, 2047) if signed else (0, 4095)
    pixels = draw(arrays(low, high))
    rescale = draw(RESCALES)
    turn = rotation(draw(ANGLES), draw(ANGLES))
    along_row, along_column, normal = np.round(turn.T, 10)
    rows, columns, gap = draw(st.tuples(SPACINGS, SPACINGS, SPACINGS))
    origin = np.array(draw(st.tuples(PLACES, PLACES, PLACES)))
    tilted = draw(st.booleans()) and len(pixels) > 1
    step = gap * (np.array([0.0, 0.0, 1.0]) if tilted else normal)
    syntax = ExplicitVRLittleEndian if hostile else draw(SYNTAXES)
    order = draw(st.permutations(range(len(pixels))))
    inverted = draw(st.booleans())
    edit = draw(dicom_damage()) if hostile else None

    def make(folder: Path) -> None:
        for index, stored in enumerate(pixels):
            image = ct_slice(0, index + 1)
            image.Rows, image.Columns = stored.shape
            image.BitsStored, image.HighBit = bits, bits - 1
            image.PixelRepresentation = int(signed)
            image.RescaleSlope, image.RescaleIntercept = (f"{v:.9f}" for v in rescale)
            image.PixelSpacing = [f"{rows:.9f}", f"{columns:.9f}"]
            image.SliceThickness = f"{gap:.9f}"
            image.ImageOrientationPatient = [f"{v:.10f}" for v in (*along_row, *along_column)]
            image.ImagePositionPatient = [f"{v:.8f}" for v in origin + index * step]
            if inverted:
                change(image, "PhotometricInterpretation", "MONOCHROME1")
            mask = (1 << bits) - 1
            in_file = (stored & mask).astype("<u2")
            set_pixels(image, in_file.astype(">u2") if syntax == ExplicitVRBigEndian else in_file)
            if syntax == RLELossless:
                image.compress(syntax)
            else:
                image.file_meta.TransferSyntaxUID = syntax
            write(image, folder / f"{order[index]}.dcm")
        if edit:
            path = sorted(folder.iterdir())[draw_index % len(pixels)]
            path.write_bytes(edit(path.read_bytes()))

    draw_index = draw(st.integers(0, 2))
    if hostile:
        return Case(make, Refused(()))
    hu = np.rint(pixels * rescale[0] + rescale[1]).astype(int)
    steps = np.column_stack([along_row * columns, along_column * rows, step])
    return Case(make, Read(hu, tuple(origin), steps))


TAGS = [(0x28, 0x30), (0x20, 0x32), (0x20, 0x37), (0x28, 0x1052), (0x28, 0x1053)]
"""Pixel spacing, position, direction, intercept and slope."""
SHORTS = [(0x28, 0x10), (0x28, 0x11), (0x28, 0x100), (0x28, 0x101), (0x28, 0x02)]
"""Rows, columns, bits allocated, bits stored and samples per pixel."""


@st.composite
def dicom_damage(draw) -> Callable[[bytes], bytes]:
    """Draw a change of the bytes of a slice that makes its meaning unknown."""
    kind = draw(st.sampled_from(["text", "no tag", "short", "cut"]))
    tag = struct.pack("<2H", *draw(st.sampled_from(SHORTS if kind == "short" else TAGS)))
    text, share = draw(NOT_NUMBERS), draw(st.floats(0.0, 0.999))

    def edit(content: bytes) -> bytes:
        if kind == "cut":
            return content[: int(share * len(content))]
        start = content.index(tag + (b"US" if kind == "short" else b"DS"), 132)
        (length,) = struct.unpack_from("<H", content, start + 6)
        before, value, after = content[:start], start + 8, content[start + 8 + length :]
        if kind == "no tag":
            return before + after
        new = b"\0\0" if kind == "short" else text.encode().ljust(length)
        return content[:value] + new + after

    return edit


# ------------------------------------------------------------------------------------ NIfTI


@st.composite
def nifti_files(draw, hostile: bool = False) -> Case:
    """Draw a NIfTI: voxels, type, rescale, byte order, position by qform, sform or both."""
    kind = draw(st.sampled_from(["i2", "i4", "f4", "f8"]))
    slope = draw(st.sampled_from([1, 2, -1, 0]))
    inter = 0 if slope == 0 else draw(st.sampled_from([0, -1024, 17]))
    stored = draw(arrays(-4000, 4000))
    values = stored if slope == 0 else stored * slope + inter
    spacing = draw(st.tuples(SPACINGS, SPACINGS, SPACINGS))
    about_z = draw(ANGLES)
    srow = np.column_stack(
        [rotation(about_z, 0) * spacing, draw(st.tuples(PLACES, PLACES, PLACES))]
    )
    qform, sform = draw(st.sampled_from([(1, 0), (0, 1), (1, 1), (2, 4)]))
    header = {
        **{"kind": kind, "order": draw(ORDERS), "slope": slope, "inter": inter},
        **{"qform": qform, "sform": sform, "pixdim": spacing},
        "quaternion": (0, 0, math.sin(about_z / 2)),
    }
    name = draw(st.sampled_from(["in.nii", "in.nii.gz"]))
    pack = gzip.compress if name.endswith("gz") else bytes
    if hostile:
        if draw(st.booleans()):
            return cut_somewhere(draw, pack(nifti(stored, srow, **header)), name)
        header |= draw(st.sampled_from(NIFTI_DAMAGE))
        return Case(file(name, pack(nifti(stored, srow, **header))), Refused(()), name)
    expected = placed(srow, values)
    return Case(file(name, pack(nifti(stored, srow, **header))), expected, name)


NIFTI_DAMAGE = [
    *({"pixdim": (bad, 0.7, 2.5)} for bad in (math.nan, 0.0, -0.7, math.inf)),
    *({"dim": (3, 21, bad, 3)} for bad in (0, -3, 32767)),
    *({"dim": (bad, 21, 19, 3)} for bad in (0, 8, -1)),
    *({"datatype": bad} for bad in (0, 1, 3, 9999, -4)),
    *({"slope": bad, "inter": 0} for bad in (math.inf, -math.inf)),
    *({"slope": 1, "inter": bad} for bad in (math.inf, math.nan)),
    {"slope": 0, "inter": -1024},
    *({"offset": bad} for bad in (math.nan, -1.0, 1e9)),
    *({"size": bad} for bad in (0, 347, 1 << 30)),
    {"qform": 1, "qoffset": (math.nan, 0, 0), "sform": 0},
    {"qform": 1, "quaternion": (math.nan, 0, 0), "sform": 0},
]
"""Changes of a NIfTI header that make its meaning unknown."""


# ------------------------------------------------------------------------ NRRD and MetaImage


@st.composite
def nrrd_files(draw, hostile: bool = False) -> Case:
    """Draw an NRRD: voxels, type, byte order, encoding, version, space, directions and origin."""
    values = draw(arrays(-4000, 4000))
    steps, origin = draw(geometries())
    space, signs = draw(
        st.sampled_from(
            [
                ("left-posterior-superior", (1, 1, 1)),
                ("right-anterior-superior", (-1, -1, 1)),
                ("left-anterior-superior", (1, -1, 1)),
            ]
        )
    )
    fields = {
        "space": space,
        "space_directions": " ".join(f"({','.join(texts(step).split())})" for step in steps.T),
        "space_origin": f"({','.join(texts(origin).split())})",
        **{"kind": draw(st.sampled_from(["i2", "i4", "f4", "f8"])), "order": draw(ORDERS)},
        "encoding": draw(st.sampled_from(["raw", "gzip"])),
        "version": draw(st.integers(1, 5)),
    }
    if hostile:
        if draw(st.booleans()):
            return cut_somewhere(draw, nrrd(values, **fields), "in.nrrd")
        fields |= draw(st.sampled_from(NRRD_DAMAGE))
        return Case(file("in.nrrd", nrrd(values, **fields)), Refused(()), "in.nrrd")
    expected = Read(values, tuple(np.multiply(signs, origin)), np.multiply(steps.T, signs).T)
    return Case(file("in.nrrd", nrrd(values, **fields)), expected, "in.nrrd")


NRRD_DAMAGE = [
    *({"sizes": bad} for bad in ("0 19 3", "-21 19 3", "21 19", "999999 99999 9999", "a b c", "")),
    *({"dimension": bad} for bad in ("0", "2", "4", "-3", "three", "17")),
    *({"type": bad} for bad in ("", "quad", "block", None)),
    *({"endian": bad} for bad in ("middle", "")),
    *({"encoding": "raw", "data": b""}, {"sizes": None}, {"dimension": None}),
    *(
        {"space_directions": f"({bad},0,0) (0,0.7,0) (0,0,2)"}
        for bad in ("nan", "inf", "0", "abc", "")
    ),
    {"space_directions": "(0.7,0,0) (0,0.7,0)"},
    *({"space_origin": f"({bad},0,0)"} for bad in ("nan", "inf", "abc")),
    {"space": "nowhere"},
]
"""Changes of an NRRD header that make its meaning unknown."""


@st.composite
def metaimage_files(draw, hostile: bool = False) -> Case:
    """Draw a MetaImage: voxels, type, byte order, compression, directions and origin."""
    values = draw(arrays(-4000, 4000))
    steps, origin = draw(geometries())
    spacing = np.linalg.norm(steps, axis=0)
    fields = {
        "TransformMatrix": texts((steps / spacing).T),
        "Offset": texts(origin),
        "ElementSpacing": texts(spacing),
    }
    packed = draw(st.booleans())
    if not packed:
        fields |= {"kind": draw(st.sampled_from(["i2", "i4", "f4", "f8"])), "order": draw(ORDERS)}
    content = compressed if packed else metaimage
    if hostile:
        if draw(st.booleans()):
            return cut_somewhere(draw, content(values, **fields), "in.mha")
        fields |= draw(st.sampled_from(METAIMAGE_DAMAGE))
        return Case(file("in.mha", content(values, **fields)), Refused(()), "in.mha")
    return Case(file("in.mha", content(values, **fields)), Read(values, origin, steps), "in.mha")


METAIMAGE_DAMAGE = [
    *({"DimSize": bad} for bad in ("0 19 3", "-21 19 3", "21 19", "99999 99999 99999", "a b c")),
    *({"NDims": bad} for bad in ("0", "2", "-3", "three", "99")),
    *({"ElementType": bad} for bad in ("", "MET_QUAD", "SHORT", None)),
    *({"ElementSpacing": bad} for bad in ("nan 0.7 2", "0 0.7 2", "inf 0.7 2", "0.7", "a b c")),
    *({"Offset": bad} for bad in ("nan 0 0", "inf 0 0", "1 2", "a b c")),
    *({"TransformMatrix": bad} for bad in ("nan 0 0 0 1 0 0 0 1", "1 0 0", "a b c d e f g h i")),
    *({"ElementNumberOfChannels": bad} for bad in ("2", "0", "-1", "x")),
]
"""Changes of a MetaImage header that make its meaning unknown."""

FORMATS: dict[str, Callable[[bool], st.SearchStrategy[Case]]] = {
    "DICOM": dicom_series,
    "NIfTI": nifti_files,
    "NRRD": nrrd_files,
    "MetaImage": metaimage_files,
}
"""Format → strategy of its valid (False) or hostile (True) headers."""


def header_title(name: str, hostile: bool) -> str:
    """Return the name of a kind of headers, such as ``NIfTI, hostile``."""
    return f"{name}, {'hostile' if hostile else 'valid'}"
